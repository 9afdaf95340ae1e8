"""Conversations of which another of the same form was proved before: proved by the plan of that form.

The second conversation of a form is what the plan is made for. What is to be audited is not planned: a new kind of row
or turn, and those that are drawn, are rendered and proved from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from zlib import crc32

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.prepare.forms import Form, form_of, twin_of
from maskprep.prepare.plans import Plan, draws, make_plan
from maskprep.prepare.proved import Proved
from maskprep.template.audit import Audit, AuditMode, shape, surroundings
from maskprep.template.located import locate
from maskprep.template.render import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns import TurnFinder, drawn_by, one_in
from maskprep.template.watched import WatchedTemplate

_MOST_FORMS = 5_000  # known at a time: strange data may make any number
_MOST_MESSAGES = 300  # of a conversation that is planned
_LIMIT = 16  # a text so many times smaller than what a rendering may take is sure to be within all limits

Prove = Callable[[Conversation, ChatTemplate, TurnFinder, Rendered], Proved]


class Planner:
    """Proves conversations by plans, as far as there are any, under one template.

    Args:
        template: the chat template.
        audit: which rows are checked.
        finder: proves the turns, and knows which of them are checked.
        prove: proves a conversation of atoms with a template and a finder for these.
    """

    def __init__(self, template: ChatTemplate, audit: Audit, finder: TurnFinder, prove: Prove) -> None:
        """Begin without any plan; see the class."""
        self._template, self._audit, self._finder, self._prove = template, audit, finder, prove
        self._plans: dict[Hashable, Plan | None] = {}
        self._met: set[Hashable] = set()
        self._watched: WatchedTemplate | None = None

    def prove(self, conversation: Conversation) -> Proved | None:
        """Return the proofs of a conversation, None where no plan gives them."""
        if self._audit.mode is AuditMode.ALL or len(conversation.messages) > _MOST_MESSAGES:
            return None
        form = form_of(conversation)
        plan = None if form is None else self._plan(conversation, form)
        if form is None or plan is None or not self._is_audited(plan):
            return None
        texts = plan.texts(form)
        if texts is None:
            return None
        filling = plan.fill(texts)
        if self._draws(conversation, plan, filling.whole):
            return None
        findings = (*conversation.findings, *plan.findings)
        return Proved(
            conversation, self._template, filling.whole, filling.turns, filling.selected, findings, filling.located
        )

    def _is_audited(self, plan: Plan) -> bool:
        return self._audit.knows(plan.kinds) and self._finder.audit.knows(plan.turn_kinds)

    def _draws(self, conversation: Conversation, plan: Plan, whole: Rendered) -> bool:
        """Tell whether the row, or one of its turns, is to be checked; or is too long for anything to be sure of."""
        raw = whole.text.encode("utf-8", "surrogatepass")
        if len(raw) * _LIMIT > self._template.limits.size or self._audit.draws(crc32(raw)):
            return True
        many = one_in(conversation)
        numbers = draws(drawn_by(whole), [turn.message for turn in plan.turns])
        return any(self._finder.audit.draws(number, many) for number in numbers)

    def _plan(self, conversation: Conversation, form: Form) -> Plan | None:
        """Return the plan of a form, None where there is none, or not yet."""
        if form.key in self._plans:
            return self._plans[form.key]
        if form.key not in self._met:
            if len(self._met) >= _MOST_FORMS:
                self._met.clear()
            self._met.add(form.key)
            return None
        if len(self._plans) >= _MOST_FORMS:
            self._plans.clear()
        twin = twin_of(conversation, form)
        plan = self._plans[form.key] = None if twin is None else self._new_plan(twin, form)
        return plan

    def _new_plan(self, twin: Conversation, form: Form) -> Plan | None:
        self._watched = template = self._watched or WatchedTemplate(self._template)
        template.watch.begin(len(form.values))
        template.streams = self._template.streams
        audit = _NoAudit()
        finder = TurnFinder(template, self._finder.stops, self._finder.mismatch, audit)
        try:
            whole = template.tracked(twin, len(twin.messages), generation_prompt=False)
            proved = self._prove(twin, template, finder, whole)
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
