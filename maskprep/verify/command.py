"""``maskprep verify``: prove that the loss a trainer computes on a build is the loss that is meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from maskprep.config import Config
from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import BuildError, MaskprepError, UsageError, first_line
from maskprep.examples import Preparer
from maskprep.examples.oracle import Oracle
from maskprep.examples.setup import limits_of, policy_of
from maskprep.formats import Reading
from maskprep.policy import Format
from maskprep.progress import Progress
from maskprep.sources.feed import reading_of
from maskprep.tokenizer.load import LoadedTokenizer, load_tokenizer
from maskprep.verify.examples import sample
from maskprep.verify.files import check_files
from maskprep.verify.options import VerifyOptions
from maskprep.verify.result import Faults, Result, Verdict, skipped
from maskprep.verify.served.check import TURNS, check_server
from maskprep.verify.served.host import Host
from maskprep.verify.source import Rebuild, check_source, looked_up
from maskprep.verify.structure import Expected, check_structure

if TYPE_CHECKING:
    from maskprep.verify.with_model import ModelChecks

_Given = TypeVar("_Given")


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The results of all checks. ``run`` names the model and the device, with speed and memory."""

    path: str
    results: tuple[Result, ...]
    run: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(result.verdict is not Verdict.FAILED for result in self.results)

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        checks = [result.as_json() for result in self.results]
        return {"path": self.path, "passed": self.passed, "checks": checks, "run": self.run}


def verify(options: VerifyOptions, progress: Progress) -> VerifyReport:
    """Return the results of all checks of a finished build.

    Raises:
        UsageError: there is no finished build, torch is not installed, or the model or device cannot be used.
    """
    options.check()
    if options.server is not None:
        Host(options.server)
    from maskprep.verify.with_model import ModelChecks  # noqa: PLC0415 - imports torch

    began = time.monotonic()
    data = _open(options.path)
    modelled = ModelChecks(options, progress)
    results = tuple(check_all(data, modelled) if isinstance(data, StoredDataSet) else _unreadable(data, modelled))
    run = {**modelled.run, "seconds": round(time.monotonic() - began, 2)}
    return VerifyReport(options.path, results, run)


def check_all(data: StoredDataSet, modelled: ModelChecks) -> Iterator[Result]:
    """Yield the result of every check, in order."""
    options, progress = modelled.options, modelled.progress
    loaded = _tokenizer(data)
    shards = data.shards
    progress.start("files", sum(shard.path.stat().st_size for shard in shards if shard.path.is_file()))
    yield check_files(data.root, data.whole, loaded, progress.advance)
    if loaded is None:
        yield from _skipped(
            "the tokenizer beside the shards cannot be loaded", ("structure", "source", *modelled.names)
        )
        return
    told = sum(shard["documents"] for shard in data.manifest["shards"])
    progress.start("structure", told)
    structure = _guarded(
        "structure",
        lambda: Expected.of(loaded.tokenizer, data.manifest["config"]),
        lambda expected: check_structure(shards, expected, progress.advance),
    )
    yield structure
    if structure.figures.get("rows") != told:
        # Rows are read by their numbers with nothing checked: a damaged shard would end the program.
        yield from _skipped("not all rows can be read", ("source", *modelled.names))
        return
    numbers = sample(len(data), options.wanted, options.seed)
    progress.start("source", len(numbers))
    yield _guarded(
        "source",
        lambda: rebuild_of(data, loaded),
        lambda rebuild: check_source(data, numbers, rebuild, progress.advance),
    )
    if options.server is not None:
        host = Host(options.server)
        progress.start("server", TURNS)
        yield _guarded(
            "server",
            lambda: (rebuild_of(data, loaded), limits_of(config_of(data))),
            lambda given: check_server(
                data, numbers, given[0], loaded, given[1], host, options.served_model, progress.advance
            ),
        )
    try:
        yield from modelled.results(data, loaded, numbers, packed=data.manifest["config"]["packing"] is not None)
    except BuildError as error:
        yield from _skipped(f"the rows cannot be read: {error.message}", modelled.names)


def _open(path: str) -> StoredDataSet | str:
    """Return the data set, or, where its manifest is there but cannot be read, what is wrong with that."""
    try:
        return StoredDataSet(path)
    except UsageError as error:
        marks = ("state.json", "dataset_dict.json")
        committed = any((Path(path) / mark).is_file() for mark in marks)
        if not (committed and (Path(path) / "maskprep" / "manifest.json").is_file()):
            raise
        return error.message


def _unreadable(reason: str, modelled: ModelChecks) -> Iterator[Result]:
    faults = Faults()
    faults.add(reason)
    yield faults.result("files", "", "the manifest cannot be read", "copy the folder again, or build it again")
    yield from _skipped("the manifest cannot be read", ("structure", "source", *modelled.names))


def _skipped(reason: str, names: Sequence[str]) -> Iterator[Result]:
    for name in names:
        yield skipped(name, reason)


def _tokenizer(data: StoredDataSet) -> LoadedTokenizer | None:
    try:
        return load_tokenizer(data.tokenizer, data.manifest.get("stop_tokens", []))
    except (UsageError, TypeError):
        return None


def rebuild_of(data: StoredDataSet, loaded: LoadedTokenizer) -> Rebuild:
    """Return the rebuild of the rows, with the tokenizer and the template that lie beside them."""
    config = config_of(data)
    now = datetime.fromisoformat(data.manifest["now"])
    variables = dict(config.template_kwargs)
    limits, policy = limits_of(config), policy_of(config)
    oracle = Oracle(loaded, policy, limits)
    preparer = Preparer(loaded, now=now, policy=policy, variables=variables, limits=limits)
    places = looked_up(data.root, data.manifest.get("sources_from"))
    return Rebuild(preparer, oracle, variables, now, config.max_row_bytes, _readings(config, data.manifest), places)


def config_of(data: StoredDataSet) -> Config:
    """Return the configuration of a build, with the tokenizer and the template that lie beside it."""
    return Config.model_validate({**data.manifest["config"], "tokenizer": data.tokenizer, "chat_template": None})


def _readings(config: Config, manifest: Mapping[str, Any]) -> dict[str, Reading]:
    """Return how the rows of each file were read, by its name: as the configuration has it, in the format found."""
    sources = {source.path: source for source in config.sources}
    return {
        file: replace(reading_of(config, sources[entry["source"]]), format=Format(entry["format"]))
        for entry in manifest["sources"]
        for file in entry["files"]
    }


def _guarded(name: str, make: Callable[[], _Given], check: Callable[[_Given], Result]) -> Result:
    """Return the result of a check with values from the manifest; skipped where it lacks one, as ``files`` reports."""
    try:
        given = make()
    except (MaskprepError, ValueError, KeyError, TypeError) as error:
        return skipped(name, f"it cannot be made: {type(error).__name__}: {first_line(error)}")
    try:
        return check(given)
    except MaskprepError as error:
        return skipped(name, f"it cannot be made: {error.message}")
