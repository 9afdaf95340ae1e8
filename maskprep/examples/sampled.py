"""Turns that the data has as they were generated: their ids → sequences, with nothing rendered or encoded again.

    turn 0   prompt 0 │ completion 0
    turn 1   prompt 0 │ completion 0 │ result │ completion 1      its prompt goes on where turn 0 ended: one chain
    turn 2   prompt 2 │ completion 2                              it does not: a chain of its own

    split, tree       a sequence for each chain; a tree writes what they share once
    mask, rendered    one sequence, the chain of the last turn: nothing is rendered, so there is no other

What is trained is what was sampled, id by id, behind exactly the ids that were fed. Text → ids may give others: many
spellings in ids have one text. So the template's rendering is no measure of the ids here; where it gives others, that
is told. Beside the completions nothing is known of what ids stand for: they count as the template's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from maskprep.arrays import Bools, Floats, Ints
from maskprep.conversation import Conversation, Finding, Sampled
from maskprep.errors import RowError
from maskprep.examples.prepared import Prepared, PreparedSequence
from maskprep.examples.sequences import CompletionSpan, TrainingSequence
from maskprep.examples.unasked import with_unasked
from maskprep.formats.wording import quote
from maskprep.labelled import IGNORED, Labelled, Span, logprobs_or_none, weights_or_none
from maskprep.policy import TRAINABLE, History, Part, Policy
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns.proved import Proved
from maskprep.template.turns.prover import read_as_chosen
from maskprep.tokenizer.encode import Encoded, Encoder
from maskprep.tokenizer.load import LoadedTokenizer

_SHOWN = 6  # ids on each side of a difference

_NOTHING = Rendered("", ())
_NO_IDS = Encoded(*[np.zeros(0, np.int64)] * 3)


@dataclass(slots=True)
class _Chain:
    """Turns of which each one's prompt begins with the ids of the one before it; ``ids`` are those of the last."""

    ids: tuple[int, ...]
    messages: list[int] = field(default_factory=list)


