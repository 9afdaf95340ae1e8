r"""A tokenizer that a build saved, read without transformers: what its ids spell, and where its tokens surely begin.

    tokenizer.json   …"vocab": {            lines in the order of the ids: line 198 is looked at for id 198, no other
                       "!": 0,
                       "\"": 1, …           merges are not read at all

Only what is certain is said. ``SavedTokenizer.read`` takes kinds of tokenizers of which is known that transformers adds
nothing to what the file says, and files as transformers writes them. ``surely_begin`` knows three places where a token
begins, whatever the merges are: beside an added token that is found wherever the text spells it (``split_points.py``);
where the text is divided before merges are looked at; and, in a vocabulary of characters (Gemma's), between two
characters that stand side by side in none of its pieces. Everything else is transformers' to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskprep.tokenizer.spelling import BYTES, Pieces, Spelling
from maskprep.tokenizer.split_points import SplitPoints, is_local, isolated

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Classes of transformers that encode, and look up ids, as the library of the file does: a test compares their methods.
PLAIN = frozenset(
    {
        *("TokenizersBackend", "PreTrainedTokenizerFast", "CohereTokenizer", "GPT2Tokenizer", "GPTNeoXTokenizer"),
        *("GemmaTokenizer", "LlamaTokenizer", "Qwen2Tokenizer", "Qwen3_5Tokenizer"),
    }
)

_Search = Callable[[str], list[tuple[int, int]]]
"""Returns the bounds, in characters, of what is found in a text."""

_BLANKS = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}  # the normalizer of such a vocabulary
_KEEPING = frozenset({"ByteLevel", "Split", "Digits", "Punctuation"})  # steps that leave no character out

_VOCABULARY, _END = b'\n    "vocab": {\n', b"\n    },\n"
_MERGES, _LAST = b'    "merges": [', b"\n    ]\n  }\n}"


class SavedTokenizer:
    """A tokenizer in a folder.

    Args:
        frame: the contents of ``tokenizer.json`` but for the vocabulary and the merges.
        vocabulary: the lines of the vocabulary, each behind a line break.
        whole: whether a control token in a text is encoded as such.
    """

    def __init__(self, frame: Mapping[str, Any], vocabulary: bytes, *, whole: bool) -> None:
        if frame["normalizer"] == {"type": "Sequence", "normalizers": []}:
            frame = {**frame, "normalizer": None}
        self._frame, self._vocabulary, self._whole = frame, vocabulary, whole
        added = {int(token["id"]): str(token["content"]) for token in frame["added_tokens"]}
        self.special = frozenset(int(token["id"]) for token in frame["added_tokens"] if token["special"])
        self._added = {number: content.encode() for number, content in added.items()}
        self._byte_level = "ByteLevel" in json.dumps(frame["decoder"])

    @classmethod
    def read(cls, folder: Path) -> SavedTokenizer | None:
        """Return the tokenizer in a folder, None where transformers must load it."""
        try:
            config = json.loads((folder / "tokenizer_config.json").read_bytes())
            if config["tokenizer_class"] not in PLAIN or "auto_map" in config:
                return None
            found = _divided((folder / "tokenizer.json").read_bytes())
            if found is None:
                return None
            frame, vocabulary = found
            return cls(frame, vocabulary, whole=not config.get("split_special_tokens"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    @cached_property
    def spelling(self) -> Spelling:
        """What its ids spell."""
        return Spelling(Pieces(self._piece, self._added, is_byte_level=self._byte_level))

    @cached_property
    def _lines(self) -> list[bytes]:
        return self._vocabulary.split(b"\n")

    @cached_property
    def _by_id(self) -> dict[int, str]:
        return {number: piece for piece, number in json.loads(b"{" + self._vocabulary + b"}").items()}

    def _piece(self, number: int) -> str:
        """Return the piece of an id of the plain vocabulary, empty for any other."""
        line = self._lines[number + 1].strip() if 0 <= number < len(self._lines) - 1 else b""
        piece, colon, told = line.rstrip(b",").rpartition(b": ")
        if colon and told == b"%d" % number:
            return str(json.loads(piece))
        return self._by_id.get(number, "")

    def surely_begin(self, text: str, places: Sequence[int]) -> bool:
        """Tell whether it is certain that at each place, in bytes, a token of the text begins or the text ends."""
        if not (self._is_exact or self._is_of_characters) or any(content in text for content in self._doubtful):
            return False
        raw = text.encode()
        try:
            wanted = sorted({len(raw[:place].decode()) for place in places})
        except UnicodeDecodeError:
            return False
        return self._begin(text, wanted, self._searches)

    def _begin(self, text: str, places: Sequence[int], searches: Sequence[_Search]) -> bool:
        """Tell the same of places in characters, in a stretch of text in which some added tokens are searched for."""
        if not searches:
            return self._divides(text, [place for place in places if 0 < place < len(text)])
        bounds = searches[0](text)
        edges = [0, *(edge for bound in bounds for edge in bound), len(text)]
        return not any(start < place < stop for place in places for start, stop in bounds) and all(
            self._begin(text[start:stop], [place - start for place in places if start < place < stop], searches[1:])
            for start, stop in zip(edges[::2], edges[1::2], strict=True)  # between two added tokens
        )

    def _divides(self, stretch: str, places: Sequence[int]) -> bool:
        """Tell whether a stretch without added tokens is divided at some places, in characters."""
        if self._is_of_characters:
            return not any(self._has_piece_with(stretch[place - 1 : place + 1]) for place in places)
        # Were it changed anywhere, the places of all tokens were those that the tokenizer tells: not in bytes.
        if self._parts.normalizer is not None and self._parts.normalizer.normalize_str(stretch) != stretch:
            return False
        return not places or {
            start for _, (start, _) in self._parts.pre_tokenizer.pre_tokenize_str(stretch)
        }.issuperset(places)

    def _has_piece_with(self, pair: str) -> bool:
        """Tell whether two characters may stand side by side in a piece of the vocabulary."""
        return _quoted(pair.replace(" ", "\u2581"))[1:-1] in self._vocabulary

    @cached_property
    def _is_of_characters(self) -> bool:
        """Whether a token is a piece of the text, with another sign for blanks, or a byte of one of its characters."""
        model, tokens, steps = (self._frame[name] for name in ("model", "added_tokens", "pre_tokenizer"))
        return (
            self._whole
            and self._is_plain_bpe
            and not self._byte_level
            and self._frame["normalizer"] == _BLANKS
            and (steps is None or (steps["type"] == "Split" and steps["behavior"] != "Removed"))
            and not any(token["single_word"] or token["normalized"] for token in tokens)
            # Else neighbours that are both unknown could become one token.
            and bool(model.get("byte_fallback"))
            and all(b'\n      "<0x%02X>": ' % byte in self._vocabulary for byte in range(256))
        )

    @property
    def _is_plain_bpe(self) -> bool:
        model = self._frame["model"]
        extras = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
        return model.get("type") == "BPE" and not any(model.get(name) for name in extras)

    @cached_property
    def _is_exact(self) -> bool:
        """Whether tokens spell a text that is not normalised, which is divided before merges are looked at."""
        steps = self._frame["pre_tokenizer"]
        inner = steps.get("pretokenizers", [steps]) if isinstance(steps, dict) else []
        kinds = {step.get("type") for step in inner}
        return (
            self._whole
            and self._is_plain_bpe
            and self._byte_level
            and "ByteLevel" in kinds <= _KEEPING
            and not any(step.get("add_prefix_space") or step.get("behavior") == "Removed" for step in inner)
            and is_local([self._frame["normalizer"]] if self._frame["normalizer"] else [])
            and not any(token["single_word"] for token in self._frame["added_tokens"])
            and not (self._frame["normalizer"] and any(token["normalized"] for token in self._frame["added_tokens"]))
            and all(b"\n      %s: " % _quoted(char) in self._vocabulary for char in BYTES)
        )

    @cached_property
    def _parts(self) -> Tokenizer:
        """The parts of the tokenizer that treat text before its model does."""
        from tokenizers import Tokenizer  # noqa: PLC0415 - wanted only where a place is in doubt

        model = {"type": "BPE", "vocab": {}, "merges": []}
        return Tokenizer.from_str(
            json.dumps({**self._frame, "model": model, "added_tokens": [], "post_processor": None})
        )

    @cached_property
    def _isolated(self) -> dict[str, int]:
        from tokenizers import AddedToken  # noqa: PLC0415 - as above

        flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
        tokens = self._frame["added_tokens"]
        return isolated(
            {token["id"]: AddedToken(token["content"], **{flag: token[flag] for flag in flags}) for token in tokens}
        )

    @cached_property
    def _searches(self) -> list[_Search]:
        """The searches for added tokens, in turn; each finds of those that begin first the longest.

        The tokens that are not ``normalized`` come first, of them the isolated ones: none of the others reaches there.
        """
        rest = [token for token in self._frame["added_tokens"] if token["content"] not in self._isolated]
        kinds = ([str(t["content"]) for t in rest if t["normalized"] is normalized] for normalized in (False, True))
        return [SplitPoints(self._isolated).bounds, *(_search(contents) for contents in kinds if contents)]

    @cached_property
    def _doubtful(self) -> list[str]:
        """The added tokens that take white space with them."""
        return [str(token["content"]) for token in self._frame["added_tokens"] if token["lstrip"] or token["rstrip"]]


def _search(contents: Iterable[str]) -> _Search:
    pattern = re.compile("|".join(map(re.escape, sorted(filter(None, contents), key=len, reverse=True))) or "(?!)")
    return lambda text: [found.span() for found in pattern.finditer(text)]


def _divided(data: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Return a ``tokenizer.json`` without vocabulary and merges, and the lines of its vocabulary.

    None where it is not laid out as the library writes it. No line break stands in a text of JSON.
    """
    start = data.find(_VOCABULARY)
    begin = start + len(_VOCABULARY)
    end = data.find(_END, begin)
    if start < 0 or end < 0 or not data.startswith(_MERGES, end + len(_END)) or not data.endswith(_LAST):
        return None
    frame = json.loads(data[:start] + b'\n"vocab": {}}}')
    return frame, data[begin - 1 : end]


def _quoted(char: str) -> bytes:
    return json.dumps(char, ensure_ascii=False).encode()
