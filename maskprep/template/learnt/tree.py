"""What was written down of renderings, as trees of questions: a node for each event, a branch for each answer.

    events of three iterations                                as a tree

    v = m['role']  v == 'user'? yes  write …                  v = m['role'] ─ v == 'user'? ┬ yes ─ write …
    v = m['role']  v == 'user'? no   x? yes  write …                                       └ no ─ x? ┬ yes ─ write …
    v = m['role']  v == 'user'? no   x? no   write …                                                 └ no ─ write …

A rendering is a function of the answers: two that answered alike are asked the same next. Where they were not, nothing
that was learnt of the template holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from maskprep.template.learnt.watch import Event, Ran

QUESTIONS = frozenset({"if", "type", "value"})
LEAVES = frozenset({"next", "break", "end", "slow"})
_SLOW = ("slow",)


class ContradictionError(Exception):
    """Two renderings that answered alike went on otherwise."""


class Node:
    """An event, and what follows it: ``branches`` by answer, None where there is but one way on.

    ``loop`` is the tree of the iterations of a loop.
    """

    __slots__ = ("branches", "event", "leaves", "loop")

    def __init__(self) -> None:
        self.event: Event | None = None
        self.branches: dict[Any, Node] = {}
        self.loop: Node | None = None
        self.leaves = 0

    def add(self, events: Iterable[Event]) -> bool:
        """Add what was written down of one rendering, or of one iteration; tell whether anything of it is new.

        Raises:
            ContradictionError: it was asked something else than before after the same answers.
        """
        new = False
        node = self
        for event in events:
            node, grown = node._follow(event)
            new |= grown
        return new

    def _follow(self, event: Event) -> tuple[Node, bool]:
        kind = event[0]
        ran: Ran | None = event[1] if kind == "ran" else None
        shown, answer = _split(event)
        grown = self.event is None or (self.event == _SLOW and shown != _SLOW)
        if grown:
            self.event = shown
        elif shown == _SLOW:
            return self, False  # it failed with the values of one row, not of others
        elif self.event != shown:
            raise ContradictionError(f"{self.event} is followed by {shown}")
        if ran is not None:
            if self.loop is None:
                self.loop = Node()
            for iteration in ran.iterations:
                grown |= self.loop.add(iteration)
        if kind in LEAVES:
            return self, grown
        if answer not in self.branches:
            self.branches[answer] = Node()
            grown = True
        return self.branches[answer], grown

    def count(self) -> int:
        """Return how many leaves there are, loops included; each node remembers it of itself."""
        order = [self]
        for node in order:
            order.extend(node.branches.values())
        totals: dict[int, int] = {}
        for node in reversed(order):
            node.leaves = max(sum(totals[id(branch)] for branch in node.branches.values()), 1)
            totals[id(node)] = node.leaves + (0 if node.loop is None else node.loop.count())
        return totals[id(self)]


def _split(event: Event) -> tuple[Event, Any]:
    """Return an event as a tree holds it, and the answer."""
    if event[0] in QUESTIONS:
        return event[:2], event[2]
    return (event[1].event, None) if event[0] == "ran" else (event, None)
