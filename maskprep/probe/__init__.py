"""``maskprep probe``: what a chat template does, found by running it on small conversations of our own."""
