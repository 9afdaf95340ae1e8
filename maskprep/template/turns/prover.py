"""The turns of one conversation: which of them are proved, and which of those that are wanted are left out.

assistant   Hello! What can I do?     before the first user message: no server asks for it, as a rule
user        What is a fjord?
assistant                             says nothing: only its stop token would be trained
user        Hello?
assistant   A long, narrow inlet.     proved, or else the row is rejected
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from maskprep.conversation import Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.policy import SINCE_LAST_USER, Part, Policy, last_user
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.inputs import REASONING_NAMES
from maskprep.template.rendered import Rendered
from maskprep.template.turns.audit import Kinds
from maskprep.template.turns.completion import written
from maskprep.template.turns.finder import RowTurns, TurnFinder
from maskprep.template.turns.other_roles import find_other_role
from maskprep.template.turns.proved import Proved
from maskprep.template.turns.readable import readable
from maskprep.template.turns.turn import Fit, Turn


class Prover:
    """Proves the turns of rendered conversations under one policy.

    Args:
        policy: which turns are trained, and which parts of them.
        findings: told of every conversation.
    """

    def __init__(self, policy: Policy, findings: tuple[Finding, ...] = ()) -> None:
        self.policy, self._findings = policy, findings

    def prove(
        self,
        finder: TurnFinder,
        conversation: Conversation,
        whole: Rendered,
        wanted: Collection[int] | None = None,
        kinds: Kinds | None = None,
    ) -> Proved:
        """Return a conversation with its turns proved.

        Args:
            finder: finds them, under the template that rendered the conversation.
            conversation: the conversation, as the template was given it.
            whole: its audited rendering.
            wanted: the messages to be trained; None: those that the policy chooses.
            kinds: what the conversation has in common with others, where that is known.

        Raises:
            RowError: a wanted turn cannot be proved, or none is left to be trained.
        """
        messages = conversation.messages
        roles = [message.fields["role"] for message in messages]
        chosen = self.policy.choose(roles) if wanted is None else wanted
        wanted = {index for index in chosen if messages[index].in_loss}
        turns = prove_turns(finder.of(conversation, whole, kinds), wanted)
        wanted -= turns.left_out
        selected = {t.message: t for t in turns.proved if t.message in wanted and t.parts() & self.policy.parts}
        if not selected:
            raise nothing_trained(messages, chosen, wanted, turns, self.policy)
        findings = (*conversation.findings, *turns.findings, *self._told(selected.values()), *self._findings)
        return Proved(
            conversation,
            finder.template,
            whole,
            tuple(turns.proved),
            selected,
            findings,
        )

    def _told(self, selected: Collection[Turn]) -> Iterator[Finding]:
        """Yield what is to be told of the turns that are trained: what was found of each, then kind by kind."""
        for turn in selected:
            yield from turn.findings
        if self.policy.empty_thoughts and Part.SCAFFOLD in self.policy.parts:
            for turn in selected:
                if turn.thought[0] < turn.thought[1]:
                    said = f"messages[{turn.message}]: an empty thought of the template's is trained"
                    yield Finding("empty-think-trained", said)
        for turn in selected:
            if turn.fit is Fit.GRAFT:
                yield Finding("prompt-mismatch-graft", f"messages[{turn.message}]: the prompt does not fit the data")
            elif turn.fit is Fit.TRAIN:
                yield Finding("prompt-mismatch-train", f"messages[{turn.message}]: the prompt does not fit the data")
        for turn in selected:
            if turn.fit is Fit.WHITE_SPACE:
                said = f"messages[{turn.message}]: the prompt fits the data but for white space"
                yield Finding("prompt-whitespace", said)


@dataclass(slots=True)
class Turns:
    """What came of the turns of a conversation: those that are ``proved``, wanted or not, and why some are left out.

    ``empty`` are the wanted ones that say nothing, ``unasked`` those that no server asks for.
    """

    proved: list[Turn] = field(default_factory=list)
    empty: set[int] = field(default_factory=set)
    unasked: set[int] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    @property
    def left_out(self) -> set[int]:
        """The wanted turns that are not trained."""
        return self.empty | self.unasked

    def leave_out_unasked(self, message: int, why: str) -> None:
        """Leave out a turn that no server asks for."""
        self.unasked.add(message)
        self.findings.append(Finding("assistant-first", f"messages[{message}]: {why}"))

    def leave_out_empty(self, message: int, *, prefix: bool) -> None:
        """Leave out a turn that says nothing; ``prefix`` tells whether it is so because all is given to the model."""
        self.empty.add(message)
        said = "all of it is given to the model (prefix)" if prefix else "it says nothing"
        why = f"{said}, and only a stop token would be trained"
        self.findings.append(Finding("empty-answer", f"messages[{message}]: {why}"))


def read_as_chosen(template: ChatTemplate, conversation: Conversation, policy: Policy) -> tuple[Conversation, Rendered]:
    """Return the conversation as the template reads it best, and its rendering; arguments stay what was chosen.

    Raises:
        RowError: no form of it can be rendered.
    """
    read, whole = readable(template, conversation)
    if policy.adaptations.arguments == "object" and any(f.code == "arguments-as-text" for f in read.findings):
        return conversation, template.tracked(conversation, len(conversation.messages), generation_prompt=False)
    return read, whole


def prove_turns(found: RowTurns, wanted: Collection[int]) -> Turns:
    """Prove the assistant's turns, and those of others that are wanted.

    Args:
        found: finds the turns of one conversation.
        wanted: the messages to be trained.

    Raises:
        RowError: a wanted turn cannot be proved that a server could ask for.
    """
    conversation = found.conversation
    turns = Turns()
    roles = [message.fields["role"] for message in conversation.messages]
    if 0 in wanted and roles[0] == "assistant":
        turns.leave_out_unasked(0, "it has no prompt: no server can ask for it")
    first_user = roles.index("user") if "user" in roles else 0
    for index, role in enumerate(roles):
        if role == "assistant" and index:
            turn = _answer(found, index, turns, wanted=index in wanted, early=index < first_user)
        elif role != "assistant" and index in wanted:
            turn = find_other_role(found.finder.template, found.finder.stops, conversation, index, found.whole)
        else:
            continue
        if turn is not None:
            turns.proved.append(_behind_prefix(turn) if conversation.messages[index].prefix else turn)
    return turns


def _answer(found: RowTurns, index: int, turns: Turns, *, wanted: bool, early: bool) -> Turn | None:
    """Prove an assistant's turn, None where that fails and it is not trained: then it is only not told apart."""
    message = found.conversation.messages[index]
    said = written(message)
    silent = wanted and (message.prefix or not said)
    try:
        turn = found.find(index, said)
    except RowError as error:
        if early and wanted and not silent and error.code in _NOT_ASKED_FOR:
            turns.leave_out_unasked(index, _NOT_ASKED_FOR[error.code])
        elif wanted and not silent:
            raise
        turn = None
    if turn is not None and wanted and turn.start == 0:
        turns.leave_out_unasked(index, "the template writes nothing before it, so no model can be asked for it")
    if silent and not (turn and _speaks_anyhow(turn, message)):
        turns.leave_out_empty(index, prefix=message.prefix)
    return turn


