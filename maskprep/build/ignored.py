"""Settings that were made and change nothing: each is named once, with the reason.

    overflow: split     no effect: there is no limit, neither max_length nor packing.length
    now: 2026-01-01     no effect: the template never asks for the time

What decides what is written goes into the manifest. Settings of who does the work are told on the terminal alone: the
same build is the same bytes, whoever does it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from maskprep.config import Config
from maskprep.dataset.profiles import PROFILES
from maskprep.examples.setup import longest_allowed
from maskprep.policy import EngineName, Strategy, Trained
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.lookups import unasked

_SECTIONS = ("train", "tokenizer", "packing")
_OF_LAYOUT = ("seed", "shard_bytes")  # whether these have an effect, an export can change

Note = dict[str, str]
"""A setting, under ``key``, and why it has no effect, under ``why``."""


def made_in(config: Config) -> set[str]:
    """Return the keys that the user set, those of sections with a dot; what is set to null is not."""
    made = {key for key in config.model_fields_set if getattr(config, key) is not None}
    for name in made.intersection(_SECTIONS):
        section = getattr(config, name)
        made |= {f"{name}.{key}" for key in section.model_fields_set if getattr(section, key) is not None}
    return made


def ignored_settings(
    config: Config, made: Collection[str], templates: Collection[ChatTemplate], files: Sequence[int]
) -> list[Note]:
    """Return the settings that decide nothing about what is written, though they are of that kind.

    Args:
        config: all settings.
        made: those that the user made.
        templates: that render the rows.
        files: how many files are read of each source.
    """
    noted = [*_of_rows(config), *_of_rendering(config, templates), *_of_lengths(config)]
    notes = [_note(key, why) for key, without_effect, why in noted if key in made and without_effect]
    return [*notes, *_of_sources(config, files), *_of_variables(config.template_kwargs, templates)]


def unused_ignores(config: Config, used: Mapping[str, int]) -> list[Note]:
    """Return the entries of ``ignore`` that left nothing out; ``used`` counts the rows in which each did."""
    entries = dict.fromkeys([*config.ignore, *(key for source in config.sources for key in source.ignore)])
    return [_note("ignore", f"no row and no message has {key!r}") for key in entries if not used.get(key)]


def ignored_by_export(config: Config, before: Sequence[Mapping[str, str]]) -> list[Note]:
    """Return the settings without effect of an export, which lays out anew what a build, told ``before``, has made."""
    told = {note["key"] for note in before}
    made = {key for key in _OF_LAYOUT if key in told or getattr(config, key) != Config.model_fields[key].default}
    noted = [*_of_rows(config), *_of_lengths(config)]
    kept = [dict(note) for note in before if note["key"] not in _OF_LAYOUT]
    return [*kept, *(_note(key, why) for key, without_effect, why in noted if key in made and without_effect)]


def idle_settings(config: Config, made: Collection[str], workers: int | None) -> list[Note]:
    """Return the settings of who does the work that nobody heeds; ``workers`` are none, some, or those of a cluster."""
    alone = "the command works by itself, without worker processes: see `workers`"
    noted = (
        ("ray_address", config.engine != EngineName.RAY, "the engine is local"),
        ("worker_memory", workers == 0, alone),
        ("worker_seconds", workers == 0, alone),
    )
    return [_note(key, why) for key, without_effect, why in noted if key in made and without_effect]


_Noted = Iterator[tuple[str, bool, str]]


def _of_rows(config: Config) -> _Noted:
    formats = [source.format or config.format for source in config.sources]
    yield "format", all(source.format for source in config.sources), "every source names its own"
    named = config.mixed_formats and "auto" not in formats
    yield "mixed_formats", named, "a format is named: rows of other formats are rejected"
    for name in ("columns", "roles"):
        for key in getattr(config, name):
            own = all(key in getattr(source, name) for source in config.sources)
            yield name, own, f"{key!r}: every source says its own"
    packed_at_random = config.packing is not None and config.packing.strategy == Strategy.BEST_FIT
    fractions = any(source.weight % 1 for source in config.sources)
    chance = config.shuffle or config.split or packed_at_random or fractions
    yield "seed", not chance, "nothing is random without shuffle, split, a fractional weight or packing by best_fit"


def _of_rendering(config: Config, templates: Collection[ChatTemplate]) -> _Noted:
    parts = config.train.parts
    yield "now", not any(template.uses_clock for template in templates), "the template never asks for the time"
    yield "max_expansion", config.history is not None, "history was chosen, so that nothing is measured first"
    masked = config.train.empty_reasoning == Trained.MASK
    yield "train.empty_reasoning", masked and "scaffold" not in parts, "train.parts has no scaffold, which it would be"
    masked = config.train.tool_call_ids == Trained.MASK
    yield "train.tool_call_ids", masked and "tool_call" not in parts, "train.parts has no tool_call, which they are in"


def _of_lengths(config: Config) -> _Noted:
    yield "overflow", longest_allowed(config) is None, "there is no limit: neither max_length nor packing.length"
    longest, packed = config.max_length, config.packing.length if config.packing else None
    shorter = longest is not None and packed is not None and packed <= longest
    yield "max_length", shorter, f"packing.length, {packed}, is no more than that"
    yield "shard_bytes", PROFILES[config.profile].one_file, f"the profile {config.profile} has one file"


def _of_sources(config: Config, files: Sequence[int]) -> list[Note]:
    pairs = zip(config.sources, files, strict=True)
    why = "all that it names is read as part of a source before it, once"
    return [
        _note(f"sources[{index}]", f"{source.path}: {why}") for index, (source, count) in enumerate(pairs) if not count
    ]


def _of_variables(given: Mapping[str, Any], templates: Collection[ChatTemplate]) -> list[Note]:
    asked = {name for template in templates for name in template.looked_up}
    return [_note(f"template_kwargs.{name}", unasked(name, asked)) for name in given if name not in asked]


def _note(key: str, why: str) -> Note:
    return {"key": key, "why": why}
