"""How a turn begins and ends: generation prompt, inserted text, stop token, trimming, what stands ahead of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from maskprep.errors import RowError
from maskprep.policy import Part
from maskprep.probe.prober import Prober, Sample, Statement, own, quoted
from maskprep.probe.samples import (
    ANSWERED,
    ANSWERS,
    CALLED,
    PLAIN,
    SYSTEM,
    TWO,
    message,
    user,
)
from maskprep.template.rendered import Rendered
from maskprep.template.turns.locate import locate
from maskprep.template.turns.turn import Turn

_PADS = {"white space": "  ", "line breaks": "\n\n"}
_ENDS = {(True, True): "both ends", (True, False): "the start", (False, True): "the end", (False, False): ""}


def prompt(prober: Prober) -> Statement:
    """State what text asking for a generation prompt adds."""
    asked = Sample(PLAIN.messages[:1])
    after = {"user": prober.generation_prompt(asked)}
    answered = prober.fitted(ANSWERED)
    after["tool"] = prober.generation_prompt(replace(answered, messages=answered.messages[:3]))
    first = after["user"]
    if first is None:
        failed = next((one for one in (prober.render(asked), prober.render(asked, prompt=True))
                       if isinstance(one, RowError)), None)  # fmt: skip
        text = failed.message if failed else "is no addition at the end: it changes what stands before"
    elif not first:
        text = "none: asking for one changes nothing"
    else:
        text = quoted(first)
    if first and after["tool"] is not None and after["tool"] != first:
        text += f"; after a tool's answer {quoted(after['tool']) if after['tool'] else 'none'}"
    return Statement("generation_prompt", after, text, notable=not first)


def inserted(prober: Prober) -> Statement:
    """State what text the template writes between prompt and content, and between content and stop token."""
    turn = prober.turn(PLAIN, 1)
    if isinstance(turn, RowError):
        return Statement("inserted", None, f"cannot be told: {_reason(turn)}", notable=True)
    extent = turn.text.part(turn.start, turn.stop).extent(1)
    if extent is None:
        return Statement("inserted", None, "cannot be told: the answer is not rendered", notable=True)
    whole = turn.text.text[turn.start : turn.stop]
    value = {"before": whole[: extent[0]], "after": whole[extent[1] :]}
    said = [f"{quoted(value['before'])} between the prompt and the answer"] if value["before"] else []
    said += [f"{quoted(value['after'])} between the answer and the stop token"] if value["after"] else []
    return Statement("inserted", value, f"{' and '.join(said)}: trained" if said else "nothing around an answer")


def stop(prober: Prober) -> Statement:
    """State which token ends a turn: the last one, an earlier one, one that calls a tool."""
    turns = {"answer": prober.turn_anyhow(PLAIN, 1), "tool_call": prober.turn_anyhow(CALLED, 1)}
    last = turns["answer"]
    if isinstance(last, RowError):
        return Statement("stop", None, f"cannot be told: {_reason(last)}", notable=True)
    found = {name: _stop(turn) for name, turn in turns.items()}
    found["earlier_answer"] = _earlier_stop(prober)
    token, eos = found["answer"] or "", prober.loaded.tokenizer.eos_token
    value = {**found, "trained": bool(token), "eos_token": eos, "one_token": bool(token) and _is_one(prober, token)}
    if not token:
        text = "none: the template ends an answer with no stop token, and the model is not taught to stop"
        if found["earlier_answer"]:
            text += f"; an answer that is not the last ends with {quoted(found['earlier_answer'])}"
        return Statement("stop", value, text, notable=True)
    text = f"{quoted(token)}, trained: it stands in the completion"
    if not value["one_token"]:
        text += "; it is not one token of this tokenizer"
    if token != eos:
        text += f"; the tokenizer's eos_token is another one, {quoted(str(eos))}: the server must stop at both"
    if found["earlier_answer"] not in (None, token):
        text += f"; an answer that is not the last ends with {quoted(found['earlier_answer'] or '')}"
    if found["tool_call"] not in (None, token):
        text += f"; a tool call ends with {quoted(found['tool_call'] or '')}"
    return Statement("stop", value, text, notable=token != eos or not value["one_token"])


def _stop(turn: Turn | RowError) -> str | None:
    return None if isinstance(turn, RowError) else turn.text.text[turn.stop : turn.end]


def _earlier_stop(prober: Prober) -> str | None:
    whole, turn = prober.render(TWO), prober.turn_anyhow(TWO, 1)
    if isinstance(whole, RowError) or isinstance(turn, RowError):
        return None
    if turn.begins(whole):
        return _stop(turn)
    place = locate(prober.template(TWO), prober.conversation(TWO), whole, [turn], prober.stops).get(1)
    return whole.text[place[1] : place[2]] if place else None


def _is_one(prober: Prober, token: str) -> bool:
    return len(prober.strict.encoder.ids(token)) == 1


def trims(prober: Prober) -> Statement:
    """State from whose text the template takes away white space, or only line breaks, and at which end."""
    value: dict[str, dict[str, str]] = {}
    for kind, pad in _PADS.items():
        padded = f"{pad}Stay on the path.{pad}"
        for name, (sample, number, part) in _padded(padded).items():
            outcome = prober.render(sample)
            found = own(outcome, number, part) if isinstance(outcome, Rendered) else ""
            if found.strip():
                ends = not found.startswith(pad), not found.endswith(pad)
                value.setdefault(name, {})[kind] = _ENDS[ends]
    groups: dict[str, list[str]] = {}
    for name, ways in value.items():
        blanks, breaks = ways.get("white space", ""), ways.get("line breaks", "")
        said = [f"white space at {blanks}"] if blanks else []
        said += [f"line breaks at {breaks}"] if breaks and breaks != blanks else []
        if said:
            groups.setdefault(" and ".join(said), []).append(name)
    text = "; ".join(f"{way}: {', '.join(whose)}" for way, whose in groups.items())
    return Statement("trims", value, text or "nothing: white space is kept")


def _padded(text: str) -> dict[str, tuple[Sample, int, Part]]:
    """Return samples that hold ``text``, each with the message and the part that it stands in, by what that is."""
    thinking = message("assistant", ANSWERS[0], reasoning_content=text)
    return {
        "system": (Sample((message("system", text), user())), 0, Part.CONTENT),
        "user": (Sample((message("user", text), message("assistant", ANSWERS[0]))), 0, Part.CONTENT),
        "assistant": (Sample((user(), message("assistant", text))), 1, Part.CONTENT),
        "reasoning": (Sample((user(), thinking)), 1, Part.REASONING),
    }


def opening(prober: Prober) -> Statement:
    """State what text stands ahead of the first message, and which part of it a system message replaces."""
    alone = prober.render(Sample((user(),)), prompt=True)
    if isinstance(alone, RowError) or (start := alone.extent(0)) is None:
        return Statement("opening", None, "cannot be told: a user's message alone is not rendered", notable=True)
    head = alone.text[: start[0]]
    lead = head.removesuffix(prober.user_header)
    default = _default_system(prober, head)
    value = {"lead": lead, "default_system": default}
    if default:
        rest = "" if default == lead else f"; in all, {quoted(lead)} stands ahead of the first message"
        return Statement("opening", value, f"default system prompt {quoted(default, 120)}{rest}", notable=True)
    if lead:
        words = lead.removeprefix(str(prober.loaded.tokenizer.bos_token or "")).strip()
        text = f"{quoted(lead, 160)} stands ahead of the first message" + ("" if words else " (no system prompt)")
        return Statement("opening", value, text, notable=bool(words))
    return Statement("opening", value, "no default system prompt, nothing ahead of the first message")


def _default_system(prober: Prober, head: str) -> str:
    """Return the part of ``head`` in whose place a system message stands, if there is one."""
    given = prober.render(Sample((message("system", SYSTEM), user())), prompt=True)
    if isinstance(given, RowError):
        return ""
    mine, theirs = given.extent(0), given.extent(1)
    if mine is None or theirs is None or mine[1] > theirs[0]:
        return ""
    before, behind = given.text[: mine[0]], given.text[mine[1] : theirs[0]]
    fits = len(before) + len(behind) < len(head) and head.startswith(before) and head.endswith(behind)
    return head[len(before) : len(head) - len(behind)] if fits else ""


def _reason(error: RowError) -> str:
    return error.message if error.code != "prompt-mismatch" else "the prompt does not fit a plain answer (see below)"


STATEMENTS: tuple[Callable[[Prober], Statement], ...] = (prompt, inserted, stop, opening, trims)
