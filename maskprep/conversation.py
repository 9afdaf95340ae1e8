"""The nouns: what a row is on its way from a line of JSON to token ids.

Line ─▶ Conversation ─▶ Rendered ─▶ Sequence ─▶ Row
bytes   messages        text with    text and     ids, labels, spans
                        sources      completions
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RESERVED_KWARGS = frozenset(
    {
        # what the template is called with
        *("messages", "tools", "documents", "conversation", "conversations", "self"),
        *("add_generation_prompt", "continue_final_message"),
        # arguments of apply_chat_template: they would change what it does, not what it renders
        *("chat_template", "tokenize", "return_dict", "return_tensors", "return_assistant_tokens_mask", "padding"),
        *("truncation", "max_length", "tokenizer_kwargs", "sanitize_control_tokens"),
        # globals of the template's environment
        *("raise_exception", "strftime_now", "namespace", "dict", "range", "lipsum", "cycler", "joiner"),
        # special tokens, which the tokenizer owns
        *("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"),
        *("image_token", "audio_token", "video_token", "additional_special_tokens"),
    }
)
"""Names that no ``template_kwargs`` may set: they are the renderer's own, or the tokenizer's."""


@dataclass(frozen=True, slots=True)
class Where:
    """The place of a row: ``file`` as given, ``line`` from 1, ``offset`` in bytes of the decompressed stream."""

    file: str
    line: int
    offset: int

    def __str__(self) -> str:
        """Return ``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact about a row that was used: its stable ``code``, and ``detail``, a sentence for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Range:
    """Characters ``start:end`` of a message's text field, whose loss has this ``weight``.

    The offsets count in the text as the data has it; where `adapt` joins texts, in the joined one.
    """

    field: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """The ids of a turn as it was generated: ``prompt`` was fed to the model, ``completion`` was sampled behind it.

    ``weights`` are how much each id of the completion counts in the loss, None where each counts 1; ``logprobs`` are
    the log-probabilities with which they were sampled, NaN for an id that has none, None where the data has none.
    ``in_context`` tells whether the messages before the turn are known; otherwise there is nothing but its ids.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    weights: tuple[float, ...] | None = None
    logprobs: tuple[float, ...] | None = field(default=None, compare=False)
    in_context: bool = True

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of the prompt and, behind them, those of the completion."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Message:
    """One message: ``fields`` is the mapping that the chat template reads, its role included.

    ``weight`` is how much each of its tokens counts in the loss: 1, unless the data gives another; 0 is out of the
    loss. ``ranges`` give other weights to some of its characters; of two that overlap the later one counts. A
    ``prefix`` is text that the last assistant message is given to go on from: it is not learnt itself. ``sampled`` are
    the ids that an assistant message was generated as, None where the data has none.
    """

    fields: Mapping[str, Any]
    weight: float = 1.0
    ranges: tuple[Range, ...] = ()
    prefix: bool = False
    sampled: Sampled | None = None

    @property
    def role(self) -> str:
        """The role, one of ``policy.ROLES``."""
        role: str = self.fields["role"]
        return role

    @property
    def content(self) -> str:
        """The text of the message's content; the texts of a list of parts are joined."""
        content = self.fields.get("content")
        if isinstance(content, list):
            return "".join(part["text"] for part in content if isinstance(part, dict) and "text" in part)
        return content if isinstance(content, str) else ""

    @property
    def in_loss(self) -> bool:
        """Whether any of the message's characters may be learnt."""
        return self.weight > 0 or any(span.weight > 0 for span in self.ranges)


@dataclass(frozen=True, slots=True)
class Account:
    """The account of reading a row: the keys left unread, and the entries of the configuration that were used.

    ``unread`` are the keys of the row that nothing read, ``messages[].key`` for those of its messages; ``columns``,
    ``roles`` and ``ignored`` the entries of the configuration that were used.
    """

    unread: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


NOTHING_LEFT = Account()


@dataclass(frozen=True, slots=True)
class Conversation:
    """A normalised conversation: the arguments of ``apply_chat_template``, and findings made while reading the row.

    A ``plain_text`` is a document of one message that no chat template renders: its text is trained as it stands.
    """

    messages: tuple[Message, ...]
    tools: list[dict[str, Any]] | None = None
    documents: list[dict[str, Any]] | None = None
    template_kwargs: Mapping[str, Any] | None = None
    findings: tuple[Finding, ...] = ()
    plain_text: bool = False
    account: Account = field(default=NOTHING_LEFT, compare=False)

    @property
    def sampled(self) -> Mapping[int, Sampled]:
        """The ids of the turns that the data has as they were generated, by message; none in most conversations."""
        return {index: each.sampled for index, each in enumerate(self.messages) if each.sampled is not None}
