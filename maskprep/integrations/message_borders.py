"""Where the text of each message begins in a rendering, the template's words around it included.

    <bos> <|user|> Hi <|end|> <|assistant|> Hello <|end|> <|assistant|>
         ^0                  ^1                          ^ the generation prompt

Message ``k`` begins where the rendering of the messages in front of it ends. Where a template renders these otherwise
once message ``k`` is there, the border is behind what it writes after the last of their text, if that can be found.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns.stop_tokens import Stops
from maskprep.tokenizer.load import LoadedTokenizer


class MessageBorders:
    """Finds where messages begin, under the templates of one tokenizer."""

    def __init__(self, loaded: LoadedTokenizer) -> None:
        self._first_token = str(loaded.tokenizer.bos_token or "")
        self._stops = Stops(loaded.stop_tokens, loaded.special_tokens, loaded.added_tokens)
        self._headers: dict[tuple[str, str, str], str | None] = {}

    def of(self, template: ChatTemplate, conversation: Conversation, text: Rendered, *, prompted: bool) -> list[int]:
        """Return where each message begins in ``text``, and where the last one ends, in characters.

        ``text`` is the rendering of all of them; ``prompted`` tells that a generation prompt follows.
        """
        count = len(conversation.messages)
        ends = [self._end(template, conversation, text, upto) for upto in range(1, count + prompted)]
        if not prompted:
            ends.append(len(text))
        first = min(self._first(template, conversation, text), ends[0])
        return list(accumulate([first, *ends], max))

    def _end(self, template: ChatTemplate, conversation: Conversation, text: Rendered, upto: int) -> int:
        """Return where the first ``upto`` messages end in ``text``."""
        own = text.extent(upto - 1)
        following = text.extent(upto)
        try:
            before = template.tracked(conversation, upto, generation_prompt=False)
        except RowError:  # it takes no conversation that ends there
            before = None
        if before is not None and text.starts_with(before):
            return len(before)
        end = own[1] if own else 0
        last = following[0] if following and following[0] >= end else len(text)
        known = None if before is None else before.extent(upto - 1)
        if before is not None and known is not None:
            tail = before.between(known[1], len(before))
            shared = self._stops.shared(tail, text.between(end, last))
            if shared or not tail:
                return end + shared
        closing = self._stops.first_special(text.text, end, last)
        return closing[1] if closing else last

    def _first(self, template: ChatTemplate, conversation: Conversation, text: Rendered) -> int:
        """Return where the first message begins: behind what the template writes of its own accord."""
        own = text.extent(0)
        header = self._header(template, conversation)
        if own and header and text.between(0, own[0]).endswith(header):
            return own[0] - len(header)
        token = self._first_token
        return len(token) if token and text.text.startswith(token) else 0

    def _header(self, template: ChatTemplate, conversation: Conversation) -> str | None:
        """Return what stands in front of a message of the first one's role, wherever it is; None where none can be."""
        first = conversation.messages[0]
        key = template.source, first.role, repr(conversation.template_kwargs)
        if key not in self._headers:
            if len(self._headers) >= _MOST:
                self._headers.clear()
            self._headers[key] = self._header_again(template, conversation, first)
        return self._headers[key]

    def _header_again(self, template: ChatTemplate, conversation: Conversation, first: Message) -> str | None:
        """Return the header of a message that stands once more behind an answer, as the template writes it there."""
        fields = {**first.fields, "content": "Hello"}
        again = Message({key: value for key, value in fields.items() if key in {"role", "content"}})
        said = Message({"role": "assistant", "content": "Yes."})
        tried = replace(conversation, messages=(again, said, again), tools=None)
        try:
            whole = template.tracked_apart(tried, 3, generation_prompt=False)
        except RowError:
            return None
        own = whole.extent(2)
        return whole.between(self._end(template, tried, whole, 2), own[0]) if own else None


_MOST = 100
