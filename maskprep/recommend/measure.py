"""What a sample becomes under given settings: how many rows are used, what each history costs, why others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from maskprep.errors import RowError
from maskprep.examples import Prepared, Preparer
from maskprep.examples.history_cost import Cost, Costs
from maskprep.examples.prepared import PreparedRow
from maskprep.examples.remedies import Remedy
from maskprep.formats import Line
from maskprep.policy import History, Part
from maskprep.recommend.sample import SampleRow


@dataclass(frozen=True, slots=True)
class Measured:
    """What the rows of a sample become.

    ``rows``: how many were tried. ``costs``: of those that can be proved, under each history. ``failures``: why the
    others cannot be used under the policy's own history, by their number in the sample. ``lost``: parts of messages,
    such as reasoning, that the template leaves out of rows that are used, and how many rows lose them.
    """

    rows: int
    costs: Costs
    failures: dict[int, RowError]
    lost: Mapping[str, int] = field(default_factory=dict)

    @property
    def used(self) -> int:
        """How many rows can be used under the policy's own history."""
        return self.rows - len(self.failures)


def measure(
    preparer: Preparer, sample: Sequence[SampleRow], remedy: Remedy, histories: Sequence[History] = tuple(History)
) -> Measured:
    """Return what the rows of a sample become under the policy of ``preparer`` with a remedy; nothing is written.

    ``histories``: those whose costs are wanted.
    """
    under = preparer.under(remedy.policy(preparer.policy))
    costs = Costs(by={history: Cost() for history in histories})
    failures: dict[int, RowError] = {}
    lost = Counter[str]()
    waiting: list[tuple[int, PreparedRow]] = []
    for number, row in enumerate(sample):
        if row.conversation is None:
            failures[number] = row.error or RowError("internal-error", "nothing was read of this row")
            continue
        made = PreparedRow(Line(row.where, b""), remedy.conversation(row.conversation))
        try:
            made.proved = under.prove(made.conversation or row.conversation)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is of this row
            made.fail(error)
        if made.error is not None:
            failures[number] = made.error
        else:
            waiting.append((number, made))
    for start in range(0, len(waiting), _TOGETHER):
        batch = waiting[start : start + _TOGETHER]
        costs.add(under, [row for _, row in batch])
        copies = [(number, replace(row)) for number, row in batch]
        under.finish_rows([row for _, row in copies], under.policy.history)
        failures |= {number: row.error for number, row in copies if row.error is not None}
        for _, copy in copies:
            lost.update(_lost(copy.made) if copy.made else ())
    return Measured(len(sample), costs, failures, lost)


def _lost(made: Prepared) -> set[str]:
    """Return the parts that the template leaves out of a row that is used."""
    details = [finding.detail for finding in made.findings if finding.code == "content-dropped"]
    return {part for detail in details for part in (Part.REASONING, Part.TOOL_CALL, Part.CONTENT) if part in detail}


_TOGETHER = 50  # rows whose sequences are in memory at a time
