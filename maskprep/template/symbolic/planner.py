"""Conversations of which another of the same form was proved before: proved by the plan of that form.

The second conversation of a form is what the plan is made for. New kinds of rows and turns are rendered and proved
from the beginning all the same; rows and turns that are drawn to be audited are compared with the plain renderings.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from zlib import crc32

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.policy import AuditMode
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.symbolic.make_plan import make_plan
from maskprep.template.symbolic.plan import Filling, Plan
from maskprep.template.symbolic.recording import WatchedTemplate
from maskprep.template.symbolic.signature import Form, form_of, twin_of
from maskprep.template.turns.audit import Audit, check_plainly, drawn_by, one_in, shape, surroundings
from maskprep.template.turns.finder import TurnFinder
from maskprep.template.turns.locate import locate
from maskprep.template.turns.proved import Proved
from maskprep.template.turns.prover import Prover
from maskprep.template.turns.readable import readable

_MOST_FORMS = 100_000  # that were met once, as numbers: strange data may make any number
_MOST_HELD = 1_000_000  # pieces of text in all plans, and parts of forms: some 100 MB
_PARTS = 10  # of the form of a message, about
_MOST_MESSAGES = 100  # of a conversation that is planned: a plan holds a rendering for each of its turns
_ASSISTANT = {"assistant"}  # the only role whose turns are planned
_LIMIT = 16  # a text so many times smaller than what a rendering may take is sure to be within all limits


class Planner:
    """Proves conversations by plans, as far as there are any, under one template.

    Args:
        template: the chat template.
        audit: which rows are checked.
        finder: proves the turns, and knows which of them are checked.
        prover: proves a conversation of atoms.
    """

    def __init__(self, template: ChatTemplate, audit: Audit, finder: TurnFinder, prover: Prover) -> None:
        self._template, self._audit, self._finder, self._prover = template, audit, finder, prover
        self._plans: dict[Hashable, Plan | None] = {}
        self._met: set[int] = set()
        self._held = 0
        self._watched: WatchedTemplate | None = None

    def prove(self, conversation: Conversation) -> Proved | None:
        """Return the proofs of a conversation, None where no plan gives them.

        Where the row is drawn to be audited, its text is still to be compared with transformers' own.
        """
        if (
            self._audit.mode is AuditMode.ALL
            or self._prover.policy.roles != _ASSISTANT
            or len(conversation.messages) > _MOST_MESSAGES
        ):
            return None
        form = form_of(conversation)
        plan = None if form is None else self._plan(conversation, form)
        if form is None or plan is None or not self._is_audited(plan):
            return None
        texts = plan.texts(form)
        if texts is None:
            return None
        filling = plan.fill(texts)
        raw = filling.whole.text.encode("utf-8", "surrogatepass")
        if len(raw) * _LIMIT > self._template.limits.size:
            return None
        drawn = self._audit.draws(crc32(raw))
        self._check_turns(conversation, filling)
        findings = (*conversation.findings, *plan.findings)
        given = filling.whole, filling.turns, filling.selected, findings, filling.located
        return Proved(conversation, self._template, *given, audited=int(drawn))

    def _is_audited(self, plan: Plan) -> bool:
        return self._audit.knows(plan.kinds) and self._finder.audit.knows(plan.turn_kinds)

    def _check_turns(self, conversation: Conversation, filling: Filling) -> None:
        """Check the turns that are drawn."""
        audit, many = self._finder.audit, one_in(conversation)
        base = crc32(drawn_by(filling.whole).encode("utf-8", "surrogatepass"))
        for turn in filling.turns:
            if audit.draws(crc32(b"%d" % turn.message, base), many):
                continued = turn.text.between(0, len(turn.text) - turn.borrowed_stop)
                check_plainly(self._template, conversation, turn.message, continued[: turn.start], continued)

    def _plan(self, conversation: Conversation, form: Form) -> Plan | None:
        """Return the plan of a form, None where there is none, or not yet."""
        if form.key in self._plans:
            return self._plans[form.key]
        met = hash(form.key)
        if met not in self._met:
            if len(self._met) >= _MOST_FORMS:
                self._met.clear()
            self._met.add(met)
            return None
        twin = twin_of(conversation, form)
        plan = None if twin is None else self._new_plan(twin, form)
        size = _PARTS * len(conversation.messages) + (plan.size if plan is not None else 0)
        if self._held + size > _MOST_HELD:
            self._plans.clear()
            self._held = 0
        self._held += size
        self._plans[form.key] = plan
        return plan

    def _new_plan(self, twin: Conversation, form: Form) -> Plan | None:
        self._watched = template = self._watched or WatchedTemplate(self._template)
        template.watch.begin(len(form.values))
        template.streams = self._template.streams
        audit = _NoAudit()
        finder = TurnFinder(template, self._finder.stops, self._finder.mismatch, audit)
        try:
            given, whole = readable(template, twin)
            if given is not twin:
                return None  # what is tried may come out otherwise for other texts
            proved = self._prover.prove(finder, twin, whole)
            astray = [turn for turn in proved.selected.values() if not turn.begins(whole)]
            located = locate(template, twin, whole, astray, self._finder.stops)
        except RowError:
            return None
        kinds = frozenset((surroundings(twin), *shape(message)) for message in twin.messages)
        return make_plan(
            whole,
            proved.turns,
            proved.selected,
            conversation=twin,
            unrenderable=proved.unrenderable,
            findings=proved.findings,
            located=located,
            watch=template.watch,
            kinds=kinds,
            turn_kinds=frozenset(audit.kinds),
            stops=self._finder.stops,
        )


class _NoAudit(Audit):
    """Checks nothing, and notes the kinds of what there is."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: set[Hashable] = set()

    def wants(self, kinds: Collection[Hashable], text: str, one_in: int = 0) -> bool:  # noqa: ARG002
        self.kinds.update(kinds)
        return False
