"""The law of masks, written naively: prefix renders by transformers alone, and no provenance.

    prompt(k)      render(M[:k], add_generation_prompt=True)
    continued(k)   render(M[:k+1])
    completion(k)  what continued(k) has behind the generation prompt, up to and including the stop token

Whose text stands where is found out by *marking*: the texts of some messages are given again with a rare letter before
and behind them. Where the rendering, once these letters are taken away, is the one without them, each pair of letters
brackets a place where that text stands. Where it is not (the template measures or parses the text), the two renderings
still agree up to a place and from a place on. Where even that does not decide, the answer is ``Unknown``: no guess.

Nothing of maskprep is imported here: the tests compare the two.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

IGNORED = -100
OPEN, CLOSE = "ꙮ", "ꙭ"  # letters without case, which no test data hold
OPEN_BLANK, CLOSE_BLANK = "\u2004", "\u2005"  # white space that no test data hold
ESCAPED = {mark: json.dumps(mark)[1:-1] for mark in (OPEN, CLOSE)}
REASONING = ("reasoning_content", "reasoning", "thinking")
NOT_ASKED_FOR = ("template-error", "prompt-mismatch", "foreign-text", "content-dropped")
THOUGHTS = re.compile(r"(</?(?:think|thinking|thought|reasoning)>)")


class Refused(Exception):
    """The conversation cannot be used, for the reason ``code``."""

    def __init__(self, code, detail=""):
        super().__init__(f"{code}: {detail}")
        self.code = code


class Unknown(Exception):
    """Marking does not tell."""


@dataclass(frozen=True)
class Turn:
    """A completion ``start:end`` of ``text``; a sequence that begins with ``text[:end]`` trains it."""

    message: int
    kind: str
    text: str
    start: int
    stop: int
    end: int
    shift: int = 0  # from places in continued(k) to places in ``text``

    @property
    def taught(self):
        return self.text[: self.end]


@dataclass(frozen=True)
class Sequence:
    text: str
    ids: list[int]
    labels: list[int]
    trained: tuple[int, ...]

    def trained_text(self, tokenizer):
        return tokenizer.decode([label for label in self.labels if label != IGNORED])


@dataclass
class Reference:
    """The law for one conversation.

    ``messages`` and ``tools`` are what ``apply_chat_template`` is given; ``muted`` are the messages out of the loss.
    """

    tokenizer: Any
    template: str
    messages: list[dict[str, Any]]
    stop_tokens: tuple[str, ...]
    special_tokens: tuple[str, ...]
    added_tokens: tuple[str, ...] = ()
    tools: list[dict[str, Any]] | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    muted: frozenset[int] = frozenset()
    _memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    # Rendering

    def __post_init__(self):
        """Give everything in the form that the template reads."""
        self._give_arguments()
        self._give_parts()
        self._give_reasoning()

    def _give_parts(self):
        """Give contents as parts of text where a text fails, or changes nothing, and all parts then stand there."""
        try:
            whole = self._apply(self.messages, self.tools, ask=False)
        except Exception:  # noqa: BLE001 - a template may raise anything
            whole = None
        if whole is not None and not any(self._drops(whole, index) for index in range(len(self.messages))):
            return
        parts = [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in self.messages]
        try:
            whole = self._apply(parts, self.tools, ask=False)
        except Exception:  # noqa: BLE001 - a template may raise anything
            return
        texts = [_solid(message["content"]) for message in self.messages]
        if all(text in _solid(whole) for text in texts) and not any(str(part["content"]) in whole for part in parts):
            self.messages = parts

    def _drops(self, whole, index):
        content = self.messages[index]["content"]
        if not content.strip() or content.strip() in whole:
            return False
        context = {"messages": self.messages, "tools": self.tools}
        return self._again(context, [(("messages", index, "content"), f"{content} {OPEN}")], ask=False) == whole

    def _give_reasoning(self):
        """Give reasoning under the name that the template reads."""
        thinking = [index for index, message in enumerate(self.messages) if _reasoning_of(message)]
        if not thinking:
            return
        last = thinking[-1]
        reasoning = _reasoning_of(self.messages[last])
        named = [
            {**{key: value for key, value in message.items() if key not in REASONING}, "reasoning": thought}
            if (thought := _reasoning_of(message)) and "reasoning" not in message
            else message
            for message in self.messages
        ]
        if named == self.messages:
            return
        try:
            known = self._apply(self.messages[: last + 1], self.tools, ask=False)
            told = self._apply(named[: last + 1], self.tools, ask=False)
        except Exception:  # noqa: BLE001 - a template may raise anything
            return
        if _solid(reasoning) in _solid(told).replace(_solid(known), "", 1) and _solid(reasoning) not in _solid(known):
            self.messages = named

    def _give_arguments(self):
        """Give arguments of tool calls as the template reads them: as objects, or as text."""
        texts = _arguments_as_text(self.messages)
        if texts == self.messages:
            return
        try:
            whole = self._apply(self.messages, self.tools, ask=False)
        except Exception:  # noqa: BLE001 - a template may raise anything
            self._try(texts)
            return
        if any(shown in whole for shown in _python_notations(self.messages)):
            self._try(texts)

    def _try(self, messages):
        try:
            whole = self._apply(messages, self.tools, ask=False)
        except Exception:  # noqa: BLE001 - a template may raise anything
            return
        if all(text in whole for text in _json_texts(messages)):
            self.messages = messages

    def _apply(self, messages, tools, *, ask):
        return self.tokenizer.apply_chat_template(
            messages,
            tools=tools,
            chat_template=self.template,
            add_generation_prompt=ask,
            tokenize=False,
            **self.variables,
        )

    def render(self, upto, *, ask=False):
        if (upto, ask) not in self._memory:
            try:
                self._memory[upto, ask] = self._apply(self.messages[:upto], self.tools, ask=ask)
            except Exception as error:  # noqa: BLE001 - a template may raise anything
                self._memory[upto, ask] = Refused("template-error", str(error))
        found = self._memory[upto, ask]
        if isinstance(found, Refused):
            raise found
        return found

    # Whose text stands where

    def places(self, upto, of, *, ask=False):
        """Return ``(sure, vague)``: where texts stand in a rendering, and stretches in which some of them matter.

        ``of`` says which texts: ``own`` of the last message, ``others``, or ``all``.
        """
        key = (upto, of, ask)
        if key not in self._memory:
            context = {"messages": self.messages[:upto], "tools": self.tools}
            paths = [path for path in _texts(context) if _belongs(path, of, upto - 1)]
            self._memory[key] = self._mark(self.render(upto, ask=ask), context, paths, ask)
        return self._memory[key]

    def _mark(self, base, context, paths, ask):
        white = any(_at(context, path).strip() != _at(context, path) for path in paths)
        ways = WAYS if white else WAYS[:1]
        found = [self._marked(base, context, paths, ask, way) for way in ways]
        if found[0] is not None:
            return [place for places in found for place in places or []], []
        sure, vague = [], []
        for path in paths:
            found = [self._marked(base, context, [path], ask, way) for way in ways]
            found = [places for places in found if places is not None] or [self._swapped(base, context, path, ask)]
            if found == [None]:
                vague += self._changed(base, context, path, ask)
            sure += [place for places in found for place in places or []]
        return sure, vague

    def _again(self, context, changes, ask):
        for path, text in changes:
            context = _with(context, path, text)
        try:
            return self._apply(context["messages"], context["tools"], ask=ask)
        except Exception:  # noqa: BLE001 - a template may raise anything
            return None

    def _marked(self, base, context, paths, ask, way):
        """Return the bracketed places of these texts, None where marking them changes anything else."""
        changed = self._again(context, [(path, way(_at(context, path))) for path in paths], ask)
        return None if changed is None else _brackets(base, changed)

    def _swapped(self, base, context, path, ask):
        """The same with every letter replaced, for texts whose length matters."""
        pieces = _words(_at(context, path))
        text = "".join(re.sub(r"\S", OPEN, piece) if words else piece for piece, words in pieces)
        changed = self._again(context, [(path, text)], ask)
        if changed is None or len(changed) != len(base):
            return None
        if any(old != new != OPEN for old, new in zip(base, changed, strict=True)):
            return None
        return [found.span() for found in re.finditer(f"{OPEN}+", changed)]

    def _changed(self, base, context, path, ask):
        """Return the stretch of the rendering that depends on this text, as far as two renderings tell."""
        changed = self._again(context, [(path, WAYS[0](_at(context, path)))], ask)
        if changed is None:
            return [(0, len(base))]
        return [] if changed == base else [_difference(base, changed)]

    # The law for one turn

    def turn(self, k):
        """Return the turn of message ``k``; raises Refused or Unknown."""
        if ("turn", k) not in self._memory:
            try:
                self._memory["turn", k] = self._turn(k)
            except (Refused, Unknown) as error:
                self._memory["turn", k] = error
        found = self._memory["turn", k]
        if isinstance(found, Exception):
            raise found
        return found

    def _turn(self, k):
        prompt, continued = self.render(k, ask=True), self.render(k + 1)
        own, vague = self.places(k + 1, "own")
        own_start = min((start for start, _ in own), default=len(continued))
        own_end = max((end for _, end in own), default=0)
        if continued.startswith(prompt):
            kind, start = "fits", len(prompt)
        else:
            kind, start = "rewritten", self._behind_generation_prompt(k, prompt, continued, own_start)
            if any(low < start for low, _ in vague):
                raise Unknown(f"own text may begin before {start}")
        stop, end, ending = self._stop(k, continued, max(start, own_end))
        if any(high > stop for _, high in vague):
            raise Unknown("own text may reach past the stop token")
        self._check(k, own, vague, start, end)
        if kind == "fits" and not ending:
            return Turn(k, kind, continued, start, stop, end)
        text = prompt + continued[start:end] + ending
        shift = len(prompt) - start
        return Turn(k, kind, text, len(prompt), stop + shift, end + shift + len(ending), shift)

    def _behind_generation_prompt(self, k, prompt, continued, own_start):
        """Return where G ends in the template's text between the earlier messages and the turn's own.

        Either all that the prompt has behind its last message stands there, or G does, once, behind message k - 1: a
        message without text leaves a header and a stop token in between that are not this turn's.
        """
        edge = self._end_of_others(k + 1, "others", own_start)
        gap = continued[edge:own_start]
        try:
            before = self.render(k)
        except Refused:
            before = None
        asked = prompt[len(before) :] if before is not None and prompt.startswith(before) else ""
        tail = prompt[self._end_of_others(k, "all", len(prompt), ask=True) :]
        found = set()
        anchored = any(
            end == edge and start < end for start, end in self._in(k - 1, k + 1, continued, all_of_them=True)
        )
        if asked and gap.count(asked) == 1 and anchored:
            behind = gap.index(asked) + len(asked)
            if _first(self.stop_tokens, gap, behind) is None:
                found.add(edge + behind)
        if tail and gap.startswith(tail):
            found.add(edge + len(tail))
        if not found:
            found |= self._behind_empty(k, continued, asked, own_start)
        head = self._before_tags(k, gap)
        if not found and _solid(tail) == _solid(head) != "" and own_start < len(continued):
            found.add(edge + self._header_end(k, head))
        if not found:
            raise Refused("prompt-mismatch", f"{tail!r} is not in {gap!r}")
        if len(found) > 1:
            raise Unknown("the generation prompt stands in two places")
        return found.pop()

    def _before_tags(self, k, gap):
        """Return a gap without the tag of a thought with which the content itself begins: tags are not marked."""
        content = self.messages[k]["content"]
        tag = THOUGHTS.match(content.lstrip()) if isinstance(content, str) else None
        return gap[: gap.rindex(tag[0])] if tag and tag[0] in gap else gap

    def _behind_empty(self, k, continued, asked, own_start):
        """Return where G ends behind a message without text, which one letter in its place shows."""
        path = ("messages", k - 1, "content")
        context = {"messages": self.messages[: k + 1], "tools": self.tools}
        if not asked or self.messages[k - 1]["content"] != "":
            return set()
        lettered = self._again(context, [(path, OPEN)], ask=False)
        if lettered is None or lettered.count(OPEN) != 1 or lettered.replace(OPEN, "") != continued:
            return set()
        edge = lettered.index(OPEN)
        gap = continued[edge:own_start]
        if gap.count(asked) != 1 or _first(self.stop_tokens, gap, gap.index(asked) + len(asked)):
            return set()
        return {edge + gap.index(asked) + len(asked)}

    def _end_of_others(self, upto, of, before, *, ask=False):
        sure, vague = self.places(upto, of, ask=ask)
        edge = max((min(end, before) for start, end in sure if start < before), default=0)
        if any(end > edge and start < before for start, end in vague):
            raise Unknown("where the earlier messages end")
        return edge

    def _stop(self, k, continued, tail):
        found = _first(self.stop_tokens, continued, tail)
        if found:
            return (*found, "")
        special = [match.span() for match in _any_of(self.special_tokens).finditer(continued, tail)]
        if special:
            return (*special[-1], "")
        ending = self._ending_by_next(k, continued)
        if ending:
            return len(continued), len(continued), ending
        end = tail + len(continued[tail:].rstrip())
        return end, end, ""

    def _ending_by_next(self, k, continued):
        """Return the stop token that the template writes only at the head of the next turn."""
        if k + 1 >= len(self.messages):
            return ""
        try:
            later = self.render(k + 2)
        except Refused:
            return ""
        own, _ = self.places(k + 1, "own")
        if own:
            pairs, vague = self._in(k, k + 2, later)
            if vague:
                raise Unknown("where the turn stands once the next one follows")
            if not pairs:
                return ""
            at, end = max((there[1], here[1]) for there, here in pairs)
        elif later.startswith(continued):
            at = end = len(continued)
        else:
            return ""
        rest = continued[end:]
        found = _any_of(self.stop_tokens).match(later, at + len(rest))
        if not found or later[at : at + len(rest)] != rest:
            return ""
        others, _ = self.places(k + 2, "all")
        return "" if any(start < found.end() and end > at for start, end in others) else found[0]

    def _in(self, k, upto, rendered, *, all_of_them=False):
        """Return where the texts of message ``k`` stand in a rendering of ``upto`` messages, and in continued(k).

        A text that stands there more often than in continued(k) is repeated by a later message: a tool's answer, say,
        that names the function. Only its first places count, unless all are asked for.
        """
        if all_of_them:
            context = {"messages": self.messages[:upto], "tools": self.tools}
            paths = [path for path in _texts(context) if path[:2] == ("messages", k)]
            return self._mark(rendered, context, paths, ask=False)[0]
        if ("in", k, upto) not in self._memory:
            context = {"messages": self.messages[:upto], "tools": self.tools}
            before = {"messages": self.messages[: k + 1], "tools": self.tools}
            pairs, vague = [], []
            for path in _texts(context, unmarked=()):
                if path[:2] == ("messages", k):
                    found, unclear = self._mark(rendered, context, [path], ask=False)
                    once, _ = self._mark(self.render(k + 1), before, [path], ask=False)
                    pairs += zip(_merged(found), _merged(once), strict=False)
                    # One name of an argument alone may change the order of all; the others tell where it stands.
                    vague += unclear if path[-1] not in UNMARKED and path[-2] is not KEY else []
            self._memory["in", k, upto] = sorted(pairs), vague
        return self._memory["in", k, upto]

    def _check(self, k, own, vague, start, end):
        others, others_vague = self.places(k + 1, "others")
        if any(low < end and high > start and low < high for low, high in others):
            raise Refused("foreign-text")
        if any(low < end and high > start for low, high in others_vague):
            raise Unknown("whether another message's text is in the completion")
        if not _says_something(self.messages[k]) or any(low < end and high > start for low, high in own):
            return
        if vague:
            raise Unknown("whether the message's own text is in the completion")
        if not any(low < end and high > start for low, high in self._values(k)):
            raise Refused("content-dropped")

    def _values(self, k):
        """Return the stretches that depend on numbers, constants and empty containers in the calls of message ``k``."""
        base, context = self.render(k + 1), {"messages": self.messages[: k + 1], "tools": self.tools}
        others = {}
        for path in _inner(("messages", k, "tool_calls"), self.messages[k].get("tool_calls") or "", texts=False):
            value = _at(context, path)
            others[path] = (
                {OPEN: OPEN}
                if value == {} and isinstance(value, dict)
                else [OPEN]
                if value == []
                else not value
                if isinstance(value, bool)
                else OPEN
                if value is None
                else value * 10 + 7
            )
        changed = [self._again(context, [change], ask=False) for change in others.items()]
        return [_difference(base, again) for again in changed if again is not None and again != base]

    # Sequences

    def sequences(self, history, turns="all"):
        """Return the sequences under one way of treating history; raises Refused or Unknown."""
        whole = self.render(len(self.messages))
        assistants = [i for i, message in enumerate(self.messages) if message["role"] == "assistant"]
        wanted = [i for i in (assistants if turns == "all" else assistants[-1:]) if i and i not in self.muted]
        silent = {k for k in wanted if not _says_something(self.messages[k]) and not self._speaks_anyhow(k)}
        proved = {k: self._turn_if_asked(k) for k in wanted if k not in silent}
        selected = {k: turn for k, turn in proved.items() if turn is not None and turn.start < turn.end}
        if not selected:
            raise Refused("empty-answer" if silent else "nothing-to-train")
        if history == "rendered":
            made = [self._as_rendered(whole, selected)]
        elif history == "mask":
            made = [self._one(whole, selected) or self._one(selected[max(selected)].text, selected)]
        else:
            made = [self._one(whole, selected)]
            pending = {k: turn for k, turn in selected.items() if made[0] is None or k not in made[0].trained}
            while pending:
                sequence = self._one(pending[max(pending)].text, pending)
                if sequence is None or max(pending) not in sequence.trained:
                    raise Refused("unproved")
                made.append(sequence)
                pending = {k: turn for k, turn in pending.items() if k not in sequence.trained}
        made = [one for one in made if one is not None and any(label != IGNORED for label in one.labels)]
        if not made:
            raise Refused("nothing-to-train")
        return made

    def _speaks_anyhow(self, k):
        """Tell whether the completion of a message without content, reasoning and calls holds text of it."""
        known = ("role", "name", "content", *REASONING, "tool_calls", "function_call")
        if not any(value for name, value in self.messages[k].items() if name not in known):
            return False
        try:
            turn = self.turn(k)
        except (Refused, Unknown):
            return False
        own, _ = self.places(k + 1, "own")
        places = [(start + turn.shift, end + turn.shift) for start, end in own]
        return any(turn.text[max(turn.start, start) : min(turn.stop, end)].strip() for start, end in places)

    def _turn_if_asked(self, k):
        """Return the turn of message ``k``, None for one before the first user message that cannot be proved."""
        try:
            return self.turn(k)
        except Refused as error:
            users = [i for i, message in enumerate(self.messages) if message["role"] == "user"]
            if error.code in NOT_ASKED_FOR and users and k < users[0]:
                return None
            raise

    def _one(self, text, wanted):
        """Return the sequence of ``text``, None where it trains no wanted turn."""
        fitting = [wanted[k] for k in sorted(wanted) if text.startswith(wanted[k].taught)]
        if not fitting:
            return None
        border = fitting[-1].start
        cuts = [] if self._meets(*self._placed(text), text, border) else [border]
        ids, places = self._encode_in_pieces(text, cuts)
        trained = [turn for turn in fitting if self._meets(ids, places, text, turn.start)]
        self._own_borders(places, text, [turn.start for turn in trained])
        return _labelled(text, ids, places, {turn.message: (turn.start, turn.end) for turn in trained})

    def _as_rendered(self, whole, selected):
        stands = {}
        for k, turn in selected.items():
            place = (turn.start, turn.end) if whole.startswith(turn.taught) else self._located(whole, k)
            if place:
                stands[k] = place
        natural = self._placed(whole)
        borders = sorted({start for start, _ in stands.values()})
        cuts = [border for border in borders if not self._meets(*natural, whole, border)]
        ids, places = self._encode_in_pieces(whole, cuts)
        if not cuts:
            self._own_borders(places, whole, borders)
        return _labelled(whole, ids, places, stands)

    def _located(self, whole, k):
        """Return where an unfaithful turn stands in the whole conversation, None where it does not.

        It begins behind its header, and ends with the first stop token behind its own text, or else as it ended when
        it was the last, or, where it now ends otherwise, with the first special token. What other messages say is no
        part of it.
        """
        pairs, vague = self._in(k, len(self.messages), whole)
        if vague:
            raise Unknown("where the turn stands in the whole conversation")
        if not pairs:
            return None
        own_start = pairs[0][0][0]
        others, vague = self._besides(k, whole)
        if vague:
            raise Unknown("where the other messages stand in the whole conversation")
        gap = max((min(end, own_start) for start, end in others if start < own_start), default=0)
        limit = min((start for start, end in others if start < end and end > own_start), default=len(whole))
        own_end, as_last = max((there[1], here[1]) for there, here in pairs if there[1] <= limit)
        # The brackets around another message's text do not see the white space at its end.
        while whole[gap : gap + 1].isspace() and not self._header(k).startswith(whole[gap]):
            gap += 1
        start = gap + self._header_end(k, self._before_tags(k, whole[gap:own_start]))
        stop = _first(self.stop_tokens, whole[:limit], own_end)
        if stop:
            return start, stop[1]
        turn = self.turn(k)
        tail, rest = turn.text[as_last + turn.shift : turn.end], whole[own_end:limit]
        if rest.startswith(tail):
            return start, own_end + len(tail)
        stop = _first(self.special_tokens, rest, 0)
        return start, own_end + (stop[1] if stop else len(rest[: self._same(tail, rest)].rstrip()))

    def _same(self, one, two):
        """Return the length of what both texts begin with, never a part of an added token."""
        same = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
        tokens = _any_of(self.added_tokens)
        inside = [match for text in (one, two) for match in tokens.finditer(text) if match.start() < same < match.end()]
        return min([same, *(match.start() for match in inside)])

    def _header(self, k):
        """Return what the prompt of turn ``k`` has behind its last message."""
        prompt = self.render(k, ask=True)
        return prompt[self._end_of_others(k, "all", len(prompt), ask=True) :]

    def _header_end(self, k, gap):
        """Return how far the header of turn ``k`` goes into ``gap``, the template's text in front of the turn's own.

        To the end of what the prompt has behind its last message, or as far as that and the gap agree, where what
        follows is no more of the header: nothing, or a token of its own. Else all of the gap is header.
        """
        prompt, header = self.render(k, ask=True), self._header(k)
        if header and header in gap:
            return gap.rindex(header) + len(header)
        try:
            before = self.render(k)
        except Refused:
            before = prompt
        closing = len(header) - (len(prompt) - len(before) if prompt.startswith(before) else 0)
        same = self._same(header, gap)
        tokens = _any_of(self.added_tokens)
        parts = not gap[same:].strip() or tokens.match(gap, same) or tokens.match(header, same)
        return same if same > closing and parts else len(gap)

    def _besides(self, k, whole):
        if ("besides", k) not in self._memory:
            context = {"messages": self.messages, "tools": self.tools}
            paths = [path for path in _texts(context) if path[:2] != ("messages", k)]
            self._memory["besides", k] = self._mark(whole, context, paths, ask=False)
        return self._memory["besides", k]

    # Token ids

    def encode(self, text):
        if ("ids", text) not in self._memory:
            self._memory["ids", text] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self._memory["ids", text]

    def _meets(self, ids, places, text, border):
        """Tell whether the ids begin with those of the prompt, and nothing of it but white space is in the next one."""
        prompt = self.encode(text[:border])
        following = places[len(prompt)][0] if len(prompt) < len(places) else border
        return ids[: len(prompt)] == prompt and not text[following:border].strip()

    def _own_borders(self, places, text, borders):
        """Count the blank that a tokenizer puts into the first token behind a prompt as that token's own."""
        for border in borders:
            index = len(self.encode(text[:border]))
            if index < len(places):
                places[index] = max(places[index][0], border), places[index][1]

    def _encode_in_pieces(self, text, cuts):
        edges = [0, *cuts, len(text)]
        ids, places = [], []
        for index, (start, end) in enumerate(pairwise(edges)):
            piece = text[start:end]
            found, where = self._behind_a_line_break(piece) if index and self._blank_first else self._placed(piece)
            ids += found
            places += [(low + start, high + start) for low, high in where]
        return ids, places

    @cached_property
    def _blank_first(self):
        return self.tokenizer.convert_ids_to_tokens(self.encode("a"))[0].startswith("\u2581")

    def _behind_a_line_break(self, text):
        """Encode text without the blank that the tokenizer puts in front of a text."""
        lead = self.encode("\n")
        ids, places = self._placed("\n" + text)
        if ids[: len(lead)] != lead:
            raise Refused("no-alignment")
        return ids[len(lead) :], [(low - 1, high - 1) for low, high in places[len(lead) :]]

    def _placed(self, text):
        if ("placed", text) not in self._memory:
            ids = self.encode(text)
            self._memory["placed", text] = ids, token_places(self.tokenizer, text, ids)
        ids, places = self._memory["placed", text]
        return list(ids), list(places)


