"""The whole way of rows: read → render, prove their turns → sequences → labels; each step proved, or the row rejected.

lines     │ row  row  row  row │
parse, prove   one by one         a row that fails keeps its reason, the others go on
sequences │ row  row  row  row │  together, where nothing is unusual about a row
result    │ made made error made   each in its place
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from types import MappingProxyType
from typing import Any

from maskprep.conversation import Conversation
from maskprep.errors import MaskprepError, RowError
from maskprep.examples.audit import SequenceAudit
from maskprep.examples.batch import finish_all
from maskprep.examples.control_tokens import ControlTokens
from maskprep.examples.labels import label
from maskprep.examples.markers import markers_told
from maskprep.examples.overflow import fit
from maskprep.examples.prepared import Prepared, PreparedRow, PreparedSequence
from maskprep.examples.proofs import LONG, Proofs, ReadyTemplate
from maskprep.examples.sampled import SampledTurns
from maskprep.examples.sequences import Draft, Located, SequenceBuilder, drafts
from maskprep.examples.transformers_check import try_out
from maskprep.examples.trees import apart_of, write_rows, written
from maskprep.formats import Line, parse
from maskprep.policy import AuditMode, Control, History, Policy
from maskprep.sources.duplicates import digest
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.sandbox.limits import Limits
from maskprep.template.turns.locate import locate
from maskprep.template.turns.proved import Proved
from maskprep.template.turns.stop_tokens import Stops
from maskprep.tokenizer.backend import Backend
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.load import LoadedTokenizer

NO_FATES: Mapping[int, RowError] = MappingProxyType({})
"""Every row is to be prepared."""


def nobody(line: Line) -> None:
    """Tell nobody which row is begun."""


class Preparer:
    """Prepares rows with one tokenizer, one chat template and one policy.

    Args:
        loaded: the tokenizer.
        template: the text of a chat template; None for the tokenizer's own, or the one it calls ``named``.
        named: the name of one of the tokenizer's templates.
        variables: what the template is given beside the messages (``template_kwargs``).
        now: the time that the template is given.
        policy, audit: what to train, and which rows and turns are rendered again in the slow way, to be compared.
        limits, backend: what one rendering may take, and what encodes; None: transformers.

    Raises:
        UsageError: there is no template, it does not compile, or takes too much for the shortest of conversations.
    """

    def __init__(  # noqa: PLR0913 - the ingredients
        self,
        loaded: LoadedTokenizer,
        *,
        now: datetime,
        policy: Policy,
        template: str | None = None,
        named: str | None = None,
        variables: dict[str, Any] | None = None,
        audit: AuditMode = AuditMode.SAMPLE,
        limits: Limits | None = None,
        backend: Backend | None = None,
    ) -> None:
        self.loaded, self.policy, self.now = loaded, policy, now
        self.stops = Stops(loaded.stop_tokens, loaded.special_tokens, loaded.added_tokens)
        self.encoder = Encoder(loaded.tokenizer, backend)
        texts = [
            template if template is not None else loaded.template_for(named, tools=tools) for tools in (False, True)
        ]
        given = {**loaded.variables, **(variables or {})}
        compiled = {text: ChatTemplate(text, given, now, limits) for text in dict.fromkeys(texts)}
        for chat in compiled.values():
            try_out(chat)
        self._ready = {
            text: ReadyTemplate(
                chat, ControlTokens(loaded, chat, self.stops), markers_told(chat, loaded, self.encoder, self.stops)
            )
            for text, chat in compiled.items()
        }
        self.templates = {tools: compiled[text] for tools, text in zip((False, True), texts, strict=True)}
        self.mentioned = frozenset[str]().union(*(chat.mentioned for chat in compiled.values()))
        self._builder = SequenceBuilder(self.encoder)
        self._remember_nothing(audit)

    def _remember_nothing(self, audit: AuditMode) -> None:
        """Get ready to learn from rows what is checked, and how turns are found."""
        self.audit = SequenceAudit(self.loaded, self.policy, audit)
        self.proofs = {
            text: Proofs(self.loaded, ready, self.stops, self.policy, audit) for text, ready in self._ready.items()
        }

    def under(self, policy: Policy) -> Preparer:
        """Return a preparer of another policy, with the same tokenizer and the same compiled templates.

        Neither remembers anything of the rows that the other has seen.
        """
        other = copy(self)
        other.policy = policy
        other._remember_nothing(AuditMode.FIRST)  # noqa: SLF001 - of this class
        return other

    def encoding_with(self, backend: Backend) -> Preparer:
        """Return this preparer with another backend. Both remember the same rows: one is to be used no longer."""
        other = copy(self)
        other.encoder = Encoder(self.loaded.tokenizer, backend)
        other._builder = SequenceBuilder(other.encoder)  # noqa: SLF001 - of this class
        return other

    @property
    def backend(self) -> Backend:
        """What encodes."""
        return self.encoder.backend

    def begin(self, compared: int = 0) -> None:
        """Forget what earlier rows have shown, so that what becomes of a row depends on those from here on alone.

        Each kind of turn is checked again the first time; which empty thoughts there are is found out again. What was
        learnt of a template stays: what is replayed is what it would write. The first ``compared`` distinct texts are
        encoded twice, where the backend is compared with transformers.
        """
        self.audit.begin()
        for proofs in self.proofs.values():
            proofs.begin()
        self.encoder.begin()
        self.backend.renew(compared)

    def prepare_rows(self, lines: Iterable[Line]) -> list[PreparedRow]:
        """Return what becomes of some rows, in their order: labelled sequences, or the reason why there are none."""
        return [row for rows in self.prepared(lines) for row in rows]

    def prepared(
        self, lines: Iterable[Line], fates: Mapping[int, RowError] = NO_FATES, begin: Callable[[Line], None] = nobody
    ) -> Iterator[list[PreparedRow]]:
        """Yield what becomes of rows, in lists of rows that were made into sequences together, in their order.

        Args:
            lines: the rows; each is read when the one before it is proved.
            fates: why some of them are not to be prepared at all, by the number of the line.
            begin: is called ahead of each row that is read and proved, or finished by itself, as that may take long.
        """
        for rows in self.proved(lines, fates, begin):
            yield self.finish_rows(rows, self.policy.history, begin)

    def proved(
        self, lines: Iterable[Line], fates: Mapping[int, RowError] = NO_FATES, begin: Callable[[Line], None] = nobody
    ) -> Iterator[list[PreparedRow]]:
        """Yield rows read and proved, or each with the reason why it cannot be: some at a time, fewer of long ones."""
        rows: list[PreparedRow] = []
        size = 0
        for line in lines:
            row = PreparedRow(line, error=fates.get(line.where.line))
            rows.append(row)
            if row.error is None:
                begin(line)
                try:
                    row.conversation = parse(line)
                    row.proved = self.prove(row.conversation)
                    row.digest = digest(row.proved.conversation)
                    size += row.proved.size
                except Exception as error:  # noqa: BLE001 - whatever it is, it is of this row
                    row.fail(error)
            if len(rows) >= _TOGETHER or size >= _CHARACTERS or (row.error is not None and row.lacked_memory):
                yield rows
                rows, size = [], 0
        if rows:
            yield rows

    def finish_rows(
        self, rows: list[PreparedRow], history: History, begin: Callable[[Line], None] = nobody
    ) -> list[PreparedRow]:
        """Make labelled sequences of the rows that were proved, under one way of treating history; return all rows."""
        waiting = [(row, row.proved) for row in rows if row.proved is not None]
        together = self._together([proved for _, proved in waiting], apart := apart_of(history))
        for (row, proved), made in zip(waiting, together, strict=True):
            try:
                if made is None:
                    begin(row.line)
                    row.made = self.finish(proved, apart)
                else:
                    self.audit.check(proved, made, apart, single=False)
                    row.made = made
            except Exception as error:  # noqa: BLE001 - as above
                row.fail(error)
        write_rows(rows, history, self.policy.max_length)
        return rows

    def prepare(self, conversation: Conversation) -> Prepared:
        """Return the sequences of one conversation. Raises ``RowError`` with the reason why it cannot be used."""
        made = self.finish(self.prove(conversation), apart_of(self.policy.history))
        return written([made], self.policy.history, self.policy.max_length)[0]

    def prove(self, conversation: Conversation, wanted: Collection[int] | None = None) -> Proved:
        """Prove the turns of one conversation: those that the policy selects, or those ``wanted``. Raises ``RowError``.

        What is proved, and numbered, are the messages of the adapted conversation; with ``wanted``, it is adapted.
        """
        template = self.templates[conversation.tools is not None]
        if conversation.sampled:
            return SampledTurns(self.loaded, self.policy, self.encoder).prove(conversation, template)
        return self.proofs[template.source].prove(conversation, wanted)

    def finish(self, proved: Proved, history: History) -> Prepared:
        """Make labelled sequences that fit, and no tree, of one proved conversation, by itself. Raises ``RowError``."""
        prepared = self._sequences(proved, history)
        if proved.size > LONG:
            self.encoder.begin()

        def make(conversation: Conversation, wanted: Collection[int]) -> Prepared:
            return self._sequences(self.prove(conversation, wanted), history)

        if self.policy.max_length is not None:
            prepared = fit(proved.conversation, prepared, self.policy.max_length, self.policy.overflow, make)
        self.audit.check(proved, prepared, history, single=True)
        return prepared

    def _together(self, many: Sequence[Proved], history: History) -> list[Prepared | None]:
        """Make sequences of several conversations at once, None for each that is to be finished by itself."""
        if not many:
            return []
        try:
            return self.finish_together(many, history)
        except MaskprepError:
            raise  # of no row: a fast tokenizer differs
        except Exception:  # noqa: BLE001 - one of them is at fault: it meets that again when it is alone
            half = len(many) // 2
            return [*self._together(many[:half], history), *self._together(many[half:], history)] if half else [None]

    def finish_together(self, many: Sequence[Proved], history: History) -> list[Prepared | None]:
        """Make sequences of several proved conversations on the same arrays, None for each that is unusual."""
        found = [self._drafts(proved, history) for proved in many]
        drafted = [(proved, draft) for proved, own in zip(many, found, strict=True) for draft in own]
        control = next(iter(self._ready.values())).control
        made = iter(finish_all(drafted, self.encoder, control, self.policy))
        return [self._joined(proved, own, [next(made) for _ in own]) for proved, own in zip(many, found, strict=True)]

    def _joined(self, proved: Proved, own: Sequence[Draft], made: Sequence[PreparedSequence | None]) -> Prepared | None:
        """Return what a conversation becomes of which all sequences were made, and fit; else None."""
        limit = self.policy.max_length
        sequences = [each for each in made if each is not None and (limit is None or len(each) <= limit)]
        if not own or len(sequences) < len(own):
            return None
        findings = (finding for draft in own for finding in draft.findings)
        return Prepared(tuple(sequences), (*proved.findings, *findings))

    def _drafts(self, proved: Proved, history: History) -> Sequence[Draft]:
        """Return the sequences that a row becomes if no border is crossed, none where it is to be looked at."""
        if len(proved.whole) > _SHORT:
            return ()
        try:
            located = self._located(proved, history)
        except RowError:
            return ()
        found = drafts(history, proved.whole, proved.turns, proved.selected, located)
        return found if all(draft.starts for draft in found) else ()

    def _sequences(self, proved: Proved, history: History) -> Prepared:
        """Make labelled sequences of one proved conversation, as long as they come out."""
        if proved.conversation.sampled:
            return SampledTurns(self.loaded, self.policy, self.encoder).prepare(proved, history)
        located, messages = self._located(proved, history), proved.conversation.messages
        row = self._builder.build(history, proved.whole, proved.turns, proved.selected, located)
        control, mode = self._ready[proved.template.source].control, self.policy.control
        settled = [control.settle(sequence, proved.conversation, mode) for sequence in row.sequences]
        made = (PreparedSequence.of(label(each, messages, self.policy), each) for each in settled)
        sequences = tuple(sequence for sequence in made if sequence is not None)
        if not sequences:
            reasons = "; ".join(finding.detail for finding in row.findings)
            msg = f"no token is left to train{': ' + reasons if reasons else ''}"
            raise RowError("nothing-to-train", msg, "history: split trains every turn that can be trained")
        spelt = [] if mode is Control.REJECT else control.finding(row.sequences, proved.conversation, mode)
        return Prepared(sequences, (*proved.findings, *row.findings, *spelt))

    def _located(self, proved: Proved, history: History) -> Located:
        """Return where the selected turns stand in the whole that it does not begin with, if that matters."""
        if history is not History.RENDERED:
            return {}
        astray = [turn for turn in proved.selected.values() if not turn.begins(proved.whole)]
        return locate(proved.template, proved.conversation, proved.whole, astray, self.stops)


_TOGETHER, _CHARACTERS = 200, 1_048_576  # rows, and of their texts: more is long enough to be worth a call of its own
_SHORT = 65_536  # characters: longer texts gain nothing from being encoded together
