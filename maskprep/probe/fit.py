"""Whether the generation prompt fits a plain answer, what would make it fit, and which variables change a rendering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskprep.errors import RowError
from maskprep.examples.remedies import TRIED
from maskprep.examples.remedies import variables as variable_remedies
from maskprep.policy import Mismatch
from maskprep.probe.prober import Prober, Sample, Statement, quoted
from maskprep.probe.samples import PLAIN, THOUGHT, TWO
from maskprep.template.rendered import Rendered
from maskprep.template.variables import free_variables


def fit(prober: Prober) -> Statement:
    """State whether the generation prompt stands before a plain answer; if it does not, what was tried and helped."""
    found = prober.turn(PLAIN, 1)
    if not isinstance(found, RowError):
        later = prober.turn(TWO, 3)
        if not isinstance(later, RowError):
            return Statement("fit", {"fits": True}, "the prompt stands before every answer of a plain chat")
        found = later
    if found.code != "prompt-mismatch":
        text = f"a plain answer cannot be trained: {found.message}"
        return Statement("fit", {"fits": False, "code": found.code, "message": found.message}, text, notable=True)
    prompt, rendered = (found.facts[name] for name in ("prompt", "rendered"))
    shown = {name: text["before"][-24:] + text["after"][:40] for name, text in found.facts.items()
             if name in ("prompt", "rendered")}  # fmt: skip
    mends = [*_by_variables(prober), *(["reasoning in the data"] if _fits(prober, THOUGHT) else [])]
    ways = [f"--prompt-mismatch {way}" for way in (Mismatch.GRAFT, Mismatch.TRAIN)
            if not isinstance(prober.turn(PLAIN, 1, way), RowError)]  # fmt: skip
    text = (
        f"a plain answer does not fit: the prompt ends with {quoted(shown['prompt'])}, the turn is rendered as "
        f"{quoted(shown['rendered'])}. Tried, and fits: {', '.join(mends) or 'nothing'}; else {' or '.join(ways)}"
    )
    value = {"fits": False, "code": found.code, "prompt": prompt, "rendered": rendered, "mends": mends, "ways": ways}
    return Statement("fit", value, text, notable=True)


def _fits(prober: Prober, sample: Sample) -> bool:
    return not isinstance(prober.turn(sample, 1), RowError)


def _by_variables(prober: Prober) -> list[str]:
    tried = variable_remedies(prober.template(PLAIN))
    return [str(remedy) for remedy in tried if _fits(prober, PLAIN.given(**remedy.variables))]


def variables(prober: Prober) -> Statement:
    """State which variables, set to true or to false, change a plain prompt or the rendering of earlier turns."""
    value: dict[str, dict[str, str]] = {}
    asked = Sample(PLAIN.messages[:1])
    for name in free_variables(prober.template(PLAIN)):
        for tried in TRIED:
            change = _change(prober, asked, {name: tried}, prompt=True) or _change(
                prober, THOUGHT, {name: tried}, prompt=False
            )
            if change:
                value.setdefault(name, {})[str(tried).lower()] = change
    if not value:
        return Statement("variables", value, "none that true or false would change a plain chat by")
    said = [
        f"{name}: {tried} → {quoted(change, 60)}"
        for name, changes in value.items()
        for tried, change in changes.items()
    ]
    return Statement("variables", value, "; ".join(said[:4]) + ("; …" if len(said) > 4 else ""))  # noqa: PLR2004


def _change(prober: Prober, sample: Sample, given: dict[str, Any], *, prompt: bool) -> str:
    """Return the text from where it differs from the rendering without the variable, empty where it does not differ."""
    before, after = prober.render(sample, prompt=prompt), prober.render(sample.given(**given), prompt=prompt)
    if not isinstance(before, Rendered):
        return ""
    if not isinstance(after, Rendered):
        return ""  # a value that the template has no use for
    if before.text == after.text:
        return ""
    pairs = zip(before.text, after.text, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
    return "…" + after.text[max(0, at - 12) : at + 40]


STATEMENTS: tuple[Callable[[Prober], Statement], ...] = (fit, variables)
