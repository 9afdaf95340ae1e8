"""The end of a build that is too large to be read again for its report."""

from __future__ import annotations

from bundled import TOKENIZER

from maskprep.build import commit as committing
from maskprep.build.command import build as make
from maskprep.config import load
from maskprep.progress import Progress

ROW = {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day to you"}]}


def shown(rows, output):
    """Build, and return the rows and the figures that the report gets, and how many tokens there are."""
    pages = []
    config = load(None, {"sources": [rows], "tokenizer": str(TOKENIZER), "output": output})
    report = make(config, Progress(), lambda _path, _title, views, figures, _run: pages.append((list(views), figures)))
    assert len(pages) == 1
    return *pages[0], report.manifest["totals"]["tokens"]


def test_large_data_sets_are_not_read_again_for_the_report(source, monkeypatch):
    rows = source(*[ROW] * 3)
    views, figures, tokens = shown(rows, "small")
    assert len(views) == 3
    assert figures["tokens"] == tokens
    monkeypatch.setattr(committing, "_READ_AGAIN", tokens - 1)
    assert shown(rows, "large") == ([], None, tokens)
    monkeypatch.setattr(committing, "_READ_AGAIN", tokens)
    assert len(shown(rows, "just")[0]) == 3
