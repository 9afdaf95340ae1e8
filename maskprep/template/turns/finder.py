"""The law, for one assistant message: its prompt, its completion, its stop token.

    prompt(k)     render(M[:k], add_generation_prompt=True)    what the server feeds the model
    continued(k)  render(M[:k+1])                              the conversation just after the turn
    completion(k) what the model must generate, up to and including the stop token

``TurnFinder.find`` proves for message ``k`` where the completion lies, or raises the reason why nobody can. With the
messages user ``Hi``, assistant ``Yo``, and k = 1::

    fit      prompt(1)                             continued(1)                  completion(1)
    prompt   <user>Hi<end><bot>                    <user>Hi<end><bot>Yo<end>     Yo<end>, behind the prompt
    graft    <user>Hi<end><bot><think></think>     <user>Hi<end><bot>Yo<end>     Yo<end>, put behind prompt(1)
    train    <user>Hi<end><bot><think></think>     <user>Hi<end><bot>Yo<end>     Yo<end>, behind <bot>

In the last two the prompt does not stand in front of the turn: unless ``mismatch`` says so, such a row is rejected.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property
from zlib import crc32

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.policy import Mismatch, Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Beginning, Rendered
from maskprep.template.strings.origin import TEMPLATE
from maskprep.template.strings.runs import merge
from maskprep.template.turns.audit import Audit, Kinds, check_plainly, drawn_by, one_in
from maskprep.template.turns.completion import check_completion, written
from maskprep.template.turns.empty_thought import EmptyThoughts
from maskprep.template.turns.ending import Ending, lost_text
from maskprep.template.turns.regular import Forms, RegularTurns
from maskprep.template.turns.stop_tokens import Stops
from maskprep.template.turns.turn import Fit, Turn


class TurnFinder:
    """Finds the turns of conversations under one template.

    Args:
        template: the chat template.
        stops: where turns end.
        mismatch: what to do where the prompt does not fit.
        audit: which turns are rendered once more by the template itself, without origins, to be compared.
    """

    def __init__(
        self,
        template: ChatTemplate,
        stops: Stops,
        mismatch: Mismatch = Mismatch.REJECT,
        audit: Audit | None = None,
    ) -> None:
        self.template, self.stops, self.mismatch = template, stops, mismatch
        self.thoughts = EmptyThoughts(template)
        self.forms = Forms(template, stops, self.thoughts)
        self.audit = audit or Audit()

    def begin(self) -> None:
        """Forget the empty thoughts and the audited kinds of earlier conversations."""
        self.thoughts.begin()
        self.forms.begin()
        self.audit.begin()

    def of(self, conversation: Conversation, whole: Rendered, kinds: Kinds | None = None) -> RowTurns:
        """Return what finds the turns of one conversation; ``whole`` is its audited rendering."""
        return RowTurns(self, conversation, whole, kinds or Kinds(conversation))


class RowTurns:
    """Finds the turns of one conversation."""

    def __init__(self, finder: TurnFinder, conversation: Conversation, whole: Rendered, kinds: Kinds) -> None:
        self.finder, self.conversation, self.whole = finder, conversation, whole
        self._kinds, self._one_in = kinds, one_in(conversation)
        self._drawn_by = drawn_by(whole)
        self._regular = RegularTurns(finder.forms, conversation, whole)

    def find(self, message: int, said: AbstractSet[Part] | None = None) -> Turn:
        """Prove the turn of an assistant's message, which says something in the parts ``said``, if that is known.

        Raises:
            RowError: ``template-error``, ``prompt-mismatch``, ``content-dropped``, ``foreign-text`` or
                ``provenance-lost``, or ``render-differs``, should a rendering with origins have another text.
        """
        drawn = crc32(b"%d" % message, self._drawn_by)
        wanted = self.finder.audit.wants((self._kinds.of_turn(message),), drawn, self._one_in)
        if said is None:
            said = written(self.conversation.messages[message])
        regular = self._regular.find(message, said)
        if regular is None:
            search = _TurnProof(self.finder, self.conversation, message, self.whole)
            if wanted:
                self._check(message, search.prompt.text, search.continued.text)
            return search.turn()
        if wanted:
            text = regular.text.text
            self._check(message, text[: regular.start], text)
        return regular

    def _check(self, message: int, prompt: str, continued: str) -> None:
        """Compare prompt(k) and continued(k) with the plain renderings. Raises ``RowError`` where they differ."""
        try:
            check_plainly(self.finder.template, self.conversation, message, prompt, continued)
        except RowError:
            self.finder.template.replays = False
            raise


class _TurnProof:
    """The proof of one turn; each rendering that it needs is made once."""

    def __init__(self, finder: TurnFinder, conversation: Conversation, message: int, whole: Rendered) -> None:
        self.template, self.stops, self.mismatch = finder.template, finder.stops, finder.mismatch
        self.thoughts = finder.thoughts
        self.conversation, self.message = conversation, message
        self.whole = whole
        try:
            self.prompt = self._prompt()
            self.continued = self.template.tracked(conversation, message + 1, generation_prompt=False)
        except RowError as error:
            msg = f"messages[{message}]: before or just after this turn, {error.message}"
            raise RowError(error.code, msg, error.hint, error.facts) from error

    def _prompt(self) -> Rendered:
        try:
            return self.template.tracked(self.conversation, self.message, generation_prompt=True)
        except RowError:
            # In the words that Python has for the plain conversation, which know nothing of tracked types.
            self.template.plain(self.conversation, self.message, generation_prompt=True)
            raise

    def turn(self) -> Turn:
        if self.continued.starts_with(self.prompt):
            start, fit = len(self.prompt), Fit.PROMPT
        else:
            self._need_provenance()
            start, fit = self._rewritten_start(), Fit.REWRITTEN
            if start < 0:
                start, fit = self._mismatched_start()
        stop, end, ending = self._ending.find(start, fit)
        completion = self.continued.part(start, end) + _of_template(ending)
        stopped = stop < end or bool(ending)
        findings = check_completion(self.template, self.conversation, self.message, completion, stopped=stopped)
        if fit in (Fit.PROMPT, Fit.TRAIN):
            text, context = self._ended(ending) if ending else self.continued, start
        else:
            text, context = self.prompt + completion, len(self.prompt)
        shift = context - start
        end += len(ending)
        low, high = self.thoughts.find(self.conversation, self.message, self.continued, start)
        thought = (low + shift, high + shift)
        return Turn(self.message, text, context, stop + shift, end + shift, fit, findings, thought, len(ending))

    def _ended(self, ending: str) -> Rendered:
        """Return continued(k) with ``ending`` behind it, a ``Beginning`` of the whole rendering where it is one."""
        end = len(self.continued)
        if self.continued.root is self.whole and self.whole.continues(end, _of_template(ending)):
            return Beginning(self.whole, end + len(ending))
        return self.continued + _of_template(ending)

    # Where the completion begins

    @cached_property
    def _own(self) -> tuple[int, int] | None:
        return self.continued.extent(self.message)

    @cached_property
    def _ending(self) -> Ending:
        return Ending(self.template, self.stops, self.conversation, self.message, self.continued)

    @cached_property
    def _gap(self) -> tuple[int, int]:
        """The template's text in continued(k) between the earlier messages and the turn's own text."""
        stop = self._own[0] if self._own else len(self.continued)
        return self.continued.end_of_others(self.message, stop), stop

    @cached_property
    def _prompt_tail(self) -> str:
        """The template's text at the end of prompt(k), behind the last message."""
        return self.prompt.between(self.prompt.end_of_others(-2, len(self.prompt)), len(self.prompt))

    @cached_property
    def _generation_prompt(self) -> str:
        return generation_prompt(self.template, self.conversation, self.message, self.prompt.text)

    def _rewritten_start(self) -> int:
        """Return where the completion begins behind a rewritten history, -1 where no generation prompt stands."""
        start, stop = self._gap
        gap = self.continued.between(start, stop)
        if self._prompt_tail and gap.startswith(self._prompt_tail):
            return start + len(self._prompt_tail)
        asked = self._generation_prompt
        # A message without text leaves a header and a stop token in the gap, which must not be taken for this turn's.
        previous = self.continued.part(0, start).extent(self.message - 1)
        anchored = previous is not None and previous[1] == start
        if previous is None:
            start, anchored = self._behind_empty(start)
            gap = self.continued.between(start, stop)
        if not asked or not anchored or gap.count(asked) != 1:
            return -1
        found = gap.index(asked) + len(asked)
        return start + found if self.stops.first(gap, found) is None else -1

    def _behind_empty(self, start: int) -> tuple[int, bool]:
        """Return where in continued(k) the message before ends, which has no text, and whether that is proved.

        The proof: with one letter as its text, the rendering has that letter there and changes in nothing else. Where
        there is no such proof, ``start`` is returned.
        """
        index, messages = self.message - 1, list(self.conversation.messages)
        if messages[index].content.strip() or not isinstance(messages[index].fields.get("content"), str):
            return start, False
        messages[index] = replace(messages[index], fields={**messages[index].fields, "content": _LETTER}, ranges=())
        try:
            probed = self.template.tracked(
                replace(self.conversation, messages=tuple(messages)), self.message + 1, generation_prompt=False
            )
        except RowError:
            return start, False
        low, high = probed.extent(index) or (0, 0)
        same = high - low == len(_LETTER) and self.continued.text == probed.text[:low] + probed.text[high:]
        return (low, True) if same and start <= low else (start, False)

    def _mismatched_start(self) -> tuple[int, Fit]:
        edge, stop = self._gap
        start = edge + self.stops.header_end(
            self._prompt_tail, self._generation_prompt, self.continued.between(edge, stop)
        )
        if self.mismatch is Mismatch.REJECT:
            if self._own is not None and _alike(self._prompt_tail, self.continued.between(edge, stop)):
                return start, Fit.WHITE_SPACE
            raise self._mismatch(start)
        return start, Fit.GRAFT if self.mismatch is Mismatch.GRAFT else Fit.TRAIN

    def _mismatch(self, start: int) -> RowError:
        """Return the error ``prompt-mismatch``, which shows both texts, and what ``graft`` and ``train`` would give."""
        # Shown from the turn's own beginning, not from wherever a rewritten history first differs.
        edge, text, prompt = self._gap[0], self.continued.text, self.prompt.text
        agreed = self.stops.shared(self._prompt_tail, text[edge:])
        behind = len(prompt) - len(self._prompt_tail) + agreed
        at = edge + agreed
        asked, rendered = prompt[:behind], text[:at]
        end = self._ending.find(start, Fit.TRAIN)[1]
        facts = {
            "message": self.message,
            "prompt": {"before": asked[-_SHOWN:], "after": prompt[behind:][:_SHOWN]},
            "rendered": {"before": rendered[-_SHOWN:], "after": text[at:][:_SHOWN]},
            "graft": prompt[-_SHOWN:] + text[start:end],
            "train": text[start:end],
        }
        own = text[start:end]
        shown = own if len(own) <= 60 else own[:40] + "…" + own[-20:]  # noqa: PLR2004
        message = (
            f"messages[{self.message}]: the generation prompt does not stand before this turn's text. The server's "
            f"prompt ends with {(asked[-40:] + prompt[behind:][:60])!r}, the turn is rendered as "
            f"{(rendered[-40:] + text[at:][:60])!r}. graft would put {shown!r} behind the prompt; "
            "train would train it behind the rendered header"
        )
        return RowError("prompt-mismatch", message, _WAYS_OUT, facts)

    def _need_provenance(self) -> None:
        if self.continued.lost or self.prompt.lost:
            raise lost_text(self.message)


def generation_prompt(template: ChatTemplate, conversation: Conversation, message: int, prompt: str) -> str:
    """Return the generation prompt, prompt(k) without render(M[:k]); empty where prompt(k) does not begin with that."""
    try:
        before = template.plain(conversation, message, generation_prompt=False)
    except RowError:
        return ""
    return prompt.removeprefix(before) if prompt.startswith(before) else ""


def _alike(prompt: str, header: str) -> bool:
    """Tell whether two texts, which are not empty, differ in white space alone."""
    return "".join(prompt.split()) == "".join(header.split()) != ""


def _of_template(text: str) -> Rendered:
    return Rendered(text, merge([(len(text), TEMPLATE)]))


_LETTER = "x"
_SHOWN = 400  # characters of each text that an inspection gets to show

_WAYS_OUT = (
    "set template_kwargs so that the prompt fits the data, put reasoning into the data, or choose --prompt-mismatch "
    "graft or train"
)
