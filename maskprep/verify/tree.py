"""Trees: each has the loss and the gradient of its sequences, and no branch sees another.

    the row         input_ids, position_ids and a mask of four dimensions made of visible_until, all as they are stored
    its sequences   read off depths and ids alone (``tree_row.py``), each run by itself as any causal sequence

Where a token sees one too many or one too few, where a copy is another token or a depth is wrong, the two part. It is a
matter of columns and not of the model, so a tiny random one runs them, on the CPU in float64, where even the smallest
fault stands out; of its vocabulary, it has only the ids that occur.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Many
from typing import Any

import numpy as np
import torch

from maskprep.arrays import Bools, Ints
from maskprep.labelled import IGNORED
from maskprep.verify.result import Faults, Result, skipped
from maskprep.verify.tree_row import BrokenDepthsError, Sequence, TreeRow

_ADVICE = (
    "a trainer would learn other contexts than those of the conversation: build the data set again, and report the row "
    "that is named should the same fault come back"
)
_TOLERANCE = 1e-9  # relative
_SIZE = 1024  # tokens of a row that are run at most
_BRANCHES = 64  # of a row that are run at most
_MOST = 16_384  # tokens of all sequences that are run, about
_CHANGED = 3  # branches of a row that are changed
_MODEL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}


def check_trees(rows: Many[TreeRow], flags: tuple[str, ...], seed: int, advance: Callable[[int], None]) -> Result:
    """Return the result of running rows as trees, and sequence by sequence.

    ``flags`` tell which rows were not chosen; ``advance`` is called with the rows run since the last.
    """
    if not rows:
        return skipped("tree", "no row is a tree: nothing to check")
    check = _TreeCheck(rows, seed)
    for row in rows:
        check.see(row)
        advance(1)
    if check.thinned:
        told = "only tokens near to where branches hang, open and end were run"
        flags = (*flags, f"{check.thinned:,} rows are long: of these, {told}")
    return check.faults.result(
        "tree",
        "each tree has the loss and the gradient of its sequences run one by one, and no branch sees another",
        "trees are not what their sequences are",
        _ADVICE,
        figures={
            "rows": len(rows),
            "branches": check.branches,
            "tokens": check.tokens,
            "tokens_of_sequences": check.unrolled,
            "worst_difference": check.loss,
            "worst_gradient": check.gradient,
            "branches_changed": check.changed,
            "tolerance": _TOLERANCE,
        },
        flags=flags,
    )


class _TreeCheck:
    """Compares one row after the other; ``loss`` and ``gradient`` are the worst differences, relative."""

    def __init__(self, rows: Many[TreeRow], seed: int) -> None:
        self.faults = Faults()
        self.branches = self.tokens = self.unrolled = self.changed = self.thinned = 0
        self.loss = self.gradient = 0.0
        vocabulary = max(len(_alphabet(row)) for row in rows)
        longest = max(int(row.positions.max(initial=0)) for row in rows) + 1
        self._model = _model(max(2, vocabulary), longest, seed)
        self._most = _MOST // len(rows)
        self._chance = np.random.default_rng(seed)

    def see(self, row: TreeRow) -> None:
        if {len(each) for each in (row.labels, row.weights, row.positions, row.until)} != {len(row)}:
            self.faults.add(f"{row.name}: its columns are of different lengths")
            return
        try:
            sequences = list(row.sequences())
        except BrokenDepthsError as error:
            self.faults.add(f"{row.name}: position_ids: {error}")
            return
        sequences = sequences[:: -(-len(sequences) // _BRANCHES)]
        alphabet = _alphabet(row)
        kept = _kept(row, sequences, self._most)
        self.thinned += not kept.all()
        sequences = [each.only(kept) for each in sequences]
        thin = row.only(kept, sequences)
        self.branches += len(sequences)
        self.tokens += len(thin)
        self.unrolled += sum(len(each.path) for each in sequences)
        ids = torch.from_numpy(np.searchsorted(alphabet, thin.ids))
        mask, positions = _mask(thin.until), torch.from_numpy(thin.positions)
        states = self._states(ids, positions, mask)
        losses = self._losses(states, np.searchsorted(alphabet, thin.labels), thin.weights, thin.labels != IGNORED)
        found = np.zeros(len(row))
        found[kept] = losses.detach().numpy()
        whole = self._gradient(losses)
        apart = [torch.zeros_like(each) for each in whole]
        for each in sequences:
            alone = self._alone(each, row, alphabet)
            here, there = float(found[each.start : each.end].sum()), float(alone.detach().sum())
            self._compare_loss(row, each, here, there, float(found.sum()))
            apart = [one + more for one, more in zip(apart, self._gradient(alone), strict=True)]
        self._compare_gradient(row, whole, apart)
        self._change(row, sequences, kept, ids, lambda other: self._states(other, positions, mask))

    def _alone(self, sequence: Sequence, row: TreeRow, alphabet: Ints) -> torch.Tensor:
        """Return the loss of each token of a sequence that is run by itself."""
        ids = torch.from_numpy(np.searchsorted(alphabet, sequence.ids))
        # A causal mask is given: without one, places that are left out would be taken for borders of documents.
        states = self._states(ids, torch.from_numpy(sequence.depths), _mask(np.full(len(ids), len(ids))))
        labels, weights = row.labels[sequence.path], row.weights[sequence.path]
        return self._losses(states, np.searchsorted(alphabet, labels), weights, sequence.trained)

    def _states(self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        given = {"input_ids": ids[None], "position_ids": positions[None], "attention_mask": mask, "use_cache": False}
        states: torch.Tensor = self._model.base_model(**given).last_hidden_state[0]
        return states

    def _losses(self, states: torch.Tensor, labels: Ints, weights: Any, trained: Any) -> torch.Tensor:
        """Return the weighted loss of each token, 0 where it is not trained; the token before it predicts it."""
        places = torch.from_numpy(np.flatnonzero(trained))
        nll = torch.nn.functional.cross_entropy(
            self._model.lm_head(states[places - 1]), torch.from_numpy(labels)[places], reduction="none"
        )
        found = torch.zeros(len(labels), dtype=nll.dtype)
        return found.index_put((places,), nll * torch.from_numpy(weights.astype(np.float64))[places])

    def _gradient(self, losses: torch.Tensor) -> list[torch.Tensor]:
        """Return the gradient of the summed loss with respect to every parameter of the model."""
        parameters = list(self._model.parameters())
        return list(torch.autograd.grad(losses.sum(), parameters, retain_graph=False, materialize_grads=True))

    def _compare_loss(self, row: TreeRow, branch: Sequence, here: float, there: float, total: float) -> None:
        difference = abs(here - there) / max(1.0, abs(total))
        self.loss = _worse(self.loss, difference)
        if not difference <= _TOLERANCE:
            name = f"{row.name}: the branch at token {branch.start:,}"
            self.faults.add(f"{name} has a loss of {here:.9g} in the tree, of {there:.9g} in its own sequence")

    def _compare_gradient(self, row: TreeRow, whole: Many[torch.Tensor], apart: Many[torch.Tensor]) -> None:
        size = max(float(each.abs().max()) for each in apart)
        off = max(float((one - two).abs().nan_to_num(torch.inf).max()) for one, two in zip(whole, apart, strict=True))
        difference = off / (size or 1.0)
        self.gradient = _worse(self.gradient, difference)
        if not difference <= _TOLERANCE:
            said = f"is off that of its sequences by {difference:.3g} of the largest of it"
            self.faults.add(f"{row.name}: the gradient of the tree {said}")

    @torch.no_grad()
    def _change(
        self, row: TreeRow, sequences: Many[Sequence], kept: Bools, ids: torch.Tensor, run: Callable[..., torch.Tensor]
    ) -> None:
        """Change the tokens of a few branches: nothing may change outside of them and of what hangs on them."""
        size, states = self._model.config.vocab_size, run(ids)
        places = np.flatnonzero(kept)
        for number in sorted(self._chance.permutation(len(sequences))[:_CHANGED].tolist()):
            changed = sequences[number]
            other, (low, high) = ids.clone(), np.searchsorted(places, (changed.start, changed.end)).tolist()
            other[low:high] = (ids[low:high] + torch.from_numpy(self._chance.integers(1, size, high - low))) % size
            outside = np.zeros(len(row), np.bool_)
            for each in sequences:
                ahead = each.path[each.path < each.start]
                outside[each.start : each.end] = not ((ahead >= changed.start) & (ahead < changed.end)).any()
            outside[changed.start : changed.end] = False
            if not outside[places].any():
                continue
            self.changed += 1
            moved = ~((run(other) - states).abs().amax(-1) <= _TOLERANCE).numpy() & outside[places]
            if moved.any():
                at = int(places[np.flatnonzero(moved)[0]])
                said = f"changing the branch {changed.start:,}:{changed.end:,} changes token {at:,}"
                self.faults.add(f"{row.name}: {said}, which must not see it")


def _kept(row: TreeRow, sequences: list[Sequence], most: int) -> Bools:
    """Return which tokens of a row are run: all, or as many around its branches as the bounds allow."""
    kept = np.ones(len(row), np.bool_)
    reach = _SIZE
    while reach > 1 and (kept.sum() > _SIZE or sum(int(kept[each.path].sum()) for each in sequences) > most):
        reach //= 2
        kept = row.around(sequences, reach)
    return kept


def _alphabet(row: TreeRow) -> Ints:
    """Return the ids that occur in a row, in order."""
    return np.union1d(row.ids, row.labels[row.labels != IGNORED])


def _mask(until: Ints) -> torch.Tensor:
    """Return what is added to attention: 0 where token ``j`` is seen by ``q``, else minus infinity (1, 1, q, j)."""
    tokens = np.arange(len(until))
    seen = (tokens[None] <= tokens[:, None]) & (tokens[:, None] < until[None])
    return torch.zeros(seen.shape, dtype=torch.float64).masked_fill(torch.from_numpy(~seen), -torch.inf)[None, None]


def _worse(one: float, two: float) -> float:
    return two if not two <= one else one


def _model(vocabulary: int, longest: int, seed: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415 - seconds to import

    config = LlamaConfig(
        vocab_size=vocabulary,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=max(longest, 2),
        initializer_range=0.2,  # so that what is seen weighs in what comes of it
        attn_implementation="sdpa",
        bos_token_id=None,
        eos_token_id=None,
        **_MODEL,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).double().eval()
    # Those of transformers compute in float32.
    for layer in model.model.layers:
        layer.input_layernorm, layer.post_attention_layernorm = _norm(), _norm()
    model.model.norm = _norm()
    return model


def _norm() -> torch.nn.Module:
    return torch.nn.RMSNorm(_MODEL["hidden_size"], eps=1e-6, dtype=torch.float64)
