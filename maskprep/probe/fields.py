"""Which roles and fields a template renders, drops or refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from maskprep.errors import RowError
from maskprep.policy import Part
from maskprep.probe.prober import Prober, Sample, Statement, own
from maskprep.probe.samples import (
    ANSWERED,
    ANSWERS,
    ARGUMENTS,
    CALLED,
    DOCUMENT,
    PLAIN,
    QUESTIONS,
    RESULT,
    SYSTEM,
    THOUGHTS,
    TOOL,
    call,
    message,
    user,
    with_tool,
)
from maskprep.template.rendered import Rendered

RENDERED, PARTLY, PRINTED, DROPPED, REFUSED, UNCLEAR = (
    "rendered",
    "partly",
    "printed",
    "dropped",
    "refused",
    "unclear",
)
_WORDS = {
    RENDERED: "rendered",
    PARTLY: "rendered in part",
    PRINTED: "printed as a list, in the notation of JSON or Python",
    DROPPED: "dropped without a word",
    REFUSED: "refused",
    UNCLEAR: "mixed so that nobody can tell whose text is whose",
}


@dataclass(frozen=True, slots=True)
class Treatment:
    """What a template did with a role or field; ``detail`` are the template's own words where it refuses it."""

    kind: str
    detail: str = ""


def treatment(outcome: Rendered | RowError, number: int, part: Part, *wanted: str) -> Treatment:
    """Return what the template did with the texts ``wanted`` of one part of message ``number``."""
    if isinstance(outcome, RowError):
        return Treatment(REFUSED if outcome.code == "template-error" else UNCLEAR, outcome.message)
    found = own(outcome, number, part)
    if all(text in found for text in wanted):
        return Treatment(RENDERED)
    return Treatment(PARTLY if any(text in found for text in wanted) else DROPPED)


def roles(prober: Prober) -> Statement:
    """State which roles the template renders."""
    lead = {role: Sample((message(role, SYSTEM), user())) for role in ("system", "developer")}
    found = {role: treatment(prober.render(sample), 0, Part.CONTENT, SYSTEM) for role, sample in lead.items()}
    found["user"] = treatment(prober.render(PLAIN), 0, Part.CONTENT, QUESTIONS[0])
    found["assistant"] = treatment(prober.render(PLAIN), 1, Part.CONTENT, ANSWERS[0])
    found["tool"] = treatment(prober.render(prober.fitted(ANSWERED)), 2, Part.CONTENT, RESULT)
    one, two = (prober.render(sample) for sample in lead.values())
    alike = isinstance(one, Rendered) and isinstance(two, Rendered) and one.text == two.text
    names = {"developer": "developer (as system)"} if alike and found["system"].kind == RENDERED else {}
    if isinstance(one, Rendered) and _within_user(prober, one):
        names["system"] = "system (within the user's turn)"
    return _statement("roles", found, names)


def _within_user(prober: Prober, outcome: Rendered) -> bool:
    """Tell whether no turn begins between the text of a system message and that of the user message behind it."""
    system, asked = outcome.extent(0), outcome.extent(1)
    header = prober.user_header
    if system is None or asked is None or system[1] > asked[0] or not header:
        return False
    between = outcome.text[system[1] : asked[0]]
    return not between.endswith(header) and prober.stops.last_special(between, 0) is None


def fields(prober: Prober) -> Statement:
    """State which fields of messages the template renders."""
    one = call(ARGUMENTS)["tool_calls"]
    two = [*one, *call({"hill": "Mill Hill"}, number=2)["tool_calls"]]
    called, beside, twice, full = (
        prober.render(prober.fitted(sample))
        for sample in (
            CALLED,
            with_tool(user(), call(ARGUMENTS, content=ANSWERS[0])),
            with_tool(user(), call(ARGUMENTS, tool_calls=two)),
            with_tool(user(), call(ARGUMENTS, content=ANSWERS[0], reasoning_content=THOUGHTS[0])),
        )
    )
    offered = prober.render(with_tool(user()), prompt=True)
    name, description = TOOL["function"]["name"], TOOL["function"]["description"]
    found = {
        "tools": treatment(offered, -1, Part.TOOLS, name, description),
        "tool_calls": treatment(called, 1, Part.TOOL_CALL, name, *ARGUMENTS.values()),
        "several tool_calls at once": treatment(twice, 1, Part.TOOL_CALL, *ARGUMENTS.values(), "Mill Hill"),
        "content beside tool_calls": treatment(beside, 1, Part.CONTENT, ANSWERS[0]),
        "content beside reasoning and tool_calls": treatment(full, 1, Part.CONTENT, ANSWERS[0]),
        **{key: _reasoning(prober, key) for key in ("reasoning_content", "reasoning", "thinking")},
        "documents": _documents(prober),
        "name": _name(prober),
        "list content": _list_content(prober),
    }
    # Text parts never reach a template: they are joined before.
    return _statement("fields", found, {"list content": "list content (maskprep joins text parts itself)"})


def _reasoning(prober: Prober, key: str) -> Treatment:
    sample = Sample((user(), message("assistant", ANSWERS[0], **{key: THOUGHTS[0]})))
    return treatment(prober.render(sample), 1, Part.REASONING, THOUGHTS[0])


def _documents(prober: Prober) -> Treatment:
    sample = Sample((user(),), documents=(DOCUMENT,))
    return treatment(prober.render(sample, prompt=True), -1, Part.DOCUMENTS, DOCUMENT["text"])


def _name(prober: Prober) -> Treatment:
    return treatment(prober.render(Sample((user(name="Wanderer"),)), prompt=True), 0, Part.CONTENT, "Wanderer")


def _list_content(prober: Prober) -> Treatment:
    parts = [{"type": "text", "text": QUESTIONS[0]}]
    outcome = prober.render(Sample(({"role": "user", "content": parts},)), prompt=True)
    found = treatment(outcome, 0, Part.CONTENT, QUESTIONS[0])
    printed = isinstance(outcome, Rendered) and own(outcome, 0, Part.CONTENT).strip() != QUESTIONS[0]
    return Treatment(PRINTED if found.kind == RENDERED and printed else found.kind)


def _statement(name: str, found: dict[str, Treatment], names: dict[str, str] | None = None) -> Statement:
    """Return a statement that groups names by treatment, best first; the template's words follow a refusal."""
    told = names or {}
    groups = []
    for kind, words in _WORDS.items():
        of_kind = {told.get(item, item): treatment for item, treatment in found.items() if treatment.kind == kind}
        if of_kind:
            groups.append(f"{words}: {_listed(of_kind.items())}")
    lossy = any(treatment.kind in (DROPPED, PARTLY) for treatment in found.values())
    return Statement(name, {item: asdict(treatment) for item, treatment in found.items()}, "; ".join(groups), lossy)


def _listed(items: Iterable[tuple[str, Treatment]]) -> str:
    """Return names in words; those that were refused in the same words stand together before these words."""
    by_words: dict[str, list[str]] = {}
    for name, found in items:
        by_words.setdefault(_short(found.detail), []).append(name)
    return ", ".join(", ".join(group) + (f" ({words})" if words else "") for words, group in by_words.items())


def _short(words: str, limit: int = 70) -> str:
    words = words.removeprefix("the chat template refuses the conversation: ").removeprefix("the chat template fails: ")
    return words if len(words) <= limit else words[: limit - 1] + "…"


STATEMENTS: tuple[Callable[[Prober], Statement], ...] = (roles, fields)
