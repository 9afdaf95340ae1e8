"""The orders of messages that a template accepts, and the form in which it reads the arguments of tool calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from maskprep.errors import RowError
from maskprep.policy import Part
from maskprep.probe.fields import DROPPED, PARTLY, REFUSED, RENDERED, UNCLEAR, Treatment, treatment
from maskprep.probe.prober import Prober, Sample, Statement, own
from maskprep.probe.samples import ARGUMENTS, CALLED, SYSTEM, assistant, call, message, user, with_tool
from maskprep.template.rendered import Rendered
from maskprep.template.turns.readable import readable

_ORDERS = {
    "two users in a row": (user(), user(1)),
    "two assistants in a row": (user(), assistant(), assistant(1)),
    "assistant first": (assistant(), user(1)),
    "system in the middle": (user(), assistant(), message("system", SYSTEM), user(1)),
    "two systems at the start": (message("system", SYSTEM), message("system", "Be brief."), user()),
    "user at the end": (user(), assistant(), user(1)),
    "no user": (message("system", SYSTEM), assistant()),
}


def order(prober: Prober) -> Statement:
    """State which orders of messages the template accepts, loses text of, or refuses."""
    found = {name: _accepted(prober, Sample(messages)) for name, messages in _ORDERS.items()}
    groups = []
    for kind, words in ((RENDERED, "accepted"), (DROPPED, "text is lost"), (REFUSED, "refused"), (UNCLEAR, "unclear")):
        of_kind = [name for name, one in found.items() if one.kind == kind]
        if of_kind:
            groups.append(f"{words}: {', '.join(of_kind)}")
    lossy = any(one.kind == DROPPED for one in found.values())
    return Statement("order", {name: asdict(one) for name, one in found.items()}, "; ".join(groups), lossy)


def _accepted(prober: Prober, sample: Sample) -> Treatment:
    """Return the worst treatment on any message of a sample."""
    outcome = prober.render(sample)
    verdicts = [treatment(outcome, at, Part.CONTENT, said["content"]) for at, said in enumerate(sample.messages)]
    for one in verdicts:
        if one.kind in (DROPPED, PARTLY):
            return Treatment(DROPPED, one.detail)
    return next((one for one in verdicts if one.kind != RENDERED), verdicts[0])


def arguments(prober: Prober) -> Statement:
    """State whether the template reads the arguments of tool calls as an object, as JSON text, or as either."""
    text = json.dumps(ARGUMENTS)
    objects, texts = _as_object(prober), _as_text(prober, text)
    reads = {"object": objects, "text": texts}
    if objects == texts == "dropped":
        return Statement("arguments", reads, "no tool call is rendered")
    words = {(True, True): "an object and JSON text alike", (True, False): "an object", (False, True): "JSON text"}
    good = words.get((objects == "read", texts == "read"), "neither an object nor JSON text")
    how = [f"an object is {objects}"] if objects != "read" else []
    how += [f"JSON text is {texts}"] if texts != "read" else []
    try:
        conversation, _ = readable(prober.template(CALLED), prober.conversation(CALLED))
    except RowError:
        given = "such rows are rejected"
    else:
        codes = {finding.code for finding in conversation.findings}
        given = f"maskprep gives {'JSON text' if 'arguments-as-text' in codes else 'an object'}"
    text = f"reads {good}{' (' + ', '.join(how) + ')' if how else ''}; {given}"
    return Statement("arguments", reads, text, notable="read" not in (objects, texts))


def _as_object(prober: Prober) -> str:
    outcome = prober.render(CALLED)
    if isinstance(outcome, RowError):
        return "refused"
    if outcome.prints(Part.TOOL_CALL):
        return "printed in Python's notation"
    return "read" if "Crow Hill" in own(outcome, 1, Part.TOOL_CALL) else "dropped"


def _as_text(prober: Prober, text: str) -> str:
    outcome = prober.render(with_tool(user(), call(text)))
    if isinstance(outcome, RowError):
        return "refused"
    if text in outcome.text:
        return "read"
    return "encoded twice" if _holds_twice(outcome, text) else "dropped"


def _holds_twice(outcome: Rendered, text: str) -> bool:
    return json.dumps(text)[1:-1] in outcome.text or "Crow Hill" in own(outcome, 1, Part.TOOL_CALL)


STATEMENTS: tuple[Callable[[Prober], Statement], ...] = (order, arguments)