def says_nothing(message: Message) -> bool:
    """Tell whether an answer has no text, no reasoning and no calls, or all of it is given to the model."""
    return message.prefix or not written(message)


def _speaks_anyhow(turn: Turn, message: Message) -> bool:
    """Tell whether the completion of such a message holds text of it: a template may read a field of its own."""
    if message.prefix or not any(value for name, value in message.fields.items() if name not in _USUAL):
        return False
    text = turn.text.part(turn.start, turn.stop)
    return any(source and text.between(low, high).strip() for low, high, source in text.places())


def _behind_prefix(turn: Turn) -> Turn:
    """Return a turn whose text is given to the model: what it must write begins behind it."""
    own = turn.text.extent(turn.message)
    start = max(turn.start, own[1]) if own else turn.start
    given = turn.message, turn.text, start, turn.stop, turn.end, turn.fit, turn.findings
    return Turn(*given, (start, start), turn.borrowed_stop)


def nothing_trained(
    messages: Sequence[Message], chosen: Collection[int], wanted: Collection[int], turns: Turns, policy: Policy
) -> RowError:
    """Return why nothing of a conversation is trained.

    Args:
        messages: the conversation's.
        chosen: the messages that the policy chooses as trained turns.
        wanted: those of them that are in the loss, and are not left out.
        turns: what came of them.
        policy: what is trained.
    """
    if turns.empty:
        begun = any(messages[index].prefix for index in turns.empty)
        what = "say nothing, or are only begun (prefix)" if begun else "say nothing"
        said = f"{len(turns.empty)} of {len(messages)} messages {what}, and nothing else is trained"
        return RowError("empty-answer", said, "leave such rows out, or give the answers a content")
    return RowError("nothing-to-train", _why([message.role for message in messages], chosen, wanted, policy))


def _why(roles: Sequence[str], chosen: Collection[int], wanted: Collection[int], policy: Policy) -> str:
    whose = " or ".join(sorted(policy.roles))
    if not policy.speaking(roles):
        return f"the conversation has no {whose} message"
    if not chosen and policy.turns == SINCE_LAST_USER:
        last = last_user(roles)
        if last is None:
            return "the conversation has no user message that a turn could follow (train.turns: since_last_user)"
        where = "the conversation ends with it" if last == len(roles) - 1 else f"no {whose} message follows it"
        return f"messages[{last}] is the last user message, and {where} (train.turns: since_last_user)"
    if not wanted:
        return f"no {whose} message is in the loss: they have weight 0, no prompt, or are not the turns chosen"
    return f"the policy selects no part of any {whose} message"


_USUAL = frozenset({"role", "name", "content", "tool_calls", "function_call", *REASONING_NAMES})
_NOT_ASKED_FOR = {
    "template-error": "no prompt for it can be rendered before there is a user message, so no server asks for it",
    "prompt-mismatch": "before there is a user message, no prompt of a server leads to it",
    "foreign-text": "before there is a user message, the template writes another message's text into it",
    "content-dropped": "before there is a user message, the template renders nothing of it",
    "provenance-lost": "before there is a user message, it cannot be told whose text is whose",
}
"""Why a turn before the first user message is not trained, by what its proof failed with."""
