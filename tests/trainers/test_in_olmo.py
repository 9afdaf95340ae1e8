"""OLMo-core's own packed data set on the arrays that are written for it: the example, and the loss of what it reads."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch
from asked import EXAMPLES, SETTINGS, made, plain
from bundled import TOKENIZER
from datasets import Dataset
from steps import EXACT, OTHER, by_hand, show
from transformers import AutoModelForCausalLM

import maskprep
from maskprep.integrations.olmo import write

pytestmark = [pytest.mark.trainers, pytest.mark.long]


@pytest.fixture
def example():
    """The example as a module."""
    pytest.importorskip("olmo_core.data", exc_type=ImportError)
    spec = importlib.util.spec_from_file_location("olmo_arrays", EXAMPLES / "olmo_arrays.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def mapped():
    """A masker, and the rows of text that it mapped."""
    masker = maskprep.Masker(str(TOKENIZER), **SETTINGS)
    return masker, masker.map(Dataset.from_list(plain()))


@torch.no_grad()
def test_packed_rows_have_the_loss_of_their_labels(example, mapped, model, tmp_path):
    from olmo_core.data.utils import get_labels

    masker, rows = mapped
    data = example.packed(rows, masker.tokenizer, str(tmp_path / "arrays")).build()
    data.prepare()
    expected = {tuple(row["input_ids"]): row for row in made(plain())}
    trained = AutoModelForCausalLM.from_pretrained(model).eval()
    several = found = 0
    for number in range(len(data)):
        row = data[number]
        ids, ends = row["input_ids"], np.cumsum(row["doc_lens"])
        starts = [0, *ends[:-1]]
        pieces = [tuple(ids[start:end].tolist()) for start, end in zip(starts, ends, strict=True)]
        picked = [expected[piece] for piece in pieces if piece in expected]  # the rest is padding
        found += len(picked)
        several += len(picked) > 1
        positions = torch.cat([torch.arange(length) for length in row["doc_lens"]])
        labels = get_labels({"input_ids": ids[None], "label_mask": row["label_mask"][None]})
        if number < 3:
            logits = trained(ids[None], position_ids=positions[None], use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits[0], labels[0]).item()
            meant = by_hand(model, trained.state_dict(), picked)
            show("olmo", [loss], [meant])
            assert loss == pytest.approx(meant, abs=EXACT)
            wrong = trained(ids[None], use_cache=False).logits[0]  # nothing keeps rows apart
            assert len(picked) == 1 or abs(torch.nn.functional.cross_entropy(wrong, labels[0]).item() - meant) > OTHER
    assert found == len(rows)
    assert several


def test_the_settings_of_a_build_read_the_same_rows(example, mapped, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in plain()))
    report = maskprep.build(
        sources=source, tokenizer=str(TOKENIZER), output=tmp_path / "out", profile="olmo", **SETTINGS
    )
    names = {}
    exec(report.trainer["settings"].replace('f"{folder}-work"', repr(str(tmp_path / "work"))), names)
    data = names["data"].build()
    data.prepare()
    rows = set()
    for number in range(len(data)):
        row = data[number]
        ends = np.cumsum(row["doc_lens"])
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            rows.add((tuple(row["input_ids"][start:end].tolist()), tuple(row["label_mask"][start:end].tolist())))
    wanted = {(tuple(row["input_ids"]), tuple(label != -100 for label in row["labels"])) for row in made(plain())}
    assert wanted <= rows


def test_without_the_bounds_each_turn_would_be_a_document(example, mapped, tmp_path):
    masker, rows = mapped
    config = example.packed(rows, masker.tokenizer, str(tmp_path / "arrays"))
    config.use_array_if_local = None
    data = config.build()
    data.prepare()
    lengths = {len(row["input_ids"]) for row in made(plain())}
    assert not set(data[0]["doc_lens"].tolist()) <= lengths


def test_parts_hold_all_rows_in_order(mapped, tmp_path):
    _, rows = mapped
    arrays = write(rows, tmp_path / "out", 70_000, part_tokens=500)
    assert arrays.dtype == "uint32"
    assert len(arrays.paths) > 2
    ids = np.concatenate([np.fromfile(path, np.uint32) for path in arrays.paths])
    mask = np.concatenate([np.fromfile(path, np.bool_) for path in arrays.label_mask_paths])
    labels = np.concatenate(rows["labels"])
    assert ids.tolist() == np.concatenate(rows["input_ids"]).tolist()
    assert mask.tolist() == (labels != -100).tolist()
    assert write(rows, tmp_path / "small", 65_536).dtype == "uint16"
    with pytest.raises(maskprep.UsageError, match="not empty"):
        write(rows, tmp_path / "out", 70_000)


def test_the_example_runs(example, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["olmo_arrays.py", str(tmp_path / "arrays")])
    example.main()
    assert "trained tokens" in capsys.readouterr().out
