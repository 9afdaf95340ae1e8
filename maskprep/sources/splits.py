"""Which split of a data set is read, and the errors that name a folder which cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from maskprep.errors import UsageError
from maskprep.sources.kinds import SUFFIXES
from maskprep.sources.sidecars import is_plain, read_sidecar


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or a data set of a folder that is not read, by its name within it, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is read of a folder, in order, and what is not; ``splits`` are those that are read, where it has any."""

    names: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    splits: tuple[str, ...] = ()


def joined(chosen: Chosen, sources: Mapping[str, Chosen]) -> Chosen:
    """Return what was chosen of a folder with each file or data set in it taken for what is read of that one."""
    inner = [
        LeftOut(f"{name}/{each.name}", each.reason) for name, source in sources.items() for each in source.left_out
    ]
    names = tuple(name for source in sources.values() for name in source.names)
    return Chosen(names, (*chosen.left_out, *inner), chosen.splits)


def choose_split(name: str, splits: Sequence[str], wanted: str | None) -> str:
    """Return the split that is wanted; where none is, ``train`` or the only one.

    Raises UsageError where it is not there.
    """
    usual = splits[0] if len(splits) == 1 else "train"
    if (wanted or usual) in splits:
        return wanted or usual
    there = ", ".join(splits) or "none"
    missing = f"no split {wanted!r}" if wanted else "several splits and none of them is called train"
    raise UsageError(f"{name} has {missing}; there are: {there}", f"Name one: {name}:SPLIT")


def split_of(folder: str, sidecar: str, is_there: Callable[[str], bool], wanted: str | None) -> Chosen:
    """Return the split of a DatasetDict that is read, by its name within it, and those that are not.

    Args:
        folder: its name.
        sidecar: the name of its ``dataset_dict.json``.
        is_there: tells whether a split that is listed there lies in the folder.
        wanted: that split, if any.

    Raises:
        UsageError: the list cannot be read, or the split is not there.
    """
    try:
        names = [name for name in read_sidecar(sidecar)["splits"] if is_plain(name) and is_there(name)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{folder}: dataset_dict.json cannot be read: {error}", "Save the data set again.") from error
    chosen = choose_split(folder, names, wanted)
    return Chosen((chosen,), tuple(LeftOut(name, f"split {name}") for name in names if name != chosen), (chosen,))


def a_build(folder: str) -> UsageError:
    """Return the error that names the output of a build where a source is wanted."""
    hint = "Give the data that it was made from; `maskprep inspect` and `maskprep verify` take it as it is."
    return UsageError(f"{folder} is a build of maskprep, not a source", hint)


def no_rows(folder: str) -> UsageError:
    """Return the error that names a folder without any file of rows."""
    endings = ", ".join(SUFFIXES)
    return UsageError(f"the folder {folder} holds no file of rows", f"Such are called {endings}, also .gz and .zst.")
