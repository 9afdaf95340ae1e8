"""maskprep's renderer against the hand-written ones of the package ``renderers``: ids, masks, and who is right.

    python benchmarks/renderers_compared.py --tokenizers FOLDER --templates FOLDER [--family NAME …] [--full]

For each model family whose template is in the folder, the tokenizer of the family is taken, or another one to which the
family's own control tokens are added: both renderers are given the same. Prints one line for each family and
conversation. The judge is transformers alone: ids are right that ``apply_chat_template`` gives; sampled is what follows
``apply_chat_template(messages[:k], add_generation_prompt=True)``, up to the stop token, where the conversation begins
with that prompt and that answer.
"""

from __future__ import annotations

import argparse
import base64
import copy
import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from maskprep.integrations.renderers import MaskprepRenderer, MaskprepRendererConfig

_CHATML = ("<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>")
_GLM = (
    *("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<think>", "</think>"),
    *("<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
    *("<tool_response>", "</tool_response>"),
)
_LAGUNA_ENDS = ("〈|EOS|〉", "〈|EOS|〉")
_NEMOTRON = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"
_K2 = "moonshotai/Kimi-K2-Instruct"
_LLAMA = "meta-llama/Llama-3.2-3B-Instruct"
_GLM_STOPS = ("<|user|>", "<|observation|>")
_KIMI = (
    *("<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>", "[BOS]", "[EOS]"),
    *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_end|>"),
    *("<|tool_call_argument_begin|>", "<|media_begin|>", "<|media_content|>", "<|media_end|>", "<|media_pad|>"),
    *("<think>", "</think>"),
)
_GEMMA4 = (
    *("<|turn>", "<turn|>", "<|think|>", "<|channel>", "<channel|>", "<|tool>", "<tool|>", "<|tool_call>"),
    *("<tool_call|>", "<|tool_response>", "<tool_response|>", "<|image>", "<|image|>", "<image|>", '<|"|>'),
)
_MINIMAX = ("]~!b[", "]~b]", "[e~[", "<minimax:tool_call>", "</minimax:tool_call>", "<think>", "</think>")
_LAGUNA = (
    *("〈|EOS|〉", "<assistant>", "</assistant>", "<user>", "</user>", "<system>", "</system>", "<think>", "</think>"),
    *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
)
_HY3 = tuple(
    f"<{name}:opensource>"
    for name in (
        *("think", "/think", "tool_calls", "/tool_calls", "tool_call", "/tool_call", "tool_sep", "arg_key", "/arg_key"),
        *("arg_value", "/arg_value", "tool_responses", "/tool_responses", "tool_response", "/tool_response"),
    )
) + tuple(
    f"<｜{name}:opensource｜>"
    for name in (
        *("hy_begin_of_sentence", "hy_User", "hy_Assistant", "hy_eos", "hy_EOT", "hy_place▁holder▁no▁2"),
        "reasoning_mode",
    )
)
_DEEPSEEK4 = (
    *("｜DSML｜", "<think>", "</think>", "<｜latest_reminder｜>", "<｜action｜>", "<｜query｜>", "<｜authority｜>"),
    *("<｜domain｜>", "<｜title｜>", "<｜read_url｜>"),
)


@dataclass(frozen=True)
class Family:
    """A hand-written renderer, the tokenizer and the template to try it with, and tokens to add to the tokenizer.

    ``model`` is a name by which the package knows the family; ``eos`` the token that ends a turn, ``stops`` those that
    the model's generation_config.json adds. A ``template`` of None is not here, "" is the tokenizer's own. What ours
    is given as ``variables``, theirs has built in. ``note`` says what else has to be known of the family.
    """

    renderer: str
    tokenizer: str
    template: str | None
    model: str = ""
    tokens: tuple[str, ...] = ()
    eos: str | None = None
    bos: str | None = None
    stops: tuple[str, ...] = ()
    note: str = ""
    variables: tuple[tuple[str, Any], ...] = ()


_SPOKEN = re.compile(r"</?(think|tool_|arg_|minimax)|｜DSML")
_CODE = "tools: the model's tokenizer has code of its own that writes them, which no template tells"
_DATE = (("date_string", "26 Jul 2024"),)
FAMILIES = (
    Family("qwen3", "qwen3", "Qwen-Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
    Family("qwen3", "qwen3", "Qwen-Qwen3-4B-Instruct-2507", "Qwen/Qwen3-4B-Instruct-2507"),
    Family("qwen3", "qwen3", "Qwen-Qwen3-4B-Thinking-2507", "Qwen/Qwen3-4B-Thinking-2507"),
    Family("prime-qwen3", "qwen3", "PrimeIntellect-Qwen3-0.6B", "PrimeIntellect/Qwen3-0.6B"),
    Family("qwen3-vl", "qwen3", "Qwen-Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-8B-Instruct"),
    Family("qwen3.5", "qwen3", "Qwen3.5-4B", "Qwen/Qwen3.5-4B"),
    Family("qwen3.5", "qwen3", "Qwen-Qwen3.5-0.8B", "Qwen/Qwen3.5-0.8B"),
    Family("qwen3.6", "qwen3", "Qwen-Qwen3.6-35B-A3B", "Qwen/Qwen3.6-35B-A3B"),
    Family("qwen3.8", "qwen3", None),
    Family("glm-4.5", "qwen3", "zai-org-GLM-4.5-Air", "zai-org/GLM-4.5-Air", _GLM, "<|endoftext|>", None, _GLM_STOPS),
    Family("glm-5", "qwen3", "zai-org-GLM-5", "zai-org/GLM-5", _GLM, "<|endoftext|>", None, _GLM_STOPS),
    Family("glm-5", "qwen3", "GLM-4.7-Flash", "zai-org/GLM-4.7-Flash", _GLM, "<|endoftext|>", None, _GLM_STOPS),
    Family("glm-5.1", "qwen3", "zai-org-GLM-5.1", "zai-org/GLM-5.1", _GLM, "<|endoftext|>", None, _GLM_STOPS),
    Family("glm-5.3", "qwen3", None),
    Family("minimax-m2", "qwen3", "MiniMaxAI-MiniMax-M2", "MiniMaxAI/MiniMax-M2", _MINIMAX, "[e~["),
    Family("minimax-m2", "qwen3", "MiniMaxAI-MiniMax-M2.5", "MiniMaxAI/MiniMax-M2.5", _MINIMAX, "[e~["),
    Family("deepseek-v3", "deepseek_v3", "yujiepan-deepseek-v3-tiny-random", "deepseek-ai/DeepSeek-V3"),
    Family("deepseek-r1", "deepseek_v3", "", "deepseek-ai/DeepSeek-R1"),
    Family("deepseek-v4", "deepseek_v3", "deepseek-ai-DeepSeek-V4", "deepseek-ai/DeepSeek-V4-Flash-0731", _DEEPSEEK4),
    Family("hy3", "qwen3", "tencent-Hy3", "tencent/Hy3", _HY3, _HY3[19], _HY3[16]),
    Family("inkling", "qwen3", None),
    Family("kimi-k2", "qwen3", "moonshotai-Kimi-K2-Instruct", _K2, _KIMI, "<|im_end|>", note=_CODE),
    Family("kimi-k2.5", "qwen3", "moonshotai-Kimi-K2.5", "moonshotai/Kimi-K2.5", _KIMI, "<|im_end|>", note=_CODE),
    Family("kimi-k2.5", "qwen3", "moonshotai-Kimi-K2.6", "moonshotai/Kimi-K2.6", _KIMI, "<|im_end|>", note=_CODE),
    Family("laguna-xs.2", "qwen3", "poolside-Laguna-XS.2", "poolside/Laguna-XS.2", _LAGUNA, *_LAGUNA_ENDS),
    Family("laguna-xs-2.1", "qwen3", "poolside-Laguna-XS-2.1", "poolside/Laguna-XS-2.1", _LAGUNA, *_LAGUNA_ENDS),
    Family("laguna-s-2.1", "qwen3", "poolside-Laguna-S-2.1", "poolside/Laguna-S-2.1", _LAGUNA, *_LAGUNA_ENDS),
    Family("laguna-s-2.1", "qwen3", "poolside-Laguna-S-2.1@444819", "poolside/Laguna-S-2.1", _LAGUNA, *_LAGUNA_ENDS),
    Family("laguna-m.1", "qwen3", None),
    Family("llama-3", "llama3_1", "meta-llama-Llama-3.2-3B-Instruct", _LLAMA, ("<|eom_id|>",), variables=_DATE),
    Family("nemotron-3", "qwen3", "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", _NEMOTRON, _CHATML),
    Family("nemotron-3-ultra", "qwen3", None),
    Family("nemotron-3.5", "qwen3", None),
    Family("gpt-oss", "gptoss", "openai-gpt-oss-120b", "openai/gpt-oss-20b"),
    Family("gemma4", "gemma3", "google-gemma-4-31B-it", "google/gemma-4-31B-it", _GEMMA4, "<turn|>", "<bos>"),
    Family("gemma4", "gemma3", "google-gemma-4-E4B-it", "google/gemma-4-E4B-it", _GEMMA4, "<turn|>", "<bos>"),
)  # fmt: skip


def call(number: int, **arguments: Any) -> dict[str, Any]:
    """Return a call of the tool."""
    function = {"name": "add", "arguments": arguments}
    return {"id": f"functions.add:{number}", "type": "function", "function": function}


def result(number: int, text: str) -> dict[str, Any]:
    """Return what the tool said."""
    return {"role": "tool", "tool_call_id": f"functions.add:{number}", "name": "add", "content": text}


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Adds two numbers.",
            "parameters": {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "description": "One."},
                    "b": {"type": "integer", "description": "Other."},
                },
                "required": ["a", "b"],
            },
        },
    }
]
_SYSTEM = {"role": "system", "content": "Be brief."}
_ASK, _MORE = {"role": "user", "content": "What is 1 + 2?"}, {"role": "user", "content": "And twice that?"}
_SAY, _SAY_MORE = {"role": "assistant", "content": "It is 3."}, {"role": "assistant", "content": "Six."}
_THINK = {"role": "assistant", "reasoning_content": "One and two.", "content": "It is 3."}
_THINK_MORE = {"role": "assistant", "reasoning_content": "Three, twice.", "content": "Six."}
_CALL = {"role": "assistant", "content": "", "tool_calls": [call(0, a=1, b=2)]}
_SAY_CALL = {**_CALL, "content": "Let me see."}
_CALLS = {"role": "assistant", "content": "", "tool_calls": [call(0, a=1, b=2), call(1, a=3, b=3)]}
_THINK_CALL = {**_CALL, "reasoning_content": "The tool adds."}
CASES: dict[str, tuple[list[dict[str, Any]], Any]] = {
    "plain": ([_ASK, _SAY], None),
    "system": ([_SYSTEM, _ASK, _SAY], None),
    "turns": ([_SYSTEM, _ASK, _SAY, _MORE, _SAY_MORE], None),
    "tools": ([_SYSTEM, _ASK, _CALL, result(0, "3"), _SAY], TOOLS),
    "tools, said": ([_ASK, _SAY_CALL, result(0, "3"), _SAY], TOOLS),
    "tools, two": ([_ASK, _CALLS, result(0, "3"), result(1, "6"), _SAY], TOOLS),
    "tools, turns": ([_ASK, _CALL, result(0, "3"), _SAY, _MORE, _SAY_MORE], TOOLS),
    "thoughts": ([_ASK, _THINK], None),
    "thoughts, turns": ([_ASK, _THINK, _MORE, _THINK_MORE], None),
    "thoughts, tools": ([_ASK, _THINK_CALL, result(0, "3"), _THINK], TOOLS),
}


