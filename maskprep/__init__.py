"""maskprep: conversations in, token ids and proved loss masks out.

JSONL ─▶ formats ─▶ template ─▶ sequences ─▶ labels ─▶ shards
         normalise   render,      encode,      -100 or   Arrow, manifest,
                     prove turns  prove ids    the id    rejects

What ``maskprep build`` does, and where to read it; ``build/command.py`` calls the rest:

    chunks of the sources     sources/feed.py, chunk.py       planned by the driver, read by the workers
    ├ worker processes        engines/drive.py                each runs build/worker.py on one chunk after another
    │ ├ line to conversation  formats/reading.py              one file a format, one table: formats/registry.py
    │ ├ rendering             template/learnt/program.py      replayed as it was learnt, else run: chat_template.py
    │ ├ prompt, completion    template/turns/regular.py       at a glance, else proved step by step: finder.py
    │ ├ sequences, ids        examples/batch.py               together, else one by one: examples/sequences.py
    │ ├ labels, spans         examples/labels.py
    │ └ rows of the chunk     build/row_writer.py             a row that cannot be proved is a reject, with its reason
    ├ order, packs, shards    dataset/arrange.py, packing/    as the trainer reads them: dataset/profiles/
    └ commit                  dataset/output.py               the last file to come makes the folder a data set

The other commands are ``inspect/``, ``probe/`` and ``verify/``; ``cli/`` parses their options, ``show/`` prints their
reports, and ``collate/`` makes batches for training code.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskprep.api import (
        BuildError,
        Example,
        Masker,
        MaskprepError,
        Rejected,
        RejectedError,
        Span,
        StoredBuild,
        UsageError,
        build,
        open,  # noqa: A004 - maskprep.open, as gzip.open
    )

__version__ = "0.2.0"

__all__ = [
    "BuildError",
    "Example",
    "Masker",
    "MaskprepError",
    "Rejected",
    "RejectedError",
    "Span",
    "StoredBuild",
    "UsageError",
    "__version__",
    "build",
    "open",
]


def __getattr__(name: str) -> Any:
    """Return a name of ``api.py``: the command, which does without, need not wait for it."""
    if name not in __all__:
        raise AttributeError(f"module 'maskprep' has no attribute {name!r}")
    return getattr(import_module("maskprep.api"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
