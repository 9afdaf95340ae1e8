"""A few steps of training: the loss of trained tokens falls, and the gradient of masked ones is zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from maskprep.labelled import IGNORED
from maskprep.verify.examples import ModelExample
from maskprep.verify.formula import token_nll
from maskprep.verify.model_runner import Runner
from maskprep.verify.result import Faults, Result, skipped

_ADVICE = "look at the rows with `maskprep inspect`; a loss that does not fall on a handful of rows teaches nothing"
_ROWS, _TOKENS = 4, 256  # of a step, and of each row in it
_LARGE, _SMALL = 3e-3, 5e-5  # learning rates of a random model and of a trained one


def check_learning(
    runner: Runner, rows: Sequence[ModelExample], steps: int, advance: Callable[[int], None], *, trained: bool
) -> Result:
    """Return the result of training the model for ``steps`` steps on windows of a few rows, all of them in each step.

    ``trained`` tells that the model is a real one, which takes small steps. Its weights are changed afterwards.
    """
    windows = [row.window(max(2, min(_TOKENS, runner.window // _ROWS))) for row in rows[:_ROWS]]
    windows = [row for row in windows if (row.labels[1:] != IGNORED).any()]
    if not windows:
        return skipped("learning", "there is no row that trains anything")
    faults = Faults()
    runner.model.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(runner.model.parameters(), lr=_SMALL if trained else _LARGE, weight_decay=0.0)
    inside, outside, leak = [], [], 0.0
    for step in range(steps + 1):
        optimizer.zero_grad(set_to_none=True)
        losses = [_step(runner, row, len(windows)) for row in windows]
        inside.append(sum(loss[0] for loss in losses) / len(losses))
        outside.append(sum(loss[1] for loss in losses) / len(losses))
        leak = max(leak, *(loss[2] for loss in losses))
        if step < steps:  # the last round only measures
            optimizer.step()
        advance(1)
    runner.model.requires_grad_(requires_grad=False)
    if leak:
        faults.add(f"the gradient at masked positions is up to {leak:.3g}, not zero")
    if not inside[-1] < inside[0]:
        faults.add(f"the loss on trained tokens went from {inside[0]:.4f} to {inside[-1]:.4f}")
    return faults.result(
        "learning",
        f"in {steps} steps the loss on trained tokens fell from {inside[0]:.4f} to {inside[-1]:.4f}, and the gradient "
        "at masked positions stayed zero",
        "training on these rows does not do what it should",
        _ADVICE,
        figures={"rows": len(windows), "steps": steps, "first": inside[0], "last": inside[-1], "masked_gradient": leak},
        facts={"trained": inside, "masked": outside},
    )


def _step(runner: Runner, row: ModelExample, count: int) -> tuple[float, float, float]:
    """Add a row's gradient; return its loss on trained and on masked tokens, and the largest masked gradient."""
    ids, labels = runner.tensor(row.ids)[None], runner.tensor(row.labels)[None]
    runner.tokens += ids.numel()
    output = runner.model(input_ids=ids, labels=labels, use_cache=False)
    output.logits.retain_grad()
    (output.loss / count).backward()
    meant = runner.tensor(row.meant)[1:]
    with torch.no_grad():
        nll = token_nll(output.logits[0, :-1], ids[0, 1:])
        pull = output.logits.grad[0, :-1].abs().amax(-1)
        masked = ~meant
        other = float(nll[masked].mean()) if bool(masked.any()) else 0.0
        leak = float(pull[masked].max()) if bool(masked.any()) else 0.0
        return float(output.loss), other, leak
