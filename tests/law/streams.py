"""Each beginning of a conversation, taken over from the whole as far as that goes, against the same rendered again."""

from __future__ import annotations

from collections import Counter

from law.shapes import assistant, call, tool, user
from maskprep.errors import RowError
from maskprep.template.chat_template import _FEW
from maskprep.template.rendered import Beginning

_TALK = [
    message
    for number in range(6)
    for message in (user(f"Question {number}?"), assistant(f"Answer number {number}, at some length."))
]
LONG = {
    "talk": {"messages": [{"role": "system", "content": "Be brief."}, *_TALK]},
    "calls": {
        "messages": [
            user("Look it up."),
            *(
                message
                for number in range(5)
                for message in (
                    assistant("", tool_calls=[call()]),
                    tool(f"Result {number}"),
                    assistant(f"It is {number}."),
                    user("And now?"),
                )
            ),
            assistant("Done."),
        ]
    },
    "thoughts": {
        "messages": [
            message
            for number in range(5)
            for message in (
                user(f"Question {number}?"),
                assistant(f"Answer {number}.", reasoning_content=f"Let me think {number}."),
            )
        ]
    },
}


def compare_beginnings(template, conversation):
    """Return counts of the renderings by how they came about, and those that differ from the slow way."""
    messages = conversation.messages
    counts, wrong = Counter(), []
    try:
        template.tracked(conversation, len(messages), generation_prompt=False)
    except RowError:
        return counts, wrong
    taken = set()
    for upto in range(1, len(messages) + 1):
        for asked in (False, True):
            before = template.written(conversation)
            found = _outcome(template.tracked, conversation, upto, asked)
            whole = upto == len(messages) and not asked
            if not isinstance(found, str) and (whole or template.written(conversation) - before < len(found)):
                taken.add((upto, asked))
            counts["renderings"] += not whole
            counts["renderings taken over"] += (upto, asked) in taken and not whole
            counts["beginnings of the whole"] += isinstance(found, Beginning)
            plain = _outcome(template.plain, conversation, upto, asked)
            again = _outcome(template.tracked_apart, conversation, upto, asked)
            if _shown(found) != _shown(again) or (not isinstance(found, str) and found.text != plain):
                wrong.append((upto, asked, _shown(found), _shown(again), plain))
    for number, message in enumerate(messages):
        if message.role == "assistant" and number > _FEW:  # before that there is little to be taken over
            counts["turns"] += 1
            counts["turns taken over"] += {(number, True), (number + 1, False)} <= taken
    return counts, wrong


def _outcome(render, conversation, upto, asked):
    try:
        return render(conversation, upto, generation_prompt=asked)
    except RowError as error:
        return error.code


def _shown(found):
    return found if isinstance(found, str) else (found.text, found.runs)
