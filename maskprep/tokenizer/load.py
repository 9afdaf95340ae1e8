"""The tokenizer as the user's files define it: vocabulary, chat template, stop tokens."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskprep.config import TokenizerChoice
from maskprep.errors import UsageError, first_line
from maskprep.light_imports import import_transformers
from maskprep.storage.hub_reach import ask_hub, cache_alone, hub_url, is_cached, is_offline
from maskprep.tokenizer.added import Vocabulary, extend
from maskprep.tokenizer.ids import Ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class LoadedTokenizer:
    """A tokenizer with its chat template and the tokens that decide where a turn ends.

    ``stop_tokens`` are those that the model's own files and the configuration name; ``special_tokens`` are all tokens
    that the tokenizer flags as special; ``added_tokens`` all that stand outside its plain vocabulary. ``vocabulary``
    says what the configuration made of it. ``generation_stops`` are those that the ``generation_config.json`` beside it
    names: with the eos token, where a server stops.
    """

    name: str
    tokenizer: PreTrainedTokenizerBase
    stop_tokens: tuple[str, ...]
    special_tokens: tuple[str, ...]
    added_tokens: tuple[str, ...]
    vocabulary: Vocabulary
    generation_stops: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, Any]:
        """The special tokens by name, as a chat template is given them."""
        return dict(self.tokenizer.special_tokens_map)

    @cached_property
    def first_token(self) -> str:
        """The token that the tokenizer puts before every text by itself, empty where it puts none."""
        first, plain = (self.tokenizer("a", add_special_tokens=special)["input_ids"] for special in (True, False))
        begins = bool(first) and first[:1] != plain[:1] and first[0] == self.tokenizer.bos_token_id
        return str(self.tokenizer.bos_token) if begins else ""

    def template_for(self, choice: str | None, *, tools: bool) -> str:
        """Return the text of the chat template: the tokenizer's own, or ``choice``, one of its named ones.

        A tokenizer with several uses the one called ``tool_use`` for a conversation with tools, as transformers does.
        """
        own = self.tokenizer.chat_template
        named = own if isinstance(own, dict) else {}
        if choice is not None and choice not in named:
            known = ", ".join(sorted(named)) or "none"
            msg = (
                f"no chat template is called {choice!r}: it is not a file, and the tokenizer's named ones are: {known}"
            )
            raise UsageError(msg, "give a file name, or leave `chat_template` out")
        if not own:
            msg = f"the tokenizer {self.name!r} has no chat template"
            raise UsageError(msg, "give one with --chat-template FILE")
        if not named:
            return str(own)
        name = choice or ("tool_use" if tools and "tool_use" in named else "default")
        if name not in named:
            msg = f"the tokenizer {self.name!r} has several chat templates and none is the default"
            raise UsageError(msg, f"choose one with --chat-template: {', '.join(sorted(named))}")
        return str(named[name])

    def digest(self) -> str:
        """Return a hash of the vocabulary and of the special tokens."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        model = backend.to_str() if backend is not None else json.dumps(self.tokenizer.get_vocab(), sort_keys=True)
        special = json.dumps(self.variables, sort_keys=True)
        return hashlib.sha256(f"{model}\n{special}".encode()).hexdigest()


def needs_torch(choice: str | TokenizerChoice) -> bool:
    """Tell whether transformers loads this tokenizer with the help of torch: it does so from a GGUF file."""
    return bool(_place(choice if isinstance(choice, str) else choice.name)[1])


def load_tokenizer(choice: str | TokenizerChoice, stop_tokens: Sequence[str] = ()) -> LoadedTokenizer:
    """Load a tokenizer from a folder or, by its id, from the Hugging Face hub or its cache.

    Args:
        choice: folder, hub id, or a GGUF file, which is loaded as it is; or that with what is to be added to it.
        stop_tokens: tokens that end a turn beside those that the model's files name.

    Raises:
        UsageError: the tokenizer cannot be loaded, a token cannot be added, or a stop token is not one token of it.
    """
    name = choice if isinstance(choice, str) else choice.name
    folder, given = _place(name)
    local = name.startswith((".", "/", "~")) or name.count("/") > 1
    if local and not given and not Path(name).is_dir():
        msg = f"no tokenizer at {name!r}: there is no such folder"
        raise UsageError(msg, "give a folder that holds tokenizer.json and tokenizer_config.json, or a hub id")
    on_hub = not given and not Path(name).is_dir() and not is_offline()
    reachable = ask_hub() if on_hub else None  # while the next lines import
    if reachable is not None and not is_cached(name) and not reachable():
        raise UsageError(_unreachable(name), _CONNECT)
    import_transformers(torch=needs_torch(choice))
    from transformers.models.auto.tokenization_auto import AutoTokenizer  # noqa: PLC0415 - a second to import

    unreachable = reachable is not None and not reachable()
    with cache_alone(wanted=unreachable):
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **given)
        except Exception as error:  # the Rust tokenizer raises a bare Exception for a damaged file
            if unreachable:
                raise UsageError(_unreachable(name), _CONNECT) from error
            raise UsageError(_why_not(name, error), _way_out(name)) from error
        _uncut(tokenizer)
        plain = Ids(tokenizer)
        grown = Vocabulary.of(tokenizer, plain) if isinstance(choice, str) else extend(tokenizer, choice, plain)
        return _described(tokenizer, name, folder, grown, stop_tokens)