def token_places(tokenizer, text, ids):
    """Return which characters each token holds, by decoding longer and longer beginnings.

    A token that holds a part of a character's bytes holds that character. Where decoding does not give the text back
    (the tokenizer normalises), its offsets tell, in which white space left out belongs to the token that follows.
    """
    if not ids:
        return []
    backend = tokenizer.backend_tokenizer
    places, held = [], 0  # characters of which all bytes have been seen
    known, base, lead = 0, 0, []  # the tokens and characters up to the last clean cut, and the token in front of it
    for index in range(len(ids)):
        shown = backend.decode([*lead, *ids[known : index + 1]], skip_special_tokens=False)
        shown = shown[len(backend.decode(lead, skip_special_tokens=False)) :] if lead else shown
        clean = text.startswith(shown, base)
        whole = shown if clean else shown.rstrip("\ufffd")
        if not clean and (whole == shown or not text.startswith(whole, base)):
            return _by_offsets(tokenizer, text, ids)
        places.append((held, base + len(whole) + (not clean)))
        held = base + len(whole)
        if clean:
            known, base, lead = index + 1, held, [ids[index]]
    return places if base == len(text) else _by_offsets(tokenizer, text, ids)


def _by_offsets(tokenizer, text, ids):
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    assert encoding["input_ids"] == ids
    places, end = [], 0
    for low, high in encoding["offset_mapping"]:
        places.append((min(low, end), max(high, end)))
        end = places[-1][1]
    return places


