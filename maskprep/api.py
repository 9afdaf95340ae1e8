"""maskprep in Python: one conversation, many, a data set, a stream; a build, made or opened.

    import maskprep

    masker = maskprep.Masker("Qwen/Qwen3-8B", history="tree", train={"turns": "all"})
    example = masker(messages, tools=tools)     input_ids, labels, spans, findings; raises maskprep.Rejected
    example.show()                              the mask in colour; a notebook shows it by itself
    examples = masker.many(rows)                rejected rows stand in their place
    data = masker.map(dataset)                  datasets.Dataset, DatasetDict, IterableDataset
    for example in masker.stream(rows): ...     any iterable, constant memory

    report = maskprep.build(sources="rows.jsonl", tokenizer="Qwen/Qwen3-8B", output="out/train")
    build = maskprep.open("out/train")          len, [i], iteration, manifest, verify(), inspect()

What comes out is what the command makes of the same rows: the same ids, labels and spans. Errors say what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from maskprep.errors import BuildError, MaskprepError, RejectedError, UsageError
from maskprep.labelled import Span
from maskprep.memory.example import Example, Rejected
from maskprep.memory.masker import RowMasker
from maskprep.memory.settings import plain
from maskprep.memory.stored import StoredBuild

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
    "build",
    "open",
]


class Masker:
    """Turns conversations into token ids with proved loss masks, with one tokenizer and one configuration.

    Args:
        tokenizer: a folder, a hub id, a tokenizer that transformers has loaded, or a mapping with its ``name`` and
            what is to be added to it, as under ``tokenizer`` in a configuration file.
        settings: keys of the configuration, as in a YAML file: ``history``, ``train``, ``max_length``, ``overflow``,
            ``prompt_mismatch``, ``chat_template``, ``template_kwargs``, ``columns`` … Without ``history``, every turn
            is trained in its own context, in as many sequences as that takes.

    One thread at a time works: calls from several threads wait for each other. A masker can be pickled: another process
    loads the tokenizer again.

    Raises:
        UsageError: a setting, the tokenizer or the template cannot be used.
    """

    def __init__(self, tokenizer: Any, **settings: Any) -> None:
        self._rows = RowMasker(tokenizer, settings)

    def __call__(
        self, messages: Sequence[Mapping[str, Any]] | Mapping[str, Any], tools: Any = None, **fields: Any
    ) -> Example:
        """Return one conversation as an example.

        Args:
            messages: the messages, or a whole row in any format that maskprep reads.
            tools: the tools of the conversation, as schemas.
            fields: more fields of the row, such as ``documents`` or ``chat_template_kwargs``.

        Raises:
            Rejected: it cannot be trained on, with a stable code, the reason and what to do.
        """
        if isinstance(messages, str | bytes) or not isinstance(messages, Mapping | Sequence):
            msg = f"messages must be a list of messages or a row, not {type(messages).__name__}"
            raise UsageError(msg, 'give [{"role": "user", "content": "…"}, …]')
        row = dict(messages) if isinstance(messages, Mapping) else {"messages": list(messages)}
        given = {"tools": tools, **fields}
        return self._rows.one({**row, **{name: value for name, value in given.items() if value is not None}})

    def many(self, rows: Iterable[Mapping[str, Any]]) -> list[Example | Rejected]:
        """Return what rows become, each in its place: an example, which may have several sequences, or ``Rejected``.

        The first rows tell the format of all, where ``format`` is not set. Raises ``UsageError`` where they differ.
        """
        return self._rows.many(_rows(rows))

    def like(self, rows: Iterable[Mapping[str, Any]]) -> Masker:
        """Return this masker, which reads all rows in the format that the first of these have.

        Raises:
            UsageError: two of them have different formats.
        """
        other = object.__new__(Masker)
        other._rows = self._rows.like(_rows(rows))
        return other

    def stream(
        self, rows: Iterable[Mapping[str, Any]], *, workers: int = 0, start_method: str | None = None
    ) -> Iterator[Example | Rejected]:
        """Yield what rows become, in their order, some hundred at a time; memory holds no more of them.

        Args:
            rows: any iterable.
            workers: processes that do the work; 0 does it here. Each loads the tokenizer.
            start_method: how they are started: ``fork``, ``spawn`` or ``forkserver``; Python's default unless given.

        Raises:
            BuildError: a worker process was killed, or ran out of memory.
        """
        from maskprep.memory.parallel import examples_of, in_workers  # noqa: PLC0415 - few ask for it

        if workers < 0 or start_method not in {None, "fork", "spawn", "forkserver"}:
            raise UsageError("workers start at 0, and start_method is fork, spawn or forkserver")
        lines = self._rows.lines(_rows(rows))
        found = chain.from_iterable(in_workers(self._rows, lines, examples_of, workers, start_method))
        return (self._rows.shown(each) for each in found)

    def map(
        self,
        dataset: Any,
        *,
        spans: bool = False,
        workers: int = 0,
        start_method: str | None = None,
        cache: bool = True,
    ) -> Any:
        """Return a data set of the library ``datasets`` with ``input_ids``, ``labels`` and what trees and weights need.

        Args:
            dataset: a ``Dataset``, a ``DatasetDict`` or an ``IterableDataset`` of rows in any format that maskprep
                reads.
            spans: whether ``spans`` and ``origin`` stay, as in a build; of a stream ``spans`` alone.
            workers: processes that do the work; 0 does it here. A stream is mapped where it is iterated.
            start_method: how they are started, as for ``stream``.
            cache: whether a data set that lies on disk is kept, mapped, in datasets' cache, and read from there again.

        A row that takes several sequences becomes several rows; one that cannot be used becomes none. The result's
        attribute ``data_report`` counts rows, tokens, rejects and findings, with an example of each, and names the
        first rejected rows (JSON types); a ``DatasetDict``'s has one for each split, a stream's grows as it is iterated
        in this process.

        Raises:
            RejectedError: more than ``max_rejects`` of the rows cannot be used.
            BuildError: no ``history`` was chosen, and each turn in its own context would take more than
                ``max_expansion`` times the tokens; or a worker ended.
            UsageError: it is no such data set, or its first rows have different formats.
        """
        from datasets import Dataset, DatasetDict, IterableDataset  # noqa: PLC0415 - a second to import

        from maskprep.memory.mapping import MapOptions, map_dataset, map_stream  # noqa: PLC0415

        options = MapOptions(spans, workers, start_method, cache)
        if isinstance(dataset, DatasetDict):
            parts = {name: self.map(part, spans=spans, workers=workers, start_method=start_method, cache=cache)
                     for name, part in dataset.items()}  # fmt: skip
            whole = DatasetDict(parts)
            whole.data_report = {name: part.data_report for name, part in parts.items()}
            return whole
        if isinstance(dataset, IterableDataset):
            mapped, growing = map_stream(self._rows, dataset, options)
            mapped.data_report = growing
            return mapped
        if not isinstance(dataset, Dataset):
            msg = f"a data set of the library datasets is needed, not {type(dataset).__name__}"
            raise UsageError(msg, "give many or stream any iterable of rows")
        mapped, report = map_dataset(self._rows, dataset, options)
        mapped.data_report = report
        return mapped

    def show(self, example: Example, *, full: bool = False) -> None:
        """Print an example with its mask in colour, also one that came from another process."""
        self._rows.shown(example).show(full=full)

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides on what becomes of a row: the same in any process and on any machine."""
        return self._rows.fingerprint

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, with what was added to it."""
        return self._rows.loaded.tokenizer

    def __repr__(self) -> str:
        """Return the name of the tokenizer and the settings."""
        name, settings = self._rows.loaded.name, self._rows.config.model_dump(mode="json", exclude_unset=True)
        told = "".join(f", {key}={value!r}" for key, value in settings.items() if key not in {"sources", "tokenizer"})
        return f"Masker({name!r}{told})"


def _rows(rows: Iterable[Any]) -> Iterable[Any]:
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise UsageError(
            f"rows must be several rows, not {type(rows).__name__}", "give a list of rows, or any iterable"
        )
    return rows


def build(config: str | Path | None = None, *, overwrite: bool = False, **settings: Any) -> Any:
    """Build a data set as ``maskprep build`` does, and print nothing.

    Args:
        config: a YAML file, if any; ``settings`` win over it.
        overwrite: whether to replace a former build in the output folder.
        settings: keys of the configuration: ``sources``, ``tokenizer``, ``output`` …

    Returns:
        A report: ``output``, ``manifest``, ``trainer`` (settings to paste), and ``facts()``, all of it as JSON types.

    Raises:
        UsageError: it cannot be begun; nothing was written.
        RejectedError: too many rows cannot be used.
        BuildError: it cannot be ended now; the same call goes on with it.
    """
    from maskprep.build.command import build as run  # noqa: PLC0415 - training code does without
    from maskprep.config import load  # noqa: PLC0415
    from maskprep.progress import Progress  # noqa: PLC0415
    from maskprep.show.page import write_page  # noqa: PLC0415

    loaded = load(None if config is None else str(config), plain(settings))
    return run(loaded, Progress(), write_page, overwrite=overwrite)


def open(path: str | Path) -> StoredBuild:  # noqa: A001 - maskprep.open, as gzip.open
    """Open the build in a folder, or one split of it.

    Raises:
        UsageError: there is no finished build.
        BuildError: it is damaged.
    """
    return StoredBuild.open(str(path))
