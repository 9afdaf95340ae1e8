"""What trainers read of our rows, and back again."""

from __future__ import annotations

import io
import tempfile
from itertools import accumulate, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batches import LAYOUTS, PLAIN, batch_of, batches, document
from hypothesis import given
from hypothesis import strategies as st
from packs import COLUMNS

from maskprep.dataset.containers import beside, partial_names, read_arrays, writer_of
from maskprep.dataset.profiles import PROFILES
from maskprep.dataset.schema import Layout
from maskprep.errors import UsageError
from maskprep.labelled import IGNORED

NAMES = sorted(PROFILES)
TWO = [document([5, 6, 7, 8], [0, 0, 1, 1]), document([9, 10, 11], [0, 1, 0])]


def through(batch, container):
    """Return a batch after it was in a file."""
    if container == "arrays":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "data-00000-of-00001.npy")
            writer = writer_of("arrays", Path(folder, "data-00000.partial"), batch.schema)
            writer.write_batch(batch)
            writer.close()
            written = partial_names("arrays", Path(folder, "data-00000.partial"))
            for name, own in zip(written, [path, *beside("arrays", path)], strict=True):
                name.rename(own)
            found = list(read_arrays(path))
    elif container == "parquet":
        file = io.BytesIO()
        pq.write_table(pa.Table.from_batches([batch]), file)
        found = pq.read_table(io.BytesIO(file.getvalue())).combine_chunks().to_batches()
    else:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        found = list(pa.ipc.open_stream(sink.getvalue()))
    return found[0] if found else batch


@pytest.mark.parametrize("name", NAMES)
@given(drawn=batches())
def test_what_was_split_is_restored(name, drawn):
    layout, batch = drawn
    profile = PROFILES[name]
    if profile.refuses(layout):
        return
    main, companion = profile.split(batch)
    main.validate(full=True)
    assert main.num_rows == batch.num_rows
    assert profile.restore(main, companion).equals(batch)
    filed = through(main, profile.container), None if companion is None else through(companion, "arrow")
    restored = profile.restore(*filed)
    assert restored.equals(batch)
    assert restored.schema.equals(layout.schema)
    expected = profile.schema(layout)
    assert main.schema.equals(expected[0])
    assert (companion is None) == (expected[1] is None)
    assert companion is None or companion.schema.equals(expected[1])


@pytest.mark.parametrize("name", NAMES)
def test_each_column_that_the_trainer_reads_and_none_besides(name):
    for layout in LAYOUTS:
        profile = PROFILES[name]
        if layout.weighted or (name, layout.packed) not in COLUMNS:
            continue
        main, companion = profile.split(batch_of(TWO, layout))
        assert main.schema.names == COLUMNS[name, layout.packed]
        assert (companion is None) == (name == "hf")
        assert companion is None or companion.schema.names == ["spans", "origin"]


def test_what_is_refused_says_why_and_what_to_do():
    refused = {(name, layout) for name in NAMES for layout in LAYOUTS if PROFILES[name].refuses(layout)}
    assert refused == {
        *((name, layout) for name in NAMES if name != "hf" for layout in LAYOUTS if layout.weighted),
        ("axolotl", Layout(packed=True)),
        ("together", Layout(packed=True)),
        ("skyrl", Layout(packed=True)),
        ("olmo", Layout(packed=True)),
    }
    for name, layout in refused:
        with pytest.raises(UsageError, match=r"leave out packing|take the profile hf"):
            PROFILES[name].split(batch_of(TWO, layout))
        with pytest.raises(UsageError, match=r"see each other|cannot weigh"):
            PROFILES[name].schema(layout)
    assert "sample_packing: true" in PROFILES["axolotl"].refuses(Layout(packed=True))


def test_masks_are_ones_of_a_byte():
    for name in ("axolotl", "llamafactory", "together", "skyrl"):
        main, _ = PROFILES[name].split(batch_of(TWO, Layout()))
        assert main.column("attention_mask").to_pylist() == [[1, 1, 1, 1], [1, 1, 1]]
        assert main.schema.field("attention_mask").type == pa.list_(pa.int8())


def test_the_mask_for_skyrl_is_that_of_all_tokens_but_the_first():
    main, _ = PROFILES["skyrl"].split(batch_of([*TWO, document([3], [0])], Layout()))
    assert main.column("loss_mask").to_pylist() == [[0, 1, 1], [1, 0], []]
    assert main.column("num_actions").to_pylist() == [3, 2, 0]


def test_a_packed_row_for_llamafactory_counts_documents_and_is_as_long_as_a_multiple_of_eight():
    main, _ = PROFILES["llamafactory"].split(batch_of([*TWO, TWO[1]], Layout(packed=True), [2, 1]))
    assert main.column("attention_mask").to_pylist() == [[1, 1, 1, 1, 2, 2, 2, 0], [1, 1, 1, 0, 0, 0, 0, 0]]
    assert main.column("position_ids").to_pylist()[0] == [0, 1, 2, 3, 0, 1, 2, 0]
    assert main.column("labels").to_pylist()[0] == [IGNORED, IGNORED, 7, 8, IGNORED, 10, IGNORED, IGNORED]
    full = PROFILES["llamafactory"].split(batch_of([document([1] * 8, [1] * 8)], Layout(packed=True)))[0]
    assert full.column("attention_mask").to_pylist() == [[1] * 8]


@given(batches(tuple(PLAIN)))
def test_the_mask_for_megatron_stands_before_what_is_trained(drawn):
    _, batch = drawn
    main, _ = PROFILES["megatron"].split(batch)
    assert main.schema.field("loss_mask").type == pa.list_(pa.int8())
    for ours, theirs in zip(batch.to_pylist(), main.to_pylist(), strict=True):
        lengths = ours.get("seq_lengths", [len(ours["input_ids"])])
        assert theirs["seq_start_id"] == [0, *accumulate(lengths)][:-1] if lengths else theirs["seq_start_id"] == []
        for start, end in pairwise([*theirs["seq_start_id"], len(ours["input_ids"])]):
            trained = [label != IGNORED for label in ours["labels"][start:end]]
            assert theirs["loss_mask"][start:end] == [*map(int, trained[1:]), 0]


@given(st.sampled_from(LAYOUTS), st.sampled_from(NAMES))
def test_no_rows_are_rows_too(layout, name):
    profile = PROFILES[name]
    if profile.refuses(layout) is None:
        nothing = batch_of(TWO, layout)[:0]
        main, companion = profile.split(nothing)
        assert main.num_rows == 0
        assert profile.restore(main, companion).equals(nothing)
