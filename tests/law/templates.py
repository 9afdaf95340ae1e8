# ruff: noqa: E501 - a template is easier to read on fewer lines
"""Chat templates of our own writing, each with one or more of the ways in which published ones surprise.

``LAWS`` maps a name to the template, the token that ends a turn, and further stop tokens. ``LOSSY`` are those that mix
characters so that their origin is lost.
"""

from __future__ import annotations

from typing import NamedTuple

SPECIAL = (
    *("<s>", "</s>", "<bos>", "<eos>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|end|>"),
    *("<|return|>", "<|call|>", "<|channel|>", "<|message|>", "<|user|>", "<|assistant|>", "<|system|>"),
    *("<|observation|>", "<|eot|>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<|turn|>", "<turn|>"),
)
ADDED = ("<think>", "</think>", "<tool_call>", "</tool_call>")


class Law(NamedTuple):
    text: str
    eos: str = "<|im_end|>"
    stops: tuple[str, ...] = ()


def chatml(
    answer, ask="<|im_start|>assistant\n", rest="<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n", before=""
):
    """Return a loop over the messages; mind that Jinja drops a line break behind a block."""
    return (
        f"{before}{{% for m in messages %}}{{% if m.role == 'assistant' %}}{answer}{{% else %}}{rest}{{% endif %}}"
        f"{{% endfor %}}{{% if add_generation_prompt %}}{ask}{{% endif %}}"
    )


HEAD, TAIL = "<|im_start|>assistant\n", "<|im_end|>\n"
SAY = "{{ m.content }}"
CALLS = "{% for c in m.tool_calls or [] %}<tool_call>\n{{ (c.function or c)|tojson }}\n</tool_call>{% endfor %}"
THINK = "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}"
TOOLS = (
    "{% if tools %}<|im_start|>system\nTools:{% for t in tools %}\n{{ t|tojson }}{% endfor %}<|im_end|>\n{% endif %}"
)

