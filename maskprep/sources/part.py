"""A stretch of one source that can be read by itself."""

from __future__ import annotations

from dataclasses import dataclass

from maskprep.sources.files import Facts
from maskprep.sources.kinds import Kind


@dataclass(frozen=True, slots=True)
class SourcePart:
    """A stretch of one source that can be read by itself.

    ``start:end`` are bytes of JSONL, and the rows those of the lines that begin in them; of tables they are rows,
    counted from 0. ``first`` is the number of the first line, or row. ``size`` is how many bytes of the file, as it
    lies on disk, it stands for. ``file`` is the file that holds it, with the ``facts`` that it had when the source was
    divided, and ``at`` where in it the pieces of a table are.
    """

    name: str
    kind: Kind
    start: int
    end: int
    first: int
    size: int
    file: str
    facts: Facts
    at: tuple[int, int] = (0, 0)
