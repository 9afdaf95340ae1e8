"""Entries of ``columns`` and ``roles`` that no row used are told, with the nearest names that the rows have."""

from __future__ import annotations

from maskprep.build.unused import unused_entries


def test_entries_that_were_used_are_not_told():
    assert unused_entries({"messages": "dialog"}, {"bot": "assistant"}, {"dialog": 3}, {"bot": 1}, {"dialog": 3}) == []
    assert unused_entries({}, {}, {}, {}, {"x": 1}) == []


def test_a_column_that_no_row_has_is_told_with_the_nearest_name_first():
    seen = {"id": 9, "dialogue": 9, "meta": 2, "content": 30}
    (told,) = unused_entries({"messages": "dialog"}, {}, {"content": 30}, {}, seen)
    assert told == (
        "columns: {messages: dialog} has no effect: no row has 'dialog'; "
        "did you mean 'dialogue'? there are: dialogue, id, meta"
    )


def test_a_column_that_is_there_and_never_read_is_told_so():
    (told,) = unused_entries({"reasoning_content": "CoT"}, {}, {}, {}, {"CoT": 5})
    assert told.endswith("rows of this format have no 'reasoning_content' that is read")


def test_a_role_that_no_message_has_is_told_with_those_that_they_have():
    (told,) = unused_entries({}, {"bott": "assistant"}, {}, {"human": 2, "bot": 3}, {})
    assert told == (
        "roles: {bott: assistant} has no effect: no message has the role 'bott'; "
        "did you mean 'bot'? there are: bot, human"
    )
    (told,) = unused_entries({}, {"x": "user"}, {}, {}, {})
    assert told.endswith("no message has the role 'x'; there is none")


def test_many_names_are_cut_short():
    (told,) = unused_entries({"messages": "zz"}, {}, {}, {}, {f"key{number:02}": 1 for number in range(30)})
    assert told.endswith("key06, key07, …")


def test_each_entry_is_told_once_in_the_order_of_the_configuration():
    told = unused_entries({"b": "x", "a": "y"}, {"r": "user"}, {"x": 0}, {"r": 0}, {})
    assert [text.split(" has")[0] for text in told] == ["columns: {b: x}", "columns: {a: y}", "roles: {r: user}"]