def _labelled(text, ids, places, trained):
    holds = [False] * len(text)
    for start, end in trained.values():
        holds[start:end] = [True] * (end - start)
    labels = [
        token if index and low < high and all(holds[low:high]) else IGNORED
        for index, (token, (low, high)) in enumerate(zip(ids, places, strict=True))
    ]
    return Sequence(text, list(ids), labels, tuple(sorted(trained)))


# Texts inside messages


KEY = object()
"""Stands in a path before the name of an argument, where the name itself is the text."""

UNMARKED = {"type", "id", "tool_call_id"}
"""Texts that templates compare and look up; none of them ends or begins a turn by itself."""


def _texts(context, unmarked=UNMARKED):
    """Yield the path, keys and indices, of every text but those of these names."""
    for index, message in enumerate(context["messages"]):
        for name, value in message.items():
            if name != "role":
                yield from (path for path in _inner(("messages", index, name), value) if path[-1] not in unmarked)
    for index, tool in enumerate(context["tools"] or []):
        yield from (path for path in _inner(("tools", index), tool) if path[-1] in {"name", "description"})


def _inner(path, value, *, texts=True):
    """Yield the paths of the texts in ``value``, or else of what is neither text nor holds anything."""
    if isinstance(value, str):
        if texts and value:
            yield path
    elif isinstance(value, dict | list) and value:
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            if texts and name and "arguments" in path and path[0] == "messages" and isinstance(value, dict):
                yield (*path, KEY, name)
            yield from _inner((*path, name), item, texts=texts)
    elif not texts:
        yield path


