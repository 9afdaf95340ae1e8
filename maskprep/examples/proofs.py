"""Conversations proved under one chat template: adapted, rendered, audited, and proved turn by turn."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, replace

from maskprep.conversation import Conversation, Finding
from maskprep.errors import RowError
from maskprep.examples.adapt import adapt
from maskprep.examples.audit import turns_to_audit
from maskprep.examples.control_tokens import ControlTokens
from maskprep.examples.document import prove_document
from maskprep.examples.transformers_check import TransformersCheck
from maskprep.examples.unasked import with_unasked
from maskprep.policy import NO_ADAPTATIONS, AuditMode, Policy
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns.audit import Audit, Kinds, checksum
from maskprep.template.turns.finder import TurnFinder
from maskprep.template.turns.proved import Proved
from maskprep.template.turns.prover import Prover, read_as_chosen
from maskprep.template.turns.stop_tokens import Stops
from maskprep.tokenizer.load import LoadedTokenizer

LONG = 2**22
"""Characters of a rendering after which nothing of it is remembered."""


@dataclass(frozen=True, slots=True)
class ReadyTemplate:
    """A chat template with what depends neither on the policy nor on rows.

    ``control`` finds control tokens in data; ``findings`` are told of every row: markers that are no tokens.
    """

    template: ChatTemplate
    control: ControlTokens
    findings: tuple[Finding, ...]


class Proofs:
    """Proves conversations under one chat template and one policy, and remembers which kinds of them were audited.

    Args:
        loaded: the tokenizer.
        ready: the template.
        stops: where turns end.
        policy: what is trained.
        mode: which rows and turns are rendered again in the slow way, to be compared.
    """

    def __init__(
        self, loaded: LoadedTokenizer, ready: ReadyTemplate, stops: Stops, policy: Policy, mode: AuditMode
    ) -> None:
        self._loaded, self._policy = loaded, policy
        self._template, self._control = ready.template, ready.control
        self._reserved = loaded.variables.keys()
        self._check = TransformersCheck(loaded).check
        self._audit, self._prover = Audit(mode), Prover(policy, ready.findings)
        self._finder = TurnFinder(ready.template, stops, policy.mismatch, Audit(mode))

    def begin(self) -> None:
        """Forget which kinds of rows and turns were audited, and whether an audit has ended the replays."""
        self._audit.begin()
        self._finder.begin()
        self._template.replays = True

    def prove(self, conversation: Conversation, wanted: Collection[int] | None = None) -> Proved:
        """Return a conversation with its turns proved: those that the policy selects, or those ``wanted``.

        What is proved, and numbered, are the messages of the adapted conversation; with ``wanted``, it is adapted.

        Raises:
            RowError: with the reason why the conversation cannot be used.
        """
        if conversation.template_kwargs:
            self._refuse_reserved(conversation)
        if conversation.plain_text:
            return self._document(conversation)
        if wanted is None:
            if self._policy.adaptations != NO_ADAPTATIONS:
                conversation = adapt(conversation, self._policy)
            if conversation.template_kwargs:
                conversation = with_unasked(conversation, self._template)
        return self._rendered(conversation, wanted)

    def _rendered(self, conversation: Conversation, wanted: Collection[int] | None) -> Proved:
        """Prove a conversation on its own rendering."""
        template = self._template
        conversation, whole = read_as_chosen(template, conversation, self._policy)
        kinds = Kinds(conversation)
        audited = self._audited(conversation, whole, kinds.of_messages())
        self._control.check(conversation, self._policy.control)
        proved = self._prover.prove(self._finder, conversation, whole, wanted, kinds)
        if len(whole) > LONG:
            template.forget()
        return replace(proved, audited=audited) if audited else proved

    def _audited(self, conversation: Conversation, whole: Rendered, kinds: set[Hashable]) -> int:
        """Compare the tracked rendering with transformers' own, or, where the clock matters, with the plain one.

        Rows of a new kind are compared, and a sample of the others. Return how many turns of the row to audit.
        """
        new = not self._audit.knows(kinds)
        if not self._audit.wants(kinds, checksum(whole.text)):
            return 0
        self._check(self._template, conversation, whole.text)
        return turns_to_audit(self._audit.mode, new=new)

    def _document(self, conversation: Conversation) -> Proved:
        if not conversation.messages[0].in_loss:
            raise RowError("nothing-to-train", "the document has weight 0")
        return prove_document(conversation, self._template, self._loaded)

    def _refuse_reserved(self, conversation: Conversation) -> None:
        reserved = sorted(self._reserved & (conversation.template_kwargs or {}).keys())
        if reserved:
            msg = f"chat_template_kwargs sets {', '.join(reserved)}, which the tokenizer owns"
            raise RowError("reserved-kwarg", msg, "take it out of the row")
