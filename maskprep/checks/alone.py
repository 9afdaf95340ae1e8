"""A trained turn held against transformers alone: no code of maskprep renders, encodes or decodes here.

ids of the row    [ = tokenizer(prompt(k)) ][ decodes to what the template renders of turn k, stop token included ]
                                             every one of them is trained
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Self

import numpy as np

from maskprep.errors import BuildError
from maskprep.labels import IGNORED, Labelled
from maskprep.template.limits import Exceeded, Limits


@dataclass(frozen=True, slots=True)
class Chat:
    """What ``apply_chat_template`` is given: normalised messages and what goes with them.

    ``partial`` are the messages of which the data masks something, ``prefix`` is the one whose text is given to the
    model to go on from, ``cut`` tells that the end of the row was cut off.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Any = None
    documents: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    partial: frozenset[int] = frozenset()
    prefix: int | None = None
    cut: bool = False


class Alone:
    """Checks rows with a tokenizer of transformers.

    Args:
        tokenizer: the tokenizer, with its chat template.
        stop_tokens: what ends a turn, as the manifest records it.
        whole: whether all parts of a completion are trained.
        lenient: whether a turn may be trained in another context than its prompt (``history: rendered``, or
            ``prompt_mismatch: train``): it is then compared with the rendering in which it stands.
        escaped: whether control tokens that the data spells were encoded as ordinary text: other ids of the same text.
        limits: what one rendering may take.

    ``proved`` and ``as_rendered`` count the turns that were checked in the one way and in the other.
    """

    def __init__(  # noqa: PLR0913 - settings, each by name
        self,
        tokenizer: Any,
        stop_tokens: Sequence[str],
        *,
        whole: bool,
        lenient: bool,
        escaped: bool = False,
        limits: Limits | None = None,
    ) -> None:
        """Keep them; see the class."""
        self._limits = limits or Limits()
        self._tokenizer, self._stops = tokenizer, tuple(stop_tokens)
        self._whole, self._lenient, self._escaped = whole, lenient, escaped
        self.proved = self.as_rendered = 0

    def faults(self, chat: Chat, row: Labelled) -> Iterator[str]:
        """Yield what is wrong with the trained turns of one row."""
        trained = row.labels != IGNORED
        outside = trained.copy()
        for message, start, end in _completions(row, trained):
            outside[start:end] = False
            if not 0 <= message < len(chat.messages):
                yield f"messages[{message}] is trained, which the row does not have"
                continue
            generated = chat.messages[message]["role"] == "assistant"
            check = self._turn if generated else self._spoken
            for fault in check(chat, row, message, start, end):
                yield f"messages[{message}]: {fault}"
        if outside.any():
            yield f"token {int(np.flatnonzero(outside)[0])} is trained, but lies in no turn"

    def _spoken(self, chat: Chat, row: Labelled, message: int, start: int, end: int) -> Iterator[str]:
        """Check a turn that no prompt asks for: it stands where the template renders its text, and says it."""
        ids = row.input_ids.tolist()
        first = start + int(np.flatnonzero(row.labels[start:end] != IGNORED)[0])
        before, text = self._decode(ids[:first]), self._decode(ids[:end])
        renderings = [self._try(chat, upto) for upto in (message + 1, len(chat.messages))]
        if not any(rendering.startswith((text, self._bare(text))) for rendering in renderings):
            yield "the text up to its end is not how the template renders the conversation"
        elif not self._same(ids[:first], self._encode(before)):
            yield f"the {first:,} ids before it are not those of the text before it"
        else:
            self.proved += 1

    def _try(self, chat: Chat, upto: int) -> str:
        """Render the first messages; a template may refuse a conversation that ends with any but an answer."""
        try:
            return self._render(chat, upto, ask=False)
        except Exception:  # noqa: BLE001 - a template is a program from a stranger; the other rendering decides
            return ""

    def _turn(self, chat: Chat, row: Labelled, message: int, start: int, end: int) -> Iterator[str]:
        if message == chat.prefix:
            prompt = self._render(chat, message + 1, ask=False, go_on=True)
            start += int(np.flatnonzero(row.labels[start:end] != IGNORED)[0])
        else:
            prompt = self._render(chat, message, ask=True)
        continued = self._render(chat, message + 1, ask=False)
        asked = self._encode(prompt)
        ids = row.input_ids.tolist()
        if not self._same(ids[:start], asked):
            yield from self._as_rendered(chat, ids[:start], ids[:end], continued, asked)
            return
        text = self._text(ids, start, end)
        bare = self._bare(text)
        rest = continued.removeprefix(prompt) if continued.startswith(prompt) else None
        rendered = bare in continued if rest is None else rest.startswith((text, bare))
        if not rendered and self._encode(continued)[:end] != ids[:end]:
            if self._lenient:
                yield from self._as_rendered(chat, ids[:start], ids[:end], continued, asked)
            else:
                yield f"the completion decodes to {text[:60]!r}, the template renders {(rest or continued)[:60]!r}"
            return
        self.proved += 1
        stopped = chat.cut or rest is None or text != bare
        if not stopped and rest is not None and any(stop in rest[len(text) :] for stop in self._stops):
            yield "its stop token is not part of it"
        untrained = np.flatnonzero(row.labels[start:end] == IGNORED)
        # A last token that is no stop may go on behind the turn, and is then not trained.
        loose = text == bare and untrained.tolist() == [end - start - 1]
        if self._whole and message not in chat.partial and len(untrained) and not loose:
            yield f"token {start + int(untrained[0])} of its completion is not trained"

    def _as_rendered(
        self, chat: Chat, before: list[int], ids: list[int], continued: str, asked: list[int]
    ) -> Iterator[str]:
        if not self._lenient:
            same = next((i for i, (one, two) in enumerate(zip(before, asked, strict=False)) if one != two), None)
            at = min(len(before), len(asked)) if same is None else same
            yield (
                f"the {len(before):,} ids before its completion are not the {len(asked):,} of its prompt, from token "
                f"{at:,} on"
            )
            return
        self.as_rendered += 1
        text = self._decode(ids)
        whole = self._render(chat, len(chat.messages), ask=False)
        if not any(rendering.startswith((text, self._bare(text))) for rendering in (whole, continued)):
            yield "the text up to its end is not how the template renders the conversation"

    def _same(self, ids: list[int], asked: list[int]) -> bool:
        return ids == asked or (self._escaped and self._decode(ids) == self._decode(asked))

    def _bare(self, text: str) -> str:
        """Return a text without the stop token at its end, which may be one that only the next turn writes."""
        return next((text.removesuffix(stop) for stop in self._stops if text.endswith(stop)), text)

    def _render(self, chat: Chat, upto: int, *, ask: bool, go_on: bool = False) -> str:
        try:
            with self._limits.running():
                return str(
                    self._tokenizer.apply_chat_template(
                        [dict(message) for message in chat.messages[:upto]],
                        tools=chat.tools,
                        documents=chat.documents,
                        add_generation_prompt=ask,
                        continue_final_message=go_on,
                        tokenize=False,
                        **chat.variables,
                    )
                )
        except Exceeded as error:
            raise BuildError(str(error)) from error

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _text(self, ids: list[int], start: int, end: int) -> str:
        text = self._decode(ids[start:end])
        # Some tokenizers leave out the blank with which a text begins: behind the prompt they do not.
        if not start or self._encode(" a") != self._encode("a"):
            return text
        return self._decode(ids[:end])[len(self._decode(ids[:start])) :]


def _completions(row: Labelled, trained: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield message, start and end of each turn of which something is trained, as the spans have it.

    A template may quote a turn elsewhere (the name of a tool in the header of its answer): the turn itself is the
    stretch that holds the first trained token.
    """
    seen: set[int] = set()
    for (message, role), group in groupby(row.spans, key=lambda span: (span.message, span.role)):
        stretch = list(group)
        start, end = stretch[0].start, stretch[-1].end
        if role != "template" and message >= 0 and message not in seen and trained[start:end].any():
            seen.add(message)
            yield message, start, end


@contextmanager
def clock(now: datetime) -> Iterator[None]:
    """Set the clock that transformers tells templates to ``now``, as it stood in the build."""
    from transformers.utils import chat_template_utils  # noqa: PLC0415 - seconds to import

    class _Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Self:  # noqa: ARG003 - datetime's own signature
            return cls(now.year, now.month, now.day, now.hour, now.minute, now.second, tzinfo=now.tzinfo)

    before = chat_template_utils.datetime
    chat_template_utils.datetime = _Then
    try:
        yield
    finally:
        chat_template_utils.datetime = before