class SampledTurns:
    """Makes sequences of conversations whose turns the data has as ids.

    Args:
        loaded: the tokenizer.
        policy: what is trained.
        encoder: encodes texts, to tell where ids differ.
    """

    def __init__(self, loaded: LoadedTokenizer, policy: Policy, encoder: Encoder) -> None:
        self._loaded, self._policy, self._encoder = loaded, policy, encoder
        # Where no stop token ends a turn, its last special token does (`<|call|>`), as in the law.
        ids = map(loaded.vocabulary.ids.of, (*loaded.stop_tokens, *loaded.special_tokens))
        self._stops = frozenset(each for each in ids if each is not None)

    def prove(self, conversation: Conversation, template: ChatTemplate) -> Proved:
        """Return a conversation whose ids were checked, with what the template says of them among the findings.

        Raises:
            RowError: ``bad-token-ids`` where an id is no token's, ``tokens-undivided`` where the policy wants less of
                a turn, or more than turns, than ids can tell apart.
        """
        self._check_policy()
        for message, turn in conversation.sampled.items():
            self._check_vocabulary(message, turn)
        told = with_unasked(conversation, template) if conversation.template_kwargs else conversation
        findings = (*told.findings, *self._compared(conversation, template))
        return Proved(conversation, template, _NOTHING, (), {}, findings)

    def prepare(self, proved: Proved, history: History) -> Prepared:
        """Return the sequences of a conversation. Raises ``RowError`` where nothing of it is left to train."""
        turns = proved.conversation.sampled
        findings: list[Finding] = []
        selected = self._selected(proved.conversation, findings)
        chains = _chains(turns)
        begun = [chain.messages[0] for chain in chains[1:]]
        if begun:
            shown = ", ".join(map(str, begun[:_SHOWN])) + (" …" if len(begun) > _SHOWN else "")
            text = f"the prompts of messages {shown} do not begin with the ids of any turn before them"
            findings.append(Finding("prompt-rewritten", text))
        if history in {History.MASK, History.RENDERED}:
            last = max(selected, default=max(turns))
            chains = [chain for chain in chains if last in chain.messages]
        made = [self._sequence(chain, proved.conversation, selected) for chain in chains]
        sequences = tuple(each for each in made if each is not None)
        if not sequences:
            said = "; ".join(finding.detail for finding in findings)
            raise RowError("nothing-to-train", f"no sampled token is left to train{': ' + said if said else ''}")
        return Prepared(sequences, (*proved.findings, *findings))

    def _check_policy(self) -> None:
        policy = self._policy
        left = [str(part) for part in TRAINABLE if part is not Part.STOP and part not in policy.parts]
        others = sorted(policy.roles - {"assistant"})
        for wanted, text in (
            (left, f"train.parts leaves out {', '.join(left)}, and nothing tells which of the sampled ids these are"),
            (not policy.call_ids, "train.tool_call_ids: mask, and nothing tells which of the sampled ids these are"),
            (others, f"train.roles has {', '.join(others)}, and nothing tells which ids that were fed these are"),
        ):
            if wanted:
                raise RowError("tokens-undivided", text)

    def _check_vocabulary(self, message: int, turn: Sampled) -> None:
        known = self._loaded.vocabulary.ids
        for number in sorted(set(turn.ids), reverse=True):
            if known.token(number) is None:
                text = f"messages[{message}]: the id {number} is no token of the tokenizer {self._loaded.name!r}"
                raise RowError("bad-token-ids", text, "give the tokenizer of the model that generated these turns")

    def _compared(self, conversation: Conversation, template: ChatTemplate) -> Iterator[Finding]:
        """Yield how the ids differ from those that rendering and encoding the conversation's text gives."""
        turns = conversation.sampled
        unknown = [message for message, turn in turns.items() if not turn.in_context]
        if unknown:
            yield Finding("context-unchecked", f"messages[{unknown[0]}]: the row has no messages before this turn")
        known = {message: turn for message, turn in turns.items() if turn.in_context and message}
        try:
            read = read_as_chosen(template, conversation, self._policy)[0] if known else conversation
            for message, turn in known.items():
                text = template.tracked(read, message, generation_prompt=True).text
                yield from self._drift(message, turn, text)
        except RowError as error:
            yield Finding("context-unchecked", f"the template refuses the row's messages: {error.message}")
        for message, turn in turns.items():
            text = self._decode(turn.completion)
            ids = self._encode(text)
            if ids != turn.completion:
                at = _first_difference(ids, turn.completion)
                sampled, own = (self._shown(each, at) for each in (turn.completion, ids))
                detail = f"from id {at:,} of the completion on {sampled} was sampled, encoding its text gives {own}"
                yield Finding("encoded-otherwise", f"messages[{message}]: {detail}")

    def _drift(self, message: int, turn: Sampled, text: str) -> Iterator[Finding]:
        ids = self._encode(text)
        if ids == turn.prompt:
            return
        at = _first_difference(ids, turn.prompt)
        fed, own = (self._shown(each, at) for each in (turn.prompt, ids))
        same = " for the same text" if self._decode(turn.prompt) == text else ""
        counts = f"{len(turn.prompt):,} ids were fed, the template gives {len(ids):,}{same}"
        yield Finding("token-drift", f"messages[{message}]: {counts}; from id {at:,} on {fed} was fed, not {own}")

    def _shown(self, ids: Sequence[int], at: int) -> str:
        """Return some ids with their text, from a place on."""
        cut = list(ids[at : at + _SHOWN])
        return f"{quote(self._decode(cut))} {cut}" if cut else "nothing"

    def _selected(self, conversation: Conversation, findings: list[Finding]) -> set[int]:
        """Return the turns to train: those that the policy chooses, and that say more than that they end."""
        messages, turns = conversation.messages, conversation.sampled
        chosen = {n for n in self._policy.choose([each.role for each in messages]) if messages[n].weight > 0}
        unknown = sorted(chosen - turns.keys())
        if unknown:
            text = f"messages[{unknown[0]}] is the assistant's, and its ids are not known: it is context"
            findings.append(Finding("turn-without-ids", text))
        selected = chosen & turns.keys()
        silent = {message for message in selected if self._says_nothing(turns[message])}
        if silent:
            findings.append(Finding("empty-answer", f"messages[{min(silent)}] says nothing: it is not trained"))
        cut = [message for message in sorted(selected - silent) if turns[message].completion[-1] not in self._stops]
        if cut:
            text = f"messages[{cut[0]}] ends with {quote(self._decode(turns[cut[0]].completion[-1:]))}, no stop token"
            findings.append(Finding("sampled-without-stop", text))
        return selected - silent

    def _says_nothing(self, turn: Sampled) -> bool:
        return all(each in self._stops for each in turn.completion)

    def _sequence(self, chain: _Chain, conversation: Conversation, selected: set[int]) -> PreparedSequence | None:
        """Return the sequence of a chain, None where it trains nothing."""
        ids = np.asarray(chain.ids, np.int64)
        weights, logprobs = np.zeros(len(ids), np.float32), np.full(len(ids), np.nan, np.float32)
        kinds = np.zeros((len(ids), 2), np.int64)  # the message, plus one; whether it is a stop token
        completions = []
        for message in chain.messages:
            turn = conversation.messages[message].sampled
            assert turn is not None
            start, end = len(turn.prompt), len(turn.ids)
            kinds[start:end, 0] = message + 1
            stop = end - (turn.completion[-1:] != () and turn.completion[-1] in self._stops)
            kinds[stop:end, 1] = 1
            if turn.logprobs is not None:
                logprobs[start:end] = turn.logprobs
            if message in selected:
                own = 1.0 if turn.weights is None else np.asarray(turn.weights, np.float32)
                weights[start:end] = own * np.float32(conversation.messages[message].weight)
                if Part.STOP not in self._policy.parts:
                    weights[stop:end] = 0
            trained = bool((weights[start:end] > 0).any())
            completions.append(CompletionSpan(message, start, stop, end, trained))
        labelled = replace(_labelled(ids, weights, kinds), logprobs=logprobs_or_none(logprobs))
        return PreparedSequence.of(labelled, TrainingSequence(_NOTHING, tuple(completions), _NO_IDS))

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._encoder.ids(text).tolist()) if text else ()

    def _decode(self, ids: Sequence[int]) -> str:
        tokenizer = self._loaded.tokenizer
        return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _chains(turns: Mapping[int, Sampled]) -> list[_Chain]:
    """Return the chains of turns, in the order of their first ones; each turn goes on with the longest that it can."""
    chains: list[_Chain] = []
    for message, turn in turns.items():
        fitting = [chain for chain in chains if turn.prompt[: len(chain.ids)] == chain.ids]
        chain = max(fitting, key=lambda each: len(each.ids), default=None)
        if chain is None:
            chains.append(chain := _Chain(()))
        chain.ids = turn.ids
        chain.messages.append(message)
    return chains


def _labelled(ids: Ints, weights: Floats, kinds: Ints) -> Labelled:
    """Return ids with labels where their weights are above 0, and with spans of one kind each."""
    trained: Bools = weights > 0
    changes = np.flatnonzero((kinds[1:] != kinds[:-1]).any(axis=1) | (trained[1:] != trained[:-1])) + 1
    edges = [0, *changes.tolist(), len(ids)]
    spans = []
    for start, end in pairwise(edges):
        message, stop = int(kinds[start, 0]) - 1, bool(kinds[start, 1])
        part = Part.STOP if stop else Part.SCAFFOLD if message < 0 else Part.CONTENT
        role = "template" if message < 0 else "assistant"
        spans.append(Span(role, part.value, message, start, end, bool(trained[start])))
    labels = np.where(trained, ids, IGNORED)
    return Labelled(ids, labels, tuple(spans), weights_or_none(weights))


def _first_difference(one: Sequence[int], two: Sequence[int]) -> int:
    pairs = enumerate(zip(one, two, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(two)))
