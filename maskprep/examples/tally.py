"""What a build counts: rows, tokens by role and part, rejects and findings with an example each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from maskprep.arrays import Ints
from maskprep.codes import fix_of
from maskprep.conversation import NOTHING_LEFT, Account, Finding, Where
from maskprep.errors import RowError
from maskprep.examples import Prepared, PreparedSequence
from maskprep.examples.prepared import Loss
from maskprep.labelled import LabelledBatch

DUPLICATE = "duplicate"
"""The code of a row whose conversation was there before: of a finding where it is used, or of a row that is dropped."""

TOO_LONG = "too-long"
"""The code of a row that is rejected for its length; its facts tell of how many tokens."""


Use = tuple[Where, Prepared, int]
"""A row that was used, what it became, and how many copies of that are written."""


@dataclass(slots=True)
class Noticed:
    """How many rows showed something, and the first of them."""

    rows: int
    where: Where
    message: str
    hint: str = ""

    def facts(self) -> dict[str, Any]:
        """Return the count and the first row that showed it as JSON types."""
        example = {"file": self.where.file, "line": self.where.line, "message": self.message}
        return {"rows": self.rows, "example": example, **({"hint": self.hint} if self.hint else {})}

    def stored(self) -> list[Any]:
        """Return all of it as JSON types."""
        return [self.rows, self.where.file, self.where.line, self.where.offset, self.message, self.hint]

    @classmethod
    def restored(cls, stored: list[Any]) -> Noticed:
        """Return what ``stored`` was made of."""
        rows, file, line, offset, message, hint = stored
        return cls(rows, Where(file, line, offset), message, hint)


@dataclass(slots=True)
class Tally:
    """The counts of a build so far. rows = used + rejected + left out as duplicates, always.

    ``too_long`` counts the rows that did not fit, and their tokens before and after: none of those that are rejected.
    ``not_read`` counts the rows that have a key that nothing reads, ``columns_used``, ``roles_used`` and ``ignored``
    those that an entry of the configuration was used for.
    ``stops`` counts, by its id, the stop token at the end of each trained turn of the assistant's.
    ``remedies`` counts the rejected rows by the settings that mended one of their kind.
    """

    used: int = 0
    rejected: int = 0
    duplicates: int = 0
    sequences: int = 0
    tokens: int = 0
    trained: int = 0
    unfaithful: int = 0
    longest: int = 0
    tokens_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    trained_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejects: dict[str, Noticed] = field(default_factory=dict)
    findings: dict[str, Noticed] = field(default_factory=dict)
    dropped: dict[str, Noticed] = field(default_factory=dict)
    too_long: Counter[str] = field(default_factory=Counter)
    not_read: Counter[str] = field(default_factory=Counter)
    columns_used: Counter[str] = field(default_factory=Counter)
    roles_used: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    stops: Counter[int] = field(default_factory=Counter)
    remedies: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """The number of rows read."""
        return self.used + self.rejected + self.left_out

    @property
    def left_out(self) -> int:
        """The number of rows that were dropped: nothing is wrong with them."""
        return sum(noticed.rows for noticed in self.dropped.values())

    @property
    def reject_fraction(self) -> float:
        """The fraction that was rejected of the rows that were not dropped, 0 where there are none."""
        tried = self.used + self.rejected
        return self.rejected / tried if tried else 0.0

    def reject(self, where: Where, error: RowError) -> None:
        """Count a rejected row."""
        self.rejected += 1
        _count(self.rejects, error.code, where, error.message, error.hint)
        self.not_read.update(error.facts.get("not_read", ()))
        advice = error.facts.get("advice", {})
        self.remedies.update([*advice.get("fits", ()), *advice.get("else", ())][:1])
        if error.code == TOO_LONG:
            self._shorten(Loss(int(error.facts["tokens"]), int(error.facts["trained_tokens"]), 0, 0))

    def way_out(self, otherwise: str) -> str:
        """Return what to do about rejected rows: the settings that mended one of their kind, else ``otherwise``."""
        told = [f"{settings} ({rows:,} row{'s' * (rows > 1)})" for settings, rows in self.facts()["remedies"].items()]
        return f"tried on rejected rows, and helps: {', '.join(told[:_TOLD])}; else {otherwise}" if told else otherwise

    def drop(self, where: Where, code: str, message: str) -> None:
        """Count a row that was left out, though nothing is wrong with it: its like is there, say."""
        self.duplicates += code == DUPLICATE
        _count(self.dropped, code, where, message)

    def use(self, where: Where, prepared: Prepared, copies: int = 1) -> None:
        """Count a row that was used, and all copies of its sequences."""
        self.use_all([(where, prepared, copies)])

    def use_all(self, rows: Sequence[Use]) -> None:
        """Count rows that were used, in their order."""
        self._count_tokens([(made, copies) for _, prepared, copies in rows for made in prepared.sequences])
        self.used += len(rows)
        for where, prepared, copies in rows:
            if prepared.loss is not None:
                self._shorten(prepared.loss, copies)
            if not prepared.findings:
                continue
            seen: dict[str, Finding] = {}
            for finding in prepared.findings:
                seen.setdefault(finding.code, finding)
            for finding in seen.values():
                _count(self.findings, finding.code, where, finding.detail)
            self.duplicates += DUPLICATE in seen

    def _count_tokens(self, sequences: Sequence[tuple[PreparedSequence, int]]) -> None:
        """Count the tokens of some sequences, by role and part, and their stop tokens; of each, so many copies."""
        if not sequences:
            return
        batch = LabelledBatch.of([made.labelled for made, _ in sequences])
        spans, copies = batch.spans, np.asarray([copies for _, copies in sequences], np.int64)
        sizes = np.diff(batch.limits)
        self.sequences += int(copies.sum())
        self.tokens += int(copies @ sizes)
        self.longest = max(self.longest, int(sizes.max()))
        self.unfaithful += sum(copies * made.unfaithful for made, copies in sequences)
        whose = np.repeat(np.arange(len(copies)), np.diff(batch.span_limits))
        counts = (spans.end - spans.start) * copies[whose]
        kinds = spans.role * len(spans.parts) + spans.part
        names = [(role, part) for role in spans.roles for part in spans.parts]
        _add_by(self.tokens_by, kinds, counts, names)
        _add_by(self.trained_by, kinds[spans.trained], counts[spans.trained], names)
        self.trained += int(counts[spans.trained].sum())
        stop = names.index((_SPEAKER, _STOP)) if (_SPEAKER, _STOP) in names else -1
        ended = np.flatnonzero(spans.trained & (kinds == stop))
        ids = batch.input_ids[batch.limits[whose[ended]] + spans.end[ended] - 1]
        for token, count in zip(ids.tolist(), copies[whose[ended]].tolist(), strict=True):
            self.stops[token] += count

    def read(self, account: Account, known: Collection[str] = ()) -> None:
        """Count what reading a row left and used; ``known`` are keys of messages that the chat template reads."""
        if account is NOTHING_LEFT:
            return
        self.not_read.update(path for path in account.unread if path.partition("[].")[2] not in known)
        self.columns_used.update(account.columns)
        self.roles_used.update(account.roles)
        self.ignored.update(account.ignored)

    def repeat(self, where: Where, message: str) -> None:
        """Note that a row that was counted as used had been there before."""
        self.duplicates += 1
        _count(self.findings, DUPLICATE, where, message)

    def merge(self, later: Tally) -> None:
        """Add the counts of rows that follow those counted here."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(later, name))
        self.longest = max(self.longest, later.longest)
        for name in _TABLES:
            table, more = getattr(self, name), getattr(later, name)
            for code, noticed in more.items():
                if code in table:
                    table[code].rows += noticed.rows
                else:
                    table[code] = replace(noticed)

    def stored(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            **{name: getattr(self, name) for name in (*_NUMBERS, "longest")},
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
            "stops": sorted(self.stops.items()),
            **{name: [[*kind, count] for kind, count in getattr(self, name).items()] for name in _BY},
            **{name: {code: each.stored() for code, each in getattr(self, name).items()} for name in _TABLES},
        }

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> Tally:
        """Return the tally that ``stored`` was made of."""
        counts = {name: Counter({(role, part): count for role, part, count in stored[name]}) for name in _BY}
        tables = {name: {c: Noticed.restored(each) for c, each in stored[name].items()} for name in _TABLES}
        counters = {name: Counter(stored[name]) for name in _COUNTERS}
        stops = Counter(dict(stored["stops"]))
        return cls(**{**stored, **counters, "stops": stops, **counts, **tables})

    def _shorten(self, loss: Loss, copies: int = 1) -> None:
        """Count what became of a row that was too long."""
        self.too_long["rows"] += 1
        for name, number in asdict(loss).items():
            self.too_long[name] += copies * number

    def facts(self) -> dict[str, Any]:
        """Return all counts as JSON types."""
        long = self.too_long
        return {
            "rows": self.rows,
            "rows_used": self.used,
            "rows_rejected": self.rejected,
            "rows_dropped": self.left_out,
            "duplicates": self.duplicates,
            "sequences": self.sequences,
            "tokens": self.tokens,
            "trained_tokens": self.trained,
            "unfaithful_tokens": self.unfaithful,
            "longest_sequence": self.longest,
            "too_long": {
                "rows": long["rows"],
                "tokens_before": long["tokens_before"],
                "trained_tokens_before": long["trained_before"],
                "tokens": long["tokens"],
                "trained_tokens": long["trained"],
            },
            "not_read": dict(sorted(self.not_read.items())),
            "by_role_and_part": [
                {"role": role, "part": part, "tokens": count, "trained_tokens": self.trained_by[role, part]}
                for (role, part), count in sorted(self.tokens_by.items())
            ],
            "rejects": {code: noticed.facts() for code, noticed in sorted(self.rejects.items())},
            "findings": {code: noticed.facts() for code, noticed in sorted(self.findings.items())},
            "dropped": {code: noticed.facts() for code, noticed in sorted(self.dropped.items())},
            "remedies": dict(sorted(self.remedies.items(), key=lambda item: (-item[1], item[0]))),
        }


