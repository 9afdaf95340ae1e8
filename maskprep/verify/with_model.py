"""The checks of ``maskprep verify`` that need a model. Importing this imports torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from maskprep import plural
from maskprep.arrays import Ints
from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import UsageError
from maskprep.progress import Progress
from maskprep.tokenizer.load import LoadedTokenizer
from maskprep.verify.examples import sample, within
from maskprep.verify.learning import check_learning
from maskprep.verify.model_runner import Runner
from maskprep.verify.models import choose_device, device_name, enough_memory, peak_memory, random_model, real_model
from maskprep.verify.options import VerifyOptions
from maskprep.verify.packing import Pack, check_packing
from maskprep.verify.padding import check_padding
from maskprep.verify.passes import Passes
from maskprep.verify.result import Result, Verdict, skipped
from maskprep.verify.tree import check_trees
from maskprep.verify.tree_rows import Chosen, tree_rows

_WORK = {"cpu": 2**32, "mps": 2**34, "cuda": 2**37}  # logits computed where no number of rows was asked for
_SECONDS = 60  # no further row is begun after so long, once there are a few
_MINUTE, _HOUR = 60, 3600
_FEW = 4
_PACK = 8192  # tokens of a packed row that are run where the model is ours
_PACKS = 3  # packed rows that are run, whole and document by document
_BOUNDED = "to bound the time: --rows N runs N, however long"
_SEQUENCES = 4  # of a tree that are run where no number of rows was asked for
_NO_MODEL = "no --model was given: what a random model thinks of the text says nothing"
_NOT_ASKED = "not asked for: give --learn N for N training steps"


class ModelChecks:
    """Runs the rows of a data set through one model, once, for all checks that need the model's losses.

    Args:
        options: which model, which device.
        progress: receives the progress.

    ``run`` names afterwards the model and the device, with speed and memory.

    Raises:
        UsageError: the model or the device cannot be used.
    """

    def __init__(self, options: VerifyOptions, progress: Progress) -> None:
        self.options, self.progress = options, progress
        self.run: dict[str, Any] = {}
        self._device = choose_device(options.device)
        with enough_memory(self._device):
            self._real = real_model(options.model, self._device) if options.model is not None else None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the checks, in the order of their results."""
        return tuple(CHECKS)

    def results(
        self, data: StoredDataSet, loaded: LoadedTokenizer, numbers: Sequence[int], *, packed: bool
    ) -> list[Result]:
        """Return the results for the rows ``numbers``; ``packed``: the shards have the columns of a packed data set.

        Raises:
            BuildError: a row cannot be read.
            UsageError: the model lacks ids of the data set, or the device the memory for it.
        """
        with enough_memory(self._device):
            return self._results(data, loaded, numbers, packed=packed)

    def _results(
        self, data: StoredDataSet, loaded: LoadedTokenizer, numbers: Sequence[int], *, packed: bool
    ) -> list[Result]:
        lengths = data.lengths()[0]
        if self._real is not None:
            _fit(self._real, data, numbers)
        vocabulary = max(loaded.tokenizer.get_vocab().values(), default=0) + 1
        longest = max(int(lengths.max(initial=0)), min(_pack_length(data), _PACK))
        runner = self._real or random_model(vocabulary, longest, self._device, self.options.seed)
        chosen = list(numbers)
        if self.options.rows is None:
            budget = _WORK[self._device.type] / runner.vocabulary
            sizes = _sizes(data)
            chosen = list(within(numbers, lambda number: int(sizes[number]), budget, self.options.seed))
        began = time.monotonic()
        most = _SEQUENCES if self.options.rows is None else None
        passes = Passes(runner, lambda token: str(loaded.tokenizer.decode([token])), most)
        self.progress.start("loss, gradient", len(chosen))
        for count, number in enumerate(chosen, 1):
            passes.see(number, data)
            self.progress.advance(1)
            if count == 1 and self._real is not None and self._device.type == "cpu":
                sizes = _sizes(data)
                self._warn(time.monotonic() - began, int(sizes[number]), [int(sizes[each]) for each in chosen])
            if self.options.rows is None and count >= _FEW and time.monotonic() - began > _SECONDS:
                chosen = chosen[:count]
                break
        scene = Scene(
            runner,
            loaded,
            self.options,
            self.progress,
            passes,
            list(_packs(data, runner, self.options)) if packed else [],
            tree_rows(data, numbers),
            is_real=self._real is not None,
            sampled=len(numbers),
            run=len(chosen),
        )
        results = {name: check(scene) for name, check in CHECKS.items() if name != _TRAINS}
        self._note(runner, time.monotonic() - began)
        results[_TRAINS] = CHECKS[_TRAINS](scene)
        self.run["peak_memory_bytes"] = peak_memory(self._device)
        return [results[name] for name in CHECKS]

    def _warn(self, seconds: float, first: int, sizes: Sequence[int]) -> None:
        """Say how long the rows will take, by what the first one took; all sizes are numbers of tokens."""
        total = seconds * sum(sizes) / max(first, 1)
        least = f"no further row is begun after {_SECONDS} s" if self.options.rows is None else "as --rows says"
        self.progress.notice(
            f"on the CPU, the first row took {seconds:,.1f} s ({plural.count(first, 'token')}): "
            f"{plural.count(len(sizes), 'row')} of {plural.count(sum(sizes), 'token')} take about {_lasting(total)} "
            f"({least}); --rows N runs N"
        )

    def _note(self, runner: Runner, seconds: float) -> None:
        self.run |= {
            "device": device_name(runner.device),
            "dtype": str(runner.dtype).removeprefix("torch."),
            "attention": str(runner.model.config._attn_implementation),  # noqa: SLF001 - it has no public name
            "model": runner.name,
            "vocabulary": runner.vocabulary,
            "tokens": runner.tokens,
            "tokens_per_second": round(runner.tokens / seconds, 1) if seconds else 0.0,
        }


