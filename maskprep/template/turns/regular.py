r"""Regular turns: proved by the last pieces of a replay alone, where nothing is unusual about them.

    prompt(k)      …│<end>\n│<bot>\n                 the last piece, ``asked``, is the template's
    continued(k)   …│<end>\n│<bot>\n│Yo│<end>\n      the same pieces ahead of that, then it begins with it; there are
                             ▲     ▲  ▲    ▲        only texts of message k and of the template, and a stop token
                             parts start stop end   behind the last one

What ``finder.py`` proves of any turn holds for such a one at a glance, and it is the same. How far into the pieces
start and stop stand depends on the template's texts among them alone: that is the *form* of a turn, looked at once.
Every other turn, and every doubt, is left to the finder.
"""

from __future__ import annotations

from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from maskprep.conversation import Finding
from maskprep.policy import Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.learnt.runtime import Pairs
from maskprep.template.rendered import Rendered
from maskprep.template.replayed import Replayed
from maskprep.template.strings.origin import NOTATION, part_of, source_of
from maskprep.template.turns.completion import no_generation_prompt
from maskprep.template.turns.empty_thought import EmptyThoughts
from maskprep.template.turns.stop_tokens import Stops
from maskprep.template.turns.turn import Fit, Turn

if TYPE_CHECKING:
    from maskprep.conversation import Conversation


_FIRST = source_of(0, Part.CONTENT)
_PARTS = 5  # that text of a message may belong to; behind them stands what is lost
_MOST_FORMS = 10_000  # strange data may make any number


class RegularTurn(Turn):
    """A turn of which it is known what it consists of.

    ``own`` are the texts of its message, with their sources, and ``asked`` the template's at the end of its prompt.
    """

    __slots__ = ("_begins", "_form", "_pieces", "_shared", "_whole")

    def __init__(self, message: int, continued: Replayed, form: _Form, place: _Place, whole: Replayed) -> None:
        """Keep the turn of ``message`` that ends ``continued``, of which ``form`` tells where it stands."""
        start, end = place.base + form.start, place.base + place.size - form.behind
        text = continued.within(whole)
        thought = (start + form.thought[0], start + form.thought[1])
        super().__init__(message, text, start, end - form.stop, end, Fit.PROMPT, form.findings(message), thought)
        self._form, self._pieces, self._shared, self._whole = form, continued, place.shared, whole
        self._begins: bool | None = True if text.root is whole else None
        if self._begins is None:
            rest = "".join(continued.texts[place.shared :])
            if not whole.text.startswith(rest[: end - place.base], place.base):
                self._begins = False

    def begins(self, text: Rendered) -> bool:
        if text is self._whole and self._begins is not None:
            return self._begins
        return Turn.begins(self, text)

    def parts(self) -> AbstractSet[Part]:
        return self._form.parts

    @property
    def own(self) -> list[tuple[str, int]]:
        """The texts of the message, with their sources."""
        pieces = zip(self._pieces.texts[self._shared :], self._pieces.sources_of[self._shared :], strict=True)
        return [(text, source) for text, source in pieces if source and text]

    @property
    def said(self) -> str:
        """The completion, up to the stop token."""
        form = self._form
        return "".join(self._pieces.texts[self._shared :])[form.start : -form.behind - form.stop or None]

    @property
    def tail(self) -> str:
        """The template's text behind the last text of the message, up to the end of the stop token."""
        return self._form.tail

    @property
    def asked(self) -> str:
        """The template's text at the end of the turn's prompt, behind the texts of messages."""
        texts, sources, count = self._pieces.texts, self._pieces.sources_of, self._shared
        while count and not (sources[count - 1] and texts[count - 1]):
            count -= 1
        return "".join(texts[count : self._shared]) + self._form.asked


class _Place(NamedTuple):
    """Where prompt(k) and continued(k) part: behind ``shared`` pieces of ``base`` characters; ``size`` more follow."""

    shared: int
    base: int
    size: int


@dataclass(frozen=True, slots=True)
class _Form:
    """What turns have in common for which the template writes the same around texts of the same parts.

    ``start`` counts from where both renderings part, ``behind`` from the end; ``stop`` is the length of the stop token,
    which ends the ``tail`` behind the last text of the message.
    """

    asked: str
    tail: str
    start: int
    stop: int
    behind: int
    thought: tuple[int, int]
    parts: frozenset[Part]
    said: frozenset[Part]
    has_prompt: bool

    def findings(self, message: int) -> tuple[Finding, ...]:
        """Return what is to be told of the turn of a message."""
        return () if self.has_prompt else (no_generation_prompt(message),)


