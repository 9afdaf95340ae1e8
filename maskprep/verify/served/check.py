"""``verify --server``: what a server feeds its model before a trained turn, held against what stands there.

source line ─▶ messages before the turn, tools, variables ─▶ server ─▶ the ids that it would feed
row         ─▶ the ids before the turn                                  must be the same
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import UsageError
from maskprep.template.sandbox.limits import Limits
from maskprep.tokenizer.load import LoadedTokenizer
from maskprep.verify.result import Faults, Result, skipped
from maskprep.verify.served.causes import Causes, causes_for, first_difference
from maskprep.verify.served.host import Host, ServerError
from maskprep.verify.served.likelihood import losses
from maskprep.verify.served.protocols import Protocol, find_protocol, model_name
from maskprep.verify.served.request import body_of
from maskprep.verify.served.turns import TrainedTurn, turns_of
from maskprep.verify.source import Rebuild

TURNS = 50
"""How many turns a server is asked about."""

_AT_A_TIME = 4  # requests
_WEIGHED = 4  # turns whose loss by the served model is asked for
_SHOWN = 60  # characters at the first difference
_BEFORE = 8  # ids that are shown before it
_UNKNOWN = "another chat template, or another version of it: no trial gives what the server feeds"
_ADVICE = (
    "train behind what the server feeds, or make it feed what was trained: give it this build's tokenizer/ folder with "
    "its chat template, and the same template variables (chat_template_kwargs)"
)


def check_server(  # noqa: PLR0913, PLR0917 - what is compared, with what, and where
    data: StoredDataSet,
    numbers: Sequence[int],
    rebuild: Rebuild,
    loaded: LoadedTokenizer,
    limits: Limits,
    host: Host,
    served_model: str | None,
    advance: Callable[[int], None],
) -> Result:
    """Return the result of asking a server about trained turns.

    Args:
        data: the build.
        numbers: the rows whose turns may be asked about.
        rebuild: what rows are built again with.
        loaded: the tokenizer of the build.
        limits: what one rendering may take, where causes are looked for.
        host: the server.
        served_model: the name under which it knows its model, None for its only one.
        advance: is called with the number of turns asked about since the last call.

    A server that does not say what it feeds has not passed.
    """
    turns = turns_of(data, numbers, rebuild, TURNS)
    flags = [f"{count:,} not asked about: {reason}" for reason, count in turns.unasked.items()]
    if not turns.found:
        return skipped("server", "; ".join(flags) or "there is no trained turn")
    try:
        model = model_name(host, served_model)
        protocol = find_protocol(host, body_of(turns.found[0].chat, turns.found[0].message, model))
    except UsageError as error:
        silent = Faults()
        silent.add(error.message)
        return silent.result("server", "", "the server could not be asked", error.hint, flags=tuple(flags))
    comparison = _Comparison(loaded, causes_for(loaded, limits, rebuild.preparer.templates, rebuild.now))
    for turn, answer in _answers(host, protocol, model, turns.found):
        comparison.add(turn, answer)
        advance(1)
    told = losses(host, model, turns.found[:_WEIGHED])
    kinds = len({turn.kind for turn in turns.found})
    said = f"the server at {host.url} feeds what stands before each of {len(turns.found):,} turns of {kinds} kinds"
    flags += [f"{count:,} turns: {cause}" for cause, count in comparison.causes.most_common()]
    return comparison.faults.result(
        "server",
        said,
        f"the server at {host.url} feeds its model other ids than those that stand before trained turns",
        _ADVICE,
        figures={
            "turns": len(turns.found),
            "kinds": kinds,
            "asked": protocol.said,
            **({} if model is None else {"model": model}),
            **{f"loss_{part}": round(loss, 4) for part, loss in told.items()},
        },
        flags=tuple(flags),
    )


class _Comparison:
    """What was found in the answers: faults, and how often each cause."""

    def __init__(self, loaded: LoadedTokenizer, causes: Causes) -> None:
        self._tokenizer, self._causes = loaded.tokenizer, causes
        self.faults, self.causes = Faults(), Counter[str]()

    def add(self, turn: TrainedTurn, answer: list[int] | ServerError) -> None:
        """Compare an answer with what stands before a turn."""
        if isinstance(answer, ServerError):
            self.faults.add(f"{turn.place}: {answer}")
            return
        ids = turn.row.input_ids.tolist()
        # Text that a template puts between the prompt and the trained part may be of either.
        if turn.start <= len(answer) <= turn.first and ids[: len(answer)] == answer:
            return
        expected = ids[: turn.start]
        cause = self._causes.of(turn.chat, turn.message, expected, answer)
        self.causes[cause or _UNKNOWN] += 1
        self.faults.add(f"{turn.place}: {self._difference(expected, answer)}" + (f"; {cause}" if cause else ""))

    def _difference(self, expected: list[int], served: list[int]) -> str:
        """Return the first difference as text and as ids."""
        at = first_difference(expected, served)
        start = max(0, at - 4)
        texts = [self._text(ids[start:])[:_SHOWN] for ids in (expected, served)]
        numbers = [", ".join(map(str, ids[at : at + _BEFORE])) or "nothing more" for ids in (expected, served)]
        lengths = f"{len(expected):,} ids here, {len(served):,} there"
        return (
            f"from token {at:,} on ({lengths}), trained behind {texts[0]!r}, the server feeds {texts[1]!r} "
            f"(ids {numbers[0]} here, {numbers[1]} there)"
        )

    def _text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _answers(
    host: Host, protocol: Protocol, model: str | None, turns: Sequence[TrainedTurn]
) -> Iterator[tuple[TrainedTurn, list[int] | ServerError]]:
    """Yield each turn with what the server feeds before it, or why it does not say."""

    def asked(turn: TrainedTurn) -> list[int] | ServerError:
        try:
            found = protocol.ids(host, body_of(turn.chat, turn.message, model))
        except ServerError as error:
            return error
        return found if found is not None else ServerError(f"{protocol.said}: no ids in the answer")

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        yield from zip(turns, pool.map(asked, turns), strict=True)
