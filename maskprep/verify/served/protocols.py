"""The ways in which servers tell which ids they would feed their model: found by asking, in this order.

    tokenize     POST /tokenize with messages                    vLLM, SGLang
    render       POST /v1/chat/completions/render                vLLM
    template     POST /apply-template, then /tokenize            llama.cpp
    completion   POST /v1/chat/completions, one token of it      SGLang, vLLM, and others that return the prompt's ids

The first three generate nothing. All that is sent is the conversation before a turn, its tools and template variables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from maskprep.errors import UsageError
from maskprep.verify.served.host import Host, ServerError

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to ask: ``ids`` returns what the server feeds its model for a request, None where it does not say.

    ``said`` names the addresses that are asked.
    """

    name: str
    said: str
    ids: Callable[[Host, Body], list[int] | None]


def find_protocol(host: Host, body: Body) -> Protocol:
    """Return the first protocol in which a server answers a request.

    Raises:
        UsageError: it answers in none; the message says what it answered to each.
    """
    refused = []
    for protocol in PROTOCOLS:
        try:
            if protocol.ids(host, body):
                return protocol
            refused.append(f"{protocol.said}: no ids in the answer")
        except ServerError as error:
            refused.append(f"{protocol.said}: {error}")
    msg = f"the server at {host.url} does not say which token ids it feeds its model:\n  " + "\n  ".join(refused)
    hint = "is it running there, and is --served-model the name that it knows (GET /v1/models)? vLLM, SGLang and "
    raise UsageError(msg, hint + "llama.cpp's llama-server say it")


def model_name(host: Host, wanted: str | None) -> str | None:
    """Return the name of the model to ask for: the one wanted, else the only one that is served, None if unknown.

    Raises:
        UsageError: the server does not have it, or has several and none was named.
    """
    try:
        answer = host.get("/v1/models")
    except ServerError:
        return wanted
    listed = answer.get("data") if isinstance(answer, Mapping) else None
    names = [str(each.get("id")) for each in listed or [] if isinstance(each, Mapping)]
    if wanted is None and len(names) > 1:
        raise UsageError(f"the server has several models: {', '.join(names[:9])}", "name one with --served-model")
    if wanted is not None and names and wanted not in names:
        raise UsageError(f"the server has no model {wanted!r}: it has {', '.join(names[:9])}")
    return wanted or next(iter(names), None)


def _tokenized(host: Host, body: Body) -> list[int] | None:
    return _ids(host.post("/tokenize", {**body, "add_generation_prompt": True}), ("tokens",))


def _rendered(host: Host, body: Body) -> list[int] | None:
    return _ids(host.post("/v1/chat/completions/render", body), ("prompt_token_ids", "token_ids"))


def _templated(host: Host, body: Body) -> list[int] | None:
    answer = host.post("/apply-template", {**body, "add_generation_prompt": True})
    prompt = answer.get("prompt") if isinstance(answer, Mapping) else None
    if not isinstance(prompt, str):
        return None
    # As the server does it with the prompt of a chat: it may put a begin token in front, and knows special tokens.
    asked = {"content": prompt, "add_special": True, "parse_special": True}
    return _ids(host.post("/tokenize", asked), ("tokens",))


def _completed(host: Host, body: Body) -> list[int] | None:
    one = {"max_tokens": 1, "temperature": 0, "return_token_ids": True, "return_prompt_token_ids": True}
    return _ids(host.post("/v1/chat/completions", {**body, **one}), ("prompt_token_ids",))


PROTOCOLS = (
    Protocol("tokenize", "/tokenize with messages", _tokenized),
    Protocol("render", "/v1/chat/completions/render", _rendered),
    Protocol("template", "/apply-template and /tokenize", _templated),
    Protocol("completion", "/v1/chat/completions", _completed),
)


def _ids(answer: Any, names: tuple[str, ...]) -> list[int] | None:
    """Return the first list of ids in an answer that has one of these names, wherever it stands."""
    if isinstance(answer, Mapping):
        for name in names:
            if (found := _flat(answer.get(name))) is not None:
                return found
        inner: Any = answer.values()
    else:
        inner = answer if isinstance(answer, list) else ()
    return next((found for each in inner if (found := _ids(each, names)) is not None), None)


def _flat(value: Any) -> list[int] | None:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    is_ids = isinstance(value, list) and value and all(type(each) is int for each in value)
    return value if is_ids else None
