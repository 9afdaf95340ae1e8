"""Whether a template renders an earlier turn otherwise once later ones follow, and what becomes of its reasoning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from maskprep.errors import RowError
from maskprep.examples.guard import guarded
from maskprep.examples.history_cost import Cost
from maskprep.examples.trees import apart_of, written
from maskprep.policy import History, Part
from maskprep.probe.prober import Prober, Sample, Statement, own, prove, quoted
from maskprep.probe.samples import (
    ANSWERED,
    ANSWERS,
    ARGUMENTS,
    THOUGHT,
    THOUGHTS,
    THOUGHTS_TWICE,
    TWO,
    assistant,
    call,
    chat,
    message,
    result,
    user,
    with_tool,
)
from maskprep.template.rendered import Rendered

_AROUND = 24  # characters shown on either side of where two renderings part
_CHATS = {
    "without reasoning": TWO,
    "with reasoning": THOUGHTS_TWICE,
    "with tool calls": with_tool(*ANSWERED.messages, user(1), assistant(1)),
}
_TURNS = 6
_PLACES = ("the last turn", "earlier turns", "tool calls until the answer", "tool calls after the answer")


def history(prober: Prober) -> Statement:
    """State whether an earlier turn changes when later ones follow, and show how it looked before and after."""
    value = {name: _rewritten(prober, sample) for name, sample in _CHATS.items()}
    changed = {name: change for name, change in value.items() if change}
    if not changed:
        text = "not rewritten: an earlier turn stays as it was, in plain chats, with reasoning and with tool calls"
        return Statement("history", value, text)
    change = next(iter(changed.values()))
    kept = [name for name, change in value.items() if not change]
    text = (
        f"rewritten in chats {', '.join(changed)}{', not in those ' if kept else ''}{', '.join(kept)}: a turn that "
        f"was {quoted(change['before'])} is {quoted(change['after'])} once another follows"
    )
    return Statement("history", value, text, notable=True)


def _rewritten(prober: Prober, sample: Sample) -> dict[str, str] | None:
    """Return how the first turn that changes looked when it was the last one, and how it looks in the whole."""
    sample = prober.fitted(sample)
    whole = prober.render(sample)
    if isinstance(whole, RowError):
        return None
    for index, said in enumerate(sample.messages):
        turn = prober.turn_anyhow(sample, index) if said["role"] == "assistant" else None
        if turn is None or isinstance(turn, RowError) or turn.begins(whole):
            continue
        before = turn.text.text[: turn.end]
        at = next((i for i, (a, b) in enumerate(zip(before, whole.text, strict=False)) if a != b), len(whole.text))
        at = min(at, len(before))
        start = max(0, at - _AROUND)
        return {"before": before[start : at + 2 * _AROUND], "after": whole.text[start : at + 2 * _AROUND]}
    return None


def reasoning(prober: Prober) -> Statement:
    """State in which turns the template keeps reasoning: in the last one, in earlier ones, while tools are called."""
    thought = call(ARGUMENTS, reasoning_content=THOUGHTS[0])
    called = prober.fitted(with_tool(user(), thought, result(), assistant()))
    written = Sample((user(), message("assistant", f"<think>\n{THOUGHTS[0]}\n</think>\n\n{ANSWERS[0]}")))
    later = Sample((*written.messages, user(1), assistant(1)))
    value = {
        "the last turn": _kept(prober, THOUGHT, 1, Part.REASONING),
        "earlier turns": _kept(prober, THOUGHTS_TWICE, 1, Part.REASONING),
        "tool calls until the answer": _kept(prober, replace(called, messages=called.messages[:3]), 1, Part.REASONING),
        "tool calls after the answer": _kept(prober, called, 1, Part.REASONING),
        "written in the content, last turn": _kept(prober, written, 1, Part.CONTENT),
        "written in the content, earlier turns": _kept(prober, later, 1, Part.CONTENT),
    }
    places = {kind: [name for name in _PLACES if value[name] is kind] for kind in (True, False, None)}
    inner = [kept for name, kept in value.items() if name not in _PLACES]
    if not places[True]:
        text = "dropped: a field for it is not read"
    else:
        words = {True: "kept", False: "stripped", None: "refused"}
        text = "; ".join(f"{words[kind]} in {' and in '.join(found)}" for kind, found in places.items() if found)
    ends = {(True, True): "kept", (True, False): "kept in the last turn, stripped from earlier ones",
            (False, False): "stripped", (False, True): "stripped from the last turn only"}  # fmt: skip
    if None not in inner:
        text += f". Written as <think>…</think> into the content: {ends[bool(inner[0]), bool(inner[1])]}"
    return Statement("reasoning", value, text, notable=False in value.values())


def _kept(prober: Prober, sample: Sample, number: int, part: Part) -> bool | None:
    """Tell whether the reasoning of a message stands in the rendering, None where there is no rendering."""
    outcome = prober.render(sample)
    return THOUGHTS[0] in own(outcome, number, part) if isinstance(outcome, Rendered) else None


def cost(prober: Prober) -> Statement:
    """State how many sequences and tokens each ``history`` makes of a plain chat of six turns."""
    try:
        preparer, proved = prove(prober, prober.conversation(chat(_TURNS)))
    except RowError as error:
        return Statement("cost", None, f"cannot be told: {error.message}", notable=True)
    value: dict[str, dict[str, Any]] = {}
    for way in History:
        made = Cost()
        try:
            with guarded():
                made.add(written([preparer.finish(proved, apart_of(way))], way, None)[0])
        except RowError as error:
            value[str(way)] = {"error": error.message}
        else:
            value[str(way)] = {name: figure for name, figure in asdict(made).items() if name != "rows"}
    lent = "" if preparer is prober.strict else " (with --prompt-mismatch train)"
    figures = list(value.values())
    if all(one == figures[0] for one in figures) and "error" not in figures[0]:
        text = f"each history gives {_cost(figures[0])}{lent}"
        return Statement("cost", value, text)
    text = "; ".join(f"{name}: {_cost(one)}" for name, one in value.items())
    return Statement("cost", value, text + lent, notable=True)


def _cost(figures: Mapping[str, Any]) -> str:
    if "error" in figures:
        return f"rejected ({figures['error']})"
    many = figures["sequences"]
    text = f"{many} sequence{'' if many == 1 else 's'}, {figures['tokens']} tokens, {figures['trained_tokens']} trained"
    wrong = figures["unfaithful_tokens"]
    return text + (f", {wrong} of them in a context that no server sends" if wrong else "")


STATEMENTS: tuple[Callable[[Prober], Statement], ...] = (history, reasoning, cost)