def _belongs(path, of, last):
    own = path[:2] == ("messages", last)
    return {"own": own, "others": not own, "all": True}[of]


def _at(context, path):
    if path[-2] is KEY:
        return path[-1]
    for step in path:
        context = context[step]
    return context


def _with(value, path, text):
    """Return a copy of ``value`` with ``text`` at ``path``; a renamed argument is left to be found by its old name."""
    if not path:
        return text
    if path[0] is KEY:
        return {_Renamed(text, path[1]) if name == path[1] else name: item for name, item in value.items()}
    if isinstance(value, list):
        return [_with(item, path[1:], text) if index == path[0] else item for index, item in enumerate(value)]
    return {
        name: _with(item, path[1:], text) if getattr(name, "old", name) == path[0] else item
        for name, item in value.items()
    }


class _Renamed(str):
    """The new name of an argument, which knows the old one."""

    __slots__ = ("old",)

    def __new__(cls, text, old):
        new = super().__new__(cls, text)
        new.old = getattr(old, "old", old)
        return new


def _says_something(message):
    values = [message.get(name) for name in ("content", *REASONING, "tool_calls", "function_call")]
    values = ["".join(part["text"] for part in values[0]) if isinstance(values[0], list) else values[0], *values[1:]]
    return any(value.strip() if isinstance(value, str) else value for value in values)


