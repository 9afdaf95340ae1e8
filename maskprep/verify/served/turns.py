"""The trained turns of a build that a server is asked about: of every kind one first, then others.

A kind is what decides on the way a template and a server go: whether there are tools, a system message, earlier turns,
earlier reasoning or calls, results of tools, template variables, and who spoke last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import BuildError, UsageError
from maskprep.examples import PreparedSequence
from maskprep.examples.chats import Chat, Chats
from maskprep.formats import Line
from maskprep.labelled import IGNORED, Labelled, completions_of
from maskprep.verify.branches import StoredBranches
from maskprep.verify.source import Rebuild, found_source, read_lines, wanted_lines


@dataclass(frozen=True, slots=True)
class TrainedTurn:
    """A trained turn: its conversation, its message there, its tokens ``start:end`` in ``row``, which trains it.

    ``first`` is its first trained token, and ``place`` says where the row comes from.
    """

    chat: Chat
    message: int
    row: Labelled
    start: int
    end: int
    first: int
    place: str

    @property
    def kind(self) -> tuple[object, ...]:
        """What decides on the way that a template and a server go."""
        before = self.chat.messages[: self.message]
        return (
            bool(self.chat.tools),
            tuple(sorted(self.chat.variables)),
            before[-1]["role"],
            before[0]["role"],
            any(each["role"] == "assistant" for each in before),
            any(each.get("reasoning_content") for each in before),
            any(each.get("tool_calls") for each in before),
        )


@dataclass(slots=True)
class Turns:
    """The turns of some rows; ``unasked`` counts those that no server is asked about, by the reason."""

    found: list[TrainedTurn]
    unasked: dict[str, int]


def turns_of(data: StoredDataSet, numbers: Sequence[int], rebuild: Rebuild, most: int) -> Turns:
    """Return at most so many trained turns of rows, of all kinds.

    Args:
        data: the build.
        numbers: the rows to look at.
        rebuild: what a row is built again with: the source line has the messages.
        most: how many turns to return.
    """
    turns = Turns([], defaultdict(int))
    by_kind: dict[tuple[object, ...], list[TrainedTurn]] = defaultdict(list)
    for line, own in _lines(data, numbers, rebuild, turns.unasked):
        for turn in _of_row(data, line, own, rebuild, turns.unasked):
            by_kind[turn.kind].append(turn)
    while by_kind and len(turns.found) < most:
        for kind in list(by_kind):
            turns.found.append(by_kind[kind].pop(0))
            if not by_kind[kind]:
                del by_kind[kind]
    del turns.found[most:]
    return turns


def _lines(
    data: StoredDataSet, numbers: Sequence[int], rebuild: Rebuild, unasked: dict[str, int]
) -> Iterator[tuple[Line, list[int]]]:
    """Yield the source lines of rows, each with the numbers of its rows."""
    for file, lines in wanted_lines(data, numbers).items():
        path, gone = found_source(file, rebuild.places)
        if gone:
            unasked[gone] += sum(map(len, lines.values()))
            continue
        left = dict(lines)
        with suppress(UsageError, BuildError):
            for line in read_lines(file, path, lines.keys(), rebuild):
                yield line, left.pop(line.where.line)
        if left:
            unasked[f"the source {file} cannot be read here"] += sum(map(len, left.values()))


def _of_row(
    data: StoredDataSet, line: Line, numbers: Sequence[int], rebuild: Rebuild, unasked: dict[str, int]
) -> Iterator[TrainedTurn]:
    (rebuilt,) = rebuild.preparer.prepare_rows([line])
    if rebuilt.proved is None or rebuilt.made is None:
        unasked["the source line is rejected now"] += len(numbers)
        return
    chats = Chats(rebuilt.proved.conversation, rebuild.variables)
    for number in numbers:
        row = data.row(number)
        made = rebuilt.made.sequences
        if row.sequence >= len(made) or not np.array_equal(
            row.labelled.input_ids, made[row.sequence].labelled.input_ids
        ):
            unasked["the source line gives another row now"] += 1
        elif made[row.sequence].branches:
            for branch, labelled in StoredBranches(row.labelled, made[row.sequence].branches).found():
                yield from _of_sequence(chats, branch, labelled, str(line.where), unasked)
        else:
            yield from _of_sequence(chats, made[row.sequence], row.labelled, str(line.where), unasked)


def _of_sequence(
    chats: Chats, made: PreparedSequence, labelled: Labelled, place: str, unasked: dict[str, int]
) -> Iterator[TrainedTurn]:
    chat, row = chats.of(made), chats.renumbered(labelled, made)
    if chat.plain_text:
        unasked["plain text, which no server is asked for"] += 1
        return
    trained = row.labels != IGNORED
    completions = made.sequence.completions
    faithful = {each.message: each.faithful for each in completions}
    numbers = dict(enumerate(made.kept)) if made.kept is not None else {}
    for message, start, end in completions_of(row, trained):
        if chat.messages[message]["role"] != "assistant":
            unasked["a turn of another role, which no server is asked for"] += 1
        elif message in chat.sampled and not chat.sampled[message].in_context:
            unasked["a turn of which only ids are known: the row has no messages to ask a server for"] += 1
        elif message == chat.prefix:
            unasked["a turn that goes on with given text"] += 1
        elif not faithful.get(numbers.get(message, message), True):
            unasked["trained in a context that no server sends, as configured"] += 1
        else:
            first = start + int(np.flatnonzero(trained[start:end])[0])
            yield TrainedTurn(chat, message, row, start, end, first, f"{place}, messages[{message}]")
