"""The whole configuration as one frozen model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from maskprep.config.sections import Adapt, Name, Packing, Section, Source, TokenizerChoice, Train, as_list
from maskprep.conversation import RESERVED_KWARGS
from maskprep.policy import (
    AuditMode,
    Control,
    Duplicates,
    EngineName,
    Format,
    History,
    Mismatch,
    Overflow,
    Preference,
    ProfileName,
    Role,
    ToolTags,
)


class Config(Section):
    """The whole configuration of a build. ``history`` None: split, unless that turns out to be dear."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    tokenizer: TokenizerChoice
    output: Name | None = None
    format: Format = Format.AUTO
    columns: Mapping[str, str] = {}
    roles: Mapping[str, Role] = {}
    ignore: Annotated[tuple[Name, ...], BeforeValidator(as_list)] = ()
    preference: Preference = Preference.REJECT
    tool_tags: ToolTags = ToolTags.READ
    mixed_formats: bool = False
    drop_nulls: bool = False
    duplicates: Duplicates = Duplicates.KEEP
    shuffle: bool = False
    seed: int = 0
    split: Annotated[float, Field(ge=0, lt=1)] = 0.0
    chat_template: Name | None = None
    template_kwargs: Mapping[str, Any] = {}
    now: datetime | None = None
    stop_tokens: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ()
    history: History | None = None
    max_expansion: Annotated[float, Field(ge=1)] = 2.0
    prompt_mismatch: Mismatch = Mismatch.REJECT
    adapt: Adapt = Adapt()
    control_tokens: Control = Control.REJECT
    train: Train = Train()
    max_length: Annotated[int, Field(ge=2)] | None = None
    overflow: Overflow = Overflow.REJECT
    packing: Packing | None = None
    profile: ProfileName = ProfileName.HF
    max_rejects: Annotated[float, Field(ge=0, le=1)] = 0.01
    audit: AuditMode = AuditMode.SAMPLE
    template_seconds: Annotated[float, Field(gt=0)] = 2.0
    template_bytes: Annotated[int, Field(ge=1)] = 64 * 2**20
    max_row_bytes: Annotated[int, Field(ge=1)] = 16 * 2**20
    shard_bytes: Annotated[int, Field(ge=1)] = 256 * 10**6
    workers: Annotated[int, Field(ge=0, le=100_000)] | None = None
    engine: EngineName = EngineName.LOCAL
    ray_address: Name | None = None
    worker_memory: Annotated[int, Field(ge=2**28)] | None = None
    worker_seconds: Annotated[float, Field(gt=0)] = 300.0

    @field_validator("sources", mode="before")
    @classmethod
    def _one_source(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Mapping) else value

    @field_validator("template_kwargs")
    @classmethod
    def _no_reserved(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        reserved = sorted(RESERVED_KWARGS & value.keys())
        if reserved:
            raise ValueError(f"{', '.join(reserved)}: reserved, the template is given these by maskprep itself")
        return value

    def described(self) -> dict[str, Any]:
        """Return all settings as JSON types, without those that only choose workers and engine."""
        return self.model_dump(mode="json", exclude=set(_WHO))

    def decisive(self) -> dict[str, Any]:
        """Return the settings that decide on the data set's content, as JSON types; its place is not one of them."""
        nowhere: Any = {"output": True, "audit": True, "tokenizer": {"backend"}, **dict.fromkeys(_WHO, True)}
        return self.model_dump(mode="json", exclude=nowhere)

    def fingerprint(self) -> str:
        """Return a hash of the decisive settings."""
        return hashlib.sha256(json.dumps(self.decisive(), sort_keys=True).encode()).hexdigest()


_WHO = ("workers", "engine", "ray_address", "worker_memory", "worker_seconds")
