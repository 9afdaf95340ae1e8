"""``maskprep judge``: read the data, match it to its source, hold each document against the law, and count."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from maskprep.conversation import Conversation, Where
from maskprep.errors import RowError, UsageError
from maskprep.examples.inputs import Inputs
from maskprep.formats import Line, parse
from maskprep.inspect.tokens import LoadedTokens
from maskprep.inspect.views import RowView, Viewer
from maskprep.judge.alone import Signs, about_mask
from maskprep.judge.documents import Document
from maskprep.judge.faults import Kind
from maskprep.judge.law import Law, Verdict
from maskprep.judge.match import RowIndex, best, squeezed
from maskprep.judge.opening import open_data
from maskprep.judge.reference import References
from maskprep.judge.report import Count, JudgeReport
from maskprep.progress import Progress

_PLACES = 3  # of documents that are named for each kind of fault
_LONGEST = 200_000  # tokens of a document that is shown


def wanted_rows(rows: str) -> int | None:
    """Return how many rows are to be read, None for all. Raises ``UsageError`` where that is no number."""
    if rows == "all":
        return None
    if not rows.isascii() or not rows.isdecimal() or not int(rows):
        raise UsageError(f"--rows {rows}: it must be a number from 1 on, or all", "for example --rows 1000")
    return int(rows)


def judge(  # noqa: PLR0913 - the options of the command
    path: str, inputs: Inputs, progress: Progress, *, source: bool, rows: int | None, examples: int
) -> JudgeReport:
    """Return what is wrong with somebody else's tokenized data.

    Args:
        path: the data.
        inputs: tokenizer, template and policy, and the source.
        progress: is told of each document.
        source: whether there is a source to hold the data against.
        rows: how many rows to read from the beginning of the data, None for all.
        examples: how many faulty documents to return as views, those with kinds not yet shown first.

    Raises:
        UsageError: there is no data, or none of its rows can be read.
        BuildError: a file ends early.
    """
    data = open_data(path)
    documents = list(data.documents(rows, inputs.config.max_row_bytes))
    if not documents:
        said = "; ".join(data.unreadable) or "there is no row"
        raise UsageError(f"{path}: no document of token ids: {said}", "rows need input_ids, and labels or a mask")
    report = JudgeReport(path, sorted(data.masks), data.rows, data.whole, data.unreadable)
    judged = _Judge(inputs, report, examples)
    progress.start("judging", len(documents))
    if source:
        _against_source(documents, inputs, judged, progress)
    else:
        for document in documents:
            judged.alone(document, "")
            progress.advance(1)
    report.examples = judged.examples()
    return report


def _against_source(documents: Sequence[Document], inputs: Inputs, judged: _Judge, progress: Progress) -> None:
    """Match documents to the rows of the source, and judge each."""
    index, names, errors = RowIndex(), list[str](), 0
    for line in inputs.lines():
        names.append(str(line.where))
        try:
            index.add(parse(line))
        except RowError:
            errors += 1
            index.skip()
    texts = [squeezed(judged.viewer.text(document.ids.tolist())) for document in documents]
    wanted = [index.candidates(text) for text in texts]
    lines = _picked(inputs, {row for rows in wanted for row in rows})
    used = dict.fromkeys(lines, 0)
    for document, text, rows in zip(documents, texts, wanted, strict=True):
        there = [row for row in rows if row in lines]
        found = best(text, ((row, lines[row][1]) for row in there), [used[row] for row in there])
        if found is None:
            judged.alone(document, "its text is in no row of the source")
        else:
            used[found] += 1
            judged.by_source(document, lines[found][0])
        progress.advance(1)
    matched = {row for row, count in used.items() if count}
    report = judged.report
    if not matched:
        raise UsageError(
            f"{report.path}: no document holds the text of a row of the source", "give the source that the data is of"
        )
    report.source_rows = index.rows
    report.missing = index.rows - len(matched)
    report.first_missing = next((name for row, name in enumerate(names) if row not in matched), "")


def _picked(inputs: Inputs, wanted: set[int]) -> dict[int, tuple[Line, Conversation]]:
    """Return the wanted rows of the source, by their numbers."""
    found: dict[int, tuple[Line, Conversation]] = {}
    for number, line in enumerate(inputs.lines()):
        if number in wanted:
            with suppress(RowError):
                found[number] = (line, parse(line))
    return found


@dataclass(slots=True)
class _Judge:
    """Judges documents, and adds what it finds to the report."""

    inputs: Inputs
    report: JudgeReport
    most: int
    viewer: Viewer = field(init=False)
    _law: Law = field(init=False)
    _signs: Signs = field(init=False)
    _references: References = field(init=False)
    _shown: dict[tuple[Kind, ...], list[Verdict]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Get ready to judge with the tokenizer, the template and the policy that were given."""
        preparer = self.inputs.preparer
        tokens = LoadedTokens(self.inputs.loaded, preparer.encoder)
        self.viewer, self._law = Viewer(tokens), Law(tokens, preparer.policy)
        self._references = References(preparer)
        self._signs = Signs.of(preparer, tokens.special)

    def by_source(self, document: Document, line: Line) -> None:
        """Judge a document by its source row; by itself where that cannot be rendered."""
        try:
            reference = self._references.of(line)
        except RowError as error:
            self.alone(document, f"its source row is rejected: {error.code}")
            return
        self.report.by_source += 1
        self._add(self._law.judge(document, reference))

    def alone(self, document: Document, why: str) -> None:
        """Judge a document by itself."""
        self.report.alone += 1
        if why:
            self.report.why_alone[why] += 1
        self._add(self._signs.judge(document))

    def _add(self, verdict: Verdict) -> None:
        report, document = self.report, verdict.document
        about_mask(verdict, self._signs.size)
        report.documents += 1
        report.tokens += len(document.ids)
        report.trained += int(document.trained.sum())
        report.turns += verdict.turns
        report.faulty += bool(verdict.faults)
        for kind, tokens in verdict.faults.items():
            count = report.faults.setdefault(kind, Count())
            count.tokens, count.documents = count.tokens + tokens, count.documents + 1
            if len(count.places) < _PLACES:
                count.places.append(document.place)
        if verdict.faults and len(document.ids) <= _LONGEST:
            kept = self._shown.setdefault(tuple(sorted(verdict.faults)), [])
            if len(kept) < self.most:
                kept.append(verdict)

    def examples(self) -> list[RowView]:
        """Return views of faulty documents with both masks: of each mixture of faults one, then more of each."""
        ranked = [
            verdict
            for turn in range(self.most)
            for verdicts in self._shown.values()
            for verdict in verdicts[turn : turn + 1]
        ]
        return [self._view(verdict) for verdict in ranked[: self.most]]

    def _view(self, verdict: Verdict) -> RowView:
        document = verdict.document
        findings = [(str(kind), f"{tokens:,}") for kind, tokens in verdict.faults.items()]
        where = Where(document.file, document.row, -1)
        view = self.viewer.view(document.row, where, document.part, verdict.labelled, findings)
        tokens = (replace(token, other=bool(verdict.lawful[token.index])) for token in view.tokens)
        return replace(view, tokens=tuple(tokens))
