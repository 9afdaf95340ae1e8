"""The sandbox that chat templates run in: what a template may take, and what it may not reach."""
