r"""Control tokens that data spells: text of a stranger that would become one of the template's own marks.

    text     <|im_start|>user\nsay <|im_end|> to me<|im_end|>
    origin   template          user                template
    ids      control           control: from data  control

By provenance, not by search: an id is from data when any of its characters is. Where a template puts a token together
from pieces, or the data does, that holds as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from maskprep.arrays import Ints, byte_limits, holders
from maskprep.conversation import Conversation, Finding
from maskprep.errors import RowError
from maskprep.examples.sequences import TrainingSequence
from maskprep.examples.template_tokens import written_in_completions
from maskprep.examples.untracked_text import forged_unseen, strings_of
from maskprep.policy import Control, Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.strings.origin import is_lost, message_of, part_of
from maskprep.template.turns.stop_tokens import Stops
from maskprep.tokenizer.encode import Encoded
from maskprep.tokenizer.load import LoadedTokenizer
from maskprep.tokenizer.ordinary import Ordinary


@dataclass(frozen=True, slots=True)
class Forged:
    """Token ``index`` of a sequence, a control token whose characters are, some at least, those of ``whose``.

    ``hidden``: the template mixes text there, so that nobody can tell whether they are.
    """

    index: int
    id: int
    whose: str
    hidden: bool


class ControlTokens:
    """Finds the control tokens that data spells, under one template.

    Control tokens are the special ones, and the added ones that the template writes: those that its source spells, and
    those that it wrote in the row at hand, put together from pieces maybe. An assistant may say those that the
    template itself writes into completions.
    """

    def __init__(self, loaded: LoadedTokenizer, template: ChatTemplate, stops: Stops) -> None:
        self._loaded, self._template, self._stops = loaded, template, stops
        ids = {content: int(loaded.tokenizer.convert_tokens_to_ids(content)) for content in loaded.added_tokens}
        special = frozenset(loaded.special_tokens)
        self._contents = {id_: content for content, id_ in ids.items() if content in special or _is_mark(content)}
        self._unknown = loaded.tokenizer.unk_token_id
        self._always = {
            id_ for id_, content in self._contents.items() if content in special or content in template.source
        }
        self._candidates = np.zeros(max(self._contents, default=-1) + 2, dtype=np.bool_)
        self._candidates[list(self._contents)] = True

    @cached_property
    def _spellings(self) -> list[str]:
        return [self._contents[id_] for id_ in sorted(self._always)]

    @cached_property
    def _ordinary(self) -> Ordinary:
        return Ordinary(self._loaded.tokenizer, self._contents)

    @cached_property
    def _may_be_said(self) -> frozenset[str]:
        return written_in_completions(self._template, self._stops, tuple(self._contents.values()), self._loaded)

    def settle(self, sequence: TrainingSequence, conversation: Conversation, mode: Control) -> TrainingSequence:
        """Return the sequence without control tokens from data, as ``mode`` has it.

        Raises:
            RowError: ``control-token``, where there are some and they must not be.
        """
        forged = [] if mode is Control.KEEP else list(self.find(sequence, conversation))
        if not forged:
            return sequence
        hidden = next((one for one in forged if one.hidden), None)
        if mode is Control.REJECT or hidden is not None:
            raise RowError("control-token", self._message(hidden or forged[0], hidden=hidden is not None), _WAYS_OUT)
        return replace(sequence, encoded=self._escape(sequence, forged))

    def check(self, conversation: Conversation, mode: Control) -> None:
        """Refuse control tokens in text of which a rendering cannot tell that it is data: a name, a variable.

        Raises:
            RowError: ``control-token``.
        """
        if mode is Control.KEEP:
            return
        found = forged_unseen(self._template, conversation, self._spellings)
        if found is not None:
            msg = f"{found[0]} spells {found[1]!r}, a control token"
            raise RowError("control-token", msg, "take it out of the row, or set control_tokens: keep")

    def finding(
        self, sequences: Sequence[TrainingSequence], conversation: Conversation, mode: Control
    ) -> list[Finding]:
        """Report control tokens from data: those that are kept, or were escaped, as ``mode`` has it.

        Args:
            sequences: as they were before anything was escaped.
            conversation: what they hold.
            mode: what was done about it.
        """
        count = 0
        first = None
        for sequence in sequences:
            for forged in self.find(sequence, conversation):
                first = first or forged
                count += 1
        if first is None:
            return []
        code = "control-token-escaped" if mode is Control.ESCAPE else "control-token-in-text"
        fate = "was encoded as ordinary text" if mode is Control.ESCAPE else "became a control token"
        return [Finding(code, f"{first.whose} spells {self._contents[first.id]}, which {fate} ({count} in all)")]

    def find(self, sequence: TrainingSequence, conversation: Conversation) -> Iterator[Forged]:
        """Yield the control tokens of a sequence that are from data and that may not be said there."""
        encoded = sequence.encoded
        ids = encoded.ids
        hits = self._hits(ids)
        if not len(hits):
            return
        ends, owners = sequence.text.table()
        first, last = holders(encoded.starts[hits], encoded.ends[hits], byte_limits(sequence.text.text, ends))
        from_data = _is_data(first, last, owners)
        if not from_data.any():
            return
        control = self._always | set(ids[hits[~from_data]].tolist())
        for number in np.flatnonzero(from_data).tolist():
            index = int(hits[number])
            if int(ids[index]) not in control or self._is_unknown(sequence, index):
                continue
            sources = {source for source in owners[first[number] : last[number] + 1].tolist() if source}
            forged = self._judge(index, int(ids[index]), sources, conversation)
            if forged is not None:
                yield forged

    def from_data(self, ids: Ints, starts: Ints, ends: Ints, limits: Ints, owners: Ints) -> Ints:
        """Return the tokens that ``find`` has to look at: what may be a control token and is of some message's text.

        Args:
            ids: the ids of any number of sequences.
            starts: where each token begins, in bytes.
            ends: where it ends.
            limits: where each run of one source ends, in bytes.
            owners: the source of each run.
        """
        hits = self._hits(ids)
        return hits[_is_data(*holders(starts[hits], ends[hits], limits), owners)]

    def _hits(self, ids: Ints) -> Ints:
        return np.flatnonzero(self._candidates[np.minimum(ids, len(self._candidates) - 1)])

    def _is_unknown(self, sequence: TrainingSequence, index: int) -> bool:
        """Tell whether it is the id of whatever the vocabulary does not have."""
        encoded = sequence.encoded
        if int(encoded.ids[index]) != self._unknown:
            return False
        spelt = sequence.text.text.encode()[int(encoded.starts[index]) : int(encoded.ends[index])]
        return spelt.decode(errors="replace").strip() != self._contents[int(encoded.ids[index])]

    def _judge(self, index: int, id_: int, sources: set[int], conversation: Conversation) -> Forged | None:
        messages = conversation.messages
        owners = {message_of(source) for source in sources}
        content = self._contents[id_]
        assistants = all(owner >= 0 and messages[owner].role == "assistant" for owner in owners)
        if assistants and content in self._may_be_said:
            return None
        hidden = any(is_lost(source) for source in sources)
        # The template wrote it, unless some text that went in there could have been a piece of it.
        if hidden and not any(
            _touches(content, value) for value in strings_of(conversation, None if -1 in owners else owners)
        ):
            return None
        return Forged(index, id_, _whose(min(owners), part_of(min(sources)), messages), hidden)

    def _message(self, forged: Forged, *, hidden: bool) -> str:
        content = self._contents[forged.id]
        if hidden:
            return f"{forged.whose} may spell {content!r}, a control token: the template hides whose text it is"
        return f"{forged.whose} spells {content!r}, which would become a control token"

    def _escape(self, sequence: TrainingSequence, forged: Sequence[Forged]) -> Encoded:
        """Encode these tokens as ordinary text; the ids around them stay: added tokens part the text in any case.

        A blank that the tokenizer puts behind an added token goes with the token.
        """
        encoded, raw = sequence.encoded, sequence.text.text.encode()
        pieces: list[Encoded] = []
        done = position = 0  # the token, and the byte, up to which it is done
        for one in forged:
            pieces.append(_slice(encoded, done, one.index, position))
            low, high = self._place(raw, encoded, one)
            low = max(low, position)
            ids, ends = self._ordinary.encode(raw[low:high].decode())
            starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
            pieces.append(Encoded(ids, starts + low, ends + low))
            done, position = one.index + 1, high
            if self._has_blank_put_first(encoded, done):
                low, high = max(int(encoded.starts[done]), position), int(encoded.ends[done])
                ids, ends = self._ordinary.encode(raw[low:high].decode()) if low < high else (ids[:0], ends[:0])
                pieces.append(
                    Encoded(ids, np.concatenate((np.zeros(len(ids[:1]), np.int64), ends[:-1])) + low, ends + low)
                )
                done, position = done + 1, max(high, position)
        pieces.append(_slice(encoded, done, len(encoded.ids), position))
        columns = (
            [piece.ids for piece in pieces],
            [piece.starts for piece in pieces],
            [piece.ends for piece in pieces],
        )
        return Encoded(*map(np.concatenate, columns))

    def _has_blank_put_first(self, encoded: Encoded, index: int) -> bool:
        """Tell whether a token spells a blank more than the text has in its place."""
        spelled = self._ordinary.spell(encoded.ids[index : index + 1])
        return spelled.startswith(b" ") and len(spelled) == int(encoded.ends[index] - encoded.starts[index]) + 1

    def _place(self, raw: bytes, encoded: Encoded, forged: Forged) -> tuple[int, int]:
        """Return where a token stands, with the white space that it has taken from its neighbours."""
        index = forged.index
        low, high = int(encoded.starts[index]), int(encoded.ends[index])
        token = self._loaded.tokenizer.added_tokens_decoder.get(forged.id)
        if token is not None and token.lstrip:
            low = max(len(raw[:low].decode().rstrip().encode()), int(encoded.ends[index - 1]) if index else 0)
        if (
            token is not None
            and token.rstrip
            and not raw.startswith(self._ordinary.spell(encoded.ids[index + 1 :]), high)
        ):
            high = len(raw) - len(raw[high:].decode().lstrip().encode())
        return low, high


def _is_data(first: Ints, last: Ints, owners: Ints) -> npt.NDArray[np.bool_]:
    """Tell of each stretch of runs whether one of them is not the template's."""
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(owners != 0)))
    found: npt.NDArray[np.bool_] = before[last + 1] > before[first]
    return found


def _slice(encoded: Encoded, start: int, stop: int, position: int) -> Encoded:
    """Return the tokens ``start:stop``, none of which begins before byte ``position``."""
    starts, ends = encoded.starts[start:stop], encoded.ends[start:stop]
    return Encoded(encoded.ids[start:stop], np.maximum(starts, position), np.maximum(ends, position))


def _is_mark(content: str) -> bool:
    """Tell whether an added token is a mark like ``<think>``: neither a word nor white space."""
    letters = [char.isalnum() for char in content if not char.isspace() and char != "\u2581"]
    return any(letters) and not all(letters)


def _touches(content: str, value: str) -> bool:
    """Tell whether a text can have been a piece of a token that was put together."""
    if not value:
        return False
    sizes = range(1, min(len(content), len(value)))
    overlap = any(value.endswith(content[:size]) or value.startswith(content[-size:]) for size in sizes)
    return content in value or value in content or overlap


def _whose(message: int, part: Part, messages: Sequence[Any]) -> str:
    return f"messages[{message}] ({messages[message].role})" if message >= 0 else f"the row's {part}"


_WAYS_OUT = "set control_tokens: escape to have such text encoded as ordinary text, or keep; or take it out of the row"
