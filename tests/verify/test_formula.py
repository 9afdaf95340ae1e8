"""The formula of the loss, against an example worked out by hand, and against the model's own loss."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from planting import row

from maskprep.verify.examples import ModelExample
from maskprep.verify.formula import masked_mean_nll, token_nll
from maskprep.verify.gradient import GradientCheck
from maskprep.verify.loss import LossCheck
from maskprep.verify.models import random_model

# Four tokens over a vocabulary of three. The logits are logarithms, so that probabilities can be read off:
#
#     place   weights    probabilities    predicts      -log p
#     0       1 2 1      1/4 1/2 1/4      t1 = 1        -log 1/2 = 0.693147   masked
#     1       1 1 6      1/8 1/8 6/8      t2 = 2        -log 3/4 = 0.287682   trained
#     2       7 2 1      7/10 2/10 1/10   t3 = 0        -log 7/10 = 0.356675  trained
#     3       5 5 90     (nothing follows: it has no part in the loss)
#
#     the loss = (0.287682 + 0.356675) / 2 = 0.322179
#     without the mask = (0.693147 + 0.287682 + 0.356675) / 3 = 0.445835
#
# Not shifted, place i would be asked for token i: (-log 6/8 - log 5/100) / 2 = 1.641707 for the same two labels.
IDS = torch.tensor([0, 1, 2, 0])
LOGITS = torch.log(torch.tensor([[1.0, 2.0, 1.0], [1.0, 1.0, 6.0], [7.0, 2.0, 1.0], [5.0, 5.0, 90.0]]))
MEANT = torch.tensor([False, False, True, True])


def test_the_example_worked_out_by_hand():
    assert token_nll(LOGITS[:-1], IDS[1:]).tolist() == pytest.approx([0.693147, 0.287682, 0.356675], abs=1e-6)
    assert masked_mean_nll(LOGITS, IDS, MEANT) == pytest.approx(0.322179, abs=1e-6)
    assert masked_mean_nll(LOGITS, IDS, torch.tensor([True, True, True, True])) == pytest.approx(0.445835, abs=1e-6)


def test_that_the_first_token_is_meant_changes_nothing():
    assert masked_mean_nll(LOGITS, IDS, torch.tensor([True, False, True, True])) == pytest.approx(0.322179, abs=1e-6)


def test_nothing_meant_is_no_number():
    assert math.isnan(masked_mean_nll(LOGITS, IDS, torch.zeros(4, dtype=torch.bool)))


def test_the_formula_is_in_float32_whatever_the_logits_are():
    assert token_nll(LOGITS[:-1].bfloat16(), IDS[1:]).dtype == torch.float32


def test_the_two_ways_to_the_loss_of_a_model_agree(runner, monkeypatch):
    monkeypatch.setattr("maskprep.verify.model_runner.CHUNK", {"cpu": 300 * 5})  # five tokens at a time
    example = row(33, 300)
    own, measured = runner.own(example), runner.measure(example)
    assert own.measured.loss == pytest.approx(own.formula, rel=1e-6)
    assert measured.loss == pytest.approx(own.measured.loss, rel=1e-6)
    assert measured.nll[1:] == pytest.approx(own.measured.nll[1:], rel=1e-4)
    assert measured.pull == pytest.approx(own.measured.pull, rel=1e-4)
    assert (measured.pull[: example.meant.argmax()] == 0).all()
    assert (measured.pull[example.meant] > 0).all()


def test_labels_shifted_by_one_have_another_loss_than_what_is_meant(runner):
    example = row(33, 300)
    shifted = ModelExample(7, example.ids, np.append(example.labels[1:], -100), example.meant, example.spans)
    own = runner.own(shifted)
    assert abs(own.measured.loss - own.formula) > 1e-3


def test_logits_are_never_held_for_a_whole_row(monkeypatch):
    monkeypatch.setattr("maskprep.verify.model_runner.CHUNK", {"cpu": 4_000})
    monkeypatch.setattr("maskprep.verify.model_runner.OWN", {"cpu": 8_000})
    runner = random_model(1_000, 700, torch.device("cpu"), seed=0)
    sizes = []
    runner.head.register_forward_hook(lambda module, inputs, output: sizes.append(output.numel()))
    example = row(700, 1_000, first=400)
    runner.measure(example)
    assert max(sizes) <= 4_000
    window = example.window(runner.window)
    runner.own(window)
    assert max(sizes) <= 8_000
    assert len(window) == 8
    assert (window.labels[1:] != -100).any()
    assert [span.start for span in window.spans] == [0, 2]
    assert window.spans[-1].end == len(window)


def test_a_head_that_bends_its_logits_is_noticed(runner):
    assert runner.head_is_plain(row(12, 300))
    bent = random_model(300, 64, torch.device("cpu"), seed=1)
    forward = bent.model.forward

    def bend(**given):
        output = forward(**given)
        output.logits = 30 * torch.tanh(output.logits)
        return output

    bent.model.forward = bend
    assert not bent.head_is_plain(row(12, 300))


def test_rows_that_no_pass_in_pieces_can_be_made_of_are_counted_by_their_windows(runner):
    """A head that bends its logits: only the model's own forward pass tells what it thinks."""
    example = row(33, 300)
    window = example.window(12)
    loss, gradient = LossCheck(runner.tolerance), GradientCheck()
    own = runner.own(window)
    loss.see(example, None, own, window)
    loss.shorten()
    gradient.see(example, None, own, window)
    found = loss.result()
    assert found.verdict == "passed"
    assert found.figures["loss"] == pytest.approx(own.formula)
    assert found.flags == ("1 row longer than the model takes: as much of each was run",)
    assert len(gradient.result().facts["curve"]["masked"]) == 12
