"""``maskprep export``: a finished build in the form that another trainer reads; nothing is rendered or tokenized."""

from __future__ import annotations

import copy
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskprep.build.commit import BuildReport, PageWriter, all_or_nothing, commit
from maskprep.build.ignored import ignored_by_export
from maskprep.build.manifest import fingerprint
from maskprep.config import Config, load
from maskprep.dataset.arrange import Staged, arrange_all, layout_before, layout_of, refuse_layout, stage
from maskprep.dataset.files import Receipt
from maskprep.dataset.open_build import damage_told, open_build
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.profiles import PROFILES
from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import Layout
from maskprep.dataset.stored import StoredShard
from maskprep.errors import BuildError, UsageError
from maskprep.examples.setup import longest_allowed
from maskprep.inspect.tokens import LoadedTokens
from maskprep.inspect.views import Viewer
from maskprep.progress import Progress
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.load import LoadedTokenizer, load_tokenizer
from maskprep.verify.files import check_files
from maskprep.verify.result import Verdict

_CHANGEABLE = ("profile", "packing", "shuffle", "shard_bytes")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to export, for which trainer (None: the same), and where to; ``settings`` as for a build."""

    path: str
    output: str | None
    profile: str | None = None
    settings: Sequence[str] = ()
    overwrite: bool = False


def export(options: ExportOptions, progress: Progress, write_page: PageWriter) -> BuildReport:
    """Write the documents of a build anew, as a build with the other settings would have written them.

    Raises:
        UsageError: there is no finished build, or what is asked for cannot be made of it; nothing was written.
        BuildError: the build is damaged, or the output cannot be written.
    """
    began = time.monotonic()
    if options.output is None:
        raise UsageError("output is missing", "give the folder to write to: --output DIR")
    data = open_build(options.path)
    if data.manifest is not data.whole:
        msg = f"{options.path!r} is one split of a data set"
        raise UsageError(msg, f"give the folder of all of it: {str(data.root)!r}")
    with damage_told(data.path):
        config = _config(data.manifest["config"], options)
        longest = int(data.manifest["totals"]["longest_sequence"])
    if config.packing is not None and longest > config.packing.length:
        msg = f"the longest document has {longest:,} tokens, more than packing.length {config.packing.length:,}"
        raise UsageError(msg, f"give at least {longest}, or build again with `overflow`: no document is cut here")
    refuse_layout(config, layout_before(config))
    output = OutputFolder(options.output, divided=config.split > 0, profile=PROFILES[config.profile])
    _keep_apart(data.root.resolve(), output.path.resolve())
    output.check(overwrite=options.overwrite)
    loaded = _whole(data, progress)
    with damage_told(data.path):
        described = _manifest(data, config, output)
        files = _files(data.manifest)
    output.claim()
    with all_or_nothing(output):
        receipts, layout = _arranged(data, config, output, files)
        shutil.copytree(data.tokenizer, output.tokenizer)
        for ledger in (output.rejects, output.findings, output.dropped):
            if (data.root / "maskprep" / ledger.name).is_file():
                shutil.copyfile(data.root / "maskprep" / ledger.name, ledger)
        viewer = Viewer(LoadedTokens(loaded, Encoder(loaded.tokenizer)))
        report = commit(output, config, described, receipts, layout, viewer, write_page)
    return replace(report, seconds=time.monotonic() - began)


def _config(built: Mapping[str, Any], options: ExportOptions) -> Config:
    """Return the configuration of a build that gives what is asked for."""
    # What is a path may be gone, or be another's: only its name counts here.
    old = Config.model_validate(built)
    given = {"output": options.output, "profile": options.profile}
    new = load(None, given, options.settings, base=copy.deepcopy(dict(built)))
    before, after = old.model_dump(), new.model_dump()
    other = [key for key in before if before[key] != after[key] and key not in {*_CHANGEABLE, "output"}]
    if other:
        msg = f"export cannot change {', '.join(other)}: the rows are made already"
        raise UsageError(msg, f"build again; what can be set here: {', '.join(_CHANGEABLE)}")
    # Rows were made to fit into the packs, too, and must come out the same when they are made again.
    return new.model_copy(update={"max_length": longest_allowed(old)})


def _keep_apart(source: Path, output: Path) -> None:
    if output == source or output in source.parents or source in output.parents:
        msg = f"the output {str(output)!r} and the build {str(source)!r} lie within each other"
        raise UsageError(msg, "give another folder to --output")


def _whole(data: StoredDataSet, progress: Progress) -> LoadedTokenizer:
    """Return the tokenizer of a build that is whole: with checksums of its own, damage would look like none."""
    loaded = load_tokenizer(data.tokenizer, data.manifest.get("stop_tokens", []))
    sizes = sum(shard.path.stat().st_size for shard in data.shards if shard.path.is_file())
    progress.start("reading", sizes)
    found = check_files(data.root, data.manifest, loaded, progress.advance)
    if found.verdict is Verdict.FAILED:
        hint = "see `maskprep verify`; build the data set again, or copy it again"
        raise BuildError(f"{str(data.path)!r}: the build is damaged: {found.faults[0]}", hint)
    return loaded


def _arranged(
    data: StoredDataSet, config: Config, output: OutputFolder, files: Sequence[str] | None
) -> tuple[list[Receipt], Layout]:
    pairs = dict(zip(output.splits, _by_split(data).values(), strict=True))
    with ExitStack() as left:
        waiting = {split: _documents(shards, output.shards(split), left) for split, shards in pairs.items()}
        orders = {
            split: np.arange(len(rows)) if files is None else rows.source_order(files)
            for split, rows in waiting.items()
        }
        layout = layout_of(waiting.values(), config)
        return arrange_all(waiting, layout, output, config, orders), layout


def _by_split(data: StoredDataSet) -> dict[str, list[StoredShard]]:
    found: dict[str, list[StoredShard]] = {}
    for told, shard in zip(data.manifest["shards"], data.shards, strict=True):
        found.setdefault(str(told["file"]).rpartition("/")[0], []).append(shard)
    return found


def _documents(shards: Sequence[StoredShard], folder: Path, left: ExitStack) -> Staged:
    """Return documents: mapped where they lie, or else from files that are gone when ``left`` is closed."""
    batch = next(shards[0].rows())
    if shards[0].companion is None and "seq_lengths" not in batch.schema.names:
        return Staged.mapped([shard.path for shard in shards])
    paths = stage(shards, folder)
    for path in paths:
        left.callback(path.unlink)
    return Staged.mapped(paths)


def _files(manifest: Mapping[str, Any]) -> list[str] | None:
    """Return the files of the sources, in order; None where the documents stand in the order of their sources."""
    config = manifest["config"]
    if not config["shuffle"] and config["packing"] is None:
        return None
    return [file for entry in manifest["sources"] for file in entry["files"]]


def _seen_from(output: Path, root: Path, sources: str | None) -> str | None:
    """Return the folder of the sources, which ``root`` sees as ``sources``, as the output folder sees it."""
    if sources is None:
        return None
    return Path(os.path.relpath((root / sources).resolve(), output.resolve())).as_posix()


def _manifest(data: StoredDataSet, config: Config, output: OutputFolder) -> dict[str, Any]:
    """Return the manifest, but for what only the shards tell."""
    built, splits, root = data.manifest, output.splits, data.root
    parts = {**built["fingerprint_of"], "config": config.fingerprint()}
    facts = {name: value for name, value in built.items() if name not in {"shards", "splits", "tokenizer_files"}}
    facts |= {"fingerprint": fingerprint(parts), "fingerprint_of": parts, "config": config.described()}
    facts["ignored_settings"] = ignored_by_export(config, built.get("ignored_settings", []))
    facts["sources_from"] = _seen_from(output.path, root, built.get("sources_from"))
    facts["totals"] = _unpacked(built["totals"])
    if splits != ("",):
        told = built.get("splits") or {splits[0]: built["totals"]}
        facts["splits"] = {split: _unpacked(told[split]) for split in splits}
    return facts


def _unpacked(totals: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in totals.items() if name != "packing"}
