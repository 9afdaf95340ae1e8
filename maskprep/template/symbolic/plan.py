"""What becomes of all conversations of one form, with places for their texts; ``make_plan.py`` makes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from maskprep.conversation import Finding
from maskprep.template.rendered import Beginning, Rendered
from maskprep.template.symbolic.pattern import Filled, Pattern, Place
from maskprep.template.symbolic.signature import Form
from maskprep.template.turns.turn import Fit, Turn

Test = Callable[[str], bool]
_PROMPT = Fit.PROMPT  # Python takes its time to look up what an enumeration holds


@dataclass(frozen=True, slots=True)
class Location:
    """Where a turn stands in the whole: where its completion starts and stops, and where its stop token ends."""

    start: Place
    stop: Place
    end: Place


@dataclass(frozen=True, slots=True)
class Apart:
    """Where the whole goes on otherwise than a turn's own rendering, unless it has ``text`` there, too."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """A turn in places of its own rendering, ``pattern``; None for the beginning of the whole, up to ``length``."""

    message: int
    pattern: Pattern | None
    length: Place
    start: Place
    stop: Place
    end: Place
    thought: tuple[Place, Place]
    findings: tuple[Finding, ...]
    borrowed_stop: int
    begins: bool
    apart: Apart | None
    selected: bool
    located: Location | None


class PlannedTurn(Turn):
    """A turn of which it is known whether the whole begins with it."""

    __slots__ = ("_whole",)
    _whole: tuple[Rendered, bool]

    def begins(self, text: Rendered) -> bool:
        """Tell whether ``text`` starts with this turn's context and completion."""
        return self._whole[1] if text is self._whole[0] else Turn.begins(self, text)


@dataclass(frozen=True, slots=True)
class Filling:
    """What a plan makes of one conversation: its rendering, its turns, and where they stand that it does not begin."""

    whole: Rendered
    turns: tuple[Turn, ...]
    selected: dict[int, Turn]
    located: dict[int, tuple[int, int, int]] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of all conversations of one form.

    ``kinds`` and ``turn_kinds`` are what they, and their turns, have in common with others; ``tests`` the questions
    about each text, as far as there are any; ``printed`` the objects that stand in it as JSON, and how.
    """

    whole: Pattern
    turns: tuple[TurnPlan, ...]
    findings: tuple[Finding, ...]
    kinds: frozenset[Hashable]
    turn_kinds: frozenset[Hashable]
    tests: tuple[tuple[int, tuple[Test, ...]], ...]
    printed: tuple[tuple[int, Mapping[str, Any]], ...]

    @property
    def size(self) -> int:
        """How many pieces of text it holds."""
        patterns = (self.whole, *(turn.pattern for turn in self.turns))
        return sum(len(pattern.pieces) for pattern in patterns if pattern is not None)

    def texts(self, form: Form) -> list[str] | None:
        """Return the texts of the atoms, None where one of them answers another way."""
        texts: list[Any] = form.values
        if self.printed:
            texts = [*texts, *(json.dumps(texts[value], **options) for value, options in self.printed)]
        for atom, tests in self.tests:
            text = texts[atom]
            for test in tests:
                if not test(text):
                    return None
        return texts

    def fill(self, texts: list[str]) -> Filling:
        """Return what becomes of a conversation with these texts."""
        sizes = [*map(len, texts)]
        shifts = self.whole.shifts(sizes)
        length = sum(map(len, self.whole.pieces)) + shifts[-1]
        whole = Filled(self.whole, texts, sizes, length)
        turns: list[Turn] = []
        selected: dict[int, Turn] = {}
        located: dict[int, tuple[int, int, int]] | None = {}
        for plan in self.turns:
            turn = self._turn(plan, whole, shifts, texts, sizes)
            turns.append(turn)
            if not plan.selected:
                continue
            selected[plan.message] = turn
            if not (plan.begins or turn.begins(whole)):
                if plan.located is None or located is None:
                    located = None
                else:
                    where = plan.located
                    located[plan.message] = (
                        where.start[1] + shifts[where.start[0]],
                        where.stop[1] + shifts[where.stop[0]],
                        where.end[1] + shifts[where.end[0]],
                    )
        return Filling(whole, tuple(turns), selected, located)

    @staticmethod
    def _turn(plan: TurnPlan, whole: Filled, shifts: list[int], texts: list[str], sizes: list[int]) -> Turn:
        own = shifts if plan.pattern is None else plan.pattern.shifts(sizes)
        length = plan.length[1] + own[plan.length[0]]
        text = Beginning(whole, length) if plan.pattern is None else Filled(plan.pattern, texts, sizes, length)
        start, stop, end, low, high = (
            place[1] + own[place[0]] for place in (plan.start, plan.stop, plan.end, *plan.thought)
        )
        given = (plan.message, text, start, stop, end, _PROMPT, plan.findings, (low, high), plan.borrowed_stop)
        begins = plan.begins
        if not begins:
            apart = plan.apart
            if apart is None or whole.text.startswith(apart.text, apart.place[1] + own[apart.place[0]]):
                return Turn(*given)
        turn = PlannedTurn(*given)
        object.__setattr__(turn, "_whole", (whole, begins))
        return turn
