"""The files that make a folder a data set, each renamed into place when it is whole, and the seal of the manifest.

Some hold a list of as many items as a data set has shards: of a large one there are a million. Such lists are spelt
item by item, so that they need not be held as text, and never indented, which takes long.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskprep.storage.atomic import sync, whole_file

SEAL = "_maskprep_manifest"
"""The key under which the last file to come has the checksum of the manifest."""


def seal_of(manifest: Mapping[str, Any]) -> str:
    """Return the checksum of a manifest, but for when and where the data set was built: the same build has the same."""
    facts = {**manifest, "now": None, "config": {**manifest["config"], "output": None}}
    found = hashlib.sha256()
    for piece in compact(facts):
        found.update(piece.encode())
    return found.hexdigest()


def state_of(names: Sequence[str], fingerprint: str, split: str, seal: str) -> dict[str, Any]:
    """Return the ``state.json`` of an Arrow folder, for ``load_from_disk``, which ignores keys it does not know."""
    return {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": split_fingerprint(fingerprint, split),
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split or None,
        SEAL: seal,
    }


def split_fingerprint(fingerprint: str, split: str) -> str:
    """Return the fingerprint by which ``datasets`` knows a split: two splits must not be taken for one."""
    return (hashlib.sha256(f"{fingerprint}/{split}".encode()).hexdigest() if split else fingerprint)[:16]


def put(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all; the names that its folder holds already are on the disk before it is."""
    with whole_file(path) as file:
        file.writelines(piece.encode() for piece in indented(value))
        sync(path.parent)


_LONG = frozenset({"shards", "_data_files"})
"""The keys in JSON under which such long lists stand."""


def compact(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pieces of ``json.dumps(value, sort_keys=True)``."""
    for number, (name, item) in enumerate(sorted(value.items())):
        yield f"{', ' if number else '{'}{json.dumps(name)}: "
        if name in _LONG and isinstance(item, list):
            for place, each in enumerate(item):
                yield f"{', ' if place else '['}{json.dumps(each, sort_keys=True)}"
            yield "]" if item else "[]"
        else:
            yield json.dumps(item, sort_keys=True)
    yield "}" if value else "{}"


def indented(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pieces of JSON for people: indented, long lists one item a line."""
    for number, (name, item) in enumerate(value.items()):
        yield f"{',' if number else '{'}\n {json.dumps(name, ensure_ascii=False)}: "
        if name in _LONG and isinstance(item, list):
            for place, each in enumerate(item):
                yield f"{',' if place else '['}\n  {json.dumps(each, ensure_ascii=False)}"
            yield "\n ]" if item else "[]"
        else:
            # No line ends within a string of JSON.
            yield json.dumps(item, indent=1, ensure_ascii=False).replace("\n", "\n ")
    yield "\n}\n" if value else "{}\n"
