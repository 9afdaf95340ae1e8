"""What stands in for fastokens in tests: what it encodes is up to the test."""

from __future__ import annotations


class Loaded:
    """A fast tokenizer that is there at once."""

    loaded = True

    def begin(self):
        pass

    def wait(self):
        pass
