# ruff: noqa: E501 - a template is easier to read on fewer lines
"""Templates of our own that refuse conversations as published ones do, and rows that they refuse."""

from __future__ import annotations

from law.shapes import TOOLS, assistant, call, system, tool, user
from law.templates import CALLS, HEAD, SAY, TAIL, THINK, chatml

LONG_ID = "call_abc12345678901234567890"


def refusing(when, words, answer=HEAD + SAY + CALLS + TAIL):
    """Return a template that raises where ``when`` holds of a message."""
    return chatml(
        answer,
        before=f"{{% for m in messages %}}{{% if {when} %}}{{{{ raise_exception('{words}') }}}}{{% endif %}}{{% endfor %}}",
    )


TURNS = "m.role in ['user', 'assistant']"
TEMPLATES = {
    "ids": refusing(
        "(m.role == 'tool' and m.tool_call_id|length != 9) or (m.tool_calls and (m.tool_calls|selectattr('id')|list|length == 0 or m.tool_calls[0].id|length != 9))",
        "Tool call IDs must be nine characters",
    ),
    "alternate": refusing(
        "(m.role == 'user') != ((loop.index0 if messages[0].role != 'system' else loop.index0 - 1) % 2 == 0) and not (loop.first and m.role == 'system')",
        "Conversation roles must alternate user/assistant",
    ),
    "one_system": refusing("m.role == 'system' and not loop.first", "System message must be at the beginning"),
    "no_system": refusing("m.role == 'system'", "System role not supported"),
    "no_tool": refusing("m.role not in ['system', 'user', 'assistant']", "Only user and assistant roles are supported"),
    "user_first": refusing(
        "m.role == 'assistant' and (loop.first or loop.previtem.role == 'system')",
        "Conversation must start with a user prompt",
    ),
    "reads_text": chatml(
        HEAD
        + SAY
        + "{% for c in m.tool_calls or [] %}{% if c.function.arguments is string %}{{ c.function.name ~ c.function.arguments }}{% endif %}{% endfor %}"
        + TAIL
    ),
    "adds_text": chatml(
        HEAD + SAY + "{% for c in m.tool_calls or [] %}{{ c.function.name + c.function.arguments }}{% endfor %}" + TAIL
    ),
    "walks": chatml(
        HEAD
        + SAY
        + "{% for c in m.tool_calls or [] %}{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}{% endfor %}"
        + TAIL
    ),
    "closes_thoughts": chatml(
        HEAD + THINK + SAY + TAIL,
        ask=HEAD
        + "{% if enable_thinking is defined and enable_thinking %}<think>\n{% else %}<think>\n\n</think>\n\n{% endif %}",
    ),
    "opens_thoughts": chatml(
        HEAD + THINK + SAY + TAIL,
        ask=HEAD + "{% if enable_thinking is not defined or enable_thinking %}<think>\n{% endif %}",
    ),
    "always_closes": chatml(HEAD + THINK + SAY + TAIL, ask=HEAD + "<think>\n\n</think>\n\n"),
    "refuses_all": refusing("true", "Not today"),
}


def called(id_=LONG_ID, text="", **arguments):
    asked = call(arguments=arguments or {"city": "Oslo"}, call_id=id_)
    return assistant(text, tool_calls=[asked])


def row(*messages, tools=False):
    return {"messages": list(messages), **({"tools": TOOLS} if tools else {})}


ASKED = (user("Hi"), assistant("Hello."))
REFUSALS = {
    "ids of nine characters": (
        "ids",
        row(user("Go"), called(), tool(tool_call_id=LONG_ID), assistant("Done."), tools=True),
        "adapt.tool_call_ids=short",
    ),
    "an id where there is none": (
        "ids",
        row(
            user("Go"),
            assistant("", tool_calls=[{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]),
            {"role": "tool", "content": "1"},
            assistant("Done."),
        ),
        "adapt.tool_call_ids=short",
    ),
    "roles that alternate, two users": (
        "alternate",
        row(user("Hi"), user("There?"), assistant("Yes.")),
        "adapt.same_role=join",
    ),
    "roles that alternate, a late system": (
        "alternate",
        row(system("A."), *ASKED, system("B."), *ASKED),
        "adapt.system=merge",
    ),
    "roles that alternate, a greeting": ("alternate", row(assistant("Welcome!"), *ASKED), "adapt.first_assistant=drop"),
    "one system message": ("one_system", row(system("A."), *ASKED, system("B."), *ASKED), "adapt.system=merge"),
    "a system message that comes late": ("one_system", row(*ASKED, system("B."), *ASKED), "adapt.system=merge"),
    "no system message": ("no_system", row(system("A."), *ASKED), "adapt.system=user_all"),
    "no tool role": (
        "no_tool",
        row(user("Go"), called(text="I look."), tool(), assistant("Done.")),
        "adapt.tool_results=user",
    ),
    "no tool role, and roles that alternate": (
        "alternate",
        row(user("Go"), assistant("I look."), tool("1"), tool("2"), assistant("Done.")),
        "adapt.same_role=join adapt.tool_results=user",
    ),
    "a user first": ("user_first", row(assistant("Welcome!"), *ASKED), "adapt.first_assistant=drop"),
    "a user first, behind the system": (
        "user_first",
        row(system("A."), assistant("Welcome!"), *ASKED),
        "adapt.system=user_all",
    ),
    "arguments read as text alone": ("reads_text", row(user("Go"), called("call00001")), "adapt.arguments=text"),
    "a thought that the prompt closes": (
        "closes_thoughts",
        row(user("Hi"), assistant("Hello.", reasoning_content="Greet.")),
        "template_kwargs.enable_thinking=true",
    ),
    "a thought that the prompt opens": ("opens_thoughts", row(*ASKED), "template_kwargs.enable_thinking=false"),
}
"""By what is refused: a template, a row, and the settings that are advised first."""
