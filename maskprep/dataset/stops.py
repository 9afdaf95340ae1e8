"""The tokens that end trained turns, and those that end generation: a model served with other ones never stops.

trained     <|im_end|>      counted in the data: the stop token of each trained turn of the assistant's
generation  <|endoftext|>   the tokenizer's eos_token, and what the generation_config.json beside it names
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.tokenizer.load import LoadedTokenizer

EOS, FILE = "eos_token", "generation_config.json"


def stops_of(loaded: LoadedTokenizer, counts: Mapping[int, int]) -> dict[str, Any]:
    """Return the stop tokens that are ``trained``, the most frequent first, and those of ``generation``, as JSON types.

    Args:
        loaded: the tokenizer as used.
        counts: how many trained turns end with each id.
    """
    tokens = loaded.tokenizer.convert_ids_to_tokens
    trained = [
        {"token": str(tokens(number)), "id": number, "turns": turns}
        for number, turns in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    eos = loaded.tokenizer.eos_token
    names = dict.fromkeys([*([str(eos)] if eos else []), *loaded.generation_stops])
    generation = [
        {
            "token": token,
            "id": int(loaded.tokenizer.convert_tokens_to_ids(token)),
            "from": [*([EOS] if token == eos else []), *([FILE] if token in loaded.generation_stops else [])],
        }
        for token in names
    ]
    return {"trained": trained, "generation": generation}


def notes_of(stops: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return notes on tokens that end turns, but not generation, as JSON types; none where generation stops there."""
    generation = stops["generation"]
    known = {stop["id"] for stop in generation}
    missed = [stop for stop in stops["trained"] if stop["id"] not in known]
    if not missed:
        return []
    ends = " and ".join(f"{stop['token']} ({stop['turns']:,} of them)" for stop in missed)
    eos = next((stop["token"] for stop in generation if EOS in stop["from"]), "not set")
    named = ", ".join(stop["token"] for stop in generation if FILE in stop["from"])
    file = f"{FILE} names {named}" if named else f"no {FILE} beside it names another"
    message = f"trained turns end with {ends}, where generation does not stop: eos_token is {eos}, and {file}"
    ids = [stop["id"] for stop in (*stops["trained"], *generation)]
    every = f"let eos_token_id in the {FILE} of the model hold {list(dict.fromkeys(ids))}"
    chosen = eos_of(stops)
    hint = every if chosen is None else f"set tokenizer.eos_token: '{chosen}' and build again, or {every}"
    return [{"code": "eos-token", "message": message, "hint": hint}]


def eos_of(stops: Mapping[str, Any]) -> str | None:
    """Return the token that ought to be the eos token, None where trained turns end with the present one."""
    present = {stop["id"] for stop in stops["generation"] if EOS in stop["from"]}
    known = {stop["id"] for stop in stops["generation"]}
    if present & {stop["id"] for stop in stops["trained"]}:
        return None
    return next((str(stop["token"]) for stop in stops["trained"] if stop["id"] not in known), None)


def ids_missing_in_model(stops: Mapping[str, Any], eos_from: str) -> list[int]:
    """Return the ids at which generation must stop, none where the model as it was published stops there already.

    Where the configuration chose the eos token, the model's own files do not know of it.
    """
    generation = stops["generation"]
    named = {stop["id"] for stop in generation if FILE in stop["from"]}
    own = named or {stop["id"] for stop in generation if eos_from == "tokenizer"}
    trained = [stop["id"] for stop in stops["trained"]]
    if own.issuperset(trained):
        return []
    return list(dict.fromkeys([*trained, *(stop["id"] for stop in generation)]))
