"""Which rows and turns are checked once more in the slow way: nothing is replayed.

``first`` of each kind only, a ``sample`` besides (1 in 200), or ``all``. What is drawn is decided by the text alone, so
that it is the same for any number of workers.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from functools import lru_cache
from zlib import crc32

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.policy import AuditMode
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered

_ONE_IN = 200
_AUDITS = 8  # of the turns of one row are drawn at most, about: each is rendered as a whole
_TAIL = 400  # characters by which a conversation is drawn
_MOST_KINDS = 10_000  # known at a time: strange data may make any number


class Audit:
    """Decides which turns and rows are checked, and remembers which kinds of them were."""

    def __init__(self, mode: AuditMode = AuditMode.SAMPLE) -> None:
        self.mode = mode
        self._known: set[Hashable] = set()

    def begin(self) -> None:
        """Forget which kinds of turns and rows were checked."""
        self._known.clear()

    def wants(self, kinds: Collection[Hashable], number: int, one_in: int = 0) -> bool:
        """Tell whether a turn or a row of these kinds is to be checked.

        Args:
            kinds: what it has in common with other turns or rows.
            number: the CRC of the text that decides whether it is drawn.
            one_in: where there are very many: how many of them there are to one that is drawn.
        """
        if self._known.issuperset(kinds):
            return self.draws(number, one_in)
        unknown = set(kinds) - self._known
        if len(self._known) < _MOST_KINDS:
            self._known |= unknown
        return True

    def knows(self, kinds: Collection[Hashable]) -> bool:
        """Tell whether a turn or row of each of these kinds was checked."""
        return self._known.issuperset(kinds)

    def draws(self, number: int, one_in: int = 0) -> bool:
        """Tell whether a turn or row is drawn whose text has the CRC ``number``."""
        drawn = number % max(_ONE_IN, one_in) == 0
        return self.mode is AuditMode.ALL or (self.mode is AuditMode.SAMPLE and drawn)


class Kinds:
    """What a conversation and its messages have in common with others: the ``surroundings``, and ``shapes``."""

    def __init__(self, conversation: Conversation) -> None:
        self.surroundings = surroundings(conversation)
        self.shapes = [shape(message) for message in conversation.messages]

    def of_messages(self) -> set[Hashable]:
        """Return the kinds of all messages."""
        return {(self.surroundings, *shape) for shape in set(self.shapes)}

    def of_turn(self, message: int) -> Hashable:
        """Return a turn's kind: where an audit finds nothing wrong with one turn, it holds for those of its kind."""
        return (self.surroundings, min(message, 3), tuple(self.shapes[max(0, message - 1) : message + 2]))


def shape(message: Message) -> tuple[str, tuple[str, ...]]:
    """Return a message's role and the names of its fields that say something: what it has in common with others."""
    return message.role, _in_order(tuple([name for name, value in message.fields.items() if value]))


@lru_cache(_MOST_KINDS)
def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


def surroundings(conversation: Conversation) -> Hashable:
    """Return a key for what a conversation has beside its messages: tools, documents, variables."""
    given = conversation.template_kwargs or {}
    return (bool(conversation.tools), bool(conversation.documents), tuple(sorted(map(str, given))))


def check_plainly(
    template: ChatTemplate, conversation: Conversation, message: int, prompt: str, continued: str
) -> None:
    """Compare the texts of prompt(k) and continued(k) with the renderings of the plain environment.

    Raises:
        RowError: ``render-differs`` where they differ.
    """
    for upto, prompted, text in ((message, True, prompt), (message + 1, False, continued)):
        if text != template.plain(conversation, upto, generation_prompt=prompted):
            msg = f"messages[{message}]: the rendering with origins has another text than the plain one"
            raise RowError("render-differs", msg, "please report the template and the row: a fault of maskprep")


def checksum(text: str, before: int = 0) -> int:
    """Return the CRC of a text that follows one with the CRC ``before``."""
    return crc32(text.encode("utf-8", "surrogatepass"), before)


def drawn_by(whole: Rendered) -> int:
    """Return the CRC of the text that decides which turns are drawn; each turn adds its message's number."""
    return checksum(whole.between(max(0, len(whole) - _TAIL), len(whole)))


def one_in(conversation: Conversation) -> int:
    """Return how many turns of a long conversation there are to one that is drawn, 0 in one of usual length."""
    return len(conversation.messages) // _AUDITS
