"""The loss of trained turns by the served model, by part, where a server tells log-probabilities of a prompt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from maskprep.labelled import IGNORED
from maskprep.verify.served.host import Host, ServerError
from maskprep.verify.served.turns import TrainedTurn


def losses(host: Host, model: str | None, turns: Sequence[TrainedTurn]) -> dict[str, float]:
    """Return the mean loss of the trained tokens of some turns, in nats, by part; nothing where no server tells it."""
    sums: dict[str, list[float]] = defaultdict(list)
    for turn in turns:
        found = _of_prompt(host, model, turn.row.input_ids[: turn.end].tolist())
        if found is None:
            return {}
        for span in turn.row.spans:
            for at in range(max(span.start, turn.first), min(span.end, turn.end)):
                if turn.row.labels[at] != IGNORED and found[at] is not None:
                    sums[span.part].append(-float(found[at] or 0.0))
    return {part: sum(own) / len(own) for part, own in sorted(sums.items())}


def _of_prompt(host: Host, model: str | None, ids: list[int]) -> list[float | None] | None:
    """Return the log-probability of each id behind those before it, None where the server does not tell."""
    for ask in (_as_completion, _as_generation):
        try:
            found = ask(host, model, ids)
        except (ServerError, KeyError, TypeError, ValueError, IndexError):
            continue  # it has no such address, or answers in another form: the other way may do
        if found is not None and len(found) == len(ids):
            return found
    return None


def _as_completion(host: Host, model: str | None, ids: list[int]) -> list[float | None] | None:
    """Ask as vLLM has it: ``prompt_logprobs`` of a completion, one mapping of ids to log-probabilities a token."""
    body = {"prompt": ids, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0, "add_special_tokens": False}
    answer = host.post("/v1/completions", {**body, **({} if model is None else {"model": model})})
    told = answer["choices"][0]["prompt_logprobs"]
    return [_own(each, token) for each, token in zip(told, ids, strict=True)]


def _own(each: Mapping[str, Any] | None, token: int) -> float | None:
    return None if each is None else float(each[str(token)]["logprob"])


def _as_generation(host: Host, model: str | None, ids: list[int]) -> list[float | None] | None:
    """Ask as SGLang has it: ``input_token_logprobs`` of a generation, a triple a token."""
    del model
    body = {"input_ids": ids, "return_logprob": True, "logprob_start_len": 0, "sampling_params": {"max_new_tokens": 1}}
    told = host.post("/generate", body)["meta_info"]["input_token_logprobs"]
    if [each[1] for each in told] != ids:
        return None
    return [None if each[0] is None else float(each[0]) for each in told]