class Forms:
    """The forms of turns under one template, as they are met: the arguments are those of ``TurnFinder``."""

    def __init__(self, template: ChatTemplate, stops: Stops, thoughts: EmptyThoughts) -> None:
        self.template = template
        self._stops, self._thoughts = stops, thoughts
        self._known: dict[Hashable, _Form | None] = {}

    def begin(self) -> None:
        """Forget the forms, as empty thoughts are found out anew."""
        self._known.clear()

    def of(self, asked: str, texts: list[str], sources: list[int], message: int) -> _Form | None:
        """Return the form of the turn of a message, None where it is not regular.

        Args:
            asked: what the template writes at the end of the prompt alone.
            texts: what continued(k) has in its place, and behind it.
            sources: the sources of these.
            message: the message.
        """
        first = source_of(message, Part.CONTENT)
        key = (
            asked,
            *[source - first if source and text else text for text, source in zip(texts, sources, strict=True)],
        )
        form = self._known.get(key)
        if form is None and key not in self._known:
            thought = self._thoughts.known(_lead(asked, texts, sources))
            if thought is None:
                return None  # until the finder has found it out
            form = self._new(asked, texts, [source - first if source else None for source in sources], thought)
            if len(self._known) >= _MOST_FORMS:
                self._known.clear()
            self._known[key] = form
        return form

    def _new(self, asked: str, texts: list[str], parts: list[int | None], thought: tuple[int, int]) -> _Form | None:
        rest = "".join(texts)
        own: list[tuple[int, int, Part]] = []
        position = 0
        for text, part in zip(texts, parts, strict=True):
            if part is not None and text:
                plain = part % NOTATION  # the id of a call is of the call
                if part % (2 * NOTATION) >= NOTATION or not 0 <= plain < _PARTS or part < 0:
                    return None
                own.append((position, position + len(text), part_of(_FIRST + plain)))
            position += len(text)
        if not own or not rest.startswith(asked) or own[0][0] < len(asked):
            return None
        last = own[-1][1]
        # Without a stop token, the last special one ends the turn, as ``Ending`` has it.
        stop = self._stops.first(rest, last) or self._stops.last_special(rest, last)
        if stop is None:
            return None
        said = frozenset(part for _, _, part in own)
        filled = sum(end - start for start, end, _ in own)
        scaffold = own[0][0] > len(asked) or stop[0] > last or filled < last - own[0][0]
        held = said | {Part.STOP} | ({Part.SCAFFOLD} if scaffold else set())
        given = len(asked), stop[1] - stop[0], len(rest) - stop[1], thought, held, said
        return _Form(asked, rest[last : stop[1]], *given, self.template.has_generation_prompt)


def _lead(asked: str, texts: list[str], sources: list[int]) -> str:
    """Return the template's text between the prompt and the first text of a message."""
    first = next(
        (i for i, (text, source) in enumerate(zip(texts, sources, strict=True)) if source and text), len(texts)
    )
    return "".join(texts[:first])[len(asked) :]


class RegularTurns:
    """Finds the regular turns of one conversation."""

    def __init__(self, forms: Forms, conversation: Conversation, whole: Rendered) -> None:
        """Look into ``conversation``, of which ``whole`` is the audited rendering."""
        self._forms = forms
        self._whole = whole if isinstance(whole, Replayed) else None
        self._learnt = None if self._whole is None else forms.template.learnt(conversation)

    def find(self, message: int, said: AbstractSet[Part]) -> RegularTurn | None:
        """Return the turn of a message that says something in the parts ``said``; None: the finder must prove it."""
        whole = self._whole
        if self._learnt is None or whole is None:
            return None
        pairs, tools, render = self._learnt
        prompt = render(Pairs(pairs[:message]), tools, prompted=True)
        continued = render(Pairs(pairs[: message + 1]), tools, prompted=False)
        if prompt is None or continued is None or not prompt[0]:
            return None
        # Both begin with the same pieces; behind them the template alone has written the end of the prompt.
        texts, sources = continued
        shared = len(prompt[0]) - 1
        if prompt[1][shared] or prompt[0][:shared] != texts[:shared] or prompt[1][:shared] != sources[:shared]:
            return None
        rest = texts[shared:]
        form = self._forms.of(prompt[0][shared], rest, sources[shared:], message)
        if form is None or not said <= form.said:
            return None
        place = _Place(shared, sum(map(len, texts[:shared])), sum(map(len, rest)))
        if self._forms.template.beyond(place.base + place.size):
            return None
        return RegularTurn(message, Replayed(texts, sources), form, place, whole)


def place_of(turn: RegularTurn, whole: Replayed, stops: Stops) -> tuple[int, int, int] | None:
    """Return where a turn stands in a whole that it does not begin, None where ``locate`` has to find out."""
    pieces = whole.own_pieces(turn.message)
    asked, mine = turn.asked, turn.own
    if pieces is None or not asked:
        return None
    first, last, own, edge, limit = pieces
    if own != mine and (not all(piece in mine for piece in own) or len(set(own)) < len(own)):
        return None
    gap, text = whole.text[edge:first], whole.text
    if asked not in gap or stops.count(turn.said, 0):
        return None
    start = edge + gap.rindex(asked) + len(asked)
    found = stops.first(text, first)
    if found is not None and found[1] <= limit:
        return None if found[0] < last else (start, *found)
    # No stop token ends it: it goes on as it did when it was the last one, or else it is searched for.
    tail = turn.tail
    if (found is not None and found[0] < last) or own != mine or not text.startswith(tail, last):
        return None
    end = last + len(tail)
    return (start, end - (turn.end - turn.stop), end) if end <= limit else None