LAWS = {
    # Nothing surprising, but for white space behind the stop token
    "chatml": Law(chatml(HEAD + SAY + TAIL)),
    "chatml_calls": Law(chatml(HEAD + THINK + SAY + CALLS + TAIL, before=TOOLS)),
    "generation_markers": Law(
        chatml(HEAD + "{% generation %}" + SAY + CALLS + "<|im_end|>{% endgeneration %}{{ '\\n' }}", before=TOOLS)
    ),
    "stop_only": Law(chatml(HEAD + SAY + "<|im_end|>")),
    "blank_behind_stop": Law(chatml(HEAD + SAY + "<|im_end|> \n\n")),
    # What stands between the generation prompt and the content
    "header_goes_on": Law(chatml("<|im_start|>assistant\n<|channel|>final<|message|>" + SAY + TAIL)),
    "blank_before_content": Law(chatml(HEAD + " " + SAY + TAIL)),
    "writes_closed_thought": Law(chatml(HEAD + "<think>\n{{ m.reasoning_content }}\n</think>\n\n" + SAY + TAIL)),
    "role_only_prompt": Law(chatml(HEAD + SAY + TAIL, ask="<|im_start|>assistant")),
    "role_is_sampled": Law(chatml(HEAD + SAY + TAIL, ask="<|im_start|>")),
    # History is rewritten
    "drops_old_thoughts": Law(
        "{% set ns = namespace(last=-1) %}"
        "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        + chatml(
            HEAD
            + "{% if loop.index0 > ns.last and m.reasoning_content %}"
            + THINK
            + "{% endif %}"
            + SAY
            + CALLS
            + TAIL,
            before=TOOLS,
        )
    ),
    "empty_thought_last": Law(
        chatml(
            HEAD
            + "{% if loop.last %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content|trim }}"
            + CALLS
            + TAIL,
        )
    ),
    "other_end_last": Law(
        chatml(
            "<|start|>assistant"
            "{% if m.thinking and loop.last %}<|channel|>analysis<|message|>{{ m.thinking }}<|end|><|start|>assistant{% endif %}"
            "<|channel|>final<|message|>{{ m.content }}{% if loop.last and not add_generation_prompt %}<|return|>"
            "{% else %}<|end|>{% endif %}",
            ask="<|start|>assistant",
            rest="<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>",
        ),
        eos="<|return|>",
        stops=("<|call|>",),
    ),
    "trims_last_only": Law(chatml(HEAD + "{{ m.content.strip() if loop.last else m.content }}" + TAIL)),
    "answers_behind_results": Law(
        "{% for m in messages %}{% if m.role == 'tool' %}{% elif m.role == 'assistant' %}<|im_start|>assistant\n"
        + CALLS
        + "{% if m.tool_calls %}{% for r in messages[loop.index:] if r.role == 'tool' %}[{{ r.content }}]{% endfor %}{% endif %}"
        "{{ m.content }}<|im_end|>\n{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "results_name_the_call": Law(
        "{% set ns = namespace(last=-1) %}"
        "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        + chatml(
            HEAD
            + "{% if loop.index0 > ns.last %}<think>{{ m.reasoning_content }}</think>{% endif %}"
            + SAY
            + CALLS
            + TAIL,
            rest="<|im_start|>{{ m.role }}{% if m.role == 'tool' %}{% for q in messages[:loop.index0] if q.tool_calls %}"
            "{% if loop.last %} of {{ q.tool_calls[0].function.name }}{% endif %}{% endfor %}{% endif %}{{ '\\n' }}"
            "{{ m.content }}<|im_end|>\n",
        )
    ),
    "rewrites_what_never_ends": Law(
        chatml(
            "ASSISTANT: {% if loop.last %}(thinking) {% endif %}{{ m.content }}"
            "{% for c in m.tool_calls or [] %}<call>{{ c.function|tojson }}</call>{% endfor %}\n",
            ask="ASSISTANT: ",
            rest="{{ m.role|upper }}: {{ m.content }}\n",
        ),
        eos="</s>",
    ),
    "first_turn_differs": Law(
        chatml(HEAD + "{% if loop.length > 2 and loop.index0 < 2 %}(long ago) {% endif %}" + SAY + TAIL)
    ),
    "counts_messages": Law(chatml(HEAD + SAY + TAIL, before="<|im_start|>{{ messages|length }} messages\n")),
    "tools_before_last_user": Law(
        "{% set ns = namespace(last=-1) %}"
        "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        + chatml(
            HEAD + SAY + CALLS + TAIL,
            rest="{% if loop.index0 == ns.last and tools %}<|im_start|>tools\n{{ tools|tojson }}<|im_end|>\n{% endif %}"
            "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n",
        )
    ),
    # How turns end
    "end_of_turn_is_not_eos": Law(
        "{{ bos_token }}"
        + chatml(
            "<start_of_turn>model\n{{ m.content|trim }}<end_of_turn>\n",
            ask="<start_of_turn>model\n",
            rest="<start_of_turn>{{ m.role }}\n{{ m.content|trim }}<end_of_turn>\n",
        ),
        eos="<eos>",
    ),
    "end_of_turn_is_configured": Law(
        chatml(
            "<start_of_turn>model\n{{ m.content }}<end_of_turn>\n<bos>",
            ask="<start_of_turn>model\n",
            rest="<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n",
        ),
        eos="<eos>",
        stops=("<end_of_turn>",),
    ),
    "next_role_ends": Law(
        "[gMASK]"
        + chatml(
            "<|assistant|>\n" + SAY + CALLS,
            ask="<|assistant|>\n",
            rest="{% if m.role == 'tool' %}<|observation|>{% else %}<|{{ m.role }}|>{% endif %}\n{{ m.content }}",
        ),
        eos="<|endoftext|>",
        stops=("<|user|>", "<|observation|>"),
    ),
    "next_role_ends_thoughts": Law(
        "{% set ns = namespace(last=-1) %}"
        "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        + chatml(
            "<|assistant|>\n<think>{% if loop.index0 > ns.last %}{{ m.reasoning_content }}{% endif %}</think>\n"
            "{{ m.content|trim }}" + CALLS,
            ask="<|assistant|>\n",
            rest="{% if m.role == 'tool' %}<|observation|>{% else %}<|{{ m.role }}|>{% endif %}\n{{ m.content }}",
        ),
        eos="<|endoftext|>",
        stops=("<|user|>", "<|observation|>"),
    ),
    "never_ends": Law(
        chatml("\nAssistant: {{ m.content }}", ask="\nAssistant: ", rest="\n{{ m.role|title }}: {{ m.content }}"),
        eos="</s>",
    ),
    "last_never_ends": Law(
        chatml(
            "<|assistant|>" + SAY + "{% if not loop.last %}</s>{% endif %}",
            ask="<|assistant|>",
            rest="<|{{ m.role }}|>{{ m.content }}",
        ),
        eos="</s>",
    ),
    "plain_markers": Law(
        chatml(
            "### Assistant:\n{{ m.content }}\n\n",
            "### Assistant:\n",
            "### {{ m.role|capitalize }}:\n{{ m.content }}\n\n",
        ),
        eos="</s>",
    ),
    "plain_markers_eos": Law(
        chatml("### Assistant:\n" + SAY + "</s>\n", "### Assistant:\n", "### {{ m.role|upper }}:\n{{ m.content }}\n"),
        eos="</s>",
    ),
    "border_inside_token": Law(chatml("\nA:" + SAY + "</s>", ask="\nA:", rest="\nQ:{{ m.content }}"), eos="</s>"),
    # Content is changed or dropped
    "trims": Law(
        chatml(
            HEAD + "{{ m.content.strip() }}" + CALLS + TAIL,
            rest="<|im_start|>{{ m.role }}\n{{ m.content|trim }}<|im_end|>\n",
        )
    ),
    "drops_content_beside_calls": Law(
        chatml(HEAD + "{% if m.tool_calls %}" + CALLS + "{% else %}" + SAY + "{% endif %}" + TAIL)
    ),
    "drops_calls": Law(chatml(HEAD + THINK + SAY + TAIL)),
    "drops_assistant": Law(chatml(HEAD + "(silence)" + TAIL)),
    "cuts_content": Law(chatml(HEAD + "{{ m.content[:12] }}" + TAIL)),
    "slices_content": Law(chatml(HEAD + "{{ m.content[1:] }}{{ m.content[::2] }}" + TAIL)),
    "splits_thoughts": Law(
        chatml(
            HEAD
            + "{% set c = m.content %}{% if '</think>' in c %}{% set r = c.split('</think>')[0].split('<think>')[-1].strip() %}"
            "{% set c = c.split('</think>')[-1].lstrip('\\n') %}<think>\n{{ r }}\n</think>\n\n{% endif %}{{ c }}" + TAIL
        )
    ),
    # The prompt does not fit
    "prompt_opens_thought": Law(chatml(HEAD + THINK + SAY + TAIL, ask=HEAD + "<think>\n")),
    "prompt_closes_thought": Law(chatml(HEAD + THINK + SAY + TAIL, ask=HEAD + "<think>\n\n</think>\n\n")),
    "prompt_closes_thought_if_told": Law(
        chatml(
            HEAD + THINK + SAY + TAIL,
            ask=HEAD + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}",
        )
    ),
    "no_generation_prompt": Law(chatml(HEAD + SAY + TAIL, ask="")),
    "always_asks": Law(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    ),
    "prompt_has_more_blanks": Law(chatml(HEAD + SAY + CALLS + TAIL, ask=HEAD + "\n")),
    "header_has_more_blanks": Law(chatml(HEAD + "\n" + THINK + SAY + TAIL, ask=HEAD + "{{ ' ' }}")),
    "last_result_ends_otherwise": Law(
        chatml(
            HEAD + SAY + CALLS + TAIL,
            rest="<|im_start|>{{ m.role }}\n{% if m.role == 'tool' %}[{{ m.content }}]"
            "{% if not loop.last %}{{ '\n' }}{% endif %}{% else %}{{ m.content }}{% endif %}<|im_end|>\n",
        )
    ),
    # What is read in one form only
    "loops_over_parts": Law(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for p in m.content %}{{ p.text }}{% endfor %}"
        + CALLS
        + TAIL
        + "{% endfor %}{% if add_generation_prompt %}"
        + HEAD
        + "{% endif %}"
    ),
    "takes_the_first_part": Law(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content[0]['text'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "reads_reasoning": Law(
        chatml(HEAD + "{% if m.reasoning %}<think>\n{{ m.reasoning }}\n</think>\n\n{% endif %}" + SAY + CALLS + TAIL)
    ),
    # Where messages go
    "needs_a_user": Law(
        "{% if not messages|selectattr('role', 'equalto', 'user')|list %}{{ raise_exception('no user query found') }}"
        "{% endif %}" + chatml(HEAD + SAY + CALLS + TAIL)
    ),
    "system_in_first_user": Law(
        "{{ bos_token }}{% set system = messages[0].content ~ '\\n\\n' if messages[0].role == 'system' else '' %}"
        "{% set rest = messages[1:] if system else messages %}"
        "{% for m in rest %}{% if m.role == 'assistant' %} {{ m.content|trim }}</s>"
        "{% else %}[INST] {{ (system if loop.first else '') ~ m.content }} [/INST]{% endif %}{% endfor %}",
        eos="</s>",
    ),
    "alternates": Law(
        "{% set rest = messages[1:] if messages[0].role == 'system' else messages %}"
        "{% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}" + chatml(HEAD + SAY + TAIL)
    ),
    "merges_neighbours": Law(
        "{% set ns = namespace(role='') %}{% for m in messages %}"
        "{% if m.role == ns.role %}\n\n{{ m.content }}{% else %}{% if ns.role %}<|im_end|>\n{% endif %}"
        "<|im_start|>{{ m.role }}{{ '\\n' }}{{ m.content }}{% endif %}{% set ns.role = m.role %}{% endfor %}<|im_end|>\n"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "echoes_the_user": Law(
        chatml(HEAD + "You said: {{ messages[loop.index0 - 1].content }}. " + SAY + TAIL),
    ),
    "prompts_with_the_user": Law(
        chatml(
            HEAD + "> {{ messages[loop.index0 - 1].content }}\n" + SAY + TAIL,
            ask=HEAD + "> {{ messages[-1].content }}\n",
        )
    ),
    "says_it_twice": Law(chatml(HEAD + "{{ m.content }}\n{{ m.content }}" + TAIL)),
    "answers_backwards": Law(
        "{% for m in messages|reverse %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    # What the language can do
    "tells_the_date": Law("{{ strftime_now('%d %B %Y') }}\n" + chatml(HEAD + SAY + TAIL)),
    "set_blocks": Law(
        chatml("{% set said %}<|im_start|>assistant\n{{ m.content|trim }}<|im_end|>{% endset %}{{ said }}{{ '\\n' }}")
    ),
    "macros": Law(
        "{% macro turn(role, text) %}<|im_start|>{{ role }}\n{{ text }}<|im_end|>\n{% endmacro %}"
        "{% for m in messages %}{{ turn(m.role, m.content) }}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "gathers_in_namespace": Law(
        "{% set ns = namespace(out='') %}{% for m in messages %}"
        "{% set ns.out = ns.out ~ '<|im_start|>' ~ m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' %}{% endfor %}"
        "{{ ns.out }}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "loop_controls": Law(
        "{% for m in messages %}{% if m.role == 'developer' %}{% continue %}{% endif %}<|im_start|>{{ m.role }}\n"
        "{{ m.content }}<|im_end|>\n{% if loop.index > 40 %}{% break %}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "indented_json": Law(
        chatml(
            HEAD
            + SAY
            + "{% for c in m.tool_calls or [] %}\n```json\n{{ c.function.arguments|tojson(indent=2) }}\n```{% endfor %}"
            + TAIL,
            before="{% if tools %}{{ tools|tojson(indent=4, sort_keys=true) }}\n{% endif %}",
        )
    ),
    "ascii_json": Law(
        chatml(HEAD + '{{ {"say": m.content, "calls": m.tool_calls or []}|tojson(ensure_ascii=true) }}' + TAIL)
    ),
    "arguments_key_by_key": Law(
        chatml(
            HEAD + SAY + "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }}"
            "{% for k, v in c.function.arguments.items() %}\n{{ k }}={{ v if v is string else v|tojson }}{% endfor %}"
            "</tool_call>{% endfor %}" + TAIL
        )
    ),
    "arguments_by_name": Law(
        chatml(
            HEAD
            + SAY
            + "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }}{% for k in c.function.arguments %}"
            " {{ k }}={{ c.function.arguments[k] }}{% endfor %}</tool_call>{% endfor %}" + TAIL
        )
    ),
    "arguments_as_text": Law(
        chatml(
            HEAD
            + SAY
            + "{% for c in m.tool_calls or [] %}{{ c.function.name + ' ' + c.function.arguments }}{% endfor %}"
            + TAIL
        )
    ),
    "arguments_printed": Law(
        chatml(
            HEAD
            + SAY
            + "{% for c in m.tool_calls or [] %}{{ c.function.name }} {{ c.function.arguments }}{% endfor %}"
            + TAIL
        )
    ),
    "joins_lines": Law(
        chatml(HEAD + "{{ m.content.split('\\n')|map('trim')|reject('equalto', '')|join('\\n') }}" + TAIL)
    ),
    "replaces_words": Law(chatml(HEAD + "{{ m.content|replace('é', 'e')|replace('  ', ' ') }}" + TAIL)),
    "str_format": Law(chatml("{{ '<|im_start|>{}\\n{}<|im_end|>'.format(m.role, m.content) }}{{ '\\n' }}")),
    "percent_format": Law(chatml("{{ '<|im_start|>%s\\n%s<|im_end|>' % (m.role, m.content) }}{{ '\\n' }}")),
    "percent_filter": Law(chatml(HEAD + "{{ '%s'|format(m.content) }}" + TAIL)),
    # Origins are lost
    "percent_padded": Law(chatml("{{ '<|im_start|>%s\\n%-1s<|im_end|>' % (m.role, m.content) }}{{ '\\n' }}")),
    "reverses": Law(chatml(HEAD + "{{ m.content|reverse }}" + TAIL)),
    "encodes": Law(chatml(HEAD + "{{ m.content.encode('utf-8') }}" + TAIL)),
}

LOSSY = frozenset({"percent_padded", "reverses", "encodes"})
