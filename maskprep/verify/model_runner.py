"""A causal model at work: hidden states once, logits in chunks, so that memory is bounded whatever the row length.

row ─▶ hidden states ─▶ chunk of logits ─▶ loss of each token, gradient of each place ─▶ next chunk
       tokens * width    CHUNK values
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from maskprep.labelled import IGNORED
from maskprep.verify.examples import ModelExample
from maskprep.verify.formula import masked_mean_nll, token_nll

CHUNK = {"cpu": 2**22}
"""Logits held at once in the pass over a whole row: 16 MiB in float32, of which the pass holds about four copies.

On the CPU, pieces of this size are taken from memory that was freed before; larger ones cost the kernel new pages.
"""

OWN = {"cpu": 2**25}
"""Logits that a model may make at once where it computes its own loss: 128 MiB in float32, about four copies."""

_CHUNK, _OWN = 2**25, 2**28  # on a GPU, where small pieces would leave it idle

Floats64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """One pass over a row, an item a token.

    ``nll`` is the negative log-likelihood of each token by the formula (the first has none: NaN). ``pull`` is the size
    (sum of absolute values) of the gradient of the loss on ``labels`` with respect to the logits that predict it, and
    ``loss`` that loss itself, both by the function that trainers call, summed over chunks.
    """

    nll: Floats64
    pull: Floats64
    loss: float


@dataclass(frozen=True, slots=True)
class Own:
    """A model's own ``forward(labels=…)`` on a row or a window of it, and the loss by the formula from its logits."""

    measured: Measured
    formula: float


class Runner:
    """Runs one model on one device.

    ``longest`` is how many tokens the model can be given, ``tokens`` how many it has been given so far.
    """

    def __init__(self, model: Any, device: torch.device, name: str, longest: int) -> None:
        """Take a model that is on its device already."""
        self.model, self.device, self.name, self.longest = model, device, name, longest
        self.head = model.get_output_embeddings()
        self.vocabulary = int(self.head.weight.shape[0])
        self.dtype = next(model.parameters()).dtype
        self.tokens = 0
        model.eval()
        model.requires_grad_(requires_grad=False)

    @property
    def tolerance(self) -> float:
        """How far two ways to the same figure may lie apart, relative to it (or to 1, where it is smaller)."""
        return 1e-4 if self.dtype == torch.float32 else 2e-2

    @property
    def window(self) -> int:
        """How many tokens' logits fit into one forward pass of the model's own."""
        return max(2, OWN.get(self.device.type, _OWN) // self.vocabulary)

    @property
    def chunk(self) -> int:
        """How many tokens' logits are held at once in the pass over a whole row."""
        return max(1, CHUNK.get(self.device.type, _CHUNK) // self.vocabulary)

    def tensor(self, values: npt.NDArray[Any]) -> torch.Tensor:
        """Return values as a tensor on the model's device."""
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    @torch.no_grad()
    def hidden(self, ids: torch.Tensor, **more: Any) -> torch.Tensor:
        """Return the last hidden states of a batch of ids."""
        self.tokens += ids.numel()
        states: torch.Tensor = self.model.base_model(input_ids=ids, use_cache=False, **more).last_hidden_state
        return states

    def nll(self, hidden: torch.Tensor, targets: torch.Tensor) -> Floats64:
        """Return the negative log-likelihood of ``targets`` (tokens,) given hidden states (tokens, width)."""
        rows = self.chunk
        pieces = [np.zeros(0)]
        with torch.no_grad():
            for start in range(0, len(targets), rows):
                cut = slice(start, start + rows)
                pieces.append(_numbers(token_nll(self.head(hidden[cut]), targets[cut])))
        return np.concatenate(pieces)

    def measure(self, row: ModelExample) -> Measured:
        """Run a row through the model and compute its loss and gradient chunk by chunk."""
        ids, labels = self.tensor(row.ids), self.tensor(row.labels)
        hidden = self.hidden(ids[None])[0]
        rows = self.chunk
        trained = int((row.labels[1:] != IGNORED).sum())
        nll, pull, loss = [np.full(1, np.nan)], [np.zeros(1)], 0.0
        for start in range(0, len(ids) - 1, rows):
            stop = min(start + rows, len(ids) - 1)
            with torch.no_grad():
                logits = self.head(hidden[start:stop]).float()
                nll.append(_numbers(token_nll(logits, ids[start + 1 : stop + 1])))
            logits.requires_grad_()
            target = labels[start + 1 : stop + 1]
            value = torch.nn.functional.cross_entropy(logits, target, ignore_index=IGNORED, reduction="sum")
            (gradient,) = torch.autograd.grad(value, logits)
            pull.append(_numbers(gradient.abs_().sum(-1)) / max(trained, 1))
            loss += float(value.detach())
        return Measured(np.concatenate(nll), np.concatenate(pull), loss / trained if trained else float("nan"))

    def own(self, row: ModelExample) -> Own:
        """Run the model's own forward pass with labels; ``row`` is no longer than ``window``.

        The logits are made a leaf where they leave the head, so that the gradient with respect to them is had without
        one of the model itself.
        """
        ids, labels = self.tensor(row.ids)[None], self.tensor(row.labels)[None]
        leaves: list[torch.Tensor] = []

        def detach(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            leaves.append(output.detach().requires_grad_())
            return leaves[-1]

        handle = self.head.register_forward_hook(detach)
        try:
            self.tokens += ids.numel()
            output = self.model(input_ids=ids, labels=labels, use_cache=False)
        finally:
            handle.remove()
        (gradient,) = torch.autograd.grad(output.loss, leaves[0])
        logits = output.logits.detach()[0]
        formula = masked_mean_nll(logits, ids[0], self.tensor(row.meant))
        nll = np.concatenate((np.full(1, np.nan), _numbers(token_nll(logits[:-1], ids[0, 1:]))))
        # Place i predicts token i + 1; the last place predicts nothing, and takes the first one's, which nothing does.
        pull = np.roll(_numbers(gradient[0].float().abs().sum(-1)), 1)
        return Own(Measured(nll, pull, float(output.loss.detach())), formula)

    def head_is_plain(self, row: ModelExample) -> bool:
        """Tell whether the model's logits are its head's and nothing else, on a short row.

        Some models bend or scale them afterwards; of those, only what their own forward pass gives is looked at.
        """
        ids = self.tensor(row.ids)[None]
        with torch.no_grad():
            own = self.model(input_ids=ids, use_cache=False).logits.float()
            ours = self.head(self.hidden(ids)).float()
        return bool(torch.allclose(own, ours, rtol=self.tolerance, atol=self.tolerance * float(own.abs().max())))


def _numbers(values: torch.Tensor) -> Floats64:
    return values.detach().float().cpu().numpy().astype(np.float64)
