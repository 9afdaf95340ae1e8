"""The settings that mend a sample: combined where one alone is not enough, those that do least harm first.

    rejected rows ─▶ kinds ─▶ three rows of each ─▶ for each that is not used yet:
        one more setting ─▶ else all adaptations at once, less what is not needed ─▶ else the same with a graft
    of the ways that mend a row, the one that mends most of all rows is kept

The number of tries is bounded, and depends on the rows alone: the same rows are told the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples.adapt import adapt
from maskprep.examples.advice import unquoted
from maskprep.examples.remedies import Remedy, adaptations, escapes, mismatches, variables
from maskprep.examples.trial import why_unused

_MOST_TRIES = 600
_OF_ONE = 80  # tries for one row
_KINDS = 8  # kinds of rejected rows
_EACH = 3  # rows of a kind
_GOOD = 4  # rows that are used as it is, and must be afterwards
_LONGEST = 200_000  # characters of a row that is tried
_WAYS = 6  # ways to mend one row that are compared on all others


class Search:
    """Looks for settings under which rejected conversations can be used.

    Args:
        preparer: rejected them; what is tried does not change it.
        conversations: of the sample, those that can be read, by their number.
        failures: why some of them were rejected, by the same number.
    """

    def __init__(
        self, preparer: Preparer, conversations: Mapping[int, Conversation], failures: Mapping[int, RowError]
    ) -> None:
        self._preparer, self._conversations, self._failures = preparer, conversations, failures
        self._left = _MOST_TRIES
        self._known: dict[tuple[Remedy, int], RowError | None] = {}
        self.deeper: dict[tuple[str, str], RowError] = {}
        """What stands in the way of rows of a kind once every adaptation is made: the reason behind the first one."""
        self._weights: dict[int, float] = {}
        """Of the rows that are tried: how many rows of the sample each stands for."""

    def best(self) -> Remedy:
        """Return the settings that mend most, none where nothing helps."""
        replays = {template: template.replays for template in self._preparer.templates.values()}
        try:
            return self._best()
        finally:  # an audit may have found that a template must be rendered in the slow way
            for template, before in replays.items():
                template.replays = before

    def _best(self) -> Remedy:
        hard = self._representatives()
        chosen, hopeless = Remedy(()), set[tuple[str, str]]()
        for number in hard:
            error = self._why(chosen, number)
            if error is None or kind_of(error) in hopeless:
                continue
            ways = list(islice(self._ways(chosen, number, error), _WAYS))
            better = max(ways, key=self._merit, default=None)
            if better is None or self._score(better) <= self._score(chosen):
                hopeless.add(kind_of(error))
                self._look_deeper(chosen, number, error)
            else:
                chosen = better
        return self._pruned(chosen)

    def _representatives(self) -> list[int]:
        """Return the rows that stand for all: some of each kind of rejected ones, the largest kinds first."""
        kinds: dict[tuple[str, str], list[int]] = {}
        for number, error in self._failures.items():
            if number in self._conversations and self._length(number) <= _LONGEST:
                kinds.setdefault(kind_of(error), []).append(number)
        hard: list[int] = []
        for numbers in sorted(kinds.values(), key=len, reverse=True)[:_KINDS]:
            numbers.sort(key=self._length)
            some = list(dict.fromkeys(numbers[len(numbers) * place // _EACH] for place in range(_EACH)))
            hard += some
            self._weights |= dict.fromkeys(some, len(numbers) / len(some))
        used = sorted(set(self._conversations) - self._failures.keys(), key=self._length)
        good = list(dict.fromkeys(used[len(used) * place // (2 * _GOOD)] for place in range(_GOOD))) if used else []
        self._weights |= dict.fromkeys(good, len(used) / max(len(good), 1))
        return hard

    def _length(self, number: int) -> int:
        messages = self._conversations[number].messages
        return sum(len(str(value)) for message in messages for value in message.fields.values())

    def _why(self, remedy: Remedy, number: int) -> RowError | None:
        key = remedy, number
        if key not in self._known:
            if self._left <= 0:
                return _UNTRIED
            self._left -= 1
            # What the template leaves out of rows that are used anyway is no matter of these settings.
            mended = number in self._failures
            self._known[key] = why_unused(self._preparer, self._conversations[number], remedy, with_calls=mended)
        return self._known[key]

    def _score(self, remedy: Remedy) -> float:
        """Return how many rows of the sample can be used with a remedy, as far as those that are tried tell."""
        return sum(weight for number, weight in self._weights.items() if self._why(remedy, number) is None)

    def _merit(self, remedy: Remedy) -> tuple[float, int]:
        return self._score(remedy), -remedy.harm

    def _ways(self, chosen: Remedy, number: int, error: RowError) -> Iterator[Remedy]:
        """Yield settings that hold the chosen ones, and with which a row can be used."""
        conversation = self._conversations[number]
        tried = 0
        for group in self._groups(chosen, conversation, error):
            found = False
            for remedy in group:
                if tried >= _OF_ONE:
                    return
                tried += 1
                if self._why(remedy, number) is None:
                    found = True
                    yield self._needed(chosen, remedy, number)
            if found:
                return

    def _look_deeper(self, chosen: Remedy, number: int, error: RowError) -> None:
        """Note what is said of a row that nothing mends when all that can be adapted is."""
        for together in _at_once(adaptations(chosen.policy(self._preparer.policy))):
            behind = self._why(chosen + together, number)
            if behind is not None and behind is not _UNTRIED and behind.code != error.code:
                self.deeper.setdefault(kind_of(error), behind)
                return

    def _groups(self, chosen: Remedy, conversation: Conversation, error: RowError) -> Iterator[list[Remedy]]:
        """Yield lists of settings to try; of those behind a list that helps, none is needed."""
        policy = chosen.policy(self._preparer.policy)
        template = self._preparer.templates[conversation.tools is not None]
        beside = [each for each in variables(template, conversation) if not each.keys & chosen.keys]
        if error.code == "control-token":
            beside += escapes(policy)
        now = adapt(conversation, policy).messages
        moves = [
            each
            for each in adaptations(policy)
            if not each.keys & chosen.keys and adapt(conversation, each.policy(policy)).messages != now
        ]
        all_moves = [chosen + together for together in _at_once(adaptations(policy)) if not together.keys & chosen.keys]
        grafts = [each for each in mismatches(policy)[:1] if not each.keys & chosen.keys]
        yield [chosen + each for each in (*beside, *moves)]
        yield all_moves
        yield [chosen + each for each in grafts]
        yield [chosen + one + two for one, two in product(beside, moves)]
        yield [each + graft for graft in grafts for each in (*(chosen + one for one in (*moves, *beside)), *all_moves)]

    def _needed(self, chosen: Remedy, remedy: Remedy, number: int) -> Remedy:
        """Return a remedy without what a row does not need of it, but with what was chosen."""
        for key in sorted(remedy.keys - chosen.keys, key=lambda key: -_harm_of(remedy, key)):
            less = remedy.without(key)
            if less.settings and self._why(less, number) is None:
                remedy = less
        return remedy

    def _pruned(self, remedy: Remedy) -> Remedy:
        """Return a remedy without what no row needs."""
        for key in sorted(remedy.keys, key=lambda key: -_harm_of(remedy, key)):
            less = remedy.without(key)
            if self._score(less) >= self._score(remedy):
                remedy = less
        return remedy


def _at_once(moves: Sequence[Remedy]) -> Iterator[Remedy]:
    """Yield all adaptations together, with each of the values that one of them may have.

    The form of arguments is found by itself, and is not among them.
    """
    values: dict[str, list[Remedy]] = {}
    for move in moves:
        ((key, _),) = move.settings
        if key != "adapt.arguments":
            values.setdefault(key, []).append(move)
    for together in product(*values.values()):
        yield sum(together, Remedy(()))


def _harm_of(remedy: Remedy, key: str) -> int:
    return remedy.harm - remedy.without(key).harm


def kind_of(error: RowError) -> tuple[str, str]:
    """Return what rejected rows of one kind have in common: the code, and the message without what it quotes."""
    return error.code, unquoted(error.message)


_UNTRIED = RowError("internal-error", "not tried: there were too many others")
