"""What the user asked for: one frozen model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from maskprep.config.sections import Adapt, Name, Packing, RoleName, Section, Source, TokenizerChoice, Train
from maskprep.conversation import RESERVED_KWARGS


class Config(Section):
    """The whole configuration of a build. ``history`` None: split, unless that turns out to be dear."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    tokenizer: TokenizerChoice
    output: Name | None = None
    format: Name = "auto"
    columns: Mapping[str, str] = {}
    roles: Mapping[str, RoleName] = {}
    ignore: tuple[Name, ...] = ()
    preference: Literal["reject", "chosen"] = "reject"
    tool_tags: Literal["read", "keep"] = "read"
    mixed_formats: bool = False
    drop_nulls: bool = False
    duplicates: Literal["keep", "drop"] = "keep"
    shuffle: bool = False
    seed: int = 0
    split: Annotated[float, Field(ge=0, lt=1)] = 0.0
    chat_template: Name | None = None
    template_kwargs: Mapping[str, Any] = {}
    now: datetime | None = None
    stop_tokens: tuple[str, ...] = ()
    history: Literal["split", "mask", "rendered"] | None = None
    max_expansion: Annotated[float, Field(ge=1)] = 2.0
    prompt_mismatch: Literal["reject", "graft", "train"] = "reject"
    adapt: Adapt = Adapt()
    control_tokens: Literal["reject", "escape", "keep"] = "reject"
    train: Train = Train()
    max_length: Annotated[int, Field(ge=2)] | None = None
    overflow: Literal["reject", "drop_turns", "truncate", "split"] = "reject"
    packing: Packing | None = None
    profile: Literal["hf", "trl", "axolotl", "llamafactory", "megatron", "together"] = "hf"
    max_rejects: Annotated[float, Field(ge=0, le=1)] = 0.01
    audit: Literal["first", "sample", "all"] = "sample"
    template_seconds: Annotated[float, Field(gt=0)] = 2.0
    template_bytes: Annotated[int, Field(ge=1)] = 64 * 2**20
    max_row_bytes: Annotated[int, Field(ge=1)] = 16 * 2**20
    shard_bytes: Annotated[int, Field(ge=1)] = 256 * 10**6
    workers: Annotated[int, Field(ge=0, le=100_000)] | None = None
    engine: Literal["local", "ray"] = "local"
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
        """Return all settings as JSON types, but for those that only say who does the work."""
        return self.model_dump(mode="json", exclude=set(_WHO))

    def decisive(self) -> dict[str, Any]:
        """Return everything that decides what is written, as JSON types; the place where it is written is not in it."""
        nowhere: Any = {"output": True, "audit": True, "tokenizer": {"backend"}, **dict.fromkeys(_WHO, True)}
        return self.model_dump(mode="json", exclude=nowhere)

    def fingerprint(self) -> str:
        """Return a hash of what is decisive."""
        return hashlib.sha256(json.dumps(self.decisive(), sort_keys=True).encode()).hexdigest()


_WHO = ("workers", "engine", "ray_address", "worker_memory", "worker_seconds")
