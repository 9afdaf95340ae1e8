"""Rows as trainers take them that ask for a tokenizer and files, or for one data set to be mapped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from maskprep.config import load
from maskprep.errors import UsageError
from maskprep.memory.lines import NAME
from maskprep.memory.mapping import MapOptions, map_lines
from maskprep.memory.masker import RowMasker
from maskprep.sources.feed import Feed


def read(
    tokenizer: Any, files: Iterable[str], settings: Mapping[str, Any], trainer: str, *, weights: bool = False
) -> Any:
    """Return the rows of files as a ``datasets.Dataset`` in memory, with its ``data_report``.

    Args:
        tokenizer: what ``Masker`` takes.
        files: what ``sources`` has in the configuration: files, folders, globs, the Hub.
        settings: keys of the configuration.
        trainer: the name of the trainer, for people.
        weights: whether the trainer weighs tokens.

    Raises:
        UsageError: a setting, a file or the tokenizer cannot be used, or the trainer cannot take such rows.
        BuildError: as ``Masker.map``.
        RejectedError: likewise.
    """
    masker = RowMasker(tokenizer, settings)
    feed = Feed(load(None, {**settings, "sources": [str(file) for file in files], "tokenizer": NAME}))
    data, report = map_lines(masker, feed.lines(), MapOptions())
    data.data_report = report
    return taken(data, trainer, weights=weights)


def taken(data: Any, trainer: str, *, weights: bool = False) -> Any:
    """Return mapped rows that a trainer can take.

    Raises:
        UsageError: rows are trees, or weigh their tokens and the trainer does not.
    """
    names = set(data.column_names or ())
    if "visible_until" in names:
        msg = f"{trainer} makes its attention mask itself, and has none in which a token sees its own branch of a tree"
        raise UsageError(msg, "take history: split or history: mask instead of history: tree")
    if "loss_weights" in names and not weights:
        msg = f"rows weigh their tokens, and in {trainer} each trained token counts the same"
        raise UsageError(msg, "take the weights out (columns, ignore), or train with the profile hf")
    return data


def settings_of(given: Any, where: str) -> dict[str, Any]:
    """Return settings as a plain mapping, whatever kind of mapping a trainer's configuration makes of them.

    Raises:
        UsageError: it is no mapping.
    """
    if given is None:
        return {}
    # OmegaConf, Axolotl and Automodel each have a kind of their own, whose items may be such again.
    plain = given.to_dict() if hasattr(given, "to_dict") else given
    if not isinstance(plain, Mapping):
        msg = f"{where} is a {type(given).__name__}"
        raise UsageError(msg, "give keys of maskprep's configuration, such as {history: split}")
    return {str(key): _plain(value) for key, value in plain.items()}


def _plain(value: Any) -> Any:
    value = value.to_dict() if hasattr(value, "to_dict") else value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(each) for each in value]
    return value
