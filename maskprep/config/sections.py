"""The parts of the configuration that are mappings of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from maskprep.policy import (
    TRAINABLE,
    Arguments,
    BackendChoice,
    CallIds,
    FirstAssistant,
    Format,
    Part,
    Role,
    SameRole,
    Strategy,
    SystemMessages,
    ToolResults,
    Trained,
)

TURNS = "must be all, first, last, since_last_user, or a number of turns such as '3 last'"
"""What ``train.turns`` takes."""


def _a_name(value: str) -> str:
    if not value or "\0" in value:
        raise ValueError("must be a name, neither empty nor with a NUL in it")
    return value


def _turns(value: str) -> str:
    if not re.fullmatch("all|first|last|since_last_user|[1-9][0-9]{0,8} last", value):
        raise ValueError(TURNS)
    return value


def _trainable(value: Any) -> Any:
    if not isinstance(value, str) or value not in TRAINABLE:
        raise ValueError(f"must be one of {', '.join(TRAINABLE)}")
    return value


def as_list(value: Any) -> Any:
    """Return a single value as a list of it, where a setting takes one or several."""
    return [value] if isinstance(value, str | int | float) else value


Name = Annotated[str, AfterValidator(_a_name)]
TrainedPart = Annotated[Part, BeforeValidator(_trainable)]


class Section(BaseModel):
    """A mapping that knows its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(Section):
    """One of the sources. ``None`` and empty values are those of the whole configuration."""

    path: Name
    format: Format | None = None
    columns: Mapping[str, str] = {}
    roles: Mapping[str, Role] = {}
    ignore: Annotated[tuple[Name, ...], BeforeValidator(as_list)] = ()
    weight: Annotated[float, Field(gt=0)] = 1.0
    max_rows: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class TokenizerChoice(Section):
    """The tokenizer, and the tokens that are added to it."""

    name: Name
    backend: BackendChoice = BackendChoice.AUTO
    add_tokens: Annotated[tuple[Name, ...], BeforeValidator(as_list)] = ()
    add_tokens_file: Name | None = None
    add_special_tokens: Annotated[tuple[Name, ...], BeforeValidator(as_list)] = ()
    eos_token: Name | None = None
    pad_token: Name | None = None
    vocabulary_multiple: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Adapt(Section):
    """The changes to conversations so that a chat template takes them; ``keep`` changes nothing."""

    system: SystemMessages = SystemMessages.KEEP
    same_role: SameRole = SameRole.KEEP
    tool_call_ids: CallIds = CallIds.KEEP
    tool_results: ToolResults = ToolResults.KEEP
    arguments: Arguments = Arguments.KEEP
    first_assistant: FirstAssistant = FirstAssistant.KEEP


class Packing(Section):
    """Packing, several documents a row: how long a row is, and how documents are put together."""

    length: Annotated[int, Field(ge=2)]
    strategy: Strategy = Strategy.BEST_FIT
    window: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_length(cls, value: Any) -> Any:
        return {"length": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Train(Section):
    """Which tokens of a conversation are trained."""

    roles: Annotated[tuple[Role, ...], BeforeValidator(as_list), Field(min_length=1)] = (Role.ASSISTANT,)
    turns: Annotated[str, AfterValidator(_turns)] = "all"
    parts: Annotated[tuple[TrainedPart, ...], BeforeValidator(as_list), Field(min_length=1)] = TRAINABLE
    empty_reasoning: Trained = Trained.TRAIN
    tool_call_ids: Trained = Trained.TRAIN


SECTIONS: Mapping[str, type[Section]] = MappingProxyType(
    {"sources": Source, "tokenizer": TokenizerChoice, "adapt": Adapt, "train": Train, "packing": Packing}
)
"""The sections by the key of the whole configuration that holds them."""
