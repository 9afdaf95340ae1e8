"""Preference rows: a question with a good and a bad answer, or with one that is marked good or bad.

    {"prompt": …, "chosen": …, "rejected": …}                                     DPO, in many writings
    {"input": {"messages": …}, "preferred_output": …, "non_preferred_output": …}  OpenAI's
    {"messages": …, "rejected_response": …}                                       ms-swift's
    {"prompt": …, "completion": …, "label": true}                                 KTO

They are data of another kind: training on both answers would teach the bad one. ``preference: chosen`` trains the good
one, and what comes before it is context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.errors import RowError
from maskprep.formats.names import usual_role
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.openai import LISTS
from maskprep.formats.row import InputRow
from maskprep.formats.wording import kind, quote

CHOSEN = (
    *("chosen", "chosen_response", "chosen_messages", "chosen_answer", "chosen_output", "preferred_output"),
    *("preferred", "preferred_response", "accepted"),
)
REJECTED = (
    *("rejected", "rejected_response", "rejected_messages", "rejected_answer", "rejected_output"),
    *("non_preferred_output", "non_preferred", "dispreferred", "dispreferred_output", "dispreferred_response"),
)
FIELDS = (*CHOSEN, *REJECTED, "label")
"""The fields that make a row a preference row."""

_QUESTIONS = ("prompt", "question", "query", "instruction", "input")


def is_preference(row: InputRow) -> bool:
    """Tell whether a row compares two answers, or judges one."""
    fields = row.fields
    if fields.keys().isdisjoint(FIELDS):
        return False
    compared = any(isinstance(fields.get(key), str | list | dict) and fields[key] for key in (*CHOSEN, *REJECTED))
    return compared or isinstance(fields.get("label"), bool)


def refuse_preference(row: InputRow) -> RowError:
    """Return the error of a preference row that nobody wants to train as it is."""
    keys = [key for key in FIELDS if row.get(key) is not None]
    what = "judges its answer" if keys == ["label"] else "compares answers"
    message = f"the row {what} ({', '.join(keys)}): it is a preference row, as for DPO or KTO, and no conversation"
    return RowError("preference-row", message, "preference: chosen trains the good answer, and no bad one")


def choose(row: InputRow) -> None:
    """Put the chosen answer of a preference row in the place of a completion, which makes it an ordinary row.

    Raises RowError ``marked-bad`` where the only answer is, and ``preference-row`` where none was chosen.
    """
    fields = dict(row.fields)
    if isinstance(fields.get("label"), bool) and not fields.pop("label"):
        raise RowError("marked-bad", "label is false: the answer is marked bad", "Such rows are not trained.")
    name = next((key for key in CHOSEN if fields.get(key) is not None), None)
    chosen = fields.pop(name) if name else None
    for key in (*REJECTED, *CHOSEN):
        fields.pop(key, None)
    row.put(_with_answer(fields, chosen, row))


def _with_answer(fields: dict[str, Any], chosen: object, row: InputRow) -> dict[str, Any]:
    inner = fields.get("input")
    if isinstance(inner, dict):
        row.fields = fields
        row.unfold("input")
        fields = _without(row.fields, "input")
    if isinstance(chosen, str) and chosen.lstrip().startswith(("[", "{")):
        chosen = _parsed(chosen)
    listed = next((key for key in LISTS if fields.get(key)), None)
    if chosen is None:
        # The answer that was judged, or the good one of two, stands where answers stand; messages end with it.
        messages = unwrapped(fields[listed]) if listed is not None else None
        return _divided(_without(fields, listed or ""), messages, row) if isinstance(messages, list) else fields
    said = [chosen] if isinstance(chosen, dict) else chosen
    if not isinstance(said, str | list) or not said:
        raise RowError("preference-row", f"the chosen answer must be text or messages, not {kind(chosen)}", _HINT)
    whole = isinstance(said, list) and _role(said[0], row) != "assistant"
    if listed is not None and not whole:
        return {**_without(fields, listed), "prompt": fields[listed], "completion": said}
    if listed is not None:
        # The chosen messages are the whole conversation: what else stands there must be its beginning, or all of it.
        before = unwrapped(fields[listed])
        if not isinstance(before, list) or said[: len(before)] != before:
            text = f"the chosen messages do not begin with those of the row's {listed}"
            raise RowError("preference-row", text, "Leave one of the two out, for example with ignore:.")
        fields = _without(fields, listed)
    asked = next((key for key in _QUESTIONS if isinstance(fields.get(key), str | list) and fields[key]), None)
    return _behind(fields, asked, said, row)


def _behind(fields: dict[str, Any], asked: str | None, said: str | list[Any], row: InputRow) -> dict[str, Any]:
    """Return the fields of a row with the chosen answer behind its question, which that may begin with itself."""
    if isinstance(said, str) and asked is None:
        raise RowError("preference-row", f"the row has no question beside its chosen answer; {_ASKS}", _HINT)
    if isinstance(said, str) and asked == "instruction":
        return {**fields, "output": said}
    if asked is not None and (isinstance(said, str) or _role(said[0], row) == "assistant"):
        return {**_without(fields, asked), "prompt": fields[asked], "completion": said}
    messages = list(said)
    if asked is not None and not _holds(messages, fields[asked]):
        shown = quote(fields[asked]) if isinstance(fields[asked], str) else kind(fields[asked])
        message = f"the chosen messages do not hold the row's {asked}, {shown}"
        raise RowError("preference-row", message, "Leave one of the two out.")
    return _divided(fields if asked is None else _without(fields, asked), messages, row)


def _divided(fields: dict[str, Any], messages: list[Any], row: InputRow) -> dict[str, Any]:
    """Return the fields of a row with the messages behind the last question as completion, the others as prompt."""
    last = max((index for index, each in enumerate(messages) if _role(each, row) == "user"), default=-1)
    return {**fields, "prompt": messages[: last + 1], "completion": messages[last + 1 :]}


def _without(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != key}


def _parsed(text: str) -> Any:
    """Return the message or the messages that a text is the JSON of, the text where it is none."""
    try:
        value = unwrapped(text)
    except RowError:
        return text
    listed = value if isinstance(value, list) else [value]
    are_messages = all(isinstance(each, dict) and each.keys() & {"role", "from"} for each in listed)
    return value if listed and are_messages else text


def _role(message: object, row: InputRow) -> str | None:
    """Return the role of a message as the data has it, None where it has none that is known."""
    role = row.names.message(message).get("role") if isinstance(message, dict) else None
    return row.names.roles.get(role) or usual_role(role) if isinstance(role, str) else None


def _holds(messages: list[Any], asked: object) -> bool:
    """Tell whether messages hold a question, which is a text or messages of its own."""
    if isinstance(asked, list):
        return messages[: len(asked)] == asked
    texts = [each.get("content", each.get("value")) for each in messages if isinstance(each, dict)]
    return any(isinstance(text, str) and str(asked).strip() in text for text in texts)


_ASKS = f"it may stand under {', '.join((*LISTS[:2], *_QUESTIONS[:4]))}"
_HINT = "see Input formats in the documentation (docs/pages/formats.md) for what a preference row may look like"
