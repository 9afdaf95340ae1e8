"""Names in an object store: objects, globs, "folders" and data sets, which are but what keys have in common."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence

from maskprep.errors import UsageError
from maskprep.sources.cards import CARD, MOST
from maskprep.sources.files import facts_of
from maskprep.sources.globs import matches
from maskprep.sources.hub_layout import choose, is_mark, roots_of
from maskprep.sources.kinds import SUFFIXES, suffix_of
from maskprep.sources.splits import Chosen, a_build, choose_split, joined, no_rows, split_of
from maskprep.storage import Remote, RemoteFile
from maskprep.storage.urls import split

_MARKS = ("maskprep/manifest.json", "state.json", "dataset_dict.json")  # what the folder of a data set holds


def expand_remote(pattern: str) -> Chosen:
    """Return the sources that a URL or a glob of them stands for, as ``names.find`` does; folders end with a slash.

    An object whose name looks like a glob is that object. Raises UsageError where nothing is found, or the store
    refuses, BuildError where it fails.
    """
    _, _, key = split(pattern)
    if key and not key.endswith("/"):
        if facts_of(pattern) is not None:
            return Chosen((pattern,))
        if glob.has_magic(key):
            return Chosen(tuple(_globbed(pattern)))
    found = RemoteFolder(pattern)
    if found.keys:
        return found.sources()
    folder, _, wanted = pattern.rpartition(":")
    named = RemoteFolder(folder) if ":" in key else found
    if named.keys:
        return named.sources(wanted)
    raise UsageError(f"no such object: {pattern}", "Check the name, AWS_ENDPOINT_URL and AWS_REGION.")


class RemoteFolder:
    """What lies below a URL: ``keys`` relative to it, sorted as folders are gone through.

    Args:
        url: a slash at its end makes no difference.
        keys: what lies there; looked up, unless given.
    """

    def __init__(self, url: str, keys: Iterable[str] | None = None) -> None:
        """Take the keys below a URL, or list them in the store."""
        self.url = url.rstrip("/")
        self.keys = sorted(Remote(self.url).list() if keys is None else keys, key=lambda key: key.split("/"))
        self._there = frozenset(self.keys)
        marked = (key.removesuffix(mark) for key in self.keys for mark in _MARKS if f"/{key}".endswith(f"/{mark}"))
        self.data_sets = {folder.removesuffix("/") for folder in marked}

    def sources(self, wanted: str | None = None) -> Chosen:
        """Return all files of rows and data sets, those in hidden folders excepted, and what is left out of them.

        Of several splits that ``wanted`` is read. Raises UsageError where nothing is to be read.
        """
        if "" in self.data_sets:
            return self.data_set("", wanted)
        shown = [key for key in self._outermost() if not any(step.startswith((".", "_")) for step in key.split("/"))]
        marks = [key for key in shown if is_mark(key.rpartition("/")[2])]
        cards = {key.removesuffix(CARD).rstrip("/"): self._text(key) for key in marks if key.endswith(CARD)}
        rows = [key for key in shown if key in self.data_sets or suffix_of(key) in SUFFIXES]
        chosen = choose(self.url, rows, roots_of(marks, cards), cards, wanted)
        if not chosen.names:
            raise no_rows(f"{self.url}/")
        return joined(chosen, {key: self._source(key) for key in chosen.names})

    def matches(self, steps: Sequence[str]) -> Iterator[str]:
        """Yield the files and data sets that a glob, step by step, matches; ``**`` stands for any steps or none."""
        for key in self._outermost():
            if matches(steps, key.split("/")):
                yield from self._source(key).names

    def data_set(self, folder: str, wanted: str | None = None) -> Chosen:
        """Return the name of a data set below: the folder of `save_to_disk`, or a split of several."""
        inner = f"{folder}/" if folder else ""
        if f"{inner}{_MARKS[0]}" in self._there:
            raise a_build(f"{self.url}/{inner}")
        if f"{inner}{_MARKS[1]}" in self._there:
            place = f"{self.url}/{inner}"
            return Chosen((place,)) if wanted is None else Chosen((choose_split(place, [], wanted),))
        return RemoteFolder(f"{self.url}/{folder}".rstrip("/"), self._below(inner)).split(wanted)

    def split(self, wanted: str | None) -> Chosen:
        """Return the name of a split of the DatasetDict that lies here, and those that are left out."""

        def is_there(name: str) -> bool:
            return f"{name}/state.json" in self._there

        chosen = split_of(self.url, f"{self.url}/dataset_dict.json", is_there, wanted)
        return Chosen(tuple(f"{self.url}/{name}/" for name in chosen.names), chosen.left_out, chosen.splits)

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

    def _source(self, key: str) -> Chosen:
        return self.data_set(key) if key in self.data_sets else Chosen((f"{self.url}/{key}",))

    def _text(self, key: str) -> str:
        """Return the beginning of a README, empty where it cannot be read: the names of the files decide then."""
        try:
            with RemoteFile(f"{self.url}/{key}") as file:
                return file.read(MOST).decode(errors="replace")
        except OSError:
            return ""

    def _below(self, inner: str) -> list[str]:
        return [key.removeprefix(inner) for key in self.keys if key.startswith(inner)]


def _globbed(pattern: str) -> list[str]:
    steps = pattern.split("/")
    plain = next(index for index, step in enumerate(steps) if glob.has_magic(step))
    folder = RemoteFolder("/".join(steps[:plain]))
    found = list(folder.matches(steps[plain:]))
    if not found:
        raise UsageError(f"no object matches {pattern}", "Check the name, AWS_ENDPOINT_URL and AWS_REGION.")
    return found
