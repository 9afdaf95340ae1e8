# ruff: noqa: E501 - templates on one line
"""What a template may do with a value of a row and is replayed: each use gives the text and the origins that it has."""

from __future__ import annotations

import pytest
from law.comparing import NOW
from law.replays import outcome, programs, shown
from law.shapes import TOOLS, assistant, call, system, tool, user

from maskprep.conversation import Conversation, Message
from maskprep.template.chat_template import ChatTemplate

OF_TEXTS = [
    *("{{ m.content }}", "{{ m['content'] }}", "{{ m.get('content') }}", "{{ m.get('nothing', '-') }}"),
    *("{{ m.content|trim }}", "{{ m.content.strip() }}", "{{ m.content.lstrip('\\n') }}", "{{ m.content.rstrip() }}"),
    *(
        "{{ m.content.split('</think>')[-1] }}",
        "{{ m.content.split()|join(' ') }}",
        "{{ m.content.splitlines()|length }}",
    ),
    *("{{ m.content.split('n')|tojson }}", "{{ m.content.split('n') }}", "{{ m.content.partition('n')[0] }}"),
    *(
        "{{ m.content[1:3] }}",
        "{{ m.content[-2] }}",
        "{{ m.content[::-1] }}",
        "{{ m.content[::2] }}",
        "{{ m.content|reverse }}",
    ),
    *("{{ m.content|upper }}", "{{ m.content.title() }}", "{{ m.content|title }}", "{{ m.content|capitalize }}"),
    *(
        "{{ m.content.swapcase() }}",
        "{{ m.content.center(40) }}",
        "{{ m.content.zfill(30) }}",
        "{{ m.content|indent(2) }}",
    ),
    *("{{ m.content.replace('n', '') }}", "{{ m.content|replace('n', 'NN') }}", "{{ m.content.replace('n', 'N', 1) }}"),
    *(
        "{{ m.content|length }}",
        "{{ m.content|string }}",
        "{{ m.content|default('-') }}",
        "{{ m.content|e }}",
        "{{ m.content|safe }}",
    ),
    *(
        "{{ m.content|tojson }}",
        "{{ m.content|tojson(ensure_ascii=true) }}",
        "{{ m.content|first }}",
        "{{ m.content|last }}",
    ),
    *("{{ '%s: %s' % (m.role, m.content) }}", "{{ '%s'|format(m.content) }}", "{{ '%(a)s%%' % {'a': m.content} }}"),
    *("{{ '{}: {a}'.format(m.role, a=m.content) }}", "{{ '{0}{0}'.format(m.content) }}"),
    *("{{ ('<' ~ m.content ~ '>').strip('<') }}", "{{ ('a' + m.content)|upper }}", "{{ ('a' + m.content)|title }}"),
    *("{{ ('a' + m.content)|tojson }}", "{{ (m.role + m.content)[2:6] }}", "{{ ('a' + m.content).split('n')|tojson }}"),
    *(
        "{{ 'yes' if ('a' ~ m.content).startswith('aW') }}",
        "{{ 'yes' if m.content|length > 12 }}",
        "{{ m.content|int }}",
    ),
    *(
        "{{ 'yes' if 'n' in m.content }}",
        "{{ 'yes' if m.content in 'Oslo.' }}",
        "{{ 'yes' if m.content in ['Oslo.', 'x'] }}",
    ),
    *(
        "{{ 'yes' if m.content is string and m.content is not mapping }}",
        "{{ 'yes' if m.content == 'Oslo.' else m.content }}",
    ),
    *("{{ {'user': 'U', 'assistant': m.content}[m.role] }}", "{{ {'Oslo.': 1}.get(m.content, '-') }}"),
    *("{{ [m.content, 'x']|join(', ') }}", "{{ ', '.join([m.role, m.content]) }}", "{{ [m.content, m.role]|tojson }}"),
    *(
        "{{ {'a': m.content, 'b': [m.role, none]}|tojson }}",
        "{{ {'a': m.content}|tojson(indent=2) }}",
        "{{ {'a': m.content} }}",
    ),
    *("{{ [m.content]|length }}", "{{ ([m.content] + ['x'])|join('-') }}", "{{ (['x'] + [m])|tojson }}"),
    *("{% for c in m.content %}{{ c }}.{% endfor %}", "{% for c in m.content[:3] %}{{ loop.last }}{{ c }}{% endfor %}"),
    *(
        "{% for x in [m.content, m.role] %}{{ loop.index }}{{ x }}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }}{% endfor %}",
    ),
    *(
        "{% set x %}{{ m.content }}{% endset %}{{ x }}{{ x|length }}",
        "{% filter upper %}{{ m.content }}{% endfilter %}",
    ),
    *("{{ '<b>'|safe + m.content }}", "{{ m.content + '<b>'|safe }}", "{{ (m.content|safe + '<')|length if false }}"),
    *(
        "{{ m }}",
        "{{ m|tojson }}",
        "{% for k in m %}{{ k }}{% endfor %}",
        "{{ m|length }}",
        "{{ m.keys()|list|join(',') }}",
    ),
]
OF_LISTS = [
    *(
        "{{ messages|length }}",
        "{{ messages[-1].content }}",
        "{{ messages[1:]|length }}",
        "{{ (messages|first).role }}",
    ),
    "{{ messages|map(attribute='content')|list|length }}",
    "{{ messages|selectattr('role', 'equalto', 'user')|list|length }}",
    "{{ messages|rejectattr('role', 'in', ['user', 'tool'])|map(attribute='role')|join(',') if false }}",
    "{{ (messages|selectattr('role', 'equalto', 'user')|first).content }}",
    "{{ 'yes' if messages|selectattr('role', 'equalto', 'nobody') }}",
    "{% for x in messages|selectattr('tool_calls', 'defined') %}{{ x.content }}{{ loop.index }}{% endfor %}",
    "{% for x in messages if x.role == 'user' %}{{ loop.index }}/{{ loop.length }}{{ x.content }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for x in messages if x.role == 'user' %}{{ x.content }}{% endfor %}",
    "{% for x in messages|reverse %}{{ x.content }}{{ loop.revindex }}{% endfor %}",
    "{% for x in messages %}{{ loop.previtem.role if not loop.first }}{{ loop.nextitem.content if not loop.last }}{% endfor %}",
    "{% for x in messages %}{% if x.role == 'tool' %}{% break %}{% endif %}{% if loop.first %}{% continue %}{% endif %}{{ x.content }}{% endfor %}",
    "{% for x in messages %}{% for y in [1, 2, 3] %}{{ loop.last }}{% if y == 2 %}{% break %}{% endif %}{% endfor %}{% if loop.index == 2 %}{% break %}{% endif %}{{ x.role }}{% endfor %}",
    "{% for x in messages[5:] %}{{ x.content }}{% else %}none{% endfor %}",
    "{% for i in range(0, messages|length, 2) %}{{ messages[i].content }}{% endfor %}",
    "{% for x in [{'role': 'system', 'content': 'S'}] + messages %}{{ x.role }}{{ x.content|tojson }}{% endfor %}",
    "{% set ns = namespace(all=[]) %}{% for x in messages %}{% set ns.all = ns.all + [x.content] %}{% endfor %}{{ ns.all|join('; ') }}{{ ns.all[-1] }}",
    "{% set ns = namespace(all=[]) %}{% for x in messages %}{% set ns.all = ns.all + [x] %}{% endfor %}{% for x in ns.all %}{{ x.role }}{{ x.content }}{{ x.tool_calls|tojson if x.tool_calls }}{% endfor %}",
    "{% set ns = namespace(t='', m=none, u=undefined_thing) %}{% for x in messages %}{{ ns.u }}{% set ns.t = ns.t ~ x.content %}{% set ns.m = x %}{% endfor %}{{ ns.t|trim }}{{ ns.m.content }}",
    "{% set ns = namespace(c=none) %}{% for x in messages %}{% if x.tool_calls %}{% set ns.c = x.tool_calls %}{% endif %}{% endfor %}{{ ns.c|tojson if ns.c }}",
    "{% macro f(x, y='d') %}[{{ x }}{{ y }}{{ caller() if caller }}]{% endmacro %}{% for x in messages %}{{ f(x.content) }}{% call f(x.role, y='e') %}{{ x.content }}{% endcall %}{% endfor %}",
    "{% macro f() %}{% for x in messages %}{{ x.content }}{% endfor %}{% endmacro %}{{ f() }}{{ f()|upper }}{% set a = f() %}{% if 'Oslo' in a %}{{ a.split('O')[0] }}{% endif %}",
]
OF_NAMESPACES = [
    "{% set ns = namespace() %}{% for m in messages %}{{ ns.t }}{% if m.role == 'user' %}{% set ns.t = m.content %}{% endif %}{% endfor %}{{ ns.t }}{{ ns.x }}",
    "{% for m in messages %}{% set ns = namespace() %}{% for c in m.tool_calls or [] %}{% set ns.c = c %}{% endfor %}{{ ns.c.id if ns.c }};{% endfor %}",
    "{% for m in messages %}{{ [m.content|length, loop.index * 5]|min }}{{ [m.content|length, 3]|max }};{% endfor %}",
    "{% macro last() %}{% for m in messages %}{{ loop.index if loop.last }}{% endfor %}{% endmacro %}{% set n = last()|int %}{{ n }}{{ 'yes' if n > 2 }}",
]
OF_CALLS = [
    *(
        "{{ c|tojson }}",
        "{{ c.id }}",
        "{{ c.function.name }}",
        "{{ c.function|tojson }}",
        "{{ c.function.arguments|tojson }}",
    ),
    *(
        "{{ c }}",
        "{{ m.tool_calls }}",
        "{{ m.tool_calls|tojson }}",
        "{{ m.tool_calls[1:]|tojson }}",
        "{{ (m.tool_calls|first).id }}",
    ),
    *(
        "{{ m.tool_calls|list|tojson }}",
        "{{ m.tool_calls|map(attribute='function')|list|tojson(indent=2) }}",
        "{{ m.tool_calls|length }}",
    ),
    "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v if v is string else v|tojson }}{% endfor %}",
    "{% for k, v in c.function.arguments|items %}{{ k }}={{ v }}{% endfor %}",
    "{% for k, v in c.function.arguments|dictsort %}{{ k }}={{ v }}{{ loop.last }}{% endfor %}",
    "{% for k in c.function.arguments %}{{ k }}{{ c.function.arguments[k] }}{% endfor %}",
    "{{ c.function.arguments.keys()|list|join(',') }}{{ c.function.arguments.values()|list|length }}",
    "{{ 'yes' if c.function.arguments.items() }}{{ 'yes' if 'city' in c.function.arguments }}{{ c.function.arguments|length }}",
    "{% if c.function is defined %}{% set c = c.function %}{% endif %}{{ c.name }}",
]
OF_TOOLS = [
    *("{{ tools|tojson }}", "{{ tools|tojson(indent=4) }}", "{{ tools|tojson(separators=(',', ':')) }}", "{{ tools }}"),
    *(
        "{% for t in tools or [] %}{{ t|tojson }}{% endfor %}",
        "{{ tools|list|tojson }}",
        "{{ tools[:1]|tojson }}",
        "{{ tools[0]|tojson if tools }}",
    ),
    "{% for t in tools or [] %}{% for k, v in t.function.parameters.properties|dictsort %}{{ k }}{{ v.type|upper }}{{ v.enum|default([])|join('|') }}{% endfor %}{% endfor %}",
    "{{ tools|map(attribute='function')|map('tojson')|join(', ') if tools }}",
    "{{ tools|map(attribute='type')|unique|list|join if tools }}",
]
TEMPLATES = {
    **{use: "{% for m in messages %}" + use + ";{% endfor %}" for use in OF_TEXTS},
    **{use: use for use in (*OF_LISTS, *OF_NAMESPACES, *OF_TOOLS)},
    **{
        use: "{% for m in messages %}{% for c in m.tool_calls or [] %}" + use + ";{% endfor %}{% endfor %}"
        for use in OF_CALLS
    },
}
SLOW = {
    "{% for x in [m.content, m.role] %}{{ loop.index }}{{ x }}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }}{% endfor %}": "",
}


