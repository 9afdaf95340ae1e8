"""The choices: every vocabulary of the configuration once, and the policy that decides which tokens are trained.

    history: mask   ─▶   History.MASK   ─▶   examples/sequences.py, which works with it

To add a value to a choice, name it here: the configuration and its error messages read it from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """The roles that a message may have."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


ROLES: tuple[str, ...] = tuple(role.value for role in Role)
"""The names of the roles."""


class Part(StrEnum):
    """The kinds of text within a message or beside it; ``scaffold`` are template tokens."""

    CONTENT = "content"
    REASONING = "reasoning"
    TOOL_CALL = "tool_call"
    TOOLS = "tools"
    DOCUMENTS = "documents"
    SCAFFOLD = "scaffold"
    STOP = "stop"


TRAINABLE = (Part.CONTENT, Part.REASONING, Part.TOOL_CALL, Part.SCAFFOLD, Part.STOP)
"""The parts that a completion can consist of."""


class Format(StrEnum):
    """The formats that rows may have; ``auto``: each file's first rows tell."""

    AUTO = "auto"
    TOKENS = "tokens"
    LOG = "log"
    SHAREGPT = "sharegpt"
    OPENAI = "openai"
    PAIRS = "pairs"
    TEXTS = "texts"
    RESPONSES = "responses"
    GEMINI = "gemini"
    PROMPT_COMPLETION = "prompt_completion"
    ALPACA = "alpaca"
    XLAM = "xlam"
    QUESTION_ANSWER = "question_answer"
    TEXT = "text"


class Preference(StrEnum):
    """``preference``: what becomes of a row that has a good and a bad answer."""

    REJECT = "reject"
    CHOSEN = "chosen"


class ToolTags(StrEnum):
    """Whether tool calls, tools and results that stand as tags in a text are read, or kept as text."""

    READ = "read"
    KEEP = "keep"


class Duplicates(StrEnum):
    """``duplicates``: what becomes of a conversation that an earlier row has."""

    KEEP = "keep"
    DROP = "drop"


class History(StrEnum):
    """``history``: what to do where no single rendering trains every turn faithfully."""

    SPLIT = "split"
    TREE = "tree"
    MASK = "mask"
    RENDERED = "rendered"


class Mismatch(StrEnum):
    """``prompt_mismatch``: what to do where the generation prompt does not stand before the turn's own text."""

    REJECT = "reject"
    GRAFT = "graft"
    TRAIN = "train"


class Overflow(StrEnum):
    """``overflow``: what becomes of a sequence that is longer than ``max_length``."""

    REJECT = "reject"
    DROP_TURNS = "drop_turns"
    TRUNCATE = "truncate"
    SPLIT = "split"


class Control(StrEnum):
    """``control_tokens``: what becomes of control tokens that data spells."""

    REJECT = "reject"
    ESCAPE = "escape"
    KEEP = "keep"


class AuditMode(StrEnum):
    """``audit``: how many rows and turns are checked once more in the slow way (``template/turns/audit.py``)."""

    FIRST = "first"
    SAMPLE = "sample"
    ALL = "all"


class Trained(StrEnum):
    """Whether a kind of text is trained where it stands in a completion."""

    TRAIN = "train"
    MASK = "mask"


class BackendChoice(StrEnum):
    """Which library encodes; ``auto``: fastokens where it gains time and encodes as transformers does."""

    AUTO = "auto"
    FASTOKENS = "fastokens"
    TRANSFORMERS = "transformers"


class Strategy(StrEnum):
    """``packing.strategy``: how documents are put together into packed rows."""

    BEST_FIT = "best_fit"
    IN_ORDER = "in_order"


class ProfileName(StrEnum):
    """The trainers that a data set can be written for."""

    HF = "hf"
    TRL = "trl"
    AXOLOTL = "axolotl"
    LLAMAFACTORY = "llamafactory"
    MEGATRON = "megatron"
    TOGETHER = "together"
    SKYRL = "skyrl"
    OLMO = "olmo"


class EngineName(StrEnum):
    """Where the worker processes run."""

    LOCAL = "local"
    RAY = "ray"


class SystemMessages(StrEnum):
    """``adapt.system``: later system messages join the first (``merge``), or users' (``user_all``: that one, too)."""

    KEEP = "keep"
    MERGE = "merge"
    USER = "user"
    USER_ALL = "user_all"


