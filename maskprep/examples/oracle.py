"""A trained turn held against transformers alone: no code of maskprep renders, encodes or decodes here.

ids of the row    [ = tokenizer(prompt(k)) ][ decodes to what the template renders of turn k, stop token included ]
                                             every one of them is trained

One rule with two users: ``verify`` holds rows of a finished build against it, and a build the first rows of every kind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property, partial

import numpy as np

from maskprep.examples.chats import Chat
from maskprep.examples.sampled_check import sampled_faults
from maskprep.labelled import IGNORED, Labelled, completions_of
from maskprep.policy import Control, Policy
from maskprep.template.chat_template import refusal
from maskprep.template.sandbox.limits import Exceeded, Limits
from maskprep.tokenizer.load import LoadedTokenizer


class Oracle:
    """Checks rows with a tokenizer of transformers.

    Args:
        loaded: the tokenizer, with its chat template and the tokens that end a turn.
        policy: what is trained. A turn that may be trained in another context than its prompt (``Policy.lenient``) is
            compared with the rendering in which it stands; control tokens that were escaped have other ids of the same
            text.
        limits: what one rendering may take.
        in_pieces: encodes the prompts of a row but for the last that is checked; None: the tokenizer encodes them all.

    ``proved`` and ``as_rendered`` count the turns that were checked in the one way and in the other, ``as_sampled``
    those that were compared with the ids that the data has of them.
    """

    def __init__(
        self,
        loaded: LoadedTokenizer,
        policy: Policy,
        limits: Limits,
        in_pieces: Callable[[str], list[int]] | None = None,
    ) -> None:
        self._limits, self._in_pieces = limits, in_pieces
        self._tokenizer, self._stops = loaded.tokenizer, loaded.stop_tokens
        self._whole, self._lenient = policy.whole, policy.lenient
        self._escaped = policy.control is Control.ESCAPE
        self.proved = self.as_rendered = self.as_sampled = 0
        self._last: tuple[Chat, str] | None = None  # with its rendering

    def faults(self, chat: Chat, row: Labelled, only: Collection[int] | None = None) -> Iterator[str]:
        """Yield what is wrong with the trained turns of one row: all, or ``only`` those of some messages."""
        if chat.plain_text:
            yield from self._document(chat, row)
            return
        if chat.sampled:
            self.as_sampled += len({span.message for span in row.spans if span.trained})
            yield from sampled_faults(chat.sampled, row)
            return
        trained = row.labels != IGNORED
        outside = trained.copy()
        for message, start, end in completions_of(row, trained):
            outside[start:end] = False
            if not 0 <= message < len(chat.messages):
                yield f"messages[{message}] is trained, which the row does not have"
                continue
            if only is not None and message not in only:
                continue
            generated = chat.messages[message]["role"] == "assistant"
            encode = self._in_pieces if self._in_pieces and only and message < max(only) else self._encode
            check = partial(self._turn, encode=encode) if generated else self._spoken
            for fault in check(chat, row, message, start, end):
                yield f"messages[{message}]: {fault}"
        if outside.any():
            yield f"token {int(np.flatnonzero(outside)[0])} is trained, but lies in no turn"

    def _document(self, chat: Chat, row: Labelled) -> Iterator[str]:
        """Check a document: it is encoded as any text, ended, and trained from its second id on."""
        expected: list[int] = self._tokenizer(chat.messages[0]["content"], verbose=False)["input_ids"]
        end = self._tokenizer.eos_token_id
        expected = expected if end is None or expected[-1:] == [end] else [*expected, end]
        if not self._same(row.input_ids.tolist(), expected, self._decode(expected)):
            yield "its ids are not those that the tokenizer gives for the document"
        elif self._whole and not chat.partial and (row.labels[1:] == IGNORED).any():
            yield f"token {1 + int(np.flatnonzero(row.labels[1:] == IGNORED)[0])} of the document is not trained"
        else:
            self.proved += 1

    def _spoken(self, chat: Chat, row: Labelled, message: int, start: int, end: int) -> Iterator[str]:
        """Check a turn that no prompt asks for: it stands where the template renders its text, and says it."""
        ids = row.input_ids.tolist()
        first = start + int(np.flatnonzero(row.labels[start:end] != IGNORED)[0])
        before, text = self._decode(ids[:first]), self._decode(ids[:end])
        renderings = [self._try(chat, upto) for upto in (message + 1, len(chat.messages))]
        literal = any(rendering.startswith((text, self._bare(text))) for rendering in renderings)
        if not literal and not any(self._begins(rendering, ids[:end]) for rendering in renderings):
            yield "the text up to its end is not how the template renders the conversation"
        elif literal and not self._same(ids[:first], self._encode(before), before):
            yield f"the {first:,} ids before it are not those of the text before it"
        else:
            self.proved += 1

    def _try(self, chat: Chat, upto: int) -> str:
        """Render the first messages; a template may refuse a conversation that ends with any but an answer."""
        try:
            return self._render(chat, upto, ask=False)
        except Exception:  # noqa: BLE001 - a template is a program from a stranger; the other rendering decides
            return ""

    def _turn(  # noqa: PLR0913 - a turn, and what encodes its prompt
        self, chat: Chat, row: Labelled, message: int, start: int, end: int, *, encode: Callable[[str], list[int]]
    ) -> Iterator[str]:
        if message == chat.prefix:
            prompt = self._render(chat, message + 1, ask=False, go_on=True)
        else:
            prompt = self._render(chat, message, ask=True)
        continued = self._render(chat, message + 1, ask=False)
        asked = encode(prompt)
        ids = row.input_ids.tolist()
        # A text that is gone on with, and a header that a template mixes with it, are of the message, too.
        first = start + int(np.flatnonzero(row.labels[start:end] != IGNORED)[0])
        start = min(max(start, len(asked)), first)
        if not self._same(ids[:start], asked, prompt):
            yield from self._as_rendered(chat, ids[:start], ids[:end], continued, asked)
            return
        text = self._text(ids, start, end)
        bare = self._bare(text)
        untrained = np.flatnonzero(row.labels[start:end] == IGNORED)
        # A last token that is no stop may go on behind the turn, and is then not trained.
        loose = text == bare and untrained.tolist() == [end - start - 1]
        rest = continued.removeprefix(prompt) if continued.startswith(prompt) else None
        if rest is None:
            rendered = bare in continued
        else:
            # White space that the tokenizer leaves out at the end of a prompt, it may put into the answer.
            white = len(prompt.rstrip()) if not self._decode(asked)[-1:].isspace() else len(prompt)
            own = [prompt[at:] + rest for at in range(white, len(prompt) + 1)]
            rendered = any(one.startswith(text) or one.rstrip() == bare.rstrip() for one in own)
        if not rendered and not self._stands_for(ids, start, end - loose, continued, rest):
            if self._lenient:
                yield from self._as_rendered(chat, ids[:start], ids[:end], continued, asked)
            else:
                yield f"the completion decodes to {text[:60]!r}, the template renders {(rest or continued)[:60]!r}"
            return
        stopped = chat.cut or rest is None or text != bare
        if not stopped and rest is not None and any(stop in rest[len(text) :] for stop in self._stops):
            if self._lenient:
                yield from self._as_rendered(chat, ids[:start], ids[:end], continued, asked)
                return
            yield "its stop token is not part of it"
        self.proved += 1
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
        whole = self._render_whole(chat)
        if not any(self._begins(rendering, ids) for rendering in (whole, continued)):
            yield "the text up to its end is not how the template renders the conversation"

    def _begins(self, rendering: str, ids: list[int]) -> bool:
        """Tell whether a rendering begins with what ids stand for: their text, or what a tokenizer changes it to."""
        text = self._decode(ids)
        if rendering.startswith((text, self._bare(text))):
            return True
        own = self._encode(rendering)
        changed = self._decode(own)
        if own[: len(ids)] == ids or changed == rendering:
            return own[: len(ids)] == ids
        # Where the text was encoded in pieces, white space is changed otherwise, and unknown characters fuse otherwise.
        known = _words(self._bare(text)).split(self._tokenizer.unk_token or "\n")
        return any(_in_order(known, _words(one)) for one in (changed, rendering))

    def _same(self, ids: list[int], asked: list[int], text: str) -> bool:
        if ids == asked:
            return True
        # Escaped, a token takes no white space with it, and no blank is put behind it.
        return self._escaped and _words(self._decode(ids)) in {_words(text), _words(self._decode(asked))}

    def _bare(self, text: str) -> str:
        """Return a text without the stop token at its end, which may be one that only the next turn writes."""
        return next((text.removesuffix(stop) for stop in self._stops if text.endswith(stop)), text)

    def _render_whole(self, chat: Chat) -> str:
        """Render all messages: several turns of one row may have to be looked for there."""
        if self._last is None or self._last[0] is not chat:
            self._last = chat, self._render(chat, len(chat.messages), ask=False)
        return self._last[1]

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
                        **({} if chat.template is None else {"chat_template": chat.template}),
                        **chat.variables,
                    )
                )
        except Exceeded as error:
            raise refusal(error) from error

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _text(self, ids: list[int], start: int, end: int) -> str:
        if not start or self._decodes_apart:
            return self._decode(ids[start:end])
        return self._decode(ids[:end])[len(self._decode(ids[:start])) :]

    @cached_property
    def _decodes_apart(self) -> bool:
        """Whether ids decode to the same text alone and behind others: many decoders leave out a blank in front."""
        ids = self._encode(_TWO_WORDS)
        whole = self._decode(ids)
        parts = (self._decode(ids[:at]) + self._decode(ids[at:]) for at in range(1, len(ids)))
        return whole == _TWO_WORDS and all(part == whole for part in parts)

    def _stands_for(self, ids: list[int], start: int, end: int, continued: str, rest: str | None) -> bool:
        """Tell whether ids are what the tokenizer makes of a completion that they do not decode to.

        It changes the text, or knows some of its characters not. The completion then has the ids that it has behind
        its prompt, or, where these do not begin with those of the prompt alone, behind some other text. Where its stop
        token is one that only the next turn writes, all that the template renders of it stands before that token.
        """
        bare = self._bare(self._text(ids, start, end))
        if rest is not None and self._escaped and _words(rest).startswith(_words(bare)):
            return True
        if rest is not None and _CUT not in bare and self._decodes_apart and self._decode(self._encode(rest)) == rest:
            return False  # a completion that the tokenizer does not change has no ids that decode to another text
        rendered, borrowed = self._encode(continued), self._decode(ids[end - 1 : end]) in self._stops
        if rendered[:end] == ids[:end] or (borrowed and rendered == ids[: end - 1]):
            return True
        if rest is None:
            return bare in self._decode(rendered)
        for lead in _LEADS if self._puts_blank_first else ("", "x\n", *_LEADS):
            before, both = self._encode(lead), self._encode(lead + rest)
            own = both[len(before) :]
            if both[: len(before)] == before and (
                own[: end - start] == ids[start:end] or (borrowed and own == ids[start : end - 1])
            ):
                return True
        return False

    @cached_property
    def _puts_blank_first(self) -> bool:
        first = self._tokenizer.convert_ids_to_tokens(self._encode("a")[:1])
        return bool(first) and first[0].startswith(("\u2581", "\u0120"))


def _words(text: str) -> str:
    """Return a text without white space."""
    return "".join(text.split())


def _in_order(pieces: Sequence[str], text: str) -> bool:
    """Tell whether pieces stand in a text, one behind the other."""
    at = 0
    for piece in pieces:
        at = text.find(piece, at) + len(piece)
        if at < len(piece):
            return False
    return True


_TWO_WORDS = "x a"
_CUT = "\ufffd"  # what a part of a character decodes to
_LEADS = (",", ".", "a", "x", "0", ")", "的")  # behind which nothing is put that the text itself does not say
