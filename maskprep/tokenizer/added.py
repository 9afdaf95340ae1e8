"""Tokens that the configuration adds to a tokenizer, and what the vocabulary has become: the trainer must know.

A token that stands in the plain vocabulary is refused: as an added one it would tear other words apart. One that was
added before is left as it is, so that a tokenizer that a build saved can be given the same list again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskprep.config import TokenizerChoice
from maskprep.errors import UsageError
from maskprep.tokenizer.ids import Ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Named = tuple[str, str]  # a token, and where it was named


@dataclass(frozen=True)
class Vocabulary:
    """The vocabulary as used. Sizes are the number of rows that an embedding needs: the largest id, plus one.

    Args:
        ids: the ids as used.
        before: the size before anything was added, None where nothing was.
        multiple: ``rounded_size`` is ``size`` rounded up to it.
        added: how many tokens were added that are not special.
        added_special: how many special ones.
        already_there: tokens that were named and needed no adding.
        repeated: those that were named twice.
        pad_token: the pad token.
        pad_from: ``tokenizer``, ``configuration``, ``added`` (the configuration, and it was new), ``eos_token`` (the
            tokenizer had none), or ``nowhere``.
        eos_token: the eos token.
        eos_from: ``tokenizer``, ``configuration`` or ``nowhere``.
    """

    ids: Ids
    before: int | None
    multiple: int
    added: int
    added_special: int
    already_there: int
    repeated: int
    pad_token: str | None
    pad_from: str
    eos_token: str | None
    eos_from: str

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, ids: Ids) -> Vocabulary:
        """Return the vocabulary of a tokenizer with these ``ids``, to which nothing is added."""
        pad, eos = tokenizer.pad_token, tokenizer.eos_token
        origins = ["tokenizer" if token is not None else "nowhere" for token in (pad, eos)]
        return cls(ids, None, 1, 0, 0, 0, 0, pad, origins[0], eos, origins[1])

    @property
    def size(self) -> int:
        """The size as used."""
        return self.ids.size

    @property
    def size_before(self) -> int:
        """The size before anything was added."""
        return self.ids.size if self.before is None else self.before

    @property
    def rounded_size(self) -> int:
        """The size, rounded up to the configured multiple."""
        return -(-self.size // self.multiple) * self.multiple

    def facts(self) -> dict[str, Any]:
        """Return the vocabulary's figures and tokens as JSON types."""
        return {name: getattr(self, name) for name in _FACTS}


_FACTS = (
    *("size_before", "size", "rounded_size", "added", "added_special", "already_there", "repeated"),
    *("pad_token", "pad_from", "eos_token", "eos_from"),
)


def extend(tokenizer: PreTrainedTokenizerBase, choice: TokenizerChoice, ids: Ids) -> Vocabulary:
    """Add to ``tokenizer``, which has these ``ids``, what ``choice`` names, and set its eos and pad tokens.

    A tokenizer without a pad token is given its eos token as one: labels are padded by position, so that no end of a
    turn is lost.

    Raises:
        UsageError: a token cannot be added; it says which, and where it was named.
    """
    there = {token.content: bool(token.special) for token in tokenizer.added_tokens_decoder.values()}
    special = dict(_distinct(_listed("tokenizer.add_special_tokens", choice.add_special_tokens)))
    listed = [*_plain(choice)]
    plain = dict(_distinct(listed))
    _refuse_both(plain, special)
    new = {flag: _new(named, ids, there, special=flag) for flag, named in ((False, plain), (True, special))}
    pad = choice.pad_token
    more = any(new.values()) or (pad is not None and ids.of(pad) is None)
    before = ids.size if more else None  # it takes a while to tell, and is not known once the tokenizer has grown
    for flag, tokens in new.items():
        places = special if flag else plain
        for token in tokens:
            _refuse_one_already(tokenizer, token, places[token])
        _add(tokenizer, tokens, special=flag)
        for token in tokens:
            _refuse_undecodable(tokenizer, token, places[token])
    known = Ids(tokenizer) if any(new.values()) else ids
    eos_origin = _choose_eos(tokenizer, choice.eos_token, known)
    origin = _choose_pad(tokenizer, pad, known)
    named = len(choice.add_special_tokens) + len(listed)
    return Vocabulary(
        ids=Ids(tokenizer) if more else ids,
        before=before,
        multiple=choice.vocabulary_multiple,
        added=len(new[False]),
        added_special=len(new[True]) + (origin == "added"),
        already_there=len(plain) + len(special) - len(new[False]) - len(new[True]),
        repeated=named - len(plain) - len(special),
        pad_token=tokenizer.pad_token,
        pad_from=origin,
        eos_token=tokenizer.eos_token,
        eos_from=eos_origin,
    )


