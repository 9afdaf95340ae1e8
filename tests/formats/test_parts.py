"""Content as a list of parts: text, reasoning, tool calls; and what cannot be prepared."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.formats import DEFAULT

F_CALL = {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
F = F_CALL["function"]


def read(*parts: object, role: str = "assistant", **keys: object) -> Conversation:
    message = {"role": role, "content": list(parts), **keys}
    return DEFAULT.parse({"messages": [{"role": "user", "content": "x"}, message]})


def fields(*parts: object, **keys: Any) -> dict[str, Any]:
    return dict(read(*parts, **keys).messages[1].fields)


def part(name: str, /, **keys: object) -> dict[str, object]:
    return {"type": name, **keys}


@pytest.mark.parametrize(
    "each",
    [
        *(part("text", text="a"), part("text", value="a"), part("text", text=None, value="a"), "a"),
        *(part("output_text", text="a", annotations=[]), part("input_text", text="a")),
    ],
)
def test_text_parts_are_the_content(each: object) -> None:
    assert fields(each) == {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    "each",
    [
        *(part("reasoning", value="r"), part("thinking", thinking="r", signature="s"), part("reasoning", text="r")),
        *(part("reasoning", reasoning="r"), part("thinking", value="r")),
    ],
)
def test_reasoning_parts_are_the_reasoning(each: object) -> None:
    assert fields(each, part("text", value="a")) == {"role": "assistant", "content": "a", "reasoning_content": "r"}
    assert fields(each)["content"] == ""


@pytest.mark.parametrize(
    "each",
    [
        *(part("tool_call", value=json.dumps(F)), part("tool_call", value=F), part("tool_call", value=F_CALL)),
        *(part("tool_call", tool_call=F), part("function", function=F), part("function_call", **F)),
        *(part("tool_call", function=F), part("function", value=json.dumps([F]))),
    ],
)
def test_call_parts_are_tool_calls(each: object) -> None:
    said = fields(part("reasoning", value="r"), part("text", value="a"), each, each)
    assert said == {"role": "assistant", "content": "a", "reasoning_content": "r", "tool_calls": [F_CALL, F_CALL]}


def test_calls_in_parts_join_the_others() -> None:
    assert fields(part("tool_call", value=F), tool_calls=[F_CALL])["tool_calls"] == [F_CALL, F_CALL]


def test_what_was_joined_or_moved_is_noticed() -> None:
    conversation = read(part("text", text="a"), part("reasoning", value="r"), part("text", text="b"))
    assert conversation.messages[1].fields["content"] == "a\nb"
    assert [finding.code for finding in conversation.findings] == ["text-parts-joined", "parts-reordered"]
    assert read(part("reasoning", value="r"), part("text", text="b"), part("tool_call", value=F)).findings == ()
    assert [f.code for f in read(part("tool_call", value=F), "b").findings] == ["parts-reordered"]


@pytest.mark.parametrize(
    "name", ["image", "image_url", "input_image", "audio", "input_audio", "video", "video_url", "file", "input_file"]
)
@pytest.mark.parametrize("role", ["user", "assistant", "tool"])
def test_media_have_a_code_of_their_own(name: str, role: str) -> None:
    with pytest.raises(RowError) as caught:
        read(part("text", text="a"), part(name, url="u"), role=role)
    assert caught.value.code == "media-part"
    assert f"messages[1].content[1] is a part of the type '{name}'" in caught.value.message


@pytest.mark.parametrize(
    ("each", "keys", "code"),
    [
        (part("reasoning", value="r"), {"role": "user"}, "unsupported-part"),
        (part("tool_call", value=F), {"role": "tool"}, "unsupported-part"),
        (part("reasoning"), {}, "unsupported-part"),
        (part("reasoning", value=["r"]), {}, "unsupported-part"),
        (part("reasoning", value="r"), {"reasoning": "q"}, "bad-message"),
        (part("tool_call", value="f()"), {}, "bad-tool-call"),
        (part("tool_call"), {}, "bad-tool-call"),
        (part("table", text="a"), {}, "unsupported-part"),
    ],
)
def test_other_parts_are_refused(each: object, keys: dict[str, Any], code: str) -> None:
    with pytest.raises(RowError) as caught:
        read(each, **keys)
    assert caught.value.code == code


def test_parts_may_hold_a_call_in_a_message_of_its_own() -> None:
    text = read(part("text", value=json.dumps(F)), role="function_call")
    typed = read(part("reasoning", value="r"), part("tool_call", value=F), role="function_call")
    assert text.messages[1].fields == {"role": "assistant", "content": "", "tool_calls": [F_CALL]}
    assert typed.messages[1].fields == {**text.messages[1].fields, "reasoning_content": "r"}
