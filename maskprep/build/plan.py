"""What a build is made by, told in its output: who comes after a crash goes on with exactly that, or is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from maskprep.build.manifest import fingerprints, versions
from maskprep.build.work_folder import WORK, WorkFolder
from maskprep.errors import UsageError
from maskprep.examples.inputs import Inputs

PLAN = f"{WORK}/plan.json"

_SHARE = 32  # chunks of a small build
_LEAST, LARGEST = 2 * 2**20, 64 * 2**20  # bytes


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What decides on the chunks and on what is in them.

    ``facts`` must be the same for whoever goes on: settings, tokenizer, template, sources, versions. ``now`` is the
    time that the template is told; ``backend`` and ``note`` who encodes, and why not another.
    """

    facts: Mapping[str, Any]
    now: datetime
    backend: str
    note: str

    def dumps(self) -> bytes:
        """Return the plan as JSON."""
        facts = {"facts": self.facts, "now": self.now.isoformat(), "backend": self.backend, "note": self.note}
        return json.dumps(facts, indent=1).encode()

    @classmethod
    def loads(cls, data: bytes) -> BuildPlan:
        """Return what ``dumps`` wrote. Raises ``ValueError`` or ``KeyError`` where it did not."""
        told = json.loads(data)
        return cls(told["facts"], datetime.fromisoformat(told["now"]), str(told["backend"]), str(told["note"]))


def stored_plan(place: WorkFolder) -> BuildPlan:
    """Read the plan of an unfinished build.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return BuildPlan.loads(place.read(PLAN))
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"the unfinished build in the output cannot be gone on with: {PLAN} is damaged: {error}"
        raise UsageError(msg, "give --overwrite to begin anew") from error


def planned(inputs: Inputs) -> BuildPlan:
    """Return the plan of a build."""
    backend = inputs.preparer.backend
    parts = fingerprints(inputs)
    facts = {
        "settings": inputs.config.decisive(),
        "tokenizer": parts["tokenizer"],
        "template": parts["template"],
        "files": inputs.feed.facts(),
        "versions": versions(inputs),
    }
    return BuildPlan(json.loads(json.dumps(facts)), inputs.now, backend.name, backend.note)


def refuse_another(begun: BuildPlan, wanted: BuildPlan, output: str) -> None:
    """Refuse to go on with a build that was begun otherwise.

    Raises:
        UsageError: it names what differs.
    """
    if begun.facts == wanted.facts:
        return
    differences = "; ".join(_differences(begun.facts, wanted.facts, ""))
    msg = f"the output {output!r} holds an unfinished build that was begun otherwise: {differences}"
    raise UsageError(
        msg, "give what it was begun with to go on; or --overwrite to begin anew, or another folder to --output"
    )


def chunk_bytes(total: int | None) -> int:
    """Return how much of the sources goes into a chunk, by their size on disk alone: bytes.

    Small builds are cut so that a few workers share them evenly; in large ones a chunk makes a shard of the usual size.
    """
    return min(max((total or 0) // _SHARE, _LEAST), LARGEST)


def _differences(begun: Any, wanted: Any, name: str) -> Iterator[str]:
    if begun == wanted:
        return
    if isinstance(begun, dict) and isinstance(wanted, dict):
        for key in sorted(begun.keys() | wanted.keys()):
            inner = key if name in {"", "settings"} else f"{name}.{key}"
            yield from _differences(begun.get(key), wanted.get(key), inner)
    elif name == "files" and isinstance(begun, list) and isinstance(wanted, list):
        before, after = dict(map(tuple, begun)), dict(map(tuple, wanted))
        for file in sorted(before.keys() | after.keys()):
            if before.get(file, ()) != after.get(file, ()):
                how = "is new" if file not in before else "is missing" if file not in after else "was changed"
                yield f"{file} {how}"
        if list(before) != list(after) and before == after:
            yield "the sources stand in another order"
    elif name in {"tokenizer", "template"} and isinstance(begun, str):
        yield f"the {name} is another"
    else:
        yield f"{name}: {json.dumps(begun)[:80]} → {json.dumps(wanted)[:80]}"
