"""What the manifest of a build tells, but for what only the shards tell."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from maskprep import __version__
from maskprep.build.gather import Gathered
from maskprep.build.ignored import Note, ignored_settings, made_in, unused_ignores
from maskprep.build.row_writer import Tallies
from maskprep.dataset.reader import FORMAT_VERSION
from maskprep.dataset.stops import notes_of, stops_of
from maskprep.examples.inputs import Inputs
from maskprep.examples.tree_models import notes_on_model
from maskprep.formats import Reading
from maskprep.sources import HUB, Kind
from maskprep.sources.chunk import InputFile
from maskprep.sources.streams import STDIN
from maskprep.storage import is_remote


def fingerprint(parts: Mapping[str, str]) -> str:
    """Return the fingerprint of a data set, by those of what it was made of."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def fingerprints(inputs: Inputs) -> dict[str, str]:
    """Return what a data set is made of, each by a hash; and the time, where the template asks for it."""
    templates = {inputs.preparer.templates[tools].source for tools in (False, True)}
    template_hash = hashlib.sha256("\0".join(sorted(templates)).encode()).hexdigest()
    parts = {"config": inputs.config.fingerprint(), "tokenizer": inputs.loaded.digest(), "template": template_hash}
    if any(template.uses_clock for template in inputs.preparer.templates.values()):
        parts["now"] = inputs.now.isoformat()
    return parts


def versions(inputs: Inputs) -> dict[str, str]:
    """Return the versions of everything that has a part in what is written."""
    packages = ("datasets", "jinja2", "pyarrow", "tokenizers", "transformers", inputs.preparer.backend.name)
    return {
        "maskprep": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in dict.fromkeys(packages)},
    }


def manifest_of(
    inputs: Inputs, tallies: Tallies, files: Mapping[InputFile, tuple[str, Kind, Reading]], found: Gathered
) -> dict[str, Any]:
    """Return the manifest."""
    parts = fingerprints(inputs)
    backend = inputs.preparer.backend
    stops = stops_of(inputs.loaded, tallies.whole.stops)
    return {
        "format_version": FORMAT_VERSION,
        "fingerprint": fingerprint(parts),
        "fingerprint_of": parts,
        "now": inputs.now.isoformat(),
        "config": inputs.config.described(),
        "stop_tokens": list(inputs.loaded.stop_tokens),
        "stops": stops,
        "notes": [*notes_of(stops), *notes_on_model(inputs.config)],
        "vocabulary": inputs.loaded.vocabulary.facts(),
        "tokenizer_backend": {"name": backend.name, "note": backend.note},
        "versions": versions(inputs),
        "sources": _understood(inputs, files, found),
        "left_out": _left_out(inputs),
        "ignored_settings": [*_ignored(inputs), *unused_ignores(inputs.config, tallies.whole.ignored)],
        "totals": tallies.whole.facts(),
        **({"splits": {split: tally.facts() for split, tally in tallies.splits.items()}} if tallies.splits else {}),
    }


def sources_from(output: str, files: Iterable[str]) -> str | None:
    """Return the current folder as seen from an output folder: there, relative names of files are looked up later.

    No absolute path is noted, and both folders may be moved together. None where no file has a relative name, or no way
    leads there.
    """
    relative = (file != STDIN and not is_remote(file) and not file.startswith(HUB) for file in files if file[:1] != "/")
    if is_remote(output) or not any(relative):
        return None
    try:
        return Path(os.path.relpath(Path.cwd(), Path(output).resolve())).as_posix()
    except ValueError:  # on Windows, another drive
        return None


def _ignored(inputs: Inputs) -> list[Note]:
    config, files = inputs.config, Counter(file.source for file in inputs.feed.files)
    counts = [files[number] for number in range(len(config.sources))]
    return ignored_settings(config, made_in(config), inputs.preparer.templates.values(), counts)


def _left_out(inputs: Inputs) -> list[dict[str, str]]:
    """Return the files in the folders of the sources that are not read, by their names there, and why."""
    pairs = zip(inputs.config.sources, inputs.feed.found, strict=True)
    return [
        {"source": source.path, "file": each.name, "reason": each.reason}
        for source, found in pairs
        for each in found.left_out
    ]


def _understood(
    inputs: Inputs, files: Mapping[InputFile, tuple[str, Kind, Reading]], found: Gathered
) -> list[dict[str, Any]]:
    """Return what was understood of each source as JSON types: one entry for all files of the same kind and shape."""
    entries: dict[Any, dict[str, Any]] = {}
    for file, (name, kind, reading) in files.items():
        source, under = inputs.config.sources[file.source], inputs.feed.under.get(file, "")
        entry = entries.setdefault(
            (file.source, kind, under, reading.format),
            {
                "source": source.path,
                "kind": str(kind),
                **({"under": under} if under else {}),
                **({"splits": list(splits)} if (splits := inputs.feed.found[file.source].splits) else {}),
                "format": reading.format,
                "columns": dict(reading.columns),
                "roles": dict(reading.roles),
                "weight": source.weight,
                "max_rows": source.max_rows,
                "files": [],
                "rows": 0,
                "rows_chosen": 0,
                "not_read": {},
            },
        )
        entry["files"].append(name)
        entry["rows"] += found.rows[file.source, file.number]
        entry["rows_chosen"] += found.chosen[file.source, file.number]
        for path, rows in sorted(found.keys[file.source, file.number].not_read.items()):
            entry["not_read"][path] = entry["not_read"].get(path, 0) + rows
    return list(entries.values())