def rows():
    for number, text in enumerate(
        ("Oslo.", " a\n\nb ", "When, and <how>?", "", "é世 \U0001f600n", "<think>x</think>7", "12")
    ):
        said = [user(f"Where{text}"), assistant(text, reasoning_content="Hm.")]
        calls = [call(), call("f", {"b": text, "A": [1, None, {"x": text}], "n": number}, f"id{number}")]
        asked = [user(text), assistant(f"{text}!", tool_calls=calls[: 1 + number % 2]), tool(text), assistant("Done.")]
        for messages in (said, [system(text), *said], [*said, *asked], asked):
            yield Conversation(tuple(map(Message, messages)), TOOLS[: number % 3] or None)


@pytest.mark.parametrize("use", TEMPLATES)
def test_it_is_replayed_as_it_is_rendered(use):
    template = ChatTemplate(TEMPLATES[use], {}, NOW)
    for _ in range(2):
        for row in rows():
            size = len(row.messages)
            again = shown(outcome(template.tracked_apart, row, size, False))
            assert shown(outcome(template.tracked, row, size, False)) == again
            template.forget()
    [program] = programs(template)
    before = program.replayed
    refused = 0
    for row in rows():
        refused += isinstance(outcome(template.tracked, row, len(row.messages), False), str)
    if use not in SLOW:
        assert program.replayed - before == len(list(rows())) - refused > 0, (program.note, program.why)


NOT_LEARNT = [
    "{{ m.content|wordcount }}",
    "{{ [m.content, 'x']|sort|first }}",
    "{{ m.content.encode('utf-8') }}",
    "{{ m.content|random }}",
    "{{ m.items() }}",
    "{{ '%5s' % m.content }}",
    "{{ '{:>5}'.format(m.content) }}",
    "{% set s = messages|map(attribute='content') %}{{ s|first }}{{ s|first }}",
    "{{ m.content.__class__ }}",
    "{{ m.content|attr('upper') }}",
]


@pytest.mark.parametrize("use", NOT_LEARNT)
def test_whatever_is_not_written_down_goes_the_slow_way(use):
    template = ChatTemplate("{% for m in messages %}" + use + ";{% endfor %}", {}, NOW)
    for _ in range(3):
        for row in rows():
            if "random" not in use:
                again = shown(outcome(template.tracked_apart, row, len(row.messages), False))
                assert shown(outcome(template.tracked, row, len(row.messages), False)) == again
            template.forget()
    assert all(program.replayed == 0 or program.slow for program in programs(template))
