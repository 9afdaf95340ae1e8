"""What became of one conversation becomes of all of its form: the turns of the law, proved once for all texts.

A conversation of atoms (``placeholder.py``) is rendered, and its turns are proved, by the same code as any other.
What was asked of an atom is asked of the text that stands in its place; where the answers are the same, so is
everything else:

- the template writes the same, with that text where the atom stands: it cannot have told them apart;
- a turn is proved by text of the template's own, and by one rendering beginning with another: both are the same
  whatever is put for the atoms. A turn that takes anything else to be proved is not planned, nor one whose own text is
  but white space.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

from maskprep.conversation import Conversation, Finding
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import TEMPLATE
from maskprep.template.symbolic.pattern import NoPatternError, Pattern, apart
from maskprep.template.symbolic.placeholder import FIRST, SIZE, Asked, Watch
from maskprep.template.symbolic.plan import Apart, Location, Plan, Test, TurnPlan
from maskprep.template.turns.stop_tokens import Stops
from maskprep.template.turns.turn import Fit, Turn


def make_plan(  # noqa: PLR0913 - what was proved of the twin, and what was seen of it
    whole: Rendered,
    turns: Sequence[Turn],
    selected: Mapping[int, Turn],
    *,
    conversation: Conversation,
    unrenderable: Collection[int],
    findings: tuple[Finding, ...],
    located: Mapping[int, tuple[int, int, int]],
    watch: Watch,
    kinds: frozenset[Hashable],
    turn_kinds: frozenset[Hashable],
    stops: Stops,
) -> Plan | None:
    """Return the plan of all conversations of the form of a twin, None where its proofs do not hold for all of them.

    Args:
        whole: the rendering of the twin.
        turns: all of its turns.
        selected: those that are trained.
        conversation: the twin.
        unrenderable: the turns that are not trained because the template refuses to write their prompts.
        findings: what was noticed.
        located: where the selected turns stand in ``whole`` that it does not begin with.
        watch: what the template did with atoms.
        kinds: what conversations of this form have in common with others.
        turn_kinds: the same of their turns.
        stops: where turns end.
    """
    assistants = {index for index, message in enumerate(conversation.messages) if index and message.role == "assistant"}
    if watch.lost or {turn.message for turn in turns} != assistants.difference(unrenderable):
        return None
    try:
        pattern = Pattern.of(whole)
        plans = tuple(_plan_turn(turn, whole, pattern, turn.message in selected, located, stops) for turn in turns)
    except NoPatternError:
        return None
    for atom in _located_atoms(plans, turns):
        for token in stops.tokens:
            watch.note(atom, "contains", token)
    printed = sorted(watch.printed.items(), key=lambda pair: pair[1])
    tests = tuple((atom, tuple(map(_test, sorted(asked, key=repr)))) for atom, asked in sorted(watch.asked.items()))
    options = tuple((asked.atom, {"ensure_ascii": False, **dict(asked.options)}) for asked, _ in printed)
    return Plan(pattern, plans, findings, kinds, turn_kinds, tests, options)


def _plan_turn(  # noqa: PLR0913, PLR0917 - a turn, and where it may stand
    turn: Turn,
    whole: Rendered,
    in_whole: Pattern,
    selected: bool,  # noqa: FBT001
    located: Mapping[int, tuple[int, int, int]],
    stops: Stops,
) -> TurnPlan:
    """Return a turn in places. Raises ``NoPatternError`` where its proof looks at more than the template's own text."""
    if turn.fit is not Fit.PROMPT:
        raise NoPatternError
    own = turn.text.extent(turn.message)
    tail = max(turn.start, own[1]) if own else turn.start
    if set(turn.text.sources(tail, len(turn.text))) - {TEMPLATE} or turn.stop < tail:
        raise NoPatternError
    shared = whole.starts_alike(turn.text, len(turn.text))
    pattern = in_whole if shared else Pattern.of(turn.text)
    begins = turn.begins(whole)
    where = located.get(turn.message)
    certain = where is not None and _is_certain(turn, whole, where, stops)
    place = pattern.place
    return TurnPlan(
        turn.message,
        None if shared else pattern,
        place(len(turn.text)),
        place(turn.start),
        place(turn.stop),
        place(turn.end),
        thought=(place(turn.thought[0]), place(turn.thought[1])),
        findings=turn.findings,
        borrowed_stop=turn.borrowed_stop,
        begins=begins,
        apart=None if begins else _apart(turn, whole, pattern),
        selected=selected,
        located=Location(*map(in_whole.place, where)) if where is not None and certain else None,
    )


def _apart(turn: Turn, whole: Rendered, pattern: Pattern) -> Apart | None:
    """Return where the two part, None where it is not in text of the template's, which is the same for all texts."""
    one, two = turn.text.text[: turn.end], whole.text
    at = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), None)
    if at is None:
        return None
    before, _ = place = pattern.place(at)
    stop = min(turn.end, pattern.ends[before] - SIZE if before < len(pattern.ends) else turn.end)
    return Apart(place, one[at:stop]) if stop > at else None


def _is_certain(turn: Turn, whole: Rendered, where: tuple[int, int, int], stops: Stops) -> bool:
    """Tell whether a turn stands there in the whole for all texts in which there is no stop token.

    That is so where ``locate`` has found it by what the template wrote around the very atoms of the turn.
    """
    start, stop, end = where
    own = whole.extent_like(turn.message, turn.text.amounts(turn.message))
    if own is None:
        return False
    first, last, _ = own
    edge = whole.end_of_others(turn.message, first)
    lead = turn.text.end_of_others(-2, turn.start)
    asked = turn.text.text[lead : turn.start]
    gap = whole.text[edge:first]
    mine = [_ATOMS.findall(text) for text in (whole.text[first:last], turn.text.text[turn.start : turn.stop])]
    is_apart = all(apart(text, stops.tokens) for text in (whole.text[edge:end], turn.text.text[lead : turn.end]))
    return (
        set(whole.sources(edge, first)) == {TEMPLATE}
        and asked in gap
        and bool(asked)
        and start == edge + gap.rindex(asked) + len(asked)
        and mine[0] == mine[1]
        and set(whole.sources(last, end)) == {TEMPLATE}
        and stops.first(whole.text, last) == (stop, end)
        and is_apart
    )


def _located_atoms(plans: Sequence[TurnPlan], turns: Sequence[Turn]) -> Iterator[int]:
    """Yield the atoms in which there must be no stop token."""
    for plan, turn in zip(plans, turns, strict=True):
        if plan.located is not None:
            yield from (ord(atom) - FIRST for atom in _ATOMS.findall(turn.text.text[turn.start : turn.end]))


def _test(asked: Asked) -> Test:
    """Return the question whether a text answers as an atom does."""
    given = asked.given or ""
    match asked.what:
        case "contains":
            return lambda text: given not in text
        case "startswith":
            return lambda text: not text.startswith(given)
        case "endswith":
            return lambda text: not text.endswith(given)
        case "equals":
            return lambda text: text != given
        case what:
            return lambda text: len(getattr(text, what)(asked.given)) == len(text)


_ATOMS = re.compile(f"[{chr(FIRST)}-\U0010ffff]")
