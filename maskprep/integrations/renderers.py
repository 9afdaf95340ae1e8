"""A renderer for the package ``renderers`` (prime-rl, verifiers), for any model whose chat template can be proved.

    [renderer]
    name = "custom"
    import_path = "maskprep.integrations.renderers.MaskprepRenderer"
    history = "mask"              # sampled is what stands in its own context; "rendered": every turn as it stands
    enable_thinking = true        # any other key is a variable of the template

Ids are those of the tokenizer's own chat template, the mask is maskprep's. What the law refuses raises
``maskprep.Rejected``, with the reason and what to do.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict
from renderers.base import (
    ParsedResponse,
    ParsedToolCall,
    RenderedTokens,
    ToolCallParseStatus,
    extract_message_tool_names,
)
from renderers.configs import BaseRendererConfig

from maskprep.errors import UsageError
from maskprep.integrations.answers import Answers
from maskprep.integrations.message_tokens import MessageTokenizer, MessageTokens
from maskprep.integrations.next_turn import NextTurn
from maskprep.memory.masker import RowMasker


class MaskprepRendererConfig(BaseRendererConfig):  # type: ignore[misc]
    """The settings of ``MaskprepRenderer``: keys of maskprep's configuration; any other is the template's."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Literal["custom"] = "custom"
    history: Literal["mask", "rendered"] = "mask"
    """Which turns count as sampled where the template rewrites earlier ones: those that stand in their own context, or
    every one as it stands."""
    prompt_mismatch: Literal["reject", "train"] = "reject"
    """What becomes of a conversation with a turn that its generation prompt does not lead to."""
    control_tokens: Literal["reject", "keep"] = "reject"
    """What becomes of a conversation that spells control tokens."""
    chat_template: str | None = None
    """Another template than the tokenizer's own: its file, or its name."""
    stop_tokens: tuple[str, ...] = ()
    """Tokens that end a turn, beside those that the tokenizer's files name."""
    now: str | None = None
    """The time that the template is told, so that each run writes the same."""

    _internal_fields: ClassVar[frozenset[str]] = frozenset(
        {"history", "prompt_mismatch", "control_tokens", "chat_template", "stop_tokens", "now"}
    )
    _allow_opaque_template_kwargs: ClassVar[bool] = True


