"""What to do about a row that has more bytes than are read."""

RAISE_IT = "Split or drop the row, or raise max_row_bytes, the limit on the bytes of a row."
"""The hint of every ``row-too-large``."""
