"""What would become of the first rows of a source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from maskprep.commands.expansion import SAMPLE_ROWS
from maskprep.errors import RowError
from maskprep.formats import Line, parse
from maskprep.pipeline import guarded
from maskprep.prepare import Preparer
from maskprep.prepare.advice import Adviser
from maskprep.tally import Tally


@dataclass(slots=True)
class FirstRows:
    """The counts of the first rows; ``split`` are those that became several sequences."""

    tally: Tally = field(default_factory=Tally)
    split: int = 0

    def facts(self) -> dict[str, Any]:
        """Return all counts as JSON types."""
        return {**self.tally.facts(), "rows_split": self.split}


def first_rows(lines: Iterable[Line], preparer: Preparer) -> FirstRows:
    """Prepare the first rows as a build would, and write nothing."""
    found, adviser = FirstRows(), Adviser(preparer)
    for line in islice(lines, SAMPLE_ROWS):
        try:
            with guarded():
                prepared = preparer.prepare(parse(line, line.reading))
        except RowError as error:
            found.tally.reject(line.where, adviser.advise(error, line.where, partial(parse, line, line.reading)))
        else:
            found.tally.use(line.where, prepared)
            found.split += len(prepared.sequences) > 1
    return found