def _spelt(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with the arguments of its calls as text."""
    made = copy.deepcopy(message)
    for each in made.get("tool_calls", ()):
        each["function"]["arguments"] = json.dumps(each["function"]["arguments"])
    return made


@dataclass(frozen=True)
class Judge:
    """What transformers alone says of a conversation."""

    tokenizer: Any
    stops: frozenset[int]
    variables: dict[str, Any]

    def text(self, messages: Sequence[Any], tools: Any, *, prompted: bool = False) -> str:
        """Return the text of a conversation."""
        given = {"tools": tools, "add_generation_prompt": prompted, "tokenize": False, **self.variables}
        try:
            return str(self.tokenizer.apply_chat_template(list(messages), **given))
        except TypeError:  # it joins the arguments to a text
            return str(self.tokenizer.apply_chat_template([_spelt(message) for message in messages], **given))

    def ids(self, messages: Sequence[Any], tools: Any, *, prompted: bool = False) -> list[int]:
        """Return the ids of a conversation."""
        return self._encoded(self.text(messages, tools, prompted=prompted))

    def behind(self, messages: Sequence[Any], tools: Any, k: int) -> list[int] | None:
        """Return the ids of a conversation as those of the prompt of turn ``k``, and what follows; None without it.

        They are other ones than those of the whole where a token would hold the end of the prompt and more: no server
        feeds a model that.
        """
        text, prompt = self.text(messages, tools), self.text(messages[:k], tools, prompted=True)
        if not text.startswith(prompt):
            return None
        return [*self._encoded(prompt), *self._encoded(text[len(prompt) :])]

    def _encoded(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def sampled(self, messages: Sequence[Any], tools: Any, ids: list[int]) -> dict[int, tuple[int, int] | str]:
        """Return, of each turn, the tokens of ``ids`` that a model sampled; or why none can have been."""
        return {k: self._turn(messages, tools, ids, k) for k, m in enumerate(messages) if m["role"] == "assistant"}

    def _turn(self, messages: Sequence[Any], tools: Any, ids: list[int], k: int) -> tuple[int, int] | str:
        prompt = self.ids(messages[:k], tools, prompted=True)
        then = self.ids(messages[: k + 1], tools)
        start = len(prompt)
        if then[:start] != prompt:
            split = self.behind(messages[: k + 1], tools, k)
            if split is None:
                return "its prompt does not lead to it"
            then = split
        if k + 1 < len(messages):
            # GLM's turn is closed by the next one's role token alone.
            following = self.ids(messages[: k + 2], tools)
            if following[: len(then)] == then and not any(i in self.stops for i in then[start:]):
                then = following
        end = next((n + 1 for n in range(start, len(then)) if then[n] in self.stops), len(then))
        if ids[:start] != prompt:
            return "what stands ahead of it is not what it was prompted with"
        if ids[:end] != then[:end]:
            return "it is rendered otherwise than when it was written"
        return start, end


def spans_of(mask: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the stretches that are true."""
    edges = [n for n, (a, b) in enumerate(zip([False, *mask], [*mask, False], strict=True)) if a != b]
    return list(zip(edges[::2], edges[1::2], strict=True))


def first_difference(tokenizer: Any, one: list[int], other: list[int]) -> str:
    """Return where two lists part, as text."""
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    behind = [tokenizer.decode(ids[at : at + 9]) for ids in (one, other)]
    return f"…{tokenizer.decode(one[max(0, at - 4) : at])!r} then {behind[0]!r} | {behind[1]!r}"


def compared(family: Family, tokenizer: Any, ours: MaskprepRenderer, theirs: Any, case: str) -> tuple[str, str]:
    """Return the verdict on one conversation, and its reason."""
    messages, tools = CASES[case]
    stops = frozenset(ours.get_stop_token_ids()) | frozenset(theirs.get_stop_token_ids())
    judge = Judge(tokenizer, stops, dict(family.variables))
    mine, why = _tried(lambda: ours.render(messages, tools=tools))
    other, other_why = _tried(lambda: theirs.render(messages, tools=tools))
    whole, refused = _tried(lambda: judge.ids(messages, tools))
    if mine is None or other is None or whole is None:
        if mine is None and other is None:
            return "both refuse", why
        if other is None:
            return "only ours", f"theirs: {other_why}"
        same = "equals" if other.token_ids == whole else "differs from"
        return (
            "decided: refused",
            f"{why}; theirs {same} transformers'" if whole else f"transformers refuses: {refused}",
        )
    return _judged(judge, (ours, theirs), (mine, other), case, whole)


def _judged(
    judge: Judge, renderers: Sequence[Any], made: Sequence[Any], case: str, whole: list[int]
) -> tuple[str, str]:
    """Return the verdict on what both rendered of a conversation, and its reason."""
    messages, tools = CASES[case]
    last = max(k for k, m in enumerate(messages) if m["role"] == "assistant")
    fed = judge.ids(messages[:last], tools, prompted=True)
    prompts = [each.render_ids(messages[:last], tools=tools, add_generation_prompt=True) for each in renderers]
    wrong = _wrong(judge, made[0], case, whole)
    if prompts[0] != fed or wrong:
        return "OURS WRONG", wrong or "prompt: " + first_difference(judge.tokenizer, prompts[0], fed)
    notes = [] if prompts[1] == fed else ["their prompt: " + first_difference(judge.tokenizer, fed, prompts[1])]
    kind, more = _difference(judge, *made, case, whole)
    notes += more
    if kind or notes:
        return f"decided: ours ({kind or 'prompt'})", "; ".join(notes)
    mine, other = made
    owners = sum(a != b for a, b in zip(mine.message_indices, other.message_indices, strict=True))
    bodies = sum(a != b for a, b in zip(mine.is_content, other.is_content, strict=True)) if other.is_content else 0
    extra = [f"{owners} message indices"] * bool(owners) + [f"{bodies} is_content"] * bool(bodies)
    return "equal", ", ".join(extra) + " differ" if extra else ""


def _tried(work: Callable[[], Any]) -> tuple[Any, str]:
    """Return what some work returns, None and the error where there is one."""
    try:
        return work(), ""
    except Exception as error:  # noqa: BLE001 - the table tells it
        return None, f"{type(error).__name__}: {error}"


def _wrong(judge: Judge, mine: Any, case: str, whole: list[int]) -> str:
    """Return what the judge says against ours, if anything."""
    messages, tools = CASES[case]
    last = max(k for k, m in enumerate(messages) if m["role"] == "assistant")
    if mine.token_ids not in (whole, judge.behind(messages, tools, last)):
        return first_difference(judge.tokenizer, mine.token_ids, whole)
    law = judge.sampled(messages, tools, mine.token_ids)
    wanted = sorted(place for place in law.values() if isinstance(place, tuple))
    found = spans_of(mine.sampled_mask)
    return "" if found == wanted else f"mask: {found}, the judge says {wanted} of {len(mine.token_ids)}"


def _difference(judge: Judge, mine: Any, other: Any, case: str, whole: list[int]) -> tuple[str, list[str]]:
    """Return what kind of difference there is between two renderings, and what it is."""
    decode = judge.tokenizer.decode
    notes = []
    if mine.token_ids != whole:
        shown = first_difference(judge.tokenizer, mine.token_ids, whole)
        notes.append(f"a token of the whole crosses the end of the prompt: {shown}")
    if other.token_ids != mine.token_ids:
        if other.token_ids == whole:
            return "border", [*notes, "they keep it"]
        apart = decode(other.token_ids) == decode(mine.token_ids)
        shown = first_difference(judge.tokenizer, whole, other.token_ids)
        return ("tokens" if apart else "ids"), [*notes, f"their ids{', of the same text' * apart}: {shown}"]
    if mine.sampled_mask == other.sampled_mask:
        return "", []
    ids = mine.token_ids
    only = spans_of([b and not a for a, b in zip(mine.sampled_mask, other.sampled_mask, strict=True)])
    less = spans_of([a and not b for a, b in zip(mine.sampled_mask, other.sampled_mask, strict=True)])
    notes += [f"they train {decode(ids[a:b])!r}" for a, b in only[:2]]
    notes += [f"they leave out {decode(ids[a:b])!r}" for a, b in less[:2]]
    law = judge.sampled(*CASES[case], ids)
    return "mask", [*notes, *(f"messages[{k}]: {why}" for k, why in law.items() if isinstance(why, str))]


def loaded(family: Family, tokenizers: Path, templates: Path) -> Any:
    """Return the tokenizer of a family, with its template and its tokens."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizers / family.tokenizer)
    for token in family.tokens:
        # As in the models' own files, what an answer is made of is not flagged as special.
        tokenizer.add_tokens([token], special_tokens=not _SPOKEN.match(token))
    if family.eos:
        tokenizer.eos_token = family.eos
    if family.bos:
        tokenizer.bos_token = family.bos
    if family.template:
        tokenizer.chat_template = (templates / f"{family.template}.jinja").read_text(encoding="utf-8")
    tokenizer.name_or_path = family.model
    return tokenizer


def hand_written(family: Family, tokenizer: Any) -> Any:
    """Return the package's own renderer of a family, as it is by default."""
    from renderers.base import RENDERER_REGISTRY, _populate_registry  # noqa: PLC0415
    from renderers.configs import config_from_name  # noqa: PLC0415

    _populate_registry()
    return RENDERER_REGISTRY[family.renderer](tokenizer, config_from_name(family.renderer))


def provide_harmony(tokenizers: Path, folder: str) -> None:
    """Write the vocabulary that gpt-oss's renderer would download, from the tokenizer's file: the same bytes."""
    vocabulary = json.loads((tokenizers / "gptoss" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    known = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    ranked = sorted(vocabulary.items(), key=lambda item: item[1])
    lines = (base64.b64encode(bytes(known[c] for c in token)) + f" {rank}\n".encode() for token, rank in ranked)
    data = b"".join(lines)
    assert hashlib.sha256(data).hexdigest() == _O200K
    (Path(folder) / "o200k_base.tiktoken").write_bytes(data)
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = folder


_NOW = datetime.now(UTC).isoformat()
_O200K = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizers", type=Path, required=True)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--family", action="append")
    parser.add_argument("--history", default="mask", choices=["mask", "rendered"])
    parser.add_argument("--full", action="store_true", help="print reasons whole")
    options = parser.parse_args()
    print(", ".join(f"{name} {version(name)}" for name in ("renderers", "transformers", "tokenizers", "jinja2")))
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        provide_harmony(options.tokenizers, folder)
        for family in FAMILIES:
            if options.family and family.renderer not in options.family:
                continue
            name = "no template here" if family.template is None else family.template or "its own template"
            shown = f"{family.renderer} ({name}, tokenizer {family.tokenizer}) {family.note}"
            if family.template is None:
                print(f"{shown}: not available")
                counts["not available"] += 1
                continue
            given = {"history": options.history, "now": _NOW, "stop_tokens": family.stops, **dict(family.variables)}
            tokenizer = loaded(family, options.tokenizers, options.templates)
            try:
                theirs = hand_written(family, tokenizer)
                ours = MaskprepRenderer(tokenizer, MaskprepRendererConfig(**given))
            except Exception as error:  # noqa: BLE001 - the table tells it
                print(f"{shown}: not available: {type(error).__name__}: {str(error)[:300]}")
                counts["not available"] += 1
                continue
            print(shown)
            for case in CASES:
                verdict, why = compared(family, tokenizer, ours, theirs, case)
                counts[verdict] += 1
                why = " ".join(why.replace("\0", " ").split())
                print(f"  {case:16} {verdict:24} {why if options.full else why[:400]}")
    print(dict(counts))


if __name__ == "__main__":
    main()