def _plain(choice: TokenizerChoice) -> Iterator[Named]:
    yield from _listed("tokenizer.add_tokens", choice.add_tokens)
    if choice.add_tokens_file is not None:
        yield from _lines(choice.add_tokens_file)


def _listed(key: str, tokens: Iterable[str]) -> Iterator[Named]:
    return ((token, f"{key}[{index}]") for index, token in enumerate(tokens))


def _lines(file: str) -> Iterator[Named]:
    """Yield the tokens of a file, one a line, each with its place. Empty lines at the end are no tokens."""
    try:
        text = Path(file).read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        msg = f"no file of tokens {file!r}"
        raise UsageError(msg, "give the path of a text file to tokenizer.add_tokens_file, one token a line") from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: cannot be read as text in UTF-8: {error}"
        raise UsageError(msg) from error
    # Not splitlines: a token may hold what Unicode calls a line separator.
    lines = [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")] if text.strip("\r\n") else []
    return ((line, f"{file}:{number}") for number, line in enumerate(lines, 1))


def _distinct(named: Iterable[Named]) -> Iterator[Named]:
    """Yield each token with the place where it is named first.

    Raises:
        UsageError: a text is none that a token can have.
    """
    seen = set()
    for token, where in named:
        if token in seen:
            continue
        seen.add(token)
        _check(token, where)
        yield token, where


def _check(token: str, where: str) -> None:
    if not token.strip():
        msg = f"{where}: an empty token, or one of white space only" if token else f"{where}: an empty token"
        raise UsageError(msg, "take the line out: such a token would be found everywhere in a text")
    if token != token.strip():
        msg = f"{where}: the token {token!r:.80} begins or ends with white space"
        raise UsageError(msg, "write it without: the white space of the text around it would vanish into it")
    if "\0" in token or any("\ud800" <= char <= "\udfff" for char in token):
        msg = f"{where}: the token {token!r:.80} holds a character that no text has (NUL or half a surrogate pair)"
        raise UsageError(msg)


def _refuse_both(plain: dict[str, str], special: dict[str, str]) -> None:
    both = next((token for token in special if token in plain), None)
    if both is not None:
        msg = f"the token {both!r} is named twice, as special in {special[both]} and as not special in {plain[both]}"
        raise UsageError(msg, "name it in one place: text that is decoded for people leaves out special tokens")


def _new(named: dict[str, str], ids: Ids, there: dict[str, bool], *, special: bool) -> list[str]:
    """Return the named tokens that the tokenizer has not yet."""
    new = []
    for token, where in named.items():
        number = ids.of(token)
        if number is None:
            new.append(token)
        elif token not in there:
            msg = f"{where}: {token!r} stands in the plain vocabulary already (id {number})"
            raise UsageError(msg, _ONE_ALREADY)
        elif there[token] != special:
            kind = "a special token" if there[token] else "an added token that is not special"
            msg = f"{where}: {token!r} is there already, as {kind} (id {number})"
            raise UsageError(msg, "leave it out: it can be used as it is")
    return new


def _refuse_one_already(tokenizer: PreTrainedTokenizerBase, token: str, where: str) -> None:
    """Refuse text that is one token already. Vocabularies of bytes spell only ASCII as it is."""
    if token.isascii():
        return
    ids = tokenizer(token, add_special_tokens=False, verbose=False)["input_ids"]
    if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
        msg = f"{where}: {token!r} stands in the plain vocabulary already (id {ids[0]})"
        raise UsageError(msg, _ONE_ALREADY)


def _refuse_undecodable(tokenizer: PreTrainedTokenizerBase, token: str, where: str) -> None:
    """Refuse a token that would not come back: decoders of bytes take letters such as é for one byte each."""
    if token.isascii():
        return
    back = tokenizer.decode(tokenizer.convert_tokens_to_ids([token]))
    if back.strip() != token:
        msg = f"{where}: the token {token!r} would be decoded as {back!r}: this tokenizer takes its letters for bytes"
        raise UsageError(msg, "spell it with ASCII characters alone")


_ONE_ALREADY = "leave it out, or choose another spelling: added, it would tear longer words apart"


def _add(tokenizer: PreTrainedTokenizerBase, tokens: Iterable[str], *, special: bool) -> None:
    from tokenizers import AddedToken  # noqa: PLC0415 - comes with transformers, wanted only here

    # As written: a normaliser must not reach into a token. All at once: 100,000 take a fraction of a second.
    added = [AddedToken(token, special=special, normalized=False) for token in tokens]
    if added:
        tokenizer.add_tokens(added, special_tokens=special)


def _choose_eos(tokenizer: PreTrainedTokenizerBase, wanted: str | None, known: Ids) -> str:
    """Set the eos token and return where it is from, as ``Vocabulary.eos_from`` names it."""
    if wanted is None:
        return "tokenizer" if tokenizer.eos_token is not None else "nowhere"
    _check(wanted, "tokenizer.eos_token")
    if known.of(wanted) is None:
        near = get_close_matches(wanted, tokenizer.get_added_vocab(), n=3, cutoff=0.5)
        meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        msg = f"tokenizer.eos_token: {wanted!r} is no token of this tokenizer"
        raise UsageError(msg, f"{meant}A token is spelt exactly; a new one stands in tokenizer.add_special_tokens, too")
    if wanted not in tokenizer.get_added_vocab():
        msg = f"tokenizer.eos_token: {wanted!r} stands in the plain vocabulary: texts are made of it"
        raise UsageError(msg, "name the token with which the chat template ends turns, or a new one that is added")
    # transformers takes an eos token for a special one when it loads the tokenizer again: then it must be one now. One
    # that is special keeps what else its file says of it, such as that it takes in the blanks behind it.
    if not any(token.special and token.content == wanted for token in tokenizer.added_tokens_decoder.values()):
        _add(tokenizer, [wanted], special=True)
    tokenizer.eos_token = wanted
    return "configuration"


def _choose_pad(tokenizer: PreTrainedTokenizerBase, wanted: str | None, known: Ids) -> str:
    """Set the pad token and return where it is from, as ``Vocabulary.pad_from`` names it."""
    if wanted is None:
        if tokenizer.pad_token is not None:
            return "tokenizer"
        if tokenizer.eos_token is None:
            return "nowhere"
        tokenizer.pad_token = tokenizer.eos_token
        return "eos_token"
    _check(wanted, "tokenizer.pad_token")
    there = known.of(wanted) is not None
    if there and wanted not in tokenizer.get_added_vocab():
        msg = f"tokenizer.pad_token: {wanted!r} stands in the plain vocabulary: texts are made of it"
        raise UsageError(msg, "name a special token, or a new one, which is then added")
    # transformers takes a pad token for a special one when it loads the tokenizer again: then it must be one now.
    _add(tokenizer, [wanted], special=True)
    tokenizer.pad_token = wanted
    return "configuration" if there else "added"
