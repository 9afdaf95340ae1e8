"""The ids of a turn as it was generated, under the names that servers and trainers give them.

prompt_token_ids, token_ids, logprobs                  a server's answer, asked with ``return_token_ids``
prompt_token_ids, response_ids, loss_mask, …           SkyRL
prompt_ids, completion_ids, completion_mask, logprobs  TRL, verifiers
metrics: {prompt_token_ids, completion_token_ids, …}   steps of ATIF
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskprep.conversation import Sampled
from maskprep.errors import RowError
from maskprep.formats.weights import as_weight
from maskprep.formats.wording import kind

PROMPT_IDS = ("prompt_token_ids", "prompt_ids")
COMPLETION_IDS = (
    *("completion_token_ids", "token_ids", "response_token_ids", "response_ids", "completion_ids"),
    *("output_token_ids", "output_ids"),
)
MASKS = ("loss_mask", "response_mask", "completion_mask")
LOGPROBS = ("rollout_logprobs", "logprobs", "completion_logprobs", "response_logprobs", "output_token_logprobs")
TOKEN_FIELDS = (*PROMPT_IDS, *COMPLETION_IDS, *MASKS, *LOGPROBS)
"""The fields that may hold what is known of the ids of a turn."""

_WITHIN = ("metrics", "tokens")  # objects in a turn that may hold its ids
_HINT = "Give each turn as it was: prompt_token_ids, token_ids and, if at all, one log-probability for each of these."


@dataclass(frozen=True, slots=True)
class TokenFields:
    """The fields of a turn that hold its ids, taken out of it: each with its key; ``rest`` are the turn's others."""

    prompt: tuple[str, Any]
    completion: tuple[str, Any]
    mask: tuple[str, Any] | None
    logprobs: tuple[str, Any] | None
    rest: Mapping[str, Any]


def token_fields(turn: Mapping[str, Any]) -> TokenFields | None:
    """Return the fields of a turn that hold its ids; None where it has not both a prompt's and a completion's."""
    holders = [turn, *(turn[key] for key in _WITHIN if isinstance(turn.get(key), dict))]
    found = [_first(keys, holders) for keys in (PROMPT_IDS, COMPLETION_IDS, MASKS, LOGPROBS)]
    prompt, completion, mask, logprobs = found
    if prompt is None or completion is None or not (_are_ids(prompt[1]) and _are_ids(completion[1])):
        return None
    names = {each[0] for each in found if each is not None}
    rest = {key: value for key, value in turn.items() if key not in names}
    for key in _WITHIN:
        if isinstance(rest.get(key), dict):  # what is left there are counts and costs, as a rule
            left = {name: each for name, each in rest[key].items() if name not in names and _tells(each)}
            rest = {**rest, key: left}
    return TokenFields(prompt, completion, mask, logprobs, rest)


def read_ids(found: TokenFields, at: str, *, in_context: bool) -> Sampled:
    """Return the ids of a turn. Raises RowError ``bad-token-ids`` where they are none, or their lengths differ."""
    prompt, completion = (_ids(value, f"{at}{key}") for key, value in (found.prompt, found.completion))
    if not prompt:
        raise RowError("bad-token-ids", f"{at}{found.prompt[0]} is empty: nothing precedes the completion", _HINT)
    weights = logprobs = None
    if found.mask is not None:
        key, value = found.mask
        _check_length(f"{at}{key}", value, f"{at}{found.completion[0]}", completion)
        weights = tuple(as_weight(each, f"{at}{key}[{index}]") for index, each in enumerate(value))
        weights = None if set(weights) <= {1.0} else weights
    if found.logprobs is not None:
        key, value = found.logprobs
        value = value.get("content") if isinstance(value, dict) else value
        if value is not None:
            _check_length(f"{at}{key}", value, f"{at}{found.completion[0]}", completion)
            logprobs = tuple(_logprob(each, f"{at}{key}[{index}]") for index, each in enumerate(value))
    return Sampled(prompt, completion, weights, logprobs, in_context)


def _first(keys: tuple[str, ...], holders: list[Mapping[str, Any]]) -> tuple[str, Any] | None:
    """Return the first of the keys that holds a list, or an object around one, with what it holds."""
    pairs = ((key, holder.get(key)) for holder in holders for key in keys)
    return next(((key, value) for key, value in pairs if isinstance(value, list | dict)), None)


def _are_ids(value: object) -> bool:
    """Tell whether a value looks like ids: a list, empty or with a number at its beginning."""
    return isinstance(value, list) and (not value or type(value[0]) is int)


def _tells(value: object) -> bool:
    return value is not None and not isinstance(value, bool | int | float)


def _ids(value: Any, at: str) -> tuple[int, ...]:
    for index, each in enumerate(value):
        if type(each) is not int or each < 0:
            shown = each if type(each) is int else kind(each)
            raise RowError("bad-token-ids", f"{at}[{index}] must be the id of a token, not {shown}", _HINT)
    return tuple(value)


def _check_length(at: str, value: object, other: str, completion: tuple[int, ...]) -> None:
    if not isinstance(value, list) or len(value) != len(completion):
        found = f"{len(value):,} items" if isinstance(value, list) else f"is {kind(value)}"
        message = f"{at} has {found}, {other} {len(completion):,} ids" if isinstance(value, list) else f"{at} {found}"
        raise RowError("bad-token-ids", message, _HINT)


def _logprob(value: object, at: str) -> float:
    """Return a log-probability: a number, or the first of a list or ``logprob`` of an object as servers give them."""
    if isinstance(value, dict):
        value = value.get("logprob")
    elif isinstance(value, list) and value:
        value = value[0]
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError("bad-token-ids", f"{at} must be a log-probability, not {kind(value)}", _HINT)
    return float(value)
