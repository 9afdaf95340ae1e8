r"""Whole rows, as a reviewer reads them: the text of every sequence, and a line a token.

A case is a folder below ``cases/``: ``case.yaml`` (what it shows, the row, the options of the build) and, unless the
bundled tokenizer's own template is used, ``template.jinja``. What is expected stands beside them:

    text.txt     the text of each sequence; ``⏎`` is a line feed, ``|`` the start of a line
    tokens.txt   index, id, label mark, role, part, message, trained, text of each token

The label mark is ``-`` where the label is -100 and ``+`` where it is the id. After a change that is meant, write the
expected files anew, and read their diff before you commit it:

    MASKPREP_UPDATE_GOLDEN=1 python -m pytest tests/golden

In CI (``CI`` is set) that fails: nothing is compared by such a run.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from builds import run
from bundled import TOKENIZER
from datasets import load_from_disk
from tokenizers import Tokenizer, pre_tokenizers

HERE = Path(__file__).parent
CASES = sorted(path.name for path in (HERE / "cases").iterdir())
UPDATE = bool(os.environ.get("MASKPREP_UPDATE_GOLDEN"))


@cache
def vocabulary() -> tuple[Tokenizer, dict[str, int], frozenset[int]]:
    """Return the bundled tokenizer, the byte behind each character of its vocabulary, and the ids of added tokens."""
    tokenizer = Tokenizer.from_file(str(TOKENIZER / "tokenizer.json"))
    spelling = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    byte_of = {}
    for char in map(chr, (*range(0x800), *range(0x1000, 0xD800, 64), *range(0x10000, 0x110000, 0x10000))):
        [(spelt, _)] = spelling.pre_tokenize_str(char)
        byte_of |= dict(zip(spelt, char.encode(), strict=True))
    return tokenizer, byte_of, frozenset(tokenizer.get_added_tokens_decoder())


def spell(token: int) -> bytes:
    """Return the bytes that a token stands for, without any help from maskprep."""
    tokenizer, byte_of, added = vocabulary()
    piece = tokenizer.id_to_token(token)
    return piece.encode() if token in added else bytes(byte_of[char] for char in piece)


def escape(raw: bytes) -> str:
    r"""Return bytes as text on one line, in quotes; what is only a part of a character as in ``\xe4``."""
    text = raw.decode(errors="backslashreplace")
    return '"' + "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text) + '"'


def build(case: str, folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Build the one row of a case; return the rows of the data set and the codes of the findings."""
    facts = yaml.safe_load((HERE / "cases" / case / "case.yaml").read_text("utf-8"))
    assert set(facts) <= {"shows", "options", "row"}, "case.yaml has other keys"
    (folder / "row.jsonl").write_text(json.dumps(facts["row"]) + "\n")
    (folder / "options.yaml").write_text(json.dumps(facts.get("options", {})))
    words = [folder / "row.jsonl", "--tokenizer", TOKENIZER, "--output", folder / "out", "--json"]
    words += ["--config", folder / "options.yaml"]
    template = HERE / "cases" / case / "template.jinja"
    if template.exists():
        words += ["--chat-template", template]
    outcome = run("build", *words)
    assert outcome.code == 0, outcome
    return load_from_disk(str(folder / "out")).to_list(), sorted(outcome.json["totals"]["findings"])


def as_text(rows: list[dict[str, Any]]) -> str:
    """Return the text of all sequences."""
    shown = []
    for number, row in enumerate(rows):
        text = b"".join(map(spell, row["input_ids"])).decode()
        lines = "".join(f"|{line}" for line in text.replace("\n", "⏎\n").splitlines(keepends=True))
        shown.append(f"sequence {number}\n{lines}\n")
    return "\n".join(shown)


def as_tokens(rows: list[dict[str, Any]], findings: list[str]) -> str:
    """Return a line for each token of all sequences."""
    shown = [f"findings: {', '.join(findings) or 'none'}"]
    for number, row in enumerate(rows):
        shown += ["", f"sequence {number}", "index    id   role       part       message  trained  text"]
        for span in row["spans"]:
            for index in range(span["start"], span["end"]):
                token, label = row["input_ids"][index], row["labels"][index]
                mark = "-" if label == -100 else "+" if label == token else f"WRONG {label}"
                trained = "trained" if span["trained"] else "."
                shown.append(
                    f"{index:5} {token:5} {mark} {span['role']:10} {span['part']:10} {span['message']:7}"
                    f"  {trained:7}  {escape(spell(token))}"
                )
    return "\n".join(shown) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_golden(case, tmp_path):
    if UPDATE and os.environ.get("CI"):
        pytest.fail("MASKPREP_UPDATE_GOLDEN is set in CI: nothing would be compared")
    rows, findings = build(case, tmp_path)
    folder = HERE / "cases" / case
    found = {"text.txt": as_text(rows), "tokens.txt": as_tokens(rows, findings)}
    if UPDATE:
        for name, text in found.items():
            (folder / name).write_text(text, "utf-8", newline="\n")
        pytest.skip("written anew: read the diff")
    for name, text in found.items():  # the text first: a difference in it explains those in the tokens
        assert text.split("\n") == (folder / name).read_text("utf-8").split("\n"), name


def test_no_expected_file_is_without_its_case():
    for case in CASES:
        names = {path.name for path in (HERE / "cases" / case).iterdir()}
        assert (
            {"case.yaml", "text.txt", "tokens.txt"}
            <= names
            <= {"case.yaml", "template.jinja", "text.txt", "tokens.txt"}
        )


def test_each_token_is_spelt_as_the_tokenizer_decodes_it():
    tokenizer, _, _ = vocabulary()
    text = "<|im_start|>user\nnaïve 世界 \U0001f600\t\r\n</think><|im_end|>"
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert b"".join(map(spell, ids)).decode() == text == tokenizer.decode(ids, skip_special_tokens=False)
