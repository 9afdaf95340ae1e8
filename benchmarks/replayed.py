"""How much of what published templates render is replayed from what was learnt of them, and whether it is right.

    python benchmarks/replayed.py FOLDER_OF_TEMPLATES [--rows 20] [--learn 150] [--every 1] [--only NAME]

For each template, conversations of 1 to 40 messages are made up: plain chat, chat with tools, chat with reasoning. Some
are there to learn from; of these, what is watched and not replayed is compared. Each of the others is rendered as a
whole, and so are some of its prompts and turns, and all is compared: with the tracked rendering, character by character
and origin by origin, and with the plain one. A row counts as replayed where all of its renderings are that the template
does not refuse.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError, UsageError
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.given import Given, Tools
from maskprep.template.learnt.program import Program
from maskprep.template.learnt.runtime import Pairs
from maskprep.template.replayed import Replayed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VARIABLES = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
KINDS = ("plain", "tools", "reasoning")
ENOUGH = 0.9
"""Of the rows of a template: so many have to be replayed for it to count."""
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 9, 12, 16, 24, 40)
_WORDS = (
    *("the", "sea", "of", "a", "northern", "town", "Where", "people", "go", "by", "boat,", "and", "come", "back"),
    *("late.", "\n", "\n\n", "  ", "é世", "\U0001f600", "`x = 1`", '"quoted"', "it's", "{}", "<b>", "&", "7", "%s"),
)
_ODD = ("", " ", "\n lead", "trail \n", "<think>\nHm.\n</think>\n\nYes.", "</think>", "ok", "\\n", "[1, 2]", "{'a': 1}")
_NAMES = ("city", "days", "query", "path", "options", "limit", "verbose", "new_name", "Content")
_TOOL_NAMES = ("get_weather", "search", "edit_file")


class Maker:
    """Makes up conversations; the same ones for the same ``seed``."""

    def __init__(self, seed: str) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - made up

    def text(self, most: int = 30) -> str:
        """Return a text, now and then an odd one."""
        if self.draw.random() < 0.08:  # noqa: PLR2004 - some
            return self.draw.choice(_ODD)
        return " ".join(self.draw.choices(_WORDS, k=self.draw.randint(1, most)))

    def value(self, depth: int = 0) -> Any:
        """Return an argument of a call."""
        kinds = ["text", "int", "float", "bool", "null", "list", "dict"]
        match self.draw.choices(kinds, weights=(8, 3, 1, 1, 1, depth < 1, depth < 1))[0]:
            case "int":
                made: Any = self.draw.randint(-3, 2000)
            case "float":
                made = self.draw.choice([0.5, -1.25, 1e20])
            case "bool":
                made = self.draw.random() < 0.5  # noqa: PLR2004 - a coin
            case "null":
                made = None
            case "list":
                made = [self.value(depth + 1) for _ in range(self.draw.randint(0, 3))]
            case "dict":
                made = {name: self.value(depth + 1) for name in self.draw.sample(_NAMES, self.draw.randint(0, 3))}
            case _:
                made = self.text(8)
        return made

    def call(self) -> dict[str, Any]:
        """Return a call of a tool."""
        names = self.draw.sample(_NAMES, self.draw.randint(0, 4))
        function = {"name": self.draw.choice(_TOOL_NAMES), "arguments": {name: self.value() for name in names}}
        identity = "".join(self.draw.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9))
        return {"id": identity, "type": "function", "function": function}

    def tools(self) -> list[dict[str, Any]]:
        """Return the tools of a conversation."""
        chosen = random.Random(self.draw.randrange(4))  # noqa: S311 - one of few sets
        return [_tool(name, chosen) for name in chosen.sample(_TOOL_NAMES, chosen.randint(1, 3))]

    def said(self, kind: str) -> Iterator[Message]:
        """Yield the messages from a question to its answer."""
        yield Message({"role": "user", "content": self.text()})
        while kind == "tools" and self.draw.random() < 0.6:  # noqa: PLR2004 - some
            calls = [self.call() for _ in range(self.draw.choice((1, 1, 1, 2, 3)))]
            content = "" if self.draw.random() < 0.6 else self.text()  # noqa: PLR2004 - some
            yield self.assistant(kind, content, tool_calls=calls)
            for call in calls:
                name = call["function"]["name"]
                yield Message({"role": "tool", "content": self.text(), "tool_call_id": call["id"], "name": name})
        yield self.assistant(kind, self.text())

    def assistant(self, kind: str, content: str, **more: Any) -> Message:
        """Return what an assistant says."""
        if kind == "reasoning" and self.draw.random() < 0.7:  # noqa: PLR2004 - some
            more["reasoning_content"] = self.text()
        return Message({"role": "assistant", "content": content, **more})

    def conversation(self, kind: str) -> Conversation:
        """Return a conversation."""
        length = self.draw.choice(LENGTHS)
        messages: list[Message] = []
        if length > 1 and self.draw.random() < 0.4:  # noqa: PLR2004 - some
            messages.append(Message({"role": "system", "content": self.text()}))
        while len(messages) < length:
            messages += self.said(kind)
        del messages[length:]
        return Conversation(tuple(messages), self.tools() if kind == "tools" else None)

    def renderings(self, conversation: Conversation) -> list[tuple[int, bool]]:
        """Return the whole of a conversation, and some of its prompts and turns."""
        turns = [number for number, message in enumerate(conversation.messages) if message.role == "assistant"]
        wanted = [(len(conversation.messages), False)]
        for turn in self.draw.sample(turns, min(len(turns), 2)):
            wanted += [(turn, True), (turn + 1, False)]
        return wanted


def _tool(name: str, draw: random.Random) -> dict[str, Any]:
    types = [{"type": "string", "description": 'A "name".'}, {"type": "integer"}, {"type": ["string", "null"]}]
    types += [{"type": "array", "items": {"type": "string"}}, {"type": "string", "enum": ["a", "b"], "default": "a"}]
    types += [{"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}]
    names = draw.sample(_NAMES, draw.randint(0, 4))
    parameters = {"type": "object", "properties": {key: draw.choice(types) for key in names}, "required": names[:1]}
    return {"type": "function", "function": {"name": name, "description": f"It does {name}.", "parameters": parameters}}


@dataclass(frozen=True)
class Row:
    """A conversation with the renderings that are looked at: of how many messages, and with the generation prompt.

    Those that are not ``counted`` are there to learn from.
    """

    conversation: Conversation
    renderings: list[tuple[int, bool]]
    counted: bool


@dataclass
class Found:
    """What was found of one template and one kind of conversations."""

    rows: int = 0
    replayed: int = 0
    note: str = ""
    why: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def enough(self) -> bool:
        """Whether enough rows are replayed; a template that refuses all of them proves nothing."""
        return self.replayed >= ENOUGH * self.rows


def look_at(path: str, rows: int, learn: int, kinds: tuple[str, ...]) -> tuple[str, dict[str, Found]]:
    """Return what was found of one template."""
    source = Path(path).read_text(encoding="utf-8")
    found: dict[str, Found] = {}
    for kind in kinds:
        try:
            template = ChatTemplate(source, VARIABLES, NOW)
        except UsageError:
            break
        program = Program(source, template.variables, NOW, template.limits)
        maker = Maker(f"{kind} {Path(path).name}")
        found[kind] = Found()
        for number in range(learn + rows):
            conversation = maker.conversation(kind)
            row = Row(conversation, maker.renderings(conversation), counted=number >= learn)
            _look_at_row(template, program, row, found[kind])
        found[kind].note = program.note
    return Path(path).name, found


def _look_at_row(template: ChatTemplate, program: Program, row: Row, found: Found) -> None:
    given = Given(row.conversation, Tools(row.conversation.tools), program)
    accepted, replayed = False, True
    for upto, prompted in row.renderings:
        template.forget()  # a conversation is rendered only so often
        before = program.replayed
        written = program.render(Pairs(given.pairs[:upto]), row.conversation.tools, prompted=prompted)
        if not row.counted and (written is None or program.replayed > before):
            continue
        expected = _expected(template, row.conversation, upto, prompted=prompted)
        if expected is not None:
            accepted = True
            if program.replayed == before:
                replayed = False
                if row.counted:
                    found.why[program.note or ("not met before" if written else program.why)] += 1
        if written is None:
            continue
        rendered = Replayed(*written)
        ours = (rendered.text, rendered.runs)
        if ours != expected:
            found.wrong.append(f"{upto} {prompted} {_difference(ours, expected)}")
    if row.counted and accepted:
        found.rows += 1
        found.replayed += replayed


def _expected(template: ChatTemplate, conversation: Conversation, upto: int, *, prompted: bool) -> Any:
    try:
        tracked = template.tracked_apart(conversation, upto, generation_prompt=prompted)
    except RowError:
        return None
    plain = template.plain(conversation, upto, generation_prompt=prompted)
    return (tracked.text, tracked.runs) if plain == tracked.text else (plain, ())


def _difference(ours: Any, expected: Any) -> str:
    if expected is None:
        return "the template refuses"
    for one, two in zip(_characters(*ours), _characters(*expected), strict=False):
        if one != two:
            return f"replayed {one}, tracked {two}"
    return "one is longer"


def _characters(text: str, runs: Any) -> Iterator[tuple[str, int]]:
    """Yield the pieces that two renderings are compared by: words, each with its source."""
    position = 0
    for size, source in runs:
        yield text[position : position + size], source
        position += size


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("templates", type=Path)
    parser.add_argument("--rows", type=int, default=20, help="that are compared, for each template and kind")
    parser.add_argument("--learn", type=int, default=150, help="rows to learn from")
    parser.add_argument("--every", type=int, default=1, help="look at one in so many templates")
    parser.add_argument("--begin", type=int, default=0, help="the first one of these")
    parser.add_argument("--only", default="", help="look at templates with this in their name")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--verbose", action="store_true", help="name the templates")
    options = parser.parse_args()
    kinds = tuple(options.kinds.split(","))
    paths = sorted(str(path) for path in options.templates.glob("*.jinja") if options.only in path.name)
    paths = paths[options.begin :: options.every]
    look = partial(look_at, rows=options.rows, learn=options.learn, kinds=kinds)
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        found = dict(pool.imap_unordered(look, paths, chunksize=1))
    for kind in kinds:
        _print(kind, {name: each[kind] for name, each in sorted(found.items()) if kind in each}, options.verbose)


def _print(kind: str, found: dict[str, Found], verbose: bool) -> None:  # noqa: FBT001
    rendered = {name: each for name, each in found.items() if each.rows}
    enough = sum(each.enough for each in rendered.values())
    rows, replayed = sum(each.rows for each in rendered.values()), sum(each.replayed for each in rendered.values())
    wrong = {name: each for name, each in found.items() if each.wrong}
    print(
        f"\n{kind}: {enough} of {len(rendered)} templates ({enough / max(len(rendered), 1):.1%}) replay 90 % of rows;"
    )
    print(f"  {replayed:,} of {rows:,} rows; {len(found) - len(rendered)} templates refuse all; {len(wrong)} differ")
    for name, each in wrong.items():
        print(f"  DIFFERS {name}: {len(each.wrong)} times, {each.wrong[0][:400]}")
    reasons: dict[str, list[str]] = {}
    for name, each in rendered.items():
        if not each.enough:
            reasons.setdefault((each.why.most_common(1) or [(each.note, 0)])[0][0][:150], []).append(name)
        if "contradicts" in each.note:
            print(f"  CONTRADICTS {name}: {each.note}")
    for why, names in sorted(reasons.items(), key=lambda pair: -len(pair[1])):
        print(f"  {len(names):4}  {why}  ({', '.join(names if verbose else names[:2])})")


if __name__ == "__main__":
    main()
