"""The way of rows from a chunk of the input to shards: what a worker does, wherever it runs."""

from maskprep.pipeline.rows import guarded

__all__ = ["guarded"]
