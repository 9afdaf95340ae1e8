"""From proved turns to the sequences that train them, each one proved again on its token ids.

    text   ├── context(1) ──┤├ completion ┤├ … ──┤├ completion ┤├ rest ┤
    ids    the ids before each trained completion are those of the server's prompt, encoded alone

A sequence trains a turn when its text starts with the turn's context and completion *and* its ids start with the ids
of that context. A token that would cross the border in front of a completion is split there; since that changes the
ids that later turns see as their history, only the last trained turn of a sequence may be split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from maskprep.arrays import byte_limits
from maskprep.conversation import Finding
from maskprep.errors import RowError
from maskprep.policy import History
from maskprep.template.rendered import Rendered
from maskprep.template.turns.turn import Turn
from maskprep.tokenizer.encode import Context, Encoded, Encoder


class CompletionSpan(NamedTuple):
    """A completion inside a sequence: characters ``start:end``, of which ``stop:end`` is the stop token.

    ``thought`` is the place of an empty thought of the template's in it, if any.
    """

    message: int
    start: int
    stop: int
    end: int
    trained: bool
    faithful: bool = True
    thought: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class TrainingSequence:
    """One sequence of a row: its text, the completions known in it, and its ids.

    ``borders`` counts the completions in front of which a token was split.
    """

    text: Rendered
    completions: tuple[CompletionSpan, ...]
    encoded: Encoded
    borders: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """The one sequence that a row becomes if no token crosses the border in front of any completion that it trains."""

    text: Rendered
    completions: tuple[CompletionSpan, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def starts(self) -> list[int]:
        """Where the trained completions begin."""
        return [completion.start for completion in self.completions if completion.trained]


@dataclass(frozen=True, slots=True)
class RowSequences:
    """Everything that one conversation becomes, and what was noticed."""

    sequences: tuple[TrainingSequence, ...]
    findings: tuple[Finding, ...]


class SequenceBuilder:
    """Builds the sequences of conversations with one tokenizer."""

    def __init__(self, encoder: Encoder) -> None:
        """Keep the encoder."""
        self._encoder = encoder

    def build(
        self, history: History, whole: Rendered, turns: Sequence[Turn], selected: Mapping[int, Turn], located: Located
    ) -> RowSequences:
        """Return the sequences of one conversation.

        Args:
            history: what to do where the template rewrites history.
            whole: the rendering of the whole conversation.
            turns: all turns that could be proved, selected or not.
            selected: the turns to train, by message.
            located: where the turns stand in ``whole``, faithful or not, by message; read for ``rendered`` only.

        Raises:
            RowError: ``unproved``, should a sequence not hold the very turn that it was made for.
        """
        if history is History.RENDERED:
            return self._rendered(_as_rendered(whole, turns, selected, located))
        first = self.over(whole, turns, selected)
        findings = []
        if history is History.MASK and not _trained(first):
            # Nothing behind the last turn is learnt from; without it, that turn at least stands as it was generated.
            first = self.over(selected[max(selected)].text, turns, selected)
            findings.append(Finding("cut-after-last-turn", f"left out: what follows messages[{max(selected)}]"))
        sequences = [first] if _trained(first) else []
        pending = {message: turn for message, turn in selected.items() if message not in _trained(first)}
        crossing = sorted(message for message, turn in pending.items() if turn.begins(first.text))
        # A grafted turn gets its own sequence for another reason; only `mask`, which has none, leaves it out.
        other = [message for message in sorted(pending) if message not in crossing]
        other = [m for m in other if history is History.MASK or not pending[m].grafted]
        findings += [_rewritten(other)] if other else []
        if history is History.SPLIT:
            while pending:
                message = max(pending)
                sequence = self.over(pending[message].text, turns, pending)
                if message not in _trained(sequence):
                    msg = f"messages[{message}]: the ids of its own sequence do not begin with those of its prompt"
                    raise RowError("unproved", msg)
                sequences.append(sequence)
                pending = {other: turn for other, turn in pending.items() if other not in _trained(sequence)}
        elif crossing:
            left = ", ".join(map(str, crossing))
            findings.append(
                Finding("border-masked", f"messages {left}: left out, a token crosses the prompt/completion boundary")
            )
        split = [s.completions[-1].message for s in sequences if s.borders]
        findings += [Finding("border-split", f"a token before messages[{message}] was split") for message in split[:1]]
        return RowSequences(tuple(sequences), tuple(findings))

    def over(self, text: Rendered, turns: Sequence[Turn], wanted: Mapping[int, Turn]) -> TrainingSequence:
        """Encode ``text`` so that it trains as many of the wanted turns as it can, the last one that fits for sure."""
        fitting = [turn for turn in turns if turn.begins(text)]
        candidates = [turn for turn in fitting if turn.message in wanted]
        if not candidates:
            return TrainingSequence(text, (), Encoded(*[np.zeros(0, np.int64)] * 3))
        contexts = self._encoder.contexts(text.text, [turn.start for turn in candidates])
        last = candidates[-1]
        encoded = self._encoder.encode(text.text)
        low = _in_bytes(text.text, [turn.start for turn in candidates])
        split = not _meets(encoded, contexts[last.start], text.text, low[last.start])
        if split:
            encoded = self._encode_split(text.text, [last.start])
        met = {turn.message for turn in candidates if _meets(encoded, contexts[turn.start], text.text, low[turn.start])}
        for turn in candidates:
            if turn.message in met:
                encoded = encoded.with_border(len(contexts[turn.start]), low[turn.start])
        completions = tuple(_stretch(turn, trained=turn.message in met) for turn in fitting)
        return TrainingSequence(text, completions, encoded, borders=int(split))

    def _rendered(self, draft: Draft) -> RowSequences:
        whole, starts = draft.text, draft.starts
        contexts = self._encoder.contexts(whole.text, starts)
        encoded = self._encoder.encode(whole.text)
        low = _in_bytes(whole.text, starts)
        cuts = [start for start in starts if not _meets(encoded, contexts[start], whole.text, low[start])]
        findings = draft.findings
        if cuts:
            encoded = self._encode_split(whole.text, cuts)
            findings = (*findings, Finding("border-split", f"tokens before {len(cuts)} completions were split"))
        else:
            for start in starts:
                encoded = encoded.with_border(len(contexts[start]), low[start])
        return RowSequences((TrainingSequence(whole, draft.completions, encoded, len(cuts)),), findings)

    def _encode_split(self, text: str, cuts: Sequence[int]) -> Encoded:
        encoded = self._encoder.encode(text[: cuts[0]])
        for start, stop in zip(cuts, [*cuts[1:], len(text)], strict=True):
            encoded = encoded.then(self._encoder.encode_rest(text[start:stop]), len(text[:start].encode()))
        return encoded


Located = Mapping[int, tuple[int, int, int]]


def drafts(
    history: History, whole: Rendered, turns: Sequence[Turn], selected: Mapping[int, Turn], located: Located
) -> Sequence[Draft]:
    """Return the sequences that a row becomes if every border is met, none where it is to be looked at by itself.

    The arguments are those of ``SequenceBuilder.build``, and so is what comes out.
    """
    if history is History.RENDERED:
        return (_as_rendered(whole, turns, selected, located),)
    first = _as_it_stands(whole, turns, selected)
    trained = _trained(first)
    pending = {message: turn for message, turn in selected.items() if message not in trained}
    if history is History.MASK and not trained:
        return ()
    other = [message for message in sorted(pending) if history is History.MASK or not pending[message].grafted]
    found = [first] if trained else []
    while pending and history is History.SPLIT:
        draft = _as_it_stands(pending[max(pending)].text, turns, pending)
        held = _trained(draft)
        if max(pending) not in held:
            return ()
        found.append(draft)
        pending = {message: turn for message, turn in pending.items() if message not in held}
    if other:
        found[0] = replace(found[0], findings=(_rewritten(other),))
    return found


def _as_it_stands(text: Rendered, turns: Sequence[Turn], wanted: Mapping[int, Turn]) -> Draft:
    """Return a text as a sequence that trains the wanted turns that it begins with."""
    return Draft(text, tuple([_stretch(turn, trained=turn.message in wanted) for turn in turns if turn.begins(text)]))


def _as_rendered(whole: Rendered, turns: Sequence[Turn], selected: Mapping[int, Turn], located: Located) -> Draft:
    """Return the whole with every selected turn where it stands, faithful or not."""
    completions: list[CompletionSpan] = []
    unfaithful: list[int] = []
    for turn in sorted(turns, key=_MESSAGE):
        message = turn.message
        if turn.begins(whole):
            completions.append(_stretch(turn, trained=message in selected))
        elif message in selected:
            unfaithful.append(message)
            if message in located:
                start, stop, end = located[message]
                thought = _same_thought(turn, whole.text, start)
                completions.append(CompletionSpan(message, start, stop, end, True, False, thought))  # noqa: FBT003
    findings = (_rewritten(unfaithful),) if unfaithful else ()
    return Draft(whole, tuple(_apart(completions)), findings)


def _stretch(turn: Turn, *, trained: bool) -> CompletionSpan:
    return CompletionSpan(turn.message, turn.start, turn.stop, turn.end, trained, True, turn.thought)  # noqa: FBT003


def _apart(completions: Sequence[CompletionSpan]) -> list[CompletionSpan]:
    """Return completions in the order of the text; of two that overlap, the later one begins where the other ends."""
    kept: list[CompletionSpan] = []
    done = 0
    for completion in sorted(completions, key=_START):
        start = max(completion.start, done)
        done = max(completion.end, done)
        if start < completion.end:
            apart = start == completion.start <= completion.stop
            kept.append(completion if apart else completion._replace(start=start, stop=max(start, completion.stop)))
    return kept


def _same_thought(turn: Turn, text: str, start: int) -> tuple[int, int]:
    """Return where the turn's empty thought stands in another text, in which its completion begins at ``start``."""
    low, high = turn.thought
    if high > low and text.startswith(turn.text.between(turn.start, high), start):
        return start + low - turn.start, start + high - turn.start
    return start, start


