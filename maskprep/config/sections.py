"""The parts of the configuration that are mappings of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _a_name(value: str) -> str:
    if not value or "\0" in value:
        raise ValueError("must be a name, neither empty nor with a NUL in it")
    return value


def _turns(value: str) -> str:
    if not re.fullmatch("all|first|last|since_last_user|[1-9][0-9]{0,8} last", value):
        raise ValueError("must be all, first, last, since_last_user, or a number of turns such as '3 last'")
    return value


Name = Annotated[str, AfterValidator(_a_name)]
PartName = Literal["content", "reasoning", "tool_call", "scaffold", "stop"]
RoleName = Literal["system", "developer", "user", "assistant", "tool"]


class Section(BaseModel):
    """A mapping that knows its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(Section):
    """One of the sources. ``None`` and empty values are those of the whole configuration."""

    path: Name
    format: Name | None = None
    columns: Mapping[str, str] = {}
    roles: Mapping[str, RoleName] = {}
    ignore: tuple[Name, ...] = ()
    weight: Annotated[float, Field(gt=0)] = 1.0
    max_rows: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class TokenizerChoice(Section):
    """Which tokenizer, and what is added to it."""

    name: Name
    backend: Literal["auto", "fastokens", "transformers"] = "auto"
    add_tokens: tuple[Name, ...] = ()
    add_tokens_file: Name | None = None
    add_special_tokens: tuple[Name, ...] = ()
    eos_token: Name | None = None
    pad_token: Name | None = None
    vocabulary_multiple: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Adapt(Section):
    """What is changed about conversations so that a chat template takes them; ``keep`` changes nothing."""

    system: Literal["keep", "merge", "user", "user_all"] = "keep"
    same_role: Literal["keep", "join"] = "keep"
    tool_call_ids: Literal["keep", "short"] = "keep"
    tool_results: Literal["keep", "user"] = "keep"
    arguments: Literal["keep", "object", "text"] = "keep"
    first_assistant: Literal["keep", "drop"] = "keep"


class Packing(Section):
    """Several documents a row: how long a row is, and how documents are put together."""

    length: Annotated[int, Field(ge=2)]
    strategy: Literal["best_fit", "in_order"] = "best_fit"
    window: Annotated[int, Field(ge=1)] | None = None


class Train(Section):
    """Which tokens of a conversation are trained."""

    roles: Annotated[tuple[RoleName, ...], Field(min_length=1)] = ("assistant",)
    turns: Annotated[str, AfterValidator(_turns)] = "all"
    parts: Annotated[tuple[PartName, ...], Field(min_length=1)] = (
        "content",
        "reasoning",
        "tool_call",
        "scaffold",
        "stop",
    )
    empty_reasoning: Literal["train", "mask"] = "train"
    tool_call_ids: Literal["train", "mask"] = "train"
