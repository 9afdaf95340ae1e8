"""The audit of finished sequences: some of a build are held against transformers alone, by the rule of ``verify``.

    first row of a kind     up to 4 of its turns     what one row of a kind gets wrong, the others get wrong, too
    1 row in 200            1 of its turns           drawn by its text
    ``audit: all``          every turn

Rows that are finished by themselves have kinds of their own: how an answer begins, and whether a token was split there.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Hashable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from zlib import crc32

from maskprep.errors import RowError
from maskprep.examples.chats import Chats
from maskprep.examples.clock import clock
from maskprep.examples.oracle import Oracle
from maskprep.examples.prepared import Prepared, PreparedSequence
from maskprep.policy import AuditMode, History, Policy
from maskprep.template.sandbox.limits import Limits
from maskprep.template.turns.audit import Audit
from maskprep.template.turns.proved import Proved
from maskprep.tokenizer.backend import TransformersBackend
from maskprep.tokenizer.load import LoadedTokenizer

_FIRST, _DRAWN = 4, 1  # turns of a row
_FEW = 4  # messages: a conversation that has more is as one that has so many


def turns_to_audit(mode: AuditMode, *, new: bool) -> int:
    """Return how many turns of a row are to be checked that is of a ``new`` kind, or was drawn."""
    if mode is AuditMode.ALL:
        return sys.maxsize
    return _FIRST if new else _DRAWN


class SequenceAudit:
    """Holds finished sequences against transformers alone.

    Of several turns of one row, the ids of the last one's prompt are asked of the tokenizer as a whole; those of the
    prompts ahead of it piece by piece, where texts may be divided: they begin alike, and may be long.

    Args:
        loaded: the tokenizer.
        policy: what is trained.
        mode: how much is checked.
    """

    def __init__(self, loaded: LoadedTokenizer, policy: Policy, mode: AuditMode) -> None:
        self._loaded, self._policy = loaded, policy
        self._audit, self._backend = Audit(mode), TransformersBackend(loaded.tokenizer)
        self._oracles: dict[tuple[History, Limits], Oracle] = {}

    def begin(self) -> None:
        """Forget which kinds were checked."""
        self._audit.begin()
        self._backend.renew(0)

    def check(self, proved: Proved, prepared: Prepared, history: History, *, single: bool) -> None:
        """Check some turns of a row, or none. ``single`` tells whether it was finished by itself.

        Raises:
            RowError: ``unproved`` where transformers alone finds anything wrong, ``render-differs`` where it cannot
                render what was rendered here.
        """
        count, conversation = proved.audited, proved.conversation
        # The first row of its kind may have been rejected before it came here.
        kinds: set[Hashable] = {(conversation.tools is None, min(len(conversation.messages), _FEW))}
        if single:
            kinds |= {kind for made in prepared.sequences for kind in _kinds(made)}
        if not self._audit.knows(kinds):
            self._audit.wants(kinds, 0)
            count = max(count, turns_to_audit(self._audit.mode, new=True))
        if count:
            self._check(proved, prepared, history, count)

    def _check(self, proved: Proved, prepared: Prepared, history: History, count: int) -> None:
        template = proved.template
        oracle = self._oracle(history, template.limits)
        chats = Chats(proved.conversation, template.variables, template.source)
        chosen = _chosen(prepared, chats, count, proved.whole.text)
        with clock(template.now) if template.uses_clock else nullcontext():
            for number, only in chosen.items():
                made = prepared.sequences[number]
                try:
                    fault = next(oracle.faults(chats.of(made), chats.renumbered(made.labelled, made), only), None)
                except RowError:
                    # What is beyond the limits in transformers alone is no fault of the row where nobody asked it yet.
                    if template.uses_clock:
                        return
                    raise
                except Exception as error:  # whatever it refuses, we must not train
                    msg = f"transformers cannot render this conversation: {type(error).__name__}: {error}"
                    raise RowError("render-differs", msg) from error
                if fault is not None:
                    raise RowError("unproved", f"by transformers alone, {fault}")

    def _oracle(self, history: History, limits: Limits) -> Oracle:
        """Return the oracle of a way of treating history: it finds out once what the tokenizer does."""
        if (history, limits) not in self._oracles:
            policy = replace(self._policy, history=history)
            self._oracles[history, limits] = Oracle(self._loaded, policy, limits, self._encode)
        return self._oracles[history, limits]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._backend.encode([text])[0].tolist()
        return ids


def _kinds(made: PreparedSequence) -> Iterator[Hashable]:
    """Yield what the trained turns of a sequence have in common with others, as far as encoding goes."""
    encoded, text = made.sequence.encoded, made.sequence.text.text
    tiled = bool((encoded.starts[1:] == encoded.ends[:-1]).all())
    for completion in made.sequence.completions:
        if completion.trained:
            yield (
                made.sequence.borders > 0,
                tiled,
                completion.faithful,
                _class(text[completion.start : completion.start + 1]),
            )


def _class(char: str) -> str:
    """Return what kind of character it is: tokenizers treat those of one kind alike."""
    if char.isspace():
        return "blank"
    return f"{'word' if char.isalnum() else 'mark'}{'' if char.isascii() else ', no ASCII'}"


def _chosen(prepared: Prepared, chats: Chats, count: int, text: str) -> dict[int, Collection[int]]:
    """Return which messages to check, by sequence: drawn by the ``text`` where it is one, else spread evenly."""
    pairs = []
    for number, made in enumerate(prepared.sequences):
        # What a template makes of a text to go on from, transformers finds out by searching: it may fail.
        prefix = chats.of(made).prefix
        spans = chats.renumbered(made.labelled, made).spans
        pairs += [(number, message) for message in sorted({s.message for s in spans if s.trained} - {prefix})]
    if count < len(pairs):
        last = len(pairs) - 1
        if count == 1:
            places = {crc32(text.encode("utf-8", "surrogatepass")) % len(pairs)}
        else:
            places = {index * last // (count - 1) for index in range(count)}
        pairs = [pairs[place] for place in sorted(places)]
    chosen: dict[int, Collection[int]] = {}
    for number, message in pairs:
        chosen[number] = {*chosen.get(number, ()), message}
    return chosen
