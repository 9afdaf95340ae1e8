"""Each beginning of a conversation as it is replayed, against the same rendered by the template itself."""

from __future__ import annotations

from collections import Counter

from law.shapes import assistant, call, system, tool, user
from maskprep.errors import RowError

_TALK = [
    message
    for number in range(6)
    for message in (user(f"Question {number}?"), assistant(f"Answer number {number}, at some length."))
]
LONG = {
    "talk": {"messages": [system("Be brief."), *_TALK]},
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


def programs(template):
    """Return what was learnt of a template, under whatever variables."""
    return list(template._programs.values())


def compare_beginnings(template, conversation):
    """Return counts of the renderings by how they came about, and those that differ from the slow way."""
    messages = conversation.messages
    counts, wrong = Counter(), []
    for upto in range(len(messages), 0, -1):
        for asked in (False, True):
            before = sum(program.replayed for program in programs(template))
            found = outcome(template.tracked, conversation, upto, asked)
            replayed = sum(program.replayed for program in programs(template)) > before
            again = outcome(template.tracked_apart, conversation, upto, asked)
            plain = outcome(template.plain, conversation, upto, asked)
            counts["renderings"] += not isinstance(again, str)
            counts["replayed"] += replayed
            if shown(found) != shown(again) or (not isinstance(found, str) and found.text != plain):
                wrong.append((upto, asked, shown(found), shown(again), plain))
    return counts, wrong


def compare_in_order(template, conversations):
    """Return what ``compare_beginnings`` does, of one conversation after the other."""
    counts, wrong = Counter(), []
    for conversation in conversations:
        counted, different = compare_beginnings(template, conversation)
        counts.update(counted)
        wrong += different
    wrong += [program.note for program in programs(template) if "contradicts" in program.note]
    return counts, wrong


def outcome(render, conversation, upto, asked):
    """Return a rendering, or the code of the refusal."""
    try:
        return render(conversation, upto, generation_prompt=asked)
    except RowError as error:
        return error.code


def shown(found):
    """Return what is to be equal of two renderings."""
    return found if isinstance(found, str) else (found.text, found.runs)
