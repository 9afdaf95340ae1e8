"""Every reject, finding and drop, once: its code, one line of what it means, and one fix.

    reject     the row is not used; ``rejects.jsonl`` says why
    finding    the row is used, and this is a fact about it
    drop       the row is left out, as the configuration has it; ``dropped.jsonl`` says why

Codes are stable: people count and grep them. An error may have a better fix for its row; where it has none, the fix
here is shown. The documentation's page of codes is these lines.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """The meaning of a code (``the row is rejected because …``, ``the row was used, and …``), and its ``fix``."""

    meaning: str
    fix: str


_JSON = "write each row as one JSON object on one line, in UTF-8"
_SHAPE = "docs/pages/formats.md lists the fields that a row may have; `columns:` maps other names"

REJECTS: dict[str, Code] = {
    # It cannot be read.
    "not-json": Code("the line is no JSON", _JSON),
    "invalid-utf8": Code("it is not UTF-8", "convert the file, for example with iconv"),
    "nan": Code("it holds NaN, Infinity or a number out of range", "write null or a string, or leave the key out"),
    "duplicate-key": Code("a key occurs twice in one object", "keep one of the two"),
    "too-deep": Code("its lists and objects are nested too deep", "flatten or drop the row"),
    "integer-too-long": Code("an integer has too many digits", "write the number as a string"),
    "lone-surrogate": Code("it holds half of a surrogate pair, which is no character", "repair or drop the row"),
    "nul-character": Code("it holds a NUL character", "remove it: it stands for binary data"),
    "row-too-large": Code("it is longer than `max_row_bytes`", "raise max_row_bytes, or drop the row"),
    "truncated-file": Code("the file ends in the middle", "fetch or write the file again"),
    "compression-bomb": Code("the file unpacks to far more than it should", "unpack it yourself and look at it"),
    "more-lists": Code(
        "the object around the rows of its file holds more than these", "write the rows one a line, for example with jq"
    ),
    "bad-csv": Code("the record has other fields than the first line names", "quote fields that hold separators"),
    "bad-value": Code("it holds what JSON has no form for", "leave the column out, or write it as text"),
    # It is no conversation in a known format.
    "not-an-object": Code("the row is no object", _JSON),
    "no-messages": Code("it has no messages, and no fields of a known format", _SHAPE),
    "bad-message": Code("a message has not the form that it should have", _SHAPE),
    "unknown-role": Code("a role is none that is known", "say what it means, for example `roles: {bot: assistant}`"),
    "no-content": Code("a message has no content", "give it a content, or leave the message out"),
    "missing-field": Code("a field that its format needs is missing or empty", _SHAPE),
    "unsupported-part": Code("its content has a part of an unknown type", "give text, reasoning or tool calls"),
    "bad-tool-call": Code(
        "a tool call is no call",
        'give each call as {"type": "function", "function": {"name": "…", "arguments": {…}}}',
    ),
    "bad-weight": Code("what it says about the loss is no weight, or contradicts itself", "use 0, 1 or a number"),
    "bad-range": Code("a range of characters does not lie in its text", "count characters from 0, the end excluded"),
    "bad-prefix": Code("a prefix is not the assistant's last message", "only the last message can be gone on with"),
    "bad-tools": Code("its tools are no list of objects", "give tools as a list of JSON schemas"),
    "bad-documents": Code("its documents are no list of objects", "give documents as a list of objects"),
    "bad-token-ids": Code(
        "what it says are the ids of a turn are none of the tokenizer's, or do not fit each other",
        "give each turn as it was: prompt_token_ids, token_ids, a log-probability for each of these or for none",
    ),
    "tokens-undivided": Code(
        "the configuration trains parts of turns, and its turns are ids, of which nothing tells what they are part of",
        "train all parts of the assistant's turns, or give the rows as messages without ids",
    ),
    "bad-kwargs": Code("its chat_template_kwargs are no object", 'give an object: {"enable_thinking": false}'),
    "reserved-kwarg": Code("its chat_template_kwargs set what is not theirs", "take the variable out of the row"),
    "mixed-formats": Code(
        "it has another format than the rest of its file", "divide the file by format, or say mixed_formats: true"
    ),
    "unread-field": Code(
        "a key of it speaks of the loss, of context or of reasoning, and nothing reads it",
        "map the key with `columns:`, or leave it out with `ignore:`",
    ),
    "preference-row": Code(
        "it compares answers (chosen, rejected) or judges one (label)", "`preference: chosen` trains the good answer"
    ),
    "media-part": Code("it holds images, sound or files", "take such rows out: only text can be prepared"),
    "plain-text": Code("it is one text without turns", "give conversations as messages, or as prompt and completion"),
    # The template, or the policy, stands in the way.
    "template-error": Code("the chat template refuses it; its own words are shown", "try `maskprep probe` on the data"),
    "prompt-mismatch": Code(
        "the generation prompt does not stand before a turn's text",
        "set template_kwargs so that the prompt fits the data, or choose --prompt-mismatch graft or train",
    ),
    "content-dropped": Code("the template leaves a turn out", "use a template that renders it"),
    "foreign-text": Code("the template puts another message's text into a turn", "use another template"),
    "control-token": Code("data spells a control token", "see `control_tokens`: escape keeps it as plain text"),
    "provenance-lost": Code(
        "the template mixes text in a way that hides whose it is, and the prompt alone proves nothing",
        "use a template that prints message text as it is",
    ),
    "empty-answer": Code(
        "its answers say nothing, and nothing else is trained", "leave such rows out, or give the answers a content"
    ),
    "nothing-to-train": Code("no token is left to train", "see `train` and the weights of its messages"),
    "too-long": Code("a sequence is longer than `max_length`", "raise max_length, or choose another `overflow`"),
    "template-limit": Code(
        "the chat template takes longer, writes more or needs more memory for it than it may",
        "see template_seconds and template_bytes, or use another template",
    ),
    "no-alignment": Code(
        "nobody can tell which token holds which character of it", "use another tokenizer file, or leave the row out"
    ),
    "render-differs": Code("two renderings that must agree differ", "this is a fault of maskprep: please report it"),
    "unproved": Code("a proof failed; the message says which", "this is a fault of maskprep: please report it"),
    "internal-error": Code("maskprep failed on it", "this is a fault of maskprep: please report it with the row"),
    "worker-lost": Code(
        "the worker that prepared it was killed, ran out of memory or hung, each time",
        "leave the row out, or see worker_memory and worker_seconds",
    ),
}
"""The codes of rejects, each a reason why a row is not used."""

_HISTORY = "see `history`: split trains each turn in its own context"

FINDINGS: dict[str, Code] = {
    "history-rewritten": Code("the template renders earlier turns otherwise once later ones follow", _HISTORY),
    "duplicate": Code("its conversation was there before", "duplicates: drop leaves such rows out"),
    "border-split": Code(
        "a token before a completion was split, as a server encodes the prompt alone", "nothing is to be done"
    ),
    "border-masked": Code(
        "a token crosses the prompt/completion boundary of a turn, which was left out (`mask`)", _HISTORY
    ),
    "cut-after-last-turn": Code(
        "under `mask`, what follows the last turn was left out, so that this turn is trained", _HISTORY
    ),
    "no-generation-prompt": Code(
        "the template has none: the model is taught to write the turn's header as well",
        "use a template that heeds add_generation_prompt",
    ),
    "no-stop-token": Code(
        "the template ends a turn with no stop token: the model is not taught to stop there",
        "name the token that ends turns in `stop_tokens`, or use a template that writes one",
    ),
    "marker-not-token": Code(
        "the template's markers are no tokens of this tokenizer: they are spelt, and trained, in pieces",
        "add them with `tokenizer.add_special_tokens`, as its message says, or use the template of the tokenizer",
    ),
    "content-dropped": Code(
        "the template leaves out part of a trained message, such as its reasoning", "use a template that renders it"
    ),
    "empty-think-trained": Code(
        "an empty thought that the template inserts is trained", "train.empty_reasoning: mask leaves it out"
    ),
    "control-token-in-text": Code(
        "data spells a control token and becomes one (`control_tokens: keep`)", "control_tokens: escape"
    ),
    "control-token-escaped": Code(
        "data spells a control token and was encoded as ordinary text (`control_tokens: escape`)",
        "nothing is to be done",
    ),
    "prompt-mismatch-graft": Code(
        "the prompt did not fit: the turn's own text was put behind the server's prompt",
        "set template_kwargs so that the prompt fits the data",
    ),
    "prompt-mismatch-train": Code(
        "the prompt did not fit: the turn was trained as it is rendered",
        "set template_kwargs so that the prompt fits the data",
    ),
    "turns-dropped": Code("it was too long: its oldest exchanges were left out", "raise max_length to keep them"),
    "truncated": Code("it was too long: its end was cut off", "raise max_length to keep it"),
    "windows-made": Code("it was too long: it was divided into windows", "raise max_length to keep it in one"),
    "prompt-whitespace": Code(
        "prompt and header differ in white space alone: the turn's own text was put behind the server's prompt",
        "nothing is to be done",
    ),
    "assistant-first": Code(
        "an assistant's message before the first user message has no prompt that leads to it: it is not trained",
        "nothing is to be done",
    ),
    "empty-answer": Code(
        "an answer says nothing: only its stop token would be trained, so it is not", "leave such answers out"
    ),
    "arguments-not-json": Code("tool arguments were no JSON object", "mend the calls, or drop such rows"),
    "arguments-as-text": Code("the template reads tool arguments as text", "nothing is to be done"),
    "content-as-parts": Code(
        "the template reads contents as lists of parts: each was given as one part of text", "nothing is to be done"
    ),
    "python-notation": Code(
        "the template prints tool calls as Python does, not as JSON", "use a template that writes JSON"
    ),
    "reasoning-twice": Code(
        "a thought stands in the answer's text and in a field of its own; the same one is used once",
        "leave one of the two out",
    ),
    "tags-in-text": Code(
        "an assistant's text holds `<tool_call>` that is no JSON of a call: it is trained as text", "mend the calls"
    ),
    "text-parts-joined": Code("several text parts were joined by a line break", "give the content as one text"),
    "parts-reordered": Code(
        "reasoning came after text, or text after a tool call", "nothing is to be done: templates have one order"
    ),
    "system-merged": Code(
        "later system messages became part of the first one, or of user messages (`adapt.system`)",
        "adapt.system: keep leaves them where they are",
    ),
    "same-role-joined": Code(
        "neighbours of one role were joined (`adapt.same_role`)", "adapt.same_role: keep leaves them apart"
    ),
    "tool-call-ids-shortened": Code(
        "ids of tool calls became nine letters and digits (`adapt.tool_call_ids`)",
        "adapt.tool_call_ids: keep leaves them as they are",
    ),
    "tool-results-as-user": Code(
        "results of tools became user messages (`adapt.tool_results`)",
        "adapt.tool_results: keep leaves them to the template",
    ),
    "arguments-changed": Code(
        "tool arguments were given to the template in the form that `adapt.arguments` names",
        "adapt.arguments: keep gives them as the template reads them best",
    ),
    "first-assistant-dropped": Code(
        "an assistant that spoke first was left out (`adapt.first_assistant`)", "adapt.first_assistant: keep keeps it"
    ),
    "nulls-filled": Code("null tool arguments or schemas look like a column type's doing", "drop_nulls: true"),
    "unknown-kwarg": Code(
        "its chat_template_kwargs set a variable that the template never asks for", "see its spelling, or leave it out"
    ),
    "token-drift": Code(
        "before a turn, the server was fed other ids than the template gives: those that were fed are kept",
        "find out why: another template or variable, other messages, a turn that was encoded again from its text",
    ),
    "encoded-otherwise": Code(
        "the text of a turn is encoded to other ids than were sampled: those that were sampled are trained",
        "nothing is to be done",
    ),
    "context-unchecked": Code(
        "what was fed before a turn was not compared: the row has no messages, or the template refuses them",
        "give the messages beside the ids",
    ),
    "prompt-rewritten": Code(
        "a turn's prompt does not begin with the ids of any earlier turn: it has a sequence, or a branch, of its own",
        "nothing is to be done; history: tree writes what the sequences share once",
    ),
    "sampled-without-stop": Code(
        "a turn's ids end with no stop token, cut short, say: the model is not taught to stop there",
        "leave such turns out with a weight of 0, or name the token that ends them in `stop_tokens`",
    ),
    "turn-without-ids": Code(
        "some of the assistant's turns have the ids that were sampled, and another has none: it is not trained",
        "give its ids as well, or a weight of 0",
    ),
    "row-weight": Code("its `weight` multiplies those of its messages", "leave it out for a weight of 1"),
}
"""The codes of findings, each a fact about a row that was used."""

DROPS: dict[str, Code] = {
    "duplicate": Code("its conversation was there before (`duplicates: drop`)", "nothing is to be done"),
    "marked-bad": Code("its `label` is false: the answer is a bad one (`preference: chosen`)", "nothing is to be done"),
}
"""The codes of drops, each a reason why the configuration leaves out a row that could be used."""


def fix_of(code: str) -> str:
    """Return the fix of a reject or a finding, empty for an unknown code (of another version, say)."""
    known = REJECTS.get(code) or FINDINGS.get(code) or DROPS.get(code)
    return known.fix if known else ""
