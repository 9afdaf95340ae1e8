"""Strict JSON: what is refused, by which code, and that the rest means what Python's json says."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from maskprep.errors import RowError
from maskprep.formats import strict_json
from maskprep.formats.strict_json import MAX_DEPTH, loads, loads_text

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def refused(data: bytes) -> RowError:
    with pytest.raises(RowError) as caught:
        loads(data)
    error = caught.value
    assert error.hint
    assert error.message.isprintable()
    assert len(error.message) < 450
    return error


@given(value=JSON, ascii_only=st.booleans())
def test_what_is_accepted_means_what_json_says(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert loads(text.encode()) == value
    assert loads_text(text) == value


@pytest.mark.parametrize(
    "text", ["-0", "-0.0", "1e2", "123456789012345678901234567890", "1E-400", " [1 ]\r", '"\\ud83d\\ude00"']
)
def test_numbers_and_pairs_keep_their_meaning(text: str) -> None:
    assert repr(loads(text.encode())) == repr(json.loads(text))


WRITINGS = st.sampled_from(
    [
        *(r'"a"', r'"a\\"', '":b"', r'"\u003ab"', r'"\":"', r'"\\\":"', '""', '"é"', r'"\u0000"', r'"\\u0000"'),
        *(r'"\ud83d\ude00"', r'"\ud83d"', '"12345678901234567890"', "1", "-0", "1.5", "1e5", "1e400", "NaN", "null"),
        *(
            "123456789012345678",
            "99999999999999999999",
            "-9223372036854775809",
            "1" + "0" * 5000,
            "1" + "0" * 25 + ".5",
        ),
    ]
)
KEYS = st.sampled_from(['"a"', '"messages"', '""', '":"', r'"a\\"', r'"a\u005c"', r'"\u0061"', r'"\""', '"role"'])
BLANKS = st.sampled_from(["", "", "", " ", "\t", "\n "])
ENTRY = st.tuples(KEYS, BLANKS, st.just(":"), BLANKS)
WRITTEN = st.recursive(
    WRITINGS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(ENTRY.map("".join), inner).map("".join), max_size=4).map(
            lambda items: f"{{{','.join(items)}}}"
        )
    ),
    max_leaves=12,
)
ROWS = st.lists(WRITTEN, max_size=3).map(lambda items: f'{{"messages": [{",".join(items)}]}}')


@settings(max_examples=examples(2_000))
@given(text=WRITTEN | ROWS)
def test_either_parser_gives_the_same(text: str) -> None:
    def outcome() -> tuple[Any, ...]:
        try:
            return "value", repr(loads(text.encode()))
        except RowError as error:
            return "error", error.code, error.message, error.hint, error.facts

    either = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_loads_quickly", lambda _: strict_json._REFUSED)
        assert either == outcome()


@pytest.mark.parametrize(
    "text", ['{"a": 1, "b": ":"}', '{"messages": [{"role": "user", "content": "\\"x\\": \\\\"}]}', "[1, 2.5]", "{}"]
)
def test_usual_rows_are_read_by_the_faster_parser(text: str) -> None:
    assert strict_json._loads_quickly(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b'{"a": "x\xff"}', "invalid-utf8", 'byte 9 of the line, 0xff after \'{"a": "x\''),
        (b'"\xed\xa0\x80"', "invalid-utf8", "byte 2 of the line"),
        (b'"\xe2\x82', "invalid-utf8", "unexpected end of data"),
        (b"\xff\xfe{\x00}\x00", "invalid-utf8", "byte 1 of the line"),
        (b'{"a": NaN}', "nan", "NaN is not JSON"),
        (b"[Infinity]", "nan", "Infinity is not JSON"),
        (b"[-Infinity]", "nan", "-Infinity is not JSON"),
        (b"[1e400]", "nan", "number out of range: '1e400'"),
        (b"[-1" + b"0" * 400 + b".5]", "nan", "number out of range: '-1000"),
        (b'{"a": 1, "b": {"k\\n": 1, "x": 2, "k\\n": 3}}', "duplicate-key", r"the key 'k\n' occurs twice"),
        (b"[" + b"1" * 5000 + b"]", "integer-too-long", "an integer of 5,000 digits"),
        (b"[-" + b"1" * 4301 + b"]", "integer-too-long", "4,300"),
        (b'{"messages": [1, {"content": "a\\ud800b"}]}', "lone-surrogate", "in messages[1].content"),
        (b'{"a b": {"\\uDC00\\uD800": 1}}', "lone-surrogate", r"in ['a b']['\udc00\ud800'] (a key)"),
        (b'"\\u0000"', "nul-character", "in the text"),
        (b'{"a": ["\\ud83d\\ude00", {"b": "x\\u0000"}]}', "nul-character", "in a[1].b"),
        (b'{"\\u0000": 1}', "nul-character", r"in ['\x00'] (a key)"),
        (b'{"a": "\x00"}', "not-json", "Invalid control character at (column 8)"),
        (b'{"a": "\t"}', "not-json", r"before '\t"),
        (b"{'a': 1}", "not-json", "(column 2), before \"'a': 1}\""),
        (b'{"a": 1} {"b": 2}', "not-json", "Extra data (column 10)"),
        (b"\xef\xbb\xbf{}", "not-json", r"'\ufeff{}'"),
        (b'{"a": 1,}', "not-json", "(column"),
        (b"[1,\n2,,]", "not-json", "line 2, column 3"),
        (b"", "not-json", "looks cut off"),
        (b"\x1b[31mred", "not-json", r"'\x1b[31mred'"),
        (b"x" * 10_000_000, "not-json", "…"),
        (b'{"' + b"k" * 10_000_000, "not-json", "…"),
        (b"[" * 100_000, "too-deep", "more than 200 deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too-deep", "more than 200 deep"),
        (b'["\\\\", "\\"]]]", ' * 100_000, "too-deep", "more than 200 deep"),
    ],
)
def test_what_is_refused_is_named(data: bytes, code: str, said: str) -> None:
    error = refused(data)
    assert error.code == code
    assert said in error.message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": "é", "b": ', "oops}"),
        ("[1,\n2,", ",]"),
        ('{"é": "NaN }{ \\" 1e999", "b": [1, 2.5, ', "-Infinity, NaN]}"),
        ('["1e400", 1e4, ', "1e400]"),
        ('[-12, "' + "9" * 5000 + '", ', "-" + "9" * 5000 + "]"),
        ('{"a": 1, "b": {"a": {}, "c": "a"}, ', '"a": 2}'),
        ('{"a": 1, "a": {"é": 1, ', '"\\u00e9" : 2}}'),
        ("", ""),
    ],
)
def test_the_place_of_a_fault_is_told_in_bytes(before: str, after: str) -> None:
    assert refused((before + after).encode()).facts == {"at": len(before.encode())}


def test_a_byte_that_is_no_text_has_a_place_and_a_fault_of_the_whole_has_none() -> None:
    assert refused('"é'.encode() + b"\xff").facts == {"at": 3}
    assert refused(b'{"a": "\\u0000"}').facts == refused(b"[" * 300).facts == {}


def test_every_cut_is_said_to_look_like_one() -> None:
    row = {"a": [1, -2, 1.5e-10, 1e300, True, False, None, 'é\ud83d\ude00 \\ " y'], "b": {"c": "d", "": -0.5}}
    text = json.dumps(row)
    for end in range(len(text)):
        error = refused(text[:end].encode())
        assert error.code == "not-json"
        assert error.message.endswith("; the line looks cut off"), text[:end]


@pytest.mark.parametrize(
    "text", ['{"a": "b}', '{"a": 1}-', '{"a": 1} x', "{'a': 1}", '{"a": truth}', '{"a": 1 "b": 2}']
)
def test_other_errors_are_not(text: str) -> None:
    assert "cut off" not in refused(text.encode()).message


def test_nesting_is_allowed_up_to_the_limit() -> None:
    assert loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert refused(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)).code == "too-deep"


def test_brackets_side_by_side_and_in_strings_do_not_nest() -> None:
    value = [[[]] * 500, {"[{" * 500: '\\"[[[' * 500, "\\": "{" * 500}]
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b'[{"":' * 50_000 + b"]"])
def test_deep_nesting_is_refused_on_a_small_stack(data: bytes) -> None:
    codes: list[str] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: codes.append(refused(data).code))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert codes == ["too-deep"]


def test_a_parser_that_runs_out_of_stack_is_a_row_too_deep() -> None:
    def descend(levels: int) -> str:
        return descend(levels - 1) if levels else refused(b"[" * 150 + b"NaN" + b"]" * 150).code

    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    if sys.version_info < (3, 12):  # later versions count the parser's levels apart from Python's own
        assert descend(sys.getrecursionlimit() - depth - 100) == "too-deep"


def test_the_limit_on_digits_is_not_that_of_the_environment() -> None:
    before = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(0)
        assert refused(b"1" * 5000).code == "integer-too-long"
    finally:
        sys.set_int_max_str_digits(before)
    assert loads(b"-" + b"1" * 4300) < 0


def test_text_is_as_strict_as_bytes() -> None:
    assert loads_text('{"a": ["\\\\ud800 é"]}') == {"a": ["\\ud800 é"]}
    for text, code in (
        ('"\ud800"', "lone-surrogate"),
        ('"\\ud800"', "lone-surrogate"),
        ('"\\u0000"', "nul-character"),
        ('{"a": 1, "a": 1}', "duplicate-key"),
        ("NaN", "nan"),
        ("[" * 100_000, "too-deep"),
        ("", "not-json"),
    ):
        with pytest.raises(RowError) as caught:
            loads_text(text)
        assert caught.value.code == code
        assert caught.value.message.isprintable()