class MaskprepRenderer:
    """Renders conversations to tokens by a tokenizer's chat template, with maskprep's masks.

    Args:
        tokenizer: one of transformers.
        config: the settings.

    Calls from several threads wait for each other.

    Raises:
        UsageError: the tokenizer, its template or a setting cannot be used.
    """

    config_class = MaskprepRendererConfig

    def __init__(self, tokenizer: Any, config: MaskprepRendererConfig | None = None) -> None:
        self.config = config or MaskprepRendererConfig()
        if self.config.thinking_retention is not None:
            msg = "thinking_retention: which thoughts stay is the template's to say"
            raise UsageError(msg, "set the template's own variable, or use a renderer that is written for the model")
        names = MaskprepRendererConfig.model_fields.keys() - {"name", "thinking_retention"}
        settings = {name: value for name in names if (value := getattr(self.config, name)) not in (None, ())}
        if "stop_tokens" in settings:
            settings["stop_tokens"] = list(settings["stop_tokens"])
        rows = RowMasker(tokenizer, {**settings, "template_kwargs": dict(self.config.model_extra or {})})
        self._tokenizer = rows.loaded.tokenizer
        self._stops = rows.loaded.stop_tokens
        self._maker = MessageTokenizer(rows)
        self._answers = Answers(self._maker)
        self._next = NextTurn(self._maker, self._answers)
        self._stop_ids: list[int] | None = None
        self._lock = threading.RLock()

    @property
    def is_prefix_stable(self) -> bool:
        """Whether every conversation is the beginning of what it becomes: nobody can promise that of a template."""
        return False

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
    ) -> RenderedTokens:
        """Return a conversation as token ids, with the message and the author of each.

        With the generation prompt, these are the ids that a server is fed. Without, a token that would cross the border
        between a prompt and its answer is two, as in maskprep's builds.

        Raises:
            Rejected: the conversation cannot be rendered, or a turn of it cannot be proved.
        """
        with self._lock:
            made = self._maker.tokens(messages, tools, prompted=add_generation_prompt)
        return _rendered(made, messages)

    def render_ids(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
    ) -> list[int]:
        """Return the ids that ``render`` returns."""
        with self._lock:
            return self._maker.tokens(messages, tools, prompted=add_generation_prompt).ids

    def get_stop_token_ids(self) -> list[int]:
        """Return the ids at which generation stops: first the one that the template ends an answer with."""
        if self._stop_ids is None:
            with self._lock:
                written = self._answers.stops()
            tokens = dict.fromkeys((*written, *self._stops))
            known = self._tokenizer.get_vocab()
            self._stop_ids = [known[token] for token in tokens if token in known]
        return list(self._stop_ids)

    def parse_response(
        self,
        token_ids: Sequence[int],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        prompt_ids: Sequence[int] | None = None,  # noqa: ARG002 - the template is asked what it prompts with
    ) -> ParsedResponse:
        """Return the message that the template would write as these tokens.

        Calls are looked for where ``tools`` are given. What no message would be written as is content as a whole, and
        ``reasoning_complete`` is None.

        Raises:
            UsageError: the tokens hold calls, and the template writes their arguments not as JSON: so they cannot be
                read back.
        """
        stops, ids = set(self.get_stop_token_ids()), list(token_ids)
        end = next((place for place, one in enumerate(ids) if one in stops), len(ids))
        text = self._tokenizer.decode(ids[:end], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        with self._lock:
            answer = self._answers.read(text, tools=bool(tools))
        states = {True: ToolCallParseStatus.OK, False: ToolCallParseStatus.INVALID_JSON}
        calls = [
            ParsedToolCall(call.raw, call.name, call.arguments, None, states[call.is_valid]) for call in answer.calls
        ]
        return ParsedResponse(answer.content, answer.reasoning, calls, answer.complete)

    def bridge_to_next_turn(
        self,
        previous_prompt_ids: Sequence[int],
        previous_completion_ids: Sequence[int],
        new_messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> RenderedTokens | None:
        """Return the prompt of the next turn behind the very tokens of the last one; None where it must be rendered.

        That is where the template would write an earlier message otherwise once the new ones follow, where the last
        answer was cut off, or is none that the template would write.
        """
        stops = set(self.get_stop_token_ids())
        end = next((place for place, one in enumerate(previous_completion_ids) if one in stops), None)
        if not previous_prompt_ids or end is None:
            return None
        said, stop = list(previous_completion_ids[:end]), int(previous_completion_ids[end])
        decode = self._tokenizer.decode
        text, token = (
            decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False) for ids in (said, [stop])
        )
        with self._lock:
            added = self._next.tokens(text, token, new_messages, tools)
        if added is None:
            return None
        before = [*previous_prompt_ids, *said, stop]
        ids, size = [*before, *added.ids], len(before)
        return RenderedTokens(
            token_ids=ids,
            message_indices=[-1] * size + added.messages,
            sampled_mask=[False] * len(ids),
            is_content=[False] * size + added.content,
            message_roles=[str(message.get("role") or "") for message in new_messages],
            message_tool_names=extract_message_tool_names(list(new_messages)),
        )


def _rendered(made: MessageTokens, messages: Sequence[Mapping[str, Any]]) -> RenderedTokens:
    return RenderedTokens(
        token_ids=made.ids,
        message_indices=made.messages,
        sampled_mask=made.sampled,
        is_content=made.content,
        message_roles=[str(message.get("role") or "") for message in messages],
        message_tool_names=extract_message_tool_names(list(messages)),
    )
