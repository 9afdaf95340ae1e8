"""Strings, numbers and messages that remember who wrote each of their characters."""
