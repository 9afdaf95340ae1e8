"""Names in an object store: objects, globs, "folders" and data sets, which are but what keys have in common."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from maskprep.errors import UsageError
from maskprep.sources.files import facts_of
from maskprep.sources.kinds import SUFFIXES, suffix_of
from maskprep.sources.splits import a_build, no_rows, split_of
from maskprep.storage import Remote
from maskprep.storage.urls import split

_MARKS = ("maskprep/manifest.json", "state.json", "dataset_dict.json")  # what the folder of a data set holds


def expand_remote(pattern: str) -> list[str]:
    """Return the sources that a URL or a glob of them stands for, as ``names.expand`` does; folders end with a slash.

    An object whose name looks like a glob is that object. Raises UsageError where nothing is found, or the store
    refuses, BuildError where it fails.
    """
    _, _, key = split(pattern)
    if key and not key.endswith("/"):
        if facts_of(pattern) is not None:
            return [pattern]
        if glob.has_magic(key):
            return _globbed(pattern)
    found = Folder(pattern)
    if found.keys:
        return list(found.sources())
    folder, _, wanted = pattern.rpartition(":")
    if ":" in key and facts_of(f"{folder}/dataset_dict.json") is not None:
        return [Folder(folder).split(wanted)]
    raise UsageError(f"no such object: {pattern}", "Check the name, AWS_ENDPOINT_URL and AWS_REGION.")


class Folder:
    """What lies below a URL: ``keys`` relative to it, sorted as folders are gone through.

    Args:
        url: a slash at its end makes no difference.
        keys: what lies there; looked up, unless given.
    """

    def __init__(self, url: str, keys: Iterable[str] | None = None) -> None:
        """Look it up; see the class."""
        self.url = url.rstrip("/")
        self.keys = sorted(Remote(self.url).list() if keys is None else keys, key=lambda key: key.split("/"))
        self._there = frozenset(self.keys)
        marked = (key.removesuffix(mark) for key in self.keys for mark in _MARKS if f"/{key}".endswith(f"/{mark}"))
        self.data_sets = {folder.removesuffix("/") for folder in marked}

    def sources(self) -> Iterator[str]:
        """Yield all files of rows and data sets, those in hidden folders excepted. Raises UsageError where none is."""
        if "" in self.data_sets:
            yield self.data_set("")
            return
        found = False
        for key in self._outermost():
            hidden = any(step.startswith((".", "_")) for step in key.split("/"))
            if not hidden and (key in self.data_sets or suffix_of(key) in SUFFIXES):
                found = True
                yield self._source(key)
        if not found:
            raise no_rows(f"{self.url}/")

    def matches(self, steps: Sequence[str]) -> Iterator[str]:
        """Yield the files and data sets that a glob, step by step, matches; ``**`` stands for any steps or none."""
        for key in self._outermost():
            if matches(steps, key.split("/")):
                yield self._source(key)

    def data_set(self, folder: str) -> str:
        """Return the name of a data set below: the folder of `save_to_disk`, or a split of several."""
        inner = f"{folder}/" if folder else ""
        if f"{inner}{_MARKS[0]}" in self._there:
            raise a_build(f"{self.url}/{inner}")
        if f"{inner}{_MARKS[1]}" in self._there:
            return f"{self.url}/{inner}"
        return Folder(f"{self.url}/{folder}".rstrip("/"), self._below(inner)).split(None)

    def split(self, wanted: str | None) -> str:
        """Return the name of a split of the DatasetDict that lies here."""

        def is_there(name: str) -> bool:
            return f"{name}/state.json" in self._there

        chosen = split_of(self.url, f"{self.url}/dataset_dict.json", is_there, wanted)
        return f"{self.url}/{chosen}/"

    def _outermost(self) -> Iterator[str]:
        """Yield every key, and in the place of those of a data set its folder, once."""
        before = None
        for key in self.keys:
            steps = key.split("/")
            above = ("/".join(steps[:count]) for count in range(1, len(steps)))
            folder = next((each for each in above if each in self.data_sets), None)
            if folder is None or folder != before:
                yield key if folder is None else folder
            before = folder

    def _source(self, key: str) -> str:
        return self.data_set(key) if key in self.data_sets else f"{self.url}/{key}"

    def _below(self, inner: str) -> list[str]:
        return [key.removeprefix(inner) for key in self.keys if key.startswith(inner)]


def _globbed(pattern: str) -> list[str]:
    steps = pattern.split("/")
    plain = next(index for index, step in enumerate(steps) if glob.has_magic(step))
    folder = Folder("/".join(steps[:plain]))
    found = list(folder.matches(steps[plain:]))
    if not found:
        raise UsageError(f"no object matches {pattern}", "Check the name, AWS_ENDPOINT_URL and AWS_REGION.")
    return found


def matches(steps: Sequence[str], key: Sequence[str]) -> bool:
    """Tell whether a glob matches a key, both in steps. What begins with a dot is matched by what does so, too."""
    if not steps or not key:
        return not key and all(step == "**" for step in steps)
    if steps[0] == "**":
        return matches(steps[1:], key) or (not key[0].startswith(".") and matches(steps, key[1:]))
    shown = not key[0].startswith(".") or steps[0].startswith(".")
    return shown and fnmatchcase(key[0], steps[0]) and matches(steps[1:], key[1:])