def _rewritten(messages: Sequence[int]) -> Finding:
    shown = ", ".join(map(str, messages[:8])) + (" …" if len(messages) > 8 else "")  # noqa: PLR2004
    return Finding("history-rewritten", f"the template renders messages {shown} otherwise once later ones follow")


def _trained(sequence: TrainingSequence | Draft) -> set[int]:
    return {completion.message for completion in sequence.completions if completion.trained}


def _in_bytes(text: str, starts: Sequence[int]) -> dict[int, int]:
    """Return where characters of a text stand in its bytes of UTF-8."""
    ordered = sorted(starts)
    return dict(zip(ordered, byte_limits(text, np.asarray(ordered, np.int64)).tolist(), strict=True))


def _meets(encoded: Encoded, context: Context, text: str, low: int) -> bool:
    """Tell whether the ids begin with those of the context, and whether what follows them is the completion's.

    The context is the text up to byte ``low``.

    A tokenizer may leave out the blank at the end of a prompt and put it into the first token of the answer: then that
    token is what the model generates behind that prompt. Any other character of the prompt in it would be too many.
    So would any character of the answer in the last token of the context (unknown ones are one token, however many).
    """
    if not context.begins(encoded.ids):
        return False
    if len(context) and int(encoded.ends[len(context) - 1]) > low:
        return False
    if len(encoded.ids) == len(context):
        return True
    first = int(encoded.starts[len(context)])
    return first >= low or not text.encode()[first:low].strip()


_MESSAGE, _START = attrgetter("message"), attrgetter("start")
