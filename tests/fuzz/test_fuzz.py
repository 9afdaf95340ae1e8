"""Whatever comes in: no traceback, no hang, rows in = rows used + rejected, and what is built holds.

`MASKPREP_FUZZ=N` tries N examples of each property instead of some seconds' worth.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2
import pytest
import thorough
from bundled import TOKENIZER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invariants import MAX_BYTES, SUFFIXES, check_message, read_file
from strategies import conversations, files, templates

from maskprep.build.command import build
from maskprep.config import Config
from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import BuildError, RowError, UsageError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import Control, History, Mismatch, Policy
from maskprep.progress import Progress
from maskprep.show.page import write_page
from maskprep.tokenizer.load import load_tokenizer
from maskprep.verify.command import rebuild_of
from maskprep.verify.files import check_files
from maskprep.verify.result import Verdict
from maskprep.verify.source import check_source
from maskprep.verify.structure import Expected, check_structure

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def examples(usual):
    return settings(
        max_examples=int(os.environ.get("MASKPREP_FUZZ", thorough.examples(usual))),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )


@cache
def loaded():
    return load_tokenizer(str(TOKENIZER), ())


@examples(300)
@given(file=files())
def test_a_file_is_read_or_refused(tmp_path, file):
    name, data = file
    (tmp_path / name).write_bytes(data)
    read_file(tmp_path / name)


@examples(60)
@given(text=templates(), row=conversations(), history=st.sampled_from(History), mismatch=st.sampled_from(Mismatch))
def test_a_template_proves_a_row_or_rejects_it(text, row, history, mismatch):
    policy = Policy(history=history, mismatch=mismatch, control=Control.KEEP)
    try:
        preparer = Preparer(loaded(), now=NOW, policy=policy, template=text)
        prepared = preparer.prepare(DEFAULT.parse(row))
    except (UsageError, RowError) as error:
        check_refusal(error)
        return
    for sequence in prepared.sequences:
        check_sequence(sequence.labelled)


def check_refusal(error):
    """See that it is the data's fault or the template's, and none of ours."""
    check_message(error)
    assert getattr(error, "code", "") not in {"internal-error", "render-differs", "unproved"}, error.message


def check_sequence(labelled):
    """See that labels are ids or -100, and that spans tile the row and tell what is trained."""
    ids, labels = labelled.input_ids.tolist(), labelled.labels.tolist()
    assert len(ids) == len(labels) > 0
    assert labels[0] == -100
    at = 0
    for span in labelled.spans:
        assert span.start == at < span.end
        at = span.end
        for place in range(span.start, span.end):
            assert labels[place] == (ids[place] if span.trained and place else -100)
    assert at == len(ids)


@examples(60)
@given(row=conversations(), mode=st.sampled_from([Control.REJECT, Control.ESCAPE]))
def test_no_control_token_comes_from_data(row, mode):
    preparer = Preparer(loaded(), now=NOW, policy=Policy(control=mode, mismatch=Mismatch.TRAIN))
    control = {token for token, added in loaded().tokenizer.added_tokens_decoder.items() if added.special}
    try:
        prepared = preparer.prepare(DEFAULT.parse(row))
    except RowError as error:
        check_refusal(error)
        return
    for sequence in prepared.sequences:
        check_sequence(sequence.labelled)
        for span in sequence.labelled.spans:
            if span.part not in {"scaffold", "stop"}:
                found = control & set(sequence.labelled.input_ids[span.start : span.end].tolist())
                assert not found, (span, found)


@examples(12)
@given(file=files(), rows=st.lists(conversations(), max_size=4), mode=st.sampled_from(["reject", "escape", "keep"]))
def test_a_build_accounts_for_every_row_and_verifies(file, rows, mode):
    with tempfile.TemporaryDirectory() as folder:
        sound, odd = Path(folder) / "sound.jsonl", Path(folder) / file[0]
        sound.write_text("".join(json.dumps(row) + "\n" for row in rows))
        odd.write_bytes(file[1])
        settings = {"max_rejects": 1, "max_row_bytes": MAX_BYTES, "history": "split", "control_tokens": mode}
        given_to = {"sources": [str(sound), str(odd)], "tokenizer": str(TOKENIZER), "output": f"{folder}/out"}
        try:
            report = build(Config.model_validate({**given_to, **settings}), Progress(), write_page)
        except (UsageError, BuildError) as error:
            check_message(error)
            return
        totals = report.manifest["totals"]
        assert totals["rows"] == totals["rows_used"] + totals["rows_rejected"] + totals["rows_dropped"]
        assert "internal-error" not in totals["rejects"], totals["rejects"]
        check_build(report.output)


def check_build(path):
    """See that the checks which need no model pass."""
    data = StoredDataSet(path)
    tokenizer = load_tokenizer(data.tokenizer, data.manifest["stop_tokens"])
    results = [
        check_files(data.root, data.whole, tokenizer),
        check_structure(data.shards, Expected.of(tokenizer.tokenizer, data.manifest["config"]), lambda _: None),
        check_source(data, range(len(data)), rebuild_of(data, tokenizer), lambda _: None),
    ]
    failed = [result for result in results if result.verdict is Verdict.FAILED]
    assert not failed, failed


@examples(100)
@given(text=templates())
def test_the_grammar_is_that_of_jinja(text):
    """What is made compiles: or the property about templates would be about errors of syntax."""
    parts = text.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(parts)


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "corpus").iterdir()), ids=lambda path: path.name)
def test_the_corpus_is_sound(tmp_path, path):
    """What coverage-guided fuzzing begins with must get far: at least one row of each file is used."""
    data = path.read_bytes()
    (tmp_path / f"rows{SUFFIXES[data[0]]}").write_bytes(data[1:])
    assert read_file(tmp_path / f"rows{SUFFIXES[data[0]]}")["used"]
