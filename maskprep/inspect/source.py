"""Rows of a source as a build would make them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.examples.adapt import adapt
from maskprep.examples.advice import Adviser
from maskprep.examples.guard import guarded
from maskprep.examples.inputs import Inputs
from maskprep.formats import Line
from maskprep.inspect.selection import Selection
from maskprep.inspect.tokens import LoadedTokens
from maskprep.inspect.views import RejectView, View, Viewer, sought
from maskprep.policy import Policy


def source_views(inputs: Inputs, selection: Selection) -> Iterator[View]:
    """Yield the selected rows of a source, one by one."""
    viewer, adviser = Viewer(LoadedTokens(inputs.loaded, inputs.preparer.encoder)), Adviser(inputs.preparer)
    if selection.by_number:
        for number, line in selection.pick(inputs.lines()):
            yield from _prepare(inputs, viewer, adviser, number, line)
        return
    lines: Iterator[tuple[int, Line]] = enumerate(inputs.lines())
    if selection.origin is not None:
        place = selection.place()
        lines = (item for item in lines if (item[1].where.file, item[1].where.line) == place)
    made = ((view, line.data) for number, line in lines for view in _prepare(inputs, viewer, adviser, number, line))
    yield from islice((view for view, data in made if sought(view, selection, data)), selection.limit)


def _prepare(inputs: Inputs, viewer: Viewer, adviser: Adviser, number: int, line: Line) -> Iterator[View]:
    (row,) = inputs.preparer.prepare_rows([line])
    if row.error is not None:
        told = adviser.advise(row.error, line.where, row.conversation)
        adapted = _is_adapted(row.conversation, inputs.preparer.policy)
        yield RejectView.of(number, line.where, told, line.data, adapted=adapted)
    if row.made is not None:
        findings = [(finding.code, finding.detail) for finding in row.made.findings]
        for index, sequence in enumerate(row.made.sequences):
            yield viewer.view(number, line.where, index, sequence.labelled, findings)


def _is_adapted(conversation: Conversation | None, policy: Policy) -> bool:
    with suppress(RowError), guarded():
        return conversation is not None and adapt(conversation, policy) is not conversation
    return False