def _lasting(seconds: float) -> str:
    """Return a time in the unit that suits it: 5 s, 12 min, 3.5 h."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:,.0f} s"
    return f"{seconds / _MINUTE:,.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:,.1f} h"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a check that needs a model may look at.

    ``passes`` are the losses of the rows that were run: ``run`` of those that were ``sampled``. ``packs`` are a few
    packed rows, none where rows are not packed, and ``trees`` those of the sample that are. ``is_real``: the model is
    one that the user named.
    """

    runner: Runner
    loaded: LoadedTokenizer
    options: VerifyOptions
    progress: Progress
    passes: Passes
    packs: list[Pack]
    trees: Chosen
    is_real: bool
    sampled: int
    run: int

    def bounded(self, result: Result) -> Result:
        """Return the result, with flags that say how much of the sampled rows was run where not all was."""
        if result.verdict is Verdict.SKIPPED:
            return result
        flags, passes = list(result.flags), self.passes
        if self.run != self.sampled:
            flags.append(f"{self.run:,} of the {self.sampled:,} sampled rows, {_BOUNDED}")
        if passes.unrolled != passes.sequences:
            flags.append(f"{passes.sequences:,} of the {passes.unrolled:,} sequences of the trees in them, {_BOUNDED}")
        return replace(result, flags=tuple(flags))


def _sizes(data: StoredDataSet) -> Ints:
    """Return how many tokens of each row are run: of a tree, those of a few of its sequences."""
    counts, tokens = data.branches
    return np.where(counts > 1, tokens * np.minimum(_SEQUENCES, counts) // np.maximum(counts, 1), data.lengths()[0])


def _pack_length(data: StoredDataSet) -> int:
    """Return the most tokens that a packed row may have, 0 where rows are not packed."""
    packing = data.manifest["config"]["packing"]
    return int(packing["length"]) if packing is not None else 0


def _packs(data: StoredDataSet, runner: Runner, options: VerifyOptions) -> Iterator[Pack]:
    """Yield a few packed rows, no longer than the model can take."""
    total = sum(shard["rows"] for shard in data.manifest["shards"])
    numbers = sample(total, _PACKS, options.seed)
    for number, batch in zip(numbers, data.packs(numbers), strict=True):
        ids, labels, positions, lengths = (
            np.asarray(batch.column(name)[0].values.to_numpy(zero_copy_only=False), np.int64)
            for name in ("input_ids", "labels", "position_ids", "seq_lengths")
        )
        fitting = int(np.searchsorted(np.cumsum(lengths), runner.longest, side="right")) or 1
        end = int(lengths[:fitting].sum())
        sound = end == len(ids) or fitting < len(lengths)
        kept = lengths[:fitting] if sound else lengths
        stop = end if sound else len(ids)
        yield Pack(number, ids[:stop], labels[:stop], positions[:stop], tuple(kept.tolist()))


def _fit(runner: Runner, data: StoredDataSet, numbers: Sequence[int]) -> None:
    highest = max(_highest(data, numbers), default=0)
    if highest >= runner.vocabulary:
        msg = f"the model {runner.name!r} has {runner.vocabulary:,} ids, the data set holds {highest:,}"
        raise UsageError(msg, "give the model that the tokenizer of the data set belongs to")


def _highest(data: StoredDataSet, numbers: Sequence[int]) -> Iterator[int]:
    for number in numbers:
        yield int(data.row(number).labelled.input_ids.max(initial=0))


def _padding(scene: Scene) -> Result:
    scene.progress.start("padding", 1)
    return check_padding(scene.runner, scene.loaded.tokenizer, scene.passes.kept)


def _packing(scene: Scene) -> Result:
    if scene.packs and scene.trees.trees:
        return skipped("packing", "packed rows hold trees, which a mask of their own keeps apart: see tree")
    return check_packing(scene.runner, scene.packs)


def _tree(scene: Scene) -> Result:
    scene.progress.start("tree", len(scene.trees.rows))
    return check_trees(scene.trees.rows, scene.trees.flags, scene.options.seed, scene.progress.advance)


def _learning(scene: Scene) -> Result:
    steps = scene.options.learn
    if not steps:
        return skipped("learning", _NOT_ASKED)
    scene.progress.start("learning", steps + 1)
    return check_learning(scene.runner, scene.passes.kept, steps, scene.progress.advance, trained=scene.is_real)


def _model(scene: Scene) -> Result:
    return scene.passes.table.result() if scene.is_real else skipped("model", _NO_MODEL)


_TRAINS = "learning"  # it trains the model: nothing may be measured behind it
CHECKS: Mapping[str, Callable[[Scene], Result]] = MappingProxyType(
    {
        "loss": lambda scene: scene.bounded(scene.passes.loss.result()),
        "gradient": lambda scene: scene.bounded(scene.passes.gradient.result()),
        "padding": _padding,
        "packing": _packing,
        "tree": _tree,
        _TRAINS: _learning,
        "model": _model,
    }
)
"""Every check that needs a model, by its name, in the order in which the results are told. To add one, name it here."""