class SameRole(StrEnum):
    """``adapt.same_role``: whether neighbours of one role become one message."""

    KEEP = "keep"
    JOIN = "join"


class CallIds(StrEnum):
    """``adapt.tool_call_ids``: whether ids of tool calls become nine letters and digits."""

    KEEP = "keep"
    SHORT = "short"


class ToolResults(StrEnum):
    """``adapt.tool_results``: whether results of tools become user messages."""

    KEEP = "keep"
    USER = "user"


class Arguments(StrEnum):
    """``adapt.arguments``: whether arguments of tool calls are always an object, or always JSON text."""

    KEEP = "keep"
    OBJECT = "object"
    TEXT = "text"


class FirstAssistant(StrEnum):
    """``adapt.first_assistant``: whether an assistant's message that answers nobody is left out."""

    KEEP = "keep"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Adaptations:
    """The changes to a conversation so that a chat template takes it; ``keep`` leaves it as the data has it."""

    system: SystemMessages = SystemMessages.KEEP
    same_role: SameRole = SameRole.KEEP
    tool_call_ids: CallIds = CallIds.KEEP
    tool_results: ToolResults = ToolResults.KEEP
    arguments: Arguments = Arguments.KEEP
    first_assistant: FirstAssistant = FirstAssistant.KEEP


NO_ADAPTATIONS = Adaptations()
"""The adaptations that change nothing: a conversation stays as the data has it."""

ADAPTATIONS: Mapping[str, tuple[StrEnum, ...]] = MappingProxyType(
    {
        "same_role": (SameRole.JOIN,),
        "system": (SystemMessages.MERGE, SystemMessages.USER, SystemMessages.USER_ALL),
        "tool_call_ids": (CallIds.SHORT,),
        "arguments": (Arguments.OBJECT, Arguments.TEXT),
        "tool_results": (ToolResults.USER,),
        "first_assistant": (FirstAssistant.DROP,),
    }
)
"""Every adaptation that can be chosen; those first that take least away from a conversation."""

SINCE_LAST_USER = "since_last_user"
"""The choice of turns that agents are trained with: call, result, call, … up to the answer."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The user's choice of what is trained, and of what to do where the template or the length stands in the way.

    ``roles``: whose messages. ``turns``: ``all`` of them, the ``first`` or the ``last`` one, ``N last``, or those
    ``since_last_user``: behind the last user message.
    ``empty_thoughts`` and ``call_ids``: whether empty thoughts that the template inserts are trained, and the ids of
    tool calls. ``max_length``: of a sequence, in tokens. ``adaptations``: made to a conversation before it is rendered.
    """

    history: History = History.SPLIT
    mismatch: Mismatch = Mismatch.REJECT
    roles: frozenset[str] = frozenset({"assistant"})
    turns: str = "all"
    parts: frozenset[Part] = frozenset(TRAINABLE)
    empty_thoughts: bool = True
    call_ids: bool = True
    max_length: int | None = None
    overflow: Overflow = Overflow.REJECT
    control: Control = Control.REJECT
    adaptations: Adaptations = NO_ADAPTATIONS

    @property
    def lenient(self) -> bool:
        """Whether turns may be trained in a context that no server sends."""
        return self.history is History.RENDERED or self.mismatch is Mismatch.TRAIN

    @property
    def whole(self) -> bool:
        """Whether all of a completion is trained."""
        return self.parts == frozenset(TRAINABLE) and self.empty_thoughts and self.call_ids

    def speaking(self, roles: Sequence[str]) -> list[int]:
        """Return the numbers of the messages whose role is trained; ``roles`` are those of all messages."""
        return [index for index, role in enumerate(roles) if role in self.roles]

    def choose(self, roles: Sequence[str]) -> set[int]:
        """Return the numbers of the messages that are trained turns; ``roles`` are those of all messages.

        In a conversation without a user message, ``since_last_user`` chooses no message.
        """
        speaking = self.speaking(roles)
        if self.turns == "all":
            return set(speaking)
        if self.turns == "first":
            return set(speaking[:1])
        if self.turns == SINCE_LAST_USER:
            last = last_user(roles)
            return set() if last is None else {index for index in speaking if index > last}
        return set(speaking[-int(self.turns.removesuffix("last") or 1) :])


def last_user(roles: Sequence[str]) -> int | None:
    """Return the number of the last user message among messages of these roles, None where there is none."""
    return max((index for index, role in enumerate(roles) if role == "user"), default=None)
