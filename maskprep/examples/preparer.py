"""The whole way of a conversation: render → turns → sequences → labels, each step proved or the row rejected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

from maskprep.conversation import Conversation, Finding
from maskprep.errors import RowError
from maskprep.examples.adapt import adapt
from maskprep.examples.audit import SequenceAudit
from maskprep.examples.batch import finish_all
from maskprep.examples.control_tokens import ControlTokens
from maskprep.examples.document import prove_document
from maskprep.examples.labels import label
from maskprep.examples.markers import markers_told
from maskprep.examples.overflow import fit
from maskprep.examples.prepared import Prepared, PreparedSequence
from maskprep.examples.sequences import Draft, Located, Row, SequenceBuilder, draft
from maskprep.examples.transformers_check import Comparison, try_out
from maskprep.examples.unasked import with_unasked
from maskprep.policy import AuditMode, Control, History, Part, Policy
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.sandbox.limits import Limits
from maskprep.template.symbolic.planner import Planner
from maskprep.template.turns.audit import Audit, shape, surroundings
from maskprep.template.turns.finder import TurnFinder
from maskprep.template.turns.locate import locate
from maskprep.template.turns.proved import Proved
from maskprep.template.turns.prover import nothing_trained, prove_turns, read_as_chosen
from maskprep.template.turns.stop_tokens import Stops
from maskprep.template.turns.turn import Fit
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.load import LoadedTokenizer


class Preparer:
    """Prepares conversations with one tokenizer, one chat template and one policy.

    Args:
        loaded: the tokenizer.
        template: the text of a chat template; None for the tokenizer's own, or the one it calls ``named``.
        named: the name of one of the tokenizer's templates.
        variables: what the template is given beside the messages (``template_kwargs``).
        now: the time that the template is told.
        policy: what to train.
        audit: which rows and turns are rendered again in the slow way, to be compared.
        limits: what one rendering may take.

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
    ) -> None:
        """Compile the template; see the class."""
        self.loaded, self.policy, self.now = loaded, policy, now
        self.stops = Stops(loaded.stop_tokens, loaded.special_tokens, loaded.added_tokens)
        self.encoder = Encoder(loaded.tokenizer)
        self._builder = SequenceBuilder(self.encoder)
        self._check = Comparison(loaded).check
        texts = [
            template if template is not None else loaded.template_for(named, tools=tools) for tools in (False, True)
        ]
        given = {**loaded.variables, **(variables or {})}
        compiled = {text: ChatTemplate(text, given, now, limits) for text in dict.fromkeys(texts)}
        for chat in compiled.values():
            try_out(chat)
        self._control = {text: ControlTokens(loaded, compiled[text], self.stops) for text in compiled}
        self._markers = {text: markers_told(compiled[text], loaded, self.encoder, self.stops) for text in compiled}
        self.templates = {tools: compiled[text] for tools, text in zip((False, True), texts, strict=True)}
        self.mentioned = frozenset[str]().union(*(chat.mentioned for chat in compiled.values()))
        self._remember_nothing(audit)

    def _remember_nothing(self, audit: AuditMode) -> None:
        """Get ready to learn from rows what is checked, how turns are found and what is planned."""
        compiled = {template.source: template for template in self.templates.values()}
        self._sequence_audit = SequenceAudit(self.loaded, self.policy, audit)
        self._audits = {text: Audit(audit) for text in compiled}
        self._finders = {
            text: TurnFinder(compiled[text], self.stops, self.policy.mismatch, Audit(audit)) for text in compiled
        }
        self._planned = {
            text: Planner(compiled[text], self._audits[text], self._finders[text], self._prove_twin, self._check)
            for text in compiled
        }

    def under(self, policy: Policy) -> Preparer:
        """Return a preparer of another policy, with the same tokenizer and the same compiled templates.

        It remembers nothing of the rows that this one has seen, nor does this one remember anything of its rows.
        """
        other = copy(self)
        other.policy = policy
        other._remember_nothing(AuditMode.FIRST)  # noqa: SLF001 - of this class
        return other

    def begin(self) -> None:
        """Forget what earlier rows have shown, so that what becomes of a row depends on those from here on alone.

        Each kind of turn is checked again the first time; what a rendering may take over from another one, and which
        empty thoughts there are, is found out again.
        """
        for audit in self._audits.values():
            audit.begin()
        self._sequence_audit.begin()
        for finder in self._finders.values():
            finder.begin()
        for template in self.templates.values():
            template.streams = True
        self.encoder.begin()

    def prepare(self, conversation: Conversation) -> Prepared:
        """Return the sequences of one conversation. Raises ``RowError`` with the reason why it cannot be used."""
        return self.finish(self.prove(conversation), self.policy.history)

    def finish(self, proved: Proved, history: History) -> Prepared:
        """Turn a proved conversation into labelled sequences that fit, under one way of treating history."""
        prepared = self._sequences(proved, history)
        if len(proved.whole) > _LONG:
            self.encoder.begin()

        def make(conversation: Conversation, wanted: Collection[int]) -> Prepared:
            return self._sequences(self.prove(conversation, wanted), history)

        if self.policy.max_length is not None:
            prepared = fit(proved.conversation, prepared, self.policy.max_length, self.policy.overflow, make)
        self._sequence_audit.check(proved, prepared, history, single=True)
        return prepared

    def check(self, proved: Proved, prepared: Prepared) -> None:
        """Hold one result of ``finish_all`` against transformers alone, if its row is audited. Raises ``RowError``."""
        self._sequence_audit.check(proved, prepared, self.policy.history, single=False)

    def finish_all(self, many: Sequence[Proved]) -> list[Prepared | None]:
        """Do the same for many conversations at once. None: ``finish`` is to be asked, nothing is said about it."""
        drafts = [self._draft(proved) for proved in many]
        drafted = [(proved, draft) for proved, draft in zip(many, drafts, strict=True) if draft is not None]
        control = next(iter(self._control.values()))
        made = iter(finish_all(drafted, self.encoder, control, self.policy))
        limit = self.policy.max_length
        found = [None if draft is None else next(made) for draft in drafts]
        return [None if each and limit is not None and len(each.sequences[0]) > limit else each for each in found]

    def _draft(self, proved: Proved) -> Draft | None:
        """Return the one sequence that a conversation becomes, None where it may be another one, or several."""
        if len(proved.whole) > _SHORT:
            return None
        history = self.policy.history
        try:
            located = self._located(proved, history)
        except RowError:
            return None
        drafted = draft(history, proved.whole, proved.turns, proved.selected, located)
        return drafted if drafted and drafted.starts else None

    def prove(self, conversation: Conversation, wanted: Collection[int] | None = None) -> Proved:
        """Render a conversation and prove its turns: those that the policy selects, or those ``wanted``.

        What is proved, and numbered, are the messages of the adapted conversation; with ``wanted``, it is adapted.
        """
        reserved = sorted(self.loaded.variables.keys() & (conversation.template_kwargs or {}).keys())
        if reserved:
            msg = f"chat_template_kwargs sets {', '.join(reserved)}, which the tokenizer owns"
            raise RowError("reserved-kwarg", msg, "take it out of the row")
        template = self.templates[conversation.tools is not None]
        if conversation.plain_text:
            if not conversation.messages[0].in_loss:
                raise RowError("nothing-to-train", "the document has weight 0")
            return prove_document(conversation, template, self.loaded)
        if wanted is None:
            conversation = with_unasked(adapt(conversation, self.policy), template)
            planned = self._planned[template.source].prove(conversation)
            if planned is not None:
                return planned
        conversation, whole = read_as_chosen(template, conversation, self.policy)
        audited = self._audit(template, conversation, whole)
        self._control[template.source].check(conversation, self.policy.control)
        proved = self._prove(conversation, template, self._finders[template.source], whole, wanted)
        proved = replace(proved, audited=audited) if audited else proved
        if len(whole) > _LONG:
            template.forget()
        return proved

    def _prove(
        self,
        conversation: Conversation,
        template: ChatTemplate,
        finder: TurnFinder,
        whole: Rendered,
        wanted: Collection[int] | None,
    ) -> Proved:
        """Prove the turns of a conversation that was rendered."""
        messages = conversation.messages
        roles = [message.role for message in messages]
        chosen = self.policy.choose(roles) if wanted is None else wanted
        wanted = {index for index in chosen if messages[index].in_loss}
        turns = prove_turns(finder, conversation, wanted, whole)
        findings = [*conversation.findings, *turns.findings]
        wanted -= turns.left_out
        selected = {t.message: t for t in turns.proved if t.message in wanted and t.parts() & self.policy.parts}
        findings += [finding for turn in selected.values() for finding in turn.findings]
        if self.policy.empty_thoughts and Part.SCAFFOLD in self.policy.parts:
            findings += [
                Finding(
                    "empty-think-trained", f"messages[{turn.message}]: an empty thought of the template's is trained"
                )
                for turn in selected.values()
                if turn.thought[0] < turn.thought[1]
            ]
        findings += [
            Finding(f"prompt-mismatch-{turn.fit}", f"messages[{turn.message}]: the prompt does not fit the data")
            for turn in selected.values()
            if turn.fit in (Fit.GRAFT, Fit.TRAIN)
        ]
        findings += [
            Finding("prompt-whitespace", f"messages[{turn.message}]: the prompt fits the data but for white space")
            for turn in selected.values()
            if turn.fit is Fit.WHITE_SPACE
        ]
        if not selected:
            raise nothing_trained(messages, chosen, wanted, turns, self.policy)
        findings += self._markers[template.source]
        return Proved(
            conversation,
            template,
            whole,
            tuple(turns.proved),
            selected,
            tuple(findings),
            unrenderable=frozenset(turns.unrenderable),
        )

    def _prove_twin(
        self, conversation: Conversation, template: ChatTemplate, finder: TurnFinder, whole: Rendered
    ) -> Proved:
        """Prove a conversation of atoms."""
        if self.policy.roles != {"assistant"}:
            raise RowError("provenance-lost", "only turns of the assistant's are planned")
        self._control[template.source].check(conversation, self.policy.control)
        return self._prove(conversation, template, finder, whole, None)

    def _sequences(self, proved: Proved, history: History) -> Prepared:
        located = self._located(proved, history)
        messages = proved.conversation.messages
        row: Row = self._builder.build(history, proved.whole, proved.turns, proved.selected, located)
        control, mode = self._control[proved.template.source], self.policy.control
        settled = [control.settle(sequence, proved.conversation, mode) for sequence in row.sequences]
        labelled = (label(sequence, messages, self.policy) for sequence in settled)
        made = map(PreparedSequence.of, labelled, settled)
        sequences = tuple(sequence for sequence in made if sequence is not None)
        if not sequences:
            reasons = "; ".join(finding.detail for finding in row.findings)
            msg = f"no token is left to train{': ' + reasons if reasons else ''}"
            raise RowError("nothing-to-train", msg, "history: split trains every turn that can be trained")
        spelt = [] if mode is Control.REJECT else control.finding(row.sequences, proved.conversation, mode)
        return Prepared(sequences, (*proved.findings, *row.findings, *spelt))

    def _located(self, proved: Proved, history: History) -> Located:
        """Return where the selected turns stand in the whole that it does not begin with, if that matters."""
        if proved.located is not None or history is not History.RENDERED:
            return proved.located or {}
        astray = [turn for turn in proved.selected.values() if not turn.begins(proved.whole)]
        return locate(proved.template, proved.conversation, proved.whole, astray, self.stops)

    def _audit(self, template: ChatTemplate, conversation: Conversation, whole: Rendered) -> int:
        """Compare the tracked rendering with transformers' own, or, where the clock matters, with the plain one.

        Rows of a new kind are compared, and a sample of the others. Return how many turns of the row to audit.
        """
        kinds = {(surroundings(conversation), *shape(message)) for message in conversation.messages}
        audit = self._audits[template.source]
        new = not audit.knows(kinds)
        if not audit.wants(kinds, whole.text):
            return 0
        self._check(template, conversation, whole.text)
        return self._sequence_audit.turns(new=new)


_LONG = 2**22  # characters
_SHORT = 65_536  # characters: longer texts gain nothing from being encoded together
