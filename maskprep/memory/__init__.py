"""Rows in memory: what ``import maskprep`` does, behind ``api.py``.

    a conversation, rows, a data set ─▶ lines.py ─▶ Preparer ─▶ example.py      Example, or Rejected in its place
                                        as JSON     as in a     mapping.py      a data set of the library datasets
                                                    build       parallel.py     worker processes, order kept

Rows become the lines that the same rows in a file would be, so that they come out as the command makes them.
"""
