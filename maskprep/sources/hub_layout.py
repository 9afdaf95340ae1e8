"""Which files of a folder are rows to train on, where it is the clone of a data set of the Hub, or laid out as one is.

    README.md  dataset_infos.json        the card, and metadata: no rows
    data/train-00000-of-00002.parquet    split train: read
    data/test-00000-of-00001.parquet     split test: left out, and told

The splits are those that the Hub itself would see: of the card's ``configs``, else ``data/SPLIT-00000-of-00001.…``,
else by words in the names of folders, and then of files. Of a file without any such word nothing is known but that it
lies there: it counts as ``train``, as it does in a folder that knows no splits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from maskprep.errors import UsageError
from maskprep.sources.cards import CARD, Configuration, configurations, has_front
from maskprep.sources.splits import Chosen, LeftOut, choose_split

METADATA = frozenset(
    {
        *("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "croissant.json"),
        *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"),
        *("special_tokens_map.json", "added_tokens.json", "trainer_state.json", "adapter_config.json"),
        *("package.json", "package-lock.json", "tsconfig.json", "metadata.json"),
    }
)
"""Files that are called like rows and are none: what tools write beside data, models and programs."""

_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_WORD = re.compile(r"[a-z]+")
_SHARD = re.compile(r"data/(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}")
_TRAIN = "train"


def is_mark(name: str) -> bool:
    """Tell whether a folder that holds a file of this name may be the root of a data set."""
    return name in {CARD, "dataset_infos.json", "dataset_info.json"}


def roots_of(marks: Sequence[str], cards: Mapping[str, str]) -> set[str]:
    """Return the folders that are roots of data sets: those of ``marks``, unless it is a README that is no card."""
    folders = ((mark.rpartition("/")[0], mark.rpartition("/")[2]) for mark in marks)
    return {folder for folder, name in folders if name != CARD or has_front(cards.get(folder, ""))}


def choose(
    folder: str, names: Sequence[str], roots: set[str], cards: Mapping[str, str], wanted: str | None = None
) -> Chosen:
    """Choose what is read of a folder.

    Args:
        folder: its name, for messages.
        names: the files of rows, and the data sets, in it: paths relative to it, in order.
        roots: the folders in it that are data sets of their own, relative to it.
        cards: the text of the README of those that have one.
        wanted: the split that is read, if it is not ``train``.

    Raises:
        UsageError: the split is not there, or nobody knows which of several is meant.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_root(name, roots), []).append(name)
    parts = [
        _choose(f"{folder}/{root}" if root else folder, root, own, cards.get(root, ""), wanted)
        for root, own in groups.items()
    ]
    read = {name for part in parts for name in part.names}
    return Chosen(
        tuple(name for name in names if name in read),
        tuple(each for part in parts for each in part.left_out),
        tuple(dict.fromkeys(split for part in parts for split in part.splits)),
    )


def _root(name: str, roots: set[str]) -> str:
    steps = name.split("/")[:-1]
    above = ("/".join(steps[:count]) for count in range(len(steps), 0, -1))
    return next((folder for folder in above if folder in roots), "")


def _choose(folder: str, root: str, names: Sequence[str], card: str, wanted: str | None) -> Chosen:
    """Choose what is read of one data set, whose files have ``names`` that begin with its ``root``."""
    inner = len(root) + 1 if root else 0
    metadata = {name: None for name in names if name.rpartition("/")[2].lower() in METADATA}
    rows = {name: name[inner:] for name in names if name not in metadata}
    left_out = [LeftOut(name, "metadata") for name in metadata]
    split_of, why = _splits(folder, rows, card)
    known = any(split is not None for split in split_of.values())
    if not known and wanted is None:
        return Chosen(tuple(rows), tuple(left_out))
    splits = {name: split or (None if why else _TRAIN) for name, split in split_of.items()}
    chosen = choose_split(folder, sorted({split for split in splits.values() if split}), _usual(wanted, splits))
    for name, split in splits.items():
        if split != chosen:
            left_out.append(LeftOut(name, f"split {split}" if split else why))
    return Chosen(tuple(name for name in rows if splits[name] == chosen), tuple(left_out), (chosen,))


def _splits(folder: str, rows: Mapping[str, str], card: str) -> tuple[dict[str, str | None], str]:
    """Return the split of each file, None where it has none, and why such files are left out, empty if they are not."""
    configuration = _configuration(folder, rows, card)
    if configuration is not None:
        of_card = {name: configuration.split_of(inner) for name, inner in rows.items()}
        return of_card, f"not among the files of {configuration.name} in {CARD}"
    shards = {name: _SHARD.match(inner) for name, inner in rows.items()}
    if any(shards.values()):
        return {name: shard and shard["split"] for name, shard in shards.items()}, "no split"
    return {name: _by_words(inner) for name, inner in rows.items()}, ""


def _configuration(folder: str, rows: Mapping[str, str], card: str) -> Configuration | None:
    """Return the configuration of the card that is read, None where the card names no files that are there."""
    told = [each for each in configurations(card) if any(each.split_of(inner) is not None for inner in rows.values())]
    chosen = told if len(told) == 1 else [each for each in told if each.default]
    if told and not chosen:
        names = ", ".join(each.name for each in told)
        glob = next((glob for split, glob in told[0].files if split == _TRAIN), told[0].files[0][1])
        hint = f"Name the files of one, for example {f'{folder}/{glob}'!r}."
        raise UsageError(f"{folder} has several configurations and none is the default: {names}", hint)
    return chosen[0] if chosen else None


def _by_words(name: str) -> str | None:
    """Return the split that the folders of a path tell, the innermost first, or else the name of the file."""
    *folders, file = name.split("/")
    return next((split for step in (*reversed(folders), file) if (split := _word_of(step))), None)


def _word_of(step: str) -> str | None:
    words = set(_WORD.findall(step.lower()))
    return next((split for split, known in _WORDS.items() if words.intersection(known)), None)


def _usual(wanted: str | None, splits: Mapping[str, str | None]) -> str | None:
    """Return the split that is wanted by the name that it has here: ``val`` is ``validation``."""
    if wanted is None or wanted in splits.values():
        return wanted
    return next((split for split, known in _WORDS.items() if wanted in known), wanted)