def loaded_from(tokenizer: PreTrainedTokenizerBase, name: str, stop_tokens: Sequence[str] = ()) -> LoadedTokenizer:
    """Return a tokenizer that transformers has loaded already; it is ours from here on.

    Raises:
        UsageError: a stop token is not one token of it.
    """
    _uncut(tokenizer)
    return _described(tokenizer, name, name, Vocabulary.of(tokenizer, Ids(tokenizer)), stop_tokens)


def _described(
    tokenizer: PreTrainedTokenizerBase, name: str, folder: str, grown: Vocabulary, stop_tokens: Sequence[str]
) -> LoadedTokenizer:
    """Return a tokenizer with the tokens that end a turn, as the files in ``folder`` and ``stop_tokens`` name them."""
    ids = grown.ids
    stops = [tokenizer.eos_token] if tokenizer.eos_token else []
    named = map(ids.token, _generation_stops(folder))
    generation = [token for token in named if token is not None]
    stops += generation
    for token in stop_tokens:
        if ids.of(token) is None:
            msg = f"the stop token {token!r} is not one token of the tokenizer {name!r}"
            raise UsageError(msg, "a stop token must be in the vocabulary, spelt exactly")
        stops.append(token)
    added = tokenizer.added_tokens_decoder.values()
    special = [*tokenizer.all_special_tokens, *(token.content for token in added if token.special)]
    return LoadedTokenizer(
        name=name,
        tokenizer=tokenizer,
        stop_tokens=tuple(dict.fromkeys(map(str, stops))),
        special_tokens=tuple(dict.fromkeys(map(str, special))),
        added_tokens=tuple(dict.fromkeys([*map(str, special), *(token.content for token in added)])),
        vocabulary=grown,
        generation_stops=tuple(dict.fromkeys(generation)),
    )


def _uncut(tokenizer: PreTrainedTokenizerBase) -> None:
    """Take away the truncation and padding of a tokenizer's file, as transformers does when it first encodes something.

    The tokenizer is then the same before and after that, and has one digest wherever it is loaded.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()


def _place(name: str) -> tuple[str, dict[str, str]]:
    """Return the folder or hub id that transformers is to load, and its ``gguf_file`` where ``name`` is a GGUF file."""
    path = Path(name)
    return (str(path.parent), {"gguf_file": path.name}) if path.suffix == ".gguf" and path.is_file() else (name, {})


def _generation_stops(name: str) -> list[int]:
    """Return the ``eos_token_id``s of the ``generation_config.json`` beside the tokenizer, if there is one."""
    from transformers.utils import cached_file  # noqa: PLC0415 - as above

    path = cached_file(
        name,
        "generation_config.json",
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    if path is None:
        return []
    try:
        config = json.loads(Path(path).read_bytes())
        stops = config.get("eos_token_id") if isinstance(config, dict) else None
    except (ValueError, OSError) as error:
        msg = f"{path}: cannot be read as JSON: {error}"
        raise UsageError(msg, "mend the file or delete it") from error
    stops = [] if stops is None else [stops] if isinstance(stops, int) else stops
    if not isinstance(stops, list) or not all(isinstance(stop, int) for stop in stops):
        msg = f"{path}: eos_token_id must be a number or a list of numbers"
        raise UsageError(msg, "mend the file")
    return stops


def _why_not(name: str, error: Exception) -> str:
    folder = Path(name)
    reason = first_line(error)
    if folder.is_dir():
        missing = [file for file in ("tokenizer.json", "tokenizer_config.json") if not (folder / file).exists()]
        lacking = f" (it lacks {' and '.join(missing)})" if missing else ""
        return f"no tokenizer can be loaded from the folder {name!r}{lacking}: {reason}"
    return f"no tokenizer {name!r}: there is no such folder, and as a hub id it could not be loaded: {reason}"


def _unreachable(name: str) -> str:
    return (
        f"no tokenizer {name!r}: there is no such folder, the local cache does not have it, and the Hub cannot be "
        f"reached ({hub_url()})"
    )


_CONNECT = "connect to the network and try again, or give a folder that holds tokenizer.json and tokenizer_config.json"


def _way_out(name: str) -> str:
    if _place(name)[1]:
        return "a GGUF file is read with the package gguf: pip install 'maskprep[gguf]'"
    if Path(name).is_dir():
        return "give a folder that holds tokenizer.json and tokenizer_config.json"
    if is_offline():
        return "HF_HUB_OFFLINE is set: nothing is downloaded, only folders and the local cache were looked at"
    return "give a folder that holds tokenizer.json and tokenizer_config.json, or the exact id of a model on the hub"
