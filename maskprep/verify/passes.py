"""One pass of a model over each row, whose losses the checks of loss, gradient and model all see.

an ordinary row     as it is
a tree              sequence by sequence, each with the turns that it trains: what a model sees in training
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import ShardRow
from maskprep.dataset.trees import unrolled
from maskprep.verify.examples import ModelExample, example, spread
from maskprep.verify.gradient import GradientCheck
from maskprep.verify.loss import LossCheck
from maskprep.verify.model_runner import Runner
from maskprep.verify.table import ModelTable

_KEPT = 6  # rows, or sequences of trees, that are padded, batched and learnt


class Passes:
    """Runs rows through a model, and hands what comes of it to the checks.

    Args:
        runner: the model.
        spell: returns the text of an id.
        most: how many sequences of a tree are run, None for all.

    ``sequences`` of trees were run, of ``unrolled`` that the trees have; ``kept`` are a few examples for later checks.
    """

    def __init__(self, runner: Runner, spell: Callable[[int], str], most: int | None) -> None:
        self._runner, self._most = runner, most
        self.loss, self.gradient = LossCheck(runner.tolerance), GradientCheck()
        self.table = ModelTable(runner.name, spell)
        self.kept: list[ModelExample] = []
        self.sequences = self.unrolled = 0
        self._plain: bool | None = None

    def see(self, number: int, data: StoredDataSet) -> None:
        """Run row ``number``."""
        stored = data.row(number)
        row = example(number, stored, self._runner.vocabulary)
        if isinstance(row, str):
            self.loss.refuse(number, row)
        elif data.branches[0][number] == 1:
            self._run(row)
        else:
            self._tree(number, stored)

    def _tree(self, number: int, stored: ShardRow) -> None:
        found = [each for each in unrolled(stored.labelled) if each.trained_tokens] if stored.labelled.spans else []
        if sum(each.trained_tokens for each in found) != stored.labelled.trained_tokens:
            self.loss.refuse(number, "not all that it trains lies in one of its sequences, with all of its turn")
            return
        self.unrolled += len(found)
        for each in spread(found, self._most):
            sequence = example(number, replace(stored, labelled=each), self._runner.vocabulary)
            if isinstance(sequence, str):
                self.loss.refuse(number, sequence)
                continue
            self.sequences += 1
            self._run(sequence)

    def _run(self, row: ModelExample) -> None:
        runner = self._runner
        if len(row) > runner.longest:
            self.loss.shorten()
            row = row.window(runner.longest)
        window = row.window(runner.window)
        if self._plain is None:
            self._plain = runner.head_is_plain(row.window(16))
        own = runner.own(window)
        measured = own.measured if window is row else runner.measure(row) if self._plain else None
        self.loss.see(row, measured, own, window)
        self.gradient.see(row, measured, own, window)
        self.table.see(*((window, own.measured) if measured is None else (row, measured)))
        self.kept += [row] if len(self.kept) < _KEPT else []
