"""``maskprep push``: a build to the Hugging Face Hub, with a card made of its manifest."""