def _reasoning_of(message):
    found = next((message[name] for name in REASONING if message.get(name) is not None), "")
    return found if message["role"] == "assistant" and found.strip() else ""


def _solid(text):
    return "".join(text.split())


def _arguments_as_text(messages):
    def call(value):
        if isinstance(value.get("function"), dict):
            return {**value, "function": call(value["function"])}
        arguments = value.get("arguments")
        return (
            {**value, "arguments": json.dumps(arguments, ensure_ascii=False)} if isinstance(arguments, dict) else value
        )

    return [
        {**message, "tool_calls": [call(value) for value in message["tool_calls"]]}
        if message.get("tool_calls")
        else message
        for message in messages
    ]


def _json_texts(messages):
    calls = [call.get("function", call) for message in messages for call in message.get("tool_calls") or []]
    return [call["arguments"] for call in calls]


def _python_notations(messages):
    """Return what Python would print for the containers inside tool calls, where JSON has other words."""
    stack, found = [message.get("tool_calls") for message in messages], []
    while stack:
        value = stack.pop()
        if isinstance(value, dict | list) and value:
            found += [repr(value)] if repr(value) != json.dumps(value, ensure_ascii=False) else []
            stack += value.values() if isinstance(value, dict) else value
    return found


# Marks


def _way(*, outside_before, outside_behind):
    """Return how to mark text: inside or outside the white space around it, and around each tag of a thought in it."""

    def mark(text):
        if not text.strip():
            return OPEN_BLANK + text + CLOSE_BLANK
        pieces = _words(text)
        marked = [_bracket(piece) if words else piece for piece, words in pieces]
        if outside_before and pieces[0][1]:
            marked[0] = OPEN + marked[0].replace(OPEN, "", 1)
        if outside_behind and pieces[-1][1]:
            marked[-1] = "".join(marked[-1].rsplit(CLOSE, 1)) + CLOSE
        return "".join(marked)

    return mark


