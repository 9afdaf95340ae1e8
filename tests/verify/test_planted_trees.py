"""Rows that are trees: every fault planted in one is named by the right check, and a clean one by none."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from planting import build, manifest, mend, rows_of, shard, verified, without_model, write_manifest, write_rows

from maskprep.dataset import trees
from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import Layout
from maskprep.verify.examples import spread
from maskprep.verify.tree import check_trees
from maskprep.verify.tree_row import BrokenDepthsError, TreeRow
from maskprep.verify.tree_rows import tree_rows

TEMPLATE = """\
{%- for message in messages -%}
    {{- '<|im_start|>' ~ message.role ~ '\\n' -}}
    {%- if message.role == 'assistant' and loop.last -%}
        {{- '<think>\\n' ~ (message.reasoning_content or '') ~ '\\n</think>\\n\\n' -}}
    {%- endif -%}
    {{- message.content ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""
"""Drops the thoughts of all turns but the last."""


def conversation(turns, number=0):
    """Return a row of so many turns, each with a thought."""
    messages = []
    for turn in range(turns):
        messages += [
            {"role": "user", "content": f"What is {turn + number} times 8?"},
            {"role": "assistant", "reasoning_content": f"I count {turn}.", "content": f"It is {(turn + number) * 8}."},
        ]
    return {"messages": messages}


ROWS = [conversation(3), conversation(1, 3), conversation(2, 5), conversation(4, 1)]


def grown(folder, rows, *options):
    """Build rows as trees."""
    folder.mkdir(parents=True, exist_ok=True)
    template = folder / "template.jinja"
    template.write_text(TEMPLATE, "utf-8")
    return build(folder, rows, options=["--chat-template", template, "--history", "tree", *options])


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    return grown(tmp_path_factory.mktemp("forest"), ROWS)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return grown(tmp_path_factory.mktemp("packed"), ROWS * 2, "--set", "packing.length=600")


def planted(clean, target, edit):
    """Copy a build and rewrite its rows with ``edit``; nothing in the files speaks of it."""
    shutil.copytree(clean, target)
    rows = rows_of(target)
    edit(rows)
    write_rows(target, rows, Layout(trees=True, packed="seq_lengths" in rows[0]).schema)
    if "seq_lengths" not in rows[0]:
        mend(target)
        return target
    facts, path = manifest(target), shard(target)
    facts["shards"][0] |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    write_manifest(target, facts)
    return target


def results(folder):
    """Return the results of the checks that look at trees, by name."""
    data = StoredDataSet(str(folder))
    chosen = tree_rows(data, range(len(data)))
    found = without_model(folder)
    return {**found, "tree": check_trees(chosen.rows, chosen.flags, 0, lambda _: None)}


def opened(row):
    """Return ``start, end`` of each branch but the first of a row."""
    return trees.branches(np.asarray(row["position_ids"]))[1:]


def seen_again(row):
    """Make ``visible_until`` agree with the depths."""
    row["visible_until"] = trees.visible_until(np.asarray(row["position_ids"])).tolist()


def sunk(row, branch, by):
    """Hang a branch so many tokens deeper, and what hangs on it."""
    start, end = opened(row)[branch]
    for place in range(start, end):
        row["position_ids"][place] += by


# Faults in visible_until


def see_a_branch_too_long(rows):
    (start, _), *_ = opened(rows[0])
    rows[0]["visible_until"][start - 1] += 2


def see_the_beginning_too_short(rows):
    rows[0]["visible_until"][2] = opened(rows[0])[0][0]


def see_what_was_copied(rows):
    row = rows[0]
    start = opened(row)[0][0]
    original = row["position_ids"].index(row["position_ids"][start])
    row["visible_until"][original] = len(row["input_ids"])


def see_everything(rows):
    rows[0]["visible_until"] = [len(rows[0]["input_ids"])] * len(rows[0]["input_ids"])


def see_not_even_itself(rows):
    rows[0]["visible_until"][5] = 5


# Faults in position_ids


def one_token_deeper(rows):
    rows[0]["position_ids"][4] += 1


def depths_of_a_row(rows):
    rows[0]["position_ids"] = list(range(len(rows[0]["input_ids"])))


def a_tree_told_to_be_a_sequence(rows):
    depths_of_a_row(rows)
    see_everything(rows)


def begin_with_one(rows):
    rows[0]["position_ids"] = [depth + 1 for depth in rows[0]["position_ids"]]


# Faults in what a branch hangs on


def parent_one_earlier(rows):
    sunk(rows[0], 0, -1)
    seen_again(rows[0])


def parent_one_later(rows):
    sunk(rows[0], 0, 1)
    seen_again(rows[0])


def _onto_its_like(row):
    """Hang the last branch on an earlier token of the same id."""
    start, _ = opened(row)[-1]
    depth, path = row["position_ids"][start], trees.leaves(np.asarray(row["position_ids"]))[-1]
    alike = [at for at in range(1, depth) if row["input_ids"][int(path[at])] == row["input_ids"][start]]
    sunk(row, -1, alike[-1] - depth)


def parent_of_the_same_id(rows):
    _onto_its_like(rows[0])


def parent_of_the_same_id_in_both_columns(rows):
    _onto_its_like(rows[0])
    seen_again(rows[0])


# Faults in copies


def label_of_a_copy(rows):
    start = opened(rows[0])[0][0]
    rows[0]["labels"][start] = rows[0]["input_ids"][start]


def id_of_a_copy(rows):
    rows[0]["input_ids"][opened(rows[0])[0][0]] += 1


# Faults in branches


def swap_tokens_of_branches(rows):
    (one, _), (two, _) = opened(rows[0])[:2]
    ids, labels = rows[0]["input_ids"], rows[0]["labels"]
    trained = [at for at in range(len(ids)) if labels[at] != -100]
    here = next(at for at in trained if at > one and ids[at] != ids[trained[0]])
    there = next(at for at in trained if at > two and ids[at] != ids[here])
    for column in (ids, labels):
        column[here], column[there] = column[there], column[here]


def lose_a_branch(rows):
    row = rows[0]
    start, end = opened(row)[-1]
    assert end == len(row["input_ids"])
    for name in ("input_ids", "labels", "position_ids"):
        del row[name][start:]
    seen_again(row)
    row["spans"] = [span for span in row["spans"] if span["start"] < start]
    row["spans"][-1]["end"] = start


def mask_a_branch(rows):
    start, end = opened(rows[0])[0]
    rows[0]["labels"][start:end] = [-100] * (end - start)
    for span in rows[0]["spans"]:
        span["trained"] &= not start <= span["start"] < end


def train_what_is_history(rows):
    """Train an answer as it stands in the history of a later turn, in the labels and in the spans."""
    row = rows[0]
    span = next(span for span in row["spans"] if span["role"] == "assistant" and not span["trained"])
    span["trained"] = True
    row["labels"][span["start"] : span["end"]] = row["input_ids"][span["start"] : span["end"]]


# Faults in an ordinary row among trees


def see_less_of_an_ordinary_row(rows):
    rows[1]["visible_until"][3] = 7


def depths_of_an_ordinary_row(rows):
    rows[1]["position_ids"][6:] = range(5, len(rows[1]["position_ids"]) - 1)


MEANT = {
    see_a_branch_too_long: {"structure", "tree"},
    see_the_beginning_too_short: {"structure", "tree"},
    see_what_was_copied: {"structure", "tree"},
    see_everything: {"structure", "tree"},
    see_not_even_itself: {"structure", "tree"},
    one_token_deeper: {"structure", "source", "tree"},
    depths_of_a_row: {"structure", "source"},
    a_tree_told_to_be_a_sequence: {"source"},
    begin_with_one: {"structure", "source", "tree"},
    parent_one_earlier: {"structure", "source", "tree"},
    parent_one_later: {"structure", "source", "tree"},
    parent_of_the_same_id: {"structure", "source", "tree"},
    parent_of_the_same_id_in_both_columns: {"source"},
    label_of_a_copy: {"files", "structure", "source", "tree"},
    id_of_a_copy: {"structure", "source", "tree"},
    swap_tokens_of_branches: {"source"},
    lose_a_branch: {"source"},
    mask_a_branch: {"source"},
    train_what_is_history: {"source"},
    see_less_of_an_ordinary_row: {"structure"},
    depths_of_an_ordinary_row: {"structure", "source", "tree"},
}
"""Which checks must name a fault, and no others of those that look at trees; `files` sums up labels and spans."""


@pytest.mark.parametrize("edit", MEANT, ids=lambda edit: edit.__name__)
def test_a_fault_in_a_tree_is_named_by_the_right_check(edit, forest, tmp_path):
    found = results(planted(forest, tmp_path / "out", edit))
    assert {name for name, result in found.items() if result.verdict == "failed"} == MEANT[edit], found
    row = "row 1" if "ordinary" in edit.__name__ else "row 0"
    assert all(any(row in fault for fault in found[name].faults) for name in MEANT[edit] - {"files"}), found


# Faults of packed rows


def see_the_neighbour(rows):
    rows[0]["visible_until"][1] = rows[0]["seq_lengths"][0] + 3


def count_on_into_the_next_document(rows):
    first, second = rows[0]["seq_lengths"][:2]
    for place in range(first, first + second):
        rows[0]["position_ids"][place] += 1


def count_until_from_the_document(rows):
    row, at = rows[0], 0
    for length in row["seq_lengths"]:
        row["visible_until"][at : at + length] = [until - at for until in row["visible_until"][at : at + length]]
        at += length


def train_across_the_border(rows):
    at = rows[0]["seq_lengths"][0]
    rows[0]["labels"][at] = rows[0]["input_ids"][at]


PACKED = {
    see_the_neighbour: {"structure", "tree"},
    count_on_into_the_next_document: {"structure", "source", "tree"},
    count_until_from_the_document: {"structure", "tree"},
    train_across_the_border: {"files", "structure", "source", "tree"},
}


@pytest.mark.parametrize("edit", PACKED, ids=lambda edit: edit.__name__)
def test_a_fault_in_a_packed_row_of_trees_is_named(edit, packed, tmp_path):
    found = results(planted(packed, tmp_path / "out", edit))
    assert {name for name, result in found.items() if result.verdict == "failed"} == PACKED[edit], found
    assert any("packed row 0" in fault for fault in found["tree"].faults), found["tree"]


def test_clean_trees_pass_every_check(forest):
    found = verified(forest, rows="all", learn=1)
    assert {name for name, result in found.items() if result.verdict == "skipped"} == {"packing", "model"}
    assert all(result.verdict != "failed" for result in found.values()), found
    assert found["structure"].figures["trees"] == 3
    assert found["source"].figures["turns_proved"] == 10
    assert found["tree"].figures["branches"] == 9
    assert found["tree"].figures["worst_difference"] < 1e-12
    assert found["tree"].figures["worst_gradient"] < 1e-12
    assert not found["tree"].flags


def test_the_other_checks_run_a_tree_sequence_by_sequence(forest):
    found = verified(forest, rows="all")
    assert found["loss"].figures["rows"] == found["gradient"].figures["rows"] == 4
    assert found["loss"].figures["sequences"] == 10
    data = StoredDataSet(str(forest))
    assert found["gradient"].figures["not_zero"] == data.lengths()[1].sum()
    # Unasked, four sequences of a tree are enough, and that is said where it has more.
    assert not any("sequences of the trees" in flag for flag in verified(forest)["loss"].flags)


def test_of_a_tree_of_many_branches_a_few_sequences_are_run_and_that_is_said(tmp_path):
    found = verified(grown(tmp_path, [conversation(7)]))
    assert found["loss"].figures["sequences"] == 4
    assert any("4 of the 7 sequences" in flag for flag in found["loss"].flags)
    assert spread(range(7), 4) == [0, 2, 4, 6]


def test_packed_trees_are_checked_by_tree_and_packing_says_so(packed):
    found = verified(packed, rows="all")
    assert all(result.verdict != "failed" for result in found.values()), found
    assert found["packing"].verdict == "skipped"
    assert found["packing"].said.endswith("see tree")
    assert found["tree"].verdict == "passed"
    assert found["tree"].figures["branches"] > len(ROWS) * 2


def test_where_no_row_is_a_tree_there_is_nothing_to_check(tmp_path):
    rows = [conversation(1), conversation(1, 3)]
    for options in ((), ("--set", "packing.length=200")):
        found = verified(grown(tmp_path / str(len(options)), rows, *options))
        assert found["tree"].said == "no row is a tree: nothing to check"
        assert found["packing"].verdict == ("passed" if options else "skipped")
        assert all(result.verdict != "failed" for result in found.values()), found


def test_weights_count_in_the_tree(tmp_path):
    row = conversation(3)
    for message, weight in zip(row["messages"][1::2], (0.5, 1.0, 2.0), strict=True):
        message["weight"] = weight
    found = verified(grown(tmp_path, [row, conversation(2)]), rows="all")
    assert all(result.verdict != "failed" for result in found.values()), found


def test_of_a_long_row_the_tokens_near_to_its_branches_are_run(forest, monkeypatch):
    data = StoredDataSet(str(forest))
    chosen = tree_rows(data, range(len(data)))
    monkeypatch.setattr("maskprep.verify.tree._SIZE", 60)
    found = check_trees(chosen.rows, (), 0, lambda _: None)
    assert found.verdict == "passed", found
    assert found.figures["tokens"] < sum(map(len, chosen.rows))
    assert "near to where branches hang" in found.flags[0]
    broken = [np.where(row.until == len(row), row.until, row.until + 1) for row in chosen.rows]
    wrong = [TreeRow(*_columns(row, until)) for row, until in zip(chosen.rows, broken, strict=True)]
    assert check_trees(wrong, (), 0, lambda _: None).verdict == "failed"


def test_only_the_shortest_of_many_trees_are_run_and_that_is_said(tmp_path):
    data = StoredDataSet(str(grown(tmp_path, [conversation(2 + number % 3, number) for number in range(9)])))
    chosen = tree_rows(data, range(9))
    assert len(chosen.rows) == 6
    assert {len(list(row.sequences())) for row in chosen.rows} == {2, 3}
    assert chosen.flags[0].startswith("6 of the 9 trees in the sample")


def test_a_data_set_tells_the_branches_and_sequences_of_its_rows(forest, packed, clean):
    for folder in (forest, packed):
        data = StoredDataSet(str(folder))
        sequences = [trees.unrolled(data.row(number).labelled) for number in range(len(data))]
        counts, sizes = data.branches
        assert counts.tolist() == [len(each) for each in sequences]
        assert sizes.tolist() == [sum(len(one.input_ids) for one in each) for each in sequences]
    plain = StoredDataSet(str(clean))
    assert plain.branches[0].tolist() == [1] * len(plain)
    assert plain.branches[1].tolist() == plain.lengths()[0].tolist()


def _columns(row, until):
    return row.name, row.ids, row.labels, row.weights, row.positions, until, row.documents


def test_a_row_of_the_drawing_has_the_sequences_of_the_drawing():
    ids = np.asarray([1, 2, 3, 4, 2, 5, 5, 6, 7])
    depths = np.asarray([0, 1, 2, 3, 1, 2, 2, 3, 4])
    labels = np.where(np.isin(ids, (3, 6)), ids, -100)
    row = TreeRow("row 0", ids, labels, (labels != -100).astype(np.float32), depths, trees.visible_until(depths))
    found = [(each.path.tolist(), np.flatnonzero(each.trained).tolist()) for each in row.sequences()]
    assert found == [([0, 1, 2, 3], [2]), ([0, 4, 5], []), ([0, 4, 6, 7, 8], [3])]
    kept = np.asarray([True, False, True, True, True, True, True, True, False])
    thin = [each.only(kept) for each in row.sequences()]
    assert [(each.path.tolist(), each.depths.tolist()) for each in thin] == [
        ([0, 2, 3], [0, 2, 3]),
        ([0, 4, 5], [0, 1, 2]),
        ([0, 4, 6, 7], [0, 1, 2, 3]),
    ]
    assert not thin[0].trained.any()  # what predicts it is gone
    assert row.only(kept, thin).until.tolist() == [7, 3, 3, 7, 5, 7, 7]
    with pytest.raises(BrokenDepthsError, match="token 4 is 9 deep"):
        list(TreeRow("", ids, labels, ids, np.asarray([0, 1, 2, 3, 9, 10, 2, 3, 4]), ids).sequences())


def shorten_labels(rows):
    rows[0]["labels"].pop()


def lose_spans(rows):
    rows[0]["spans"] = []


def stretch_a_span(rows):
    rows[0]["spans"][-1]["end"] += 2


def fall_out_of_the_tree(rows):
    rows[0]["position_ids"][9], rows[0]["visible_until"][3] = -5, -9


def leap_out_of_the_tree(rows):
    rows[0]["position_ids"][9], rows[0]["visible_until"][3] = 10**6, 10**8


def leave_the_vocabulary(rows):
    rows[0]["input_ids"][3] = 10**6


@pytest.mark.parametrize(
    "edit",
    [shorten_labels, lose_spans, stretch_a_span, fall_out_of_the_tree, leap_out_of_the_tree, leave_the_vocabulary],
    ids=lambda edit: edit.__name__,
)
def test_columns_that_are_no_tree_at_all_are_named_and_end_no_program(edit, forest, tmp_path):
    found = verified(planted(forest, tmp_path / "out", edit), rows="all")
    assert {"structure", "source", "loss"} & {name for name, result in found.items() if result.verdict == "failed"}
    assert len(found) == 10


def test_a_row_that_has_lost_its_columns_is_not_read(forest, tmp_path):
    def shorten(rows):
        rows[0]["visible_until"].pop()

    found = verified(planted(forest, tmp_path / "out", shorten), rows="1")
    assert "failed" in {result.verdict for result in found.values()}
    assert "passed" not in {found[name].verdict for name in ("structure", "source", "tree")}
    assert json.loads(json.dumps(found["tree"].as_json()))["check"] == "tree"
