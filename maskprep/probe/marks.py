"""The clock, the token that begins a text, and the template's own ``{% generation %}`` marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

import numpy as np

from maskprep.errors import RowError
from maskprep.examples.guard import guarded
from maskprep.labelled import IGNORED, Labelled
from maskprep.policy import History
from maskprep.probe.prober import Prober, Statement, prove, quoted
from maskprep.probe.samples import ANSWERED, PLAIN, TWO
from maskprep.template.chat_template import ChatTemplate

_LATER = timedelta(days=400, hours=5, minutes=7, seconds=11)
_SHOWN = 3  # examples of each way in which marks and law differ


def clock(prober: Prober) -> Statement:
    """State whether the same chat is rendered otherwise at another time."""
    for name, sample in (("a plain chat", PLAIN), ("a chat with tools", ANSWERED)):
        template = prober.template(sample)
        if not template.uses_clock:
            continue
        later = ChatTemplate(template.source, template.variables, prober.now + _LATER)
        conversation, count = prober.conversation(sample), len(sample.messages)
        try:
            texts = [one.plain(conversation, count, generation_prompt=False) for one in (template, later)]
        except RowError:
            continue
        if texts[0] != texts[1]:
            at = next(i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b)
            shown = texts[0][max(0, at - 24) : at + 16]
            text = f"{name} tells the time, {quoted(shown)}: set `now` to the time that the model shall be told"
            return Statement("clock", {"told": True, "in": name, "text": shown}, text, notable=True)
    asked = any(prober.template(sample).uses_clock for sample in (PLAIN, ANSWERED))
    text = "not told in these chats, though the template may ask for it" if asked else "not asked"
    return Statement("clock", {"told": False, "asked": asked}, text)


def beginning(prober: Prober) -> Statement:
    """State whether template and tokenizer would both write the token that begins a text."""
    tokenizer, outcome = prober.loaded.tokenizer, prober.render(PLAIN)
    token, number = tokenizer.bos_token, tokenizer.bos_token_id
    if isinstance(outcome, RowError):
        return Statement("beginning", None, f"cannot be told: {outcome.message}", notable=True)
    plain = tokenizer(outcome.text, add_special_tokens=False, verbose=False)["input_ids"]
    usual = tokenizer(outcome.text, verbose=False)["input_ids"]
    writes = token is not None and plain[:1] == [number]
    adds = token is not None and list(usual) != list(plain) and usual[:1] == [number]
    value = {"token": token, "template_writes": writes, "tokenizer_adds": adds}
    if writes and adds:
        text = f"twice, unless text is encoded with add_special_tokens=False: {token} is the template's and "
        text += "the tokenizer's (maskprep encodes it once)"
    elif writes:
        text = f"the template writes {token}, the tokenizer adds none"
    elif adds:
        text = (
            f"the template writes none; a tokenizer called by itself adds {token}, a server that renders chats does not"
        )
    else:
        text = "none is written"
    return Statement("beginning", value, text, notable=adds)


def marks(prober: Prober) -> Statement:
    """State how the text that the template's ``{% generation %}`` marks would train differs from proved completions."""
    try:
        marked, law = _marked(prober), _law(prober)
    except RowError as error:
        return Statement("marks", None, f"cannot be compared: {error.message}", notable=True)
    mask = np.asarray(marked["assistant_masks"], dtype=bool)
    if not mask.any():
        return Statement("marks", {"marked": False}, "none: a trainer that relies on them trains nothing")
    if not np.array_equal(np.asarray(marked["input_ids"]), law.input_ids):
        return Statement("marks", {"marked": True}, "there are some; the ids differ, so they cannot be compared")
    trained = law.labels != IGNORED
    too_many, missing = _texts(prober, law, mask & ~trained), _texts(prober, law, trained & ~mask)
    value = {"marked": True, "marked_not_generated": too_many, "generated_not_marked": missing}
    if not too_many and not missing:
        return Statement("marks", value, "they agree with the law on a plain chat of two turns")
    said = [f"marked, but never generated in that place: {_few(too_many)}"] if too_many else []
    said += [f"generated, but not marked: {_few(missing)}"] if missing else []
    return Statement("marks", value, f"they differ from the law: {'; '.join(said)}", notable=True)


def _marked(prober: Prober) -> Any:
    """Return the ids and the mask that transformers makes by the marks."""
    template = prober.template(TWO)
    try:
        return prober.loaded.tokenizer.apply_chat_template(
            [dict(message) for message in TWO.messages],
            chat_template=template.source,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            **template.variables,
        )
    except Exception as error:  # a template is a program, and a slow tokenizer has no mask
        raise RowError("template-error", f"transformers fails: {type(error).__name__}: {error}") from error


def _law(prober: Prober) -> Labelled:
    """Return the whole chat, labelled, with every turn trained that stands in its rendering."""
    if isinstance(outcome := prober.render(TWO), RowError):
        raise outcome
    preparer, proved = prove(prober, prober.conversation(TWO))
    with guarded():
        return preparer.finish(proved, History.RENDERED).sequences[0].labelled


def _texts(prober: Prober, law: Labelled, wanted: Any) -> list[str]:
    """Return the text of each run of wanted tokens."""
    spelled = prober.strict.encoder.spell(law.input_ids.tolist())
    return [
        b"".join(spelled[index] for index in run).decode(errors="replace")
        for run in _runs(np.flatnonzero(wanted).tolist())
    ]


def _runs(indices: list[int]) -> Iterator[list[int]]:
    for _, run in groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0]):
        yield [index for _, index in run]


def _few(texts: Sequence[str]) -> str:
    kinds = list(dict.fromkeys(texts))
    return ", ".join(quoted(text, 40) for text in kinds[:_SHOWN]) + (", …" if len(kinds) > _SHOWN else "")


STATEMENTS: tuple[Callable[[Prober], Statement], ...] = (clock, beginning, marks)