def _words(text):
    """Cut a text at the tags of thoughts and tell of each piece whether it is to be marked."""
    pieces = [piece for piece in THOUGHTS.split(text) if piece]
    words = [bool(piece.strip()) and not THOUGHTS.fullmatch(piece) for piece in pieces]
    return list(zip(pieces, words, strict=True)) if any(words) else [(text, True)]


def _bracket(text):
    bare = text.strip()
    at = text.index(bare)
    return text[:at] + OPEN + bare + CLOSE + text[at + len(bare) :]


WAYS = [
    _way(outside_before=before, outside_behind=behind)
    for before, behind in ((False, False), (True, True), (True, False), (False, True))
]

_MARKS = re.compile(
    "|".join(
        f"(?P<{name}>{'|'.join(map(re.escape, forms))})"
        for name, forms in (
            ("open", (OPEN, OPEN_BLANK, "\\" + ESCAPED[OPEN], ESCAPED[OPEN])),
            ("close", (CLOSE, CLOSE_BLANK, "\\" + ESCAPED[CLOSE], ESCAPED[CLOSE])),
        )
    )
)


def _brackets(base, changed):
    """Return the places in ``base`` that the marks in ``changed`` bracket, None where there is any other change."""
    if _MARKS.sub("", changed) != base:
        return None
    opened, closed, taken = [], [], 0
    for mark in _MARKS.finditer(changed):
        (opened if mark["open"] else closed).append(mark.start() - taken)
        taken += len(mark[0])
    if len(opened) != len(closed):
        return None
    pairs = [(min(pair), max(pair)) for pair in zip(opened, closed, strict=True)]
    return pairs if all(left[1] <= right[0] for left, right in pairwise(pairs)) else None


def _merged(places):
    """Return the places in order, those that overlap made one."""
    merged = []
    for start, end in sorted(places):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _difference(base, changed):
    """Return the shortest stretch of ``base`` outside of which ``changed`` is the same."""
    shorter = min(len(base), len(changed))
    start = next((i for i in range(shorter) if base[i] != changed[i]), shorter)
    back = next((i for i in range(shorter - start) if base[-1 - i] != changed[-1 - i]), shorter - start)
    return start, len(base) - back


def _any_of(tokens):
    return re.compile("|".join(map(re.escape, sorted(filter(None, tokens), key=len, reverse=True))) or "(?!)")


def _first(tokens, text, start):
    found = _any_of(tokens).search(text, start)
    return found.span() if found else None
