"""Data sets of the Hub, row by row, through `datasets`; no code of theirs is run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from maskprep.conversation import Where
from maskprep.errors import BuildError, RowError, UsageError
from maskprep.formats.reading import Line
from maskprep.sources.names import HUB
from maskprep.sources.splits import choose_split
from maskprep.sources.values import to_json
from maskprep.storage.hub_reach import ask_hub, hub_url, is_offline

_OWNER_NAME, _WITH_CONFIG = 2, 3  # parts of a name between slashes


def open_hub(source: str) -> tuple[str, Any]:
    """Open ``hf:OWNER/NAME[/CONFIG][:SPLIT]``; return its name with the split that was chosen, and its rows.

    Raises UsageError where there is no such data set, or the Hub cannot be reached.
    """
    path, _, split = source.removeprefix(HUB).partition(":")
    parts = path.split("/")
    if len(parts) not in {_OWNER_NAME, _WITH_CONFIG} or not all(parts):
        raise UsageError(f"{source}: a data set of the Hub is named hf:OWNER/NAME, hf:OWNER/NAME:SPLIT")
    if Path("/".join(parts[:_OWNER_NAME])).exists():
        hint = "Name the folder without hf:, or work elsewhere."
        raise UsageError(f"{source}: a folder here is called so, too", hint)
    splits = _load(source, "/".join(parts[:_OWNER_NAME]), parts[_OWNER_NAME] if parts[_OWNER_NAME:] else None)
    name = f"{HUB}{path}"
    chosen = choose_split(name, list(splits), split or None)
    return f"{name}:{chosen}", splits[chosen]


def read_hub(source: str, rows: Any, max_bytes: int) -> Iterator[Line]:
    """Yield the rows of an opened data set; ``Where.line`` is their number, from 1.

    Raises BuildError where it breaks off.
    """
    number = 0
    try:
        for number, row in enumerate(rows, 1):
            where = Where(source, number, -1)
            try:
                yield Line(where, to_json(row, max_bytes))
            except RowError as fault:
                yield Line(where, b"", fault)
    except Exception as error:  # whatever a network and a decoder can raise
        message = f"{source}: reading failed after row {number:,}: {type(error).__name__}: {error}"
        raise BuildError(message, "Check the network, or download the data set first.") from error


@lru_cache(maxsize=64)
def _load(source: str, repository: str, config: str | None) -> Any:
    if not is_offline() and not ask_hub()():
        message = f"{source}: the data set cannot be opened: the Hub cannot be reached ({hub_url()})"
        raise UsageError(message, "Connect to the network and try again, or name files of this machine.")
    from datasets import load_dataset  # noqa: PLC0415 - seconds to import, wanted only here

    try:
        splits = load_dataset(repository, config, streaming=True)
        # Pictures and sounds stay bytes: rows that hold such are refused, and nothing need be decoded for that.
        return {str(name): rows.decode(enable=False) if rows.features else rows for name, rows in splits.items()}
    except Exception as error:
        message = f"{source}: the data set cannot be opened: {type(error).__name__}: {error}"
        hint = "Check its name and the network (HF_HUB_OFFLINE must not be set), or download it and name the files."
        raise UsageError(message, hint) from error
