"""Conversations of placeholders: what is proved of one of them holds for all conversations of its form."""