_BY = ("tokens_by", "trained_by")
_NUMBERS = ("used", "rejected", "duplicates", "sequences", "tokens", "trained", "unfaithful")
_COUNTERS = ("too_long", "not_read", "columns_used", "roles_used", "ignored", "remedies")
_SUMS = (*_NUMBERS, *_BY, *_COUNTERS, "stops")
_SPEAKER, _STOP = "assistant", "stop"  # the role of whose turns the ends are counted, and the part that these are
_TOLD = 3  # remedies
_TABLES = ("rejects", "findings", "dropped")


def _count(table: dict[str, Noticed], code: str, where: Where, message: str, hint: str = "") -> None:
    if code in table:
        table[code].rows += 1
    else:
        table[code] = Noticed(1, where, message, hint or fix_of(code))


def _add_by(table: Counter[tuple[str, str]], kinds: Ints, counts: Ints, names: Sequence[tuple[str, str]]) -> None:
    """Add up counts by kind, in the order in which the kinds occur; ``names`` say what these numbers mean."""
    sums = np.bincount(kinds, counts, len(names))
    first = np.full(len(names), len(kinds))
    first[kinds[::-1]] = np.arange(len(kinds))[::-1]  # of several places of one kind, the last one written stays
    for kind in np.argsort(first)[: np.count_nonzero(first < len(kinds))].tolist():
        table[names[kind]] += int(sums[kind])
