"""How provenance is won: chat templates run on strings that remember where their characters came from.

conversation ─▶ render ─▶ turn by turn: prompt, completion, stop token
"""
