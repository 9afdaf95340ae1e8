"""The loss that is meant, written out by itself: log-softmax, gather, shift by one, mean over the trained tokens.

tokens    t0    t1    t2    t3
meant      -     -     x     x        the loss is the mean of -log p(t2 | t0 t1) and -log p(t3 | t0 t1 t2)
logits    l0    l1    l2    l3        l1 predicts t2, l2 predicts t3; l0 and l3 have no part in it
"""

from __future__ import annotations

import torch


def token_nll(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the negative log-likelihood of each target (float32).

    Args:
        logits: (..., tokens, vocabulary), of any float type; place ``i`` predicts ``targets[i]``.
        targets: (..., tokens), ids.
    """
    logs = torch.log_softmax(logits.float(), dim=-1)
    return -logs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def masked_mean_nll(logits: torch.Tensor, ids: torch.Tensor, meant: torch.Tensor) -> float:
    """Return the mean negative log-likelihood of the tokens that are meant to be trained, NaN where there are none.

    Args:
        logits: (tokens, vocabulary); place ``i`` predicts token ``i + 1``.
        ids: (tokens,).
        meant: (tokens,), True where a token is trained; the first one never is.
    """
    nll = token_nll(logits[:-1], ids[1:])[meant[1:]].cpu().double()
    return float(nll.mean()) if len(nll) else float("nan")
