"""The loss of a row alone, padded, and in batches, as the collator of transformers makes them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from maskprep.labelled import IGNORED
from maskprep.verify.examples import ModelExample
from maskprep.verify.formula import token_nll
from maskprep.verify.model_runner import Runner
from maskprep.verify.result import Faults, Result, skipped

_ADVICE = (
    "a batch would train other tokens than its rows: pad on the right, with an attention mask, and fill labels with "
    "-100 by position (DataCollatorForSeq2Seq), never by the pad token's id"
)
_ROWS, _TOKENS = 4, 128  # of a batch, and of each row in it


def check_padding(runner: Runner, tokenizer: Any, rows: Sequence[ModelExample]) -> Result:
    """Return the result of comparing the losses of ``rows`` alone, padded on the right, and in batches.

    Windows of the rows are used, so that a batch of them fits into one forward pass of the model. Each is padded with
    the tokenizer's pad token, and again with its eos token in that place.
    """
    size = max(2, min(_TOKENS, runner.window // _ROWS))
    # Of different lengths, or there would be nothing to pad.
    windows = [row.window(max(2, size - 3 * index)) for index, row in enumerate(rows[:_ROWS])]
    windows = [window for window in windows if (window.labels[1:] != IGNORED).any()]
    if not windows:
        return skipped("padding", "there is no row that trains anything")
    check = _PaddingCheck(runner, windows)
    names = []
    for name, pad in _pads(tokenizer):
        names.append(name)
        if pad.pad_token_id < runner.vocabulary:
            check.run(name, pad)
        else:
            check.faults.add(f"the pad token {name} has the id {pad.pad_token_id:,}: the model has no such id")
    return check.faults.result(
        "padding",
        "the loss of a row is the same alone, padded on the right, and in any batch",
        "the loss of a row depends on how it is padded or batched",
        _ADVICE,
        figures={
            "rows": len(windows),
            "batches": check.batches,
            "worst_difference": check.worst,
            "tolerance": runner.tolerance,
            "pad": ", ".join(names),
        },
    )


class _PaddingCheck:
    def __init__(self, runner: Runner, rows: Sequence[ModelExample]) -> None:
        self.runner, self.rows, self.faults = runner, rows, Faults()
        self.batches, self.worst = 0, 0.0
        self._alone = [self._losses(*self._stack([row], 0, 0))[1][0] for row in rows]

    def run(self, name: str, tokenizer: Any) -> None:
        """Pad with one pad token: each row by itself, all together, in pairs, and in the other order."""
        count = len(self.rows)
        for index, row in enumerate(self.rows):
            self._compare(f"padded by 7 {name} tokens", [index], self._stack([row], 7, tokenizer.pad_token_id))
        pairs = [list(range(start, min(start + 2, count))) for start in range(0, count, 2)]
        for batch in (list(range(count)), list(range(count))[::-1], *pairs):
            chosen = [self.rows[index] for index in batch]
            self._compare(f"in a batch of {len(batch)} with {name}", batch, self._collate(tokenizer, chosen))

    def _compare(self, what: str, batch: list[int], tensors: tuple[torch.Tensor, ...]) -> None:
        self.batches += 1
        for place, index in enumerate(batch):
            row = self.rows[index]
            labels = tensors[1][place].cpu().numpy()
            if not np.array_equal(labels[: len(row)], row.labels) or (labels[len(row) :] != IGNORED).any():
                self.faults.add(f"row {row.number}: {what}, its labels are others")
        own, losses = self._losses(*tensors)
        for index, loss in zip(batch, losses, strict=True):
            self._note(self.rows[index].number, what, loss, self._alone[index])
        weights = [int((self.rows[index].labels[1:] != IGNORED).sum()) for index in batch]
        together = float(np.average([self._alone[index] for index in batch], weights=weights))
        self._note(self.rows[batch[0]].number, f"{what}, the model's own loss of the batch", own, together)

    def _note(self, number: int, what: str, found: float, alone: float) -> None:
        difference = abs(found - alone) / max(1.0, abs(alone))
        self.worst = max(self.worst, difference)
        if not difference <= self.runner.tolerance:
            self.faults.add(f"row {number}: {what}: {found:.6f}, alone {alone:.6f}")

    @torch.no_grad()
    def _losses(self, ids: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor) -> tuple[float, list[float]]:
        """Return the model's own loss of a batch, and the loss of each row by the formula."""
        self.runner.tokens += ids.numel()
        output = self.runner.model(input_ids=ids, labels=labels, attention_mask=mask, use_cache=False)
        losses = []
        for logits, row, target in zip(output.logits, ids, labels, strict=True):
            nll = token_nll(logits[:-1], row[1:])[target[1:] != IGNORED]
            losses.append(float(nll.double().mean() if nll.device.type != "mps" else nll.mean()))
        return float(output.loss), losses

    def _stack(self, rows: list[ModelExample], more: int, pad: int) -> tuple[torch.Tensor, ...]:
        """Return rows of one length with ``more`` pad tokens behind them."""
        fill = [(row.ids, pad) for row in rows], [(row.labels, IGNORED) for row in rows]
        ids, labels = (
            self.runner.tensor(np.stack([np.concatenate((values, np.full(more, end))) for values, end in column]))
            for column in fill
        )
        mask = torch.ones_like(ids)
        mask[:, ids.shape[1] - more :] = 0
        return ids, labels, mask

    def _collate(self, tokenizer: Any, rows: list[ModelExample]) -> tuple[torch.Tensor, ...]:
        from transformers import DataCollatorForSeq2Seq  # noqa: PLC0415 - seconds to import

        collate = DataCollatorForSeq2Seq(tokenizer, padding=True, label_pad_token_id=IGNORED)
        batch = collate([{"input_ids": row.ids.tolist(), "labels": row.labels.tolist()} for row in rows])
        return tuple(batch[name].to(self.runner.device) for name in ("input_ids", "labels", "attention_mask"))


def _pads(tokenizer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the tokenizer with its own pad token and with its eos token as pad token, each padding on the right."""
    for token in dict.fromkeys((tokenizer.pad_token, tokenizer.eos_token)):
        if token is not None:
            padded = copy.deepcopy(tokenizer)
            padded.padding_side, padded.pad_token = "right", token
            yield f"{token} (eos)" if token == tokenizer.eos_token else str(token), padded
