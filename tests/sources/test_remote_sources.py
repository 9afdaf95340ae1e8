"""Sources in an object store: their names, their rows, and how much of them is transferred."""

from __future__ import annotations

import gzip
import json
import os

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from stores import BUCKET
from thorough import some

from maskprep.errors import BuildError, UsageError
from maskprep.sources import Kind, expand, find, open_source, pick_rows, total_bytes
from maskprep.sources.files import facts_of
from maskprep.sources.globs import matches
from maskprep.sources.parts import divide, read_part
from maskprep.sources.remote_names import RemoteFolder
from maskprep.storage import Remote

MIB = 1 << 20
ROWS = pa.table({"prompt": [f"ask {number}" for number in range(300)], "n": range(300)})


def put(s3, folder):
    """Copy a folder into the bucket."""
    remote = Remote(s3.url)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            remote.upload(path, path.relative_to(folder).as_posix())


def rows(name, max_bytes=MIB):
    return [(line.where.line, line.where.offset, line.data, line.fault) for line in open_source(name, max_bytes).lines]


def write(path, kind):
    lines = [json.dumps(row).encode() for row in ROWS.to_pylist()]
    match kind:
        case "jsonl":
            path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
        case "jsonl.gz":
            path.write_bytes(gzip.compress(b"\n".join(lines)))
        case "jsonl.zst":
            path.write_bytes(zstandard.compress(b"\n".join(lines)))
        case "json":
            path.write_bytes(b"[" + b",\n".join(lines) + b"]")
        case "csv":
            path.write_bytes(b"prompt,completion\n" + b"a,b\n" * 300)
        case "parquet":
            pq.write_table(ROWS, path, row_group_size=30)
        case "arrow":
            with pa.ipc.new_stream(str(path), ROWS.schema) as writer:
                writer.write_table(ROWS, max_chunksize=30)
        case "feather":
            with pa.ipc.new_file(str(path), ROWS.schema) as writer:
                writer.write_table(ROWS, max_chunksize=30)
        case "saved":
            datasets.Dataset(ROWS).save_to_disk(str(path), num_shards=3)


@pytest.mark.parametrize(
    "kind", ["jsonl", "jsonl.gz", "jsonl.zst", "json", "csv", "parquet", "arrow", "feather", "saved"]
)
def test_rows_are_those_of_the_file(s3, tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    write(path, kind)
    put(s3, tmp_path)
    (name,) = expand([f"{s3.url}/a.{kind}"])
    assert name == f"{s3.url}/a.{kind}" + ("/" if kind == "saved" else "")
    opened = open_source(name, MIB)
    assert opened.kind is open_source(str(path), MIB).kind
    assert {line.where.file for line in opened.lines} == {name}
    assert rows(name) == rows(str(path))
    assert len(rows(name)) == 300
    assert total_bytes(name) == total_bytes(str(path))
    assert [line.where.line for line in pick_rows(name, [400, 7, 200], MIB)] == [7, 200]
    seen = []
    assert len(list(open_source(name, MIB, seen.append).lines)) == 300
    assert seen == sorted(seen)
    assert seen[-1] <= total_bytes(name)


@pytest.mark.parametrize("target", [1, 3000, MIB])
@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow", "feather", "saved"])
def test_the_parts_are_those_of_the_file(s3, tmp_path, kind, target):
    path = tmp_path / f"a.{kind}"
    write(path, kind)
    put(s3, tmp_path)
    (name,) = expand([f"{s3.url}/a.{kind}"])
    target = max(target, 100) if kind == "jsonl" else target
    found = divide(name, target)
    local = divide(str(path), target)
    assert [(part.start, part.end, part.first, part.size) for part in found] == [
        (part.start, part.end, part.first, part.size) for part in local
    ]
    lines = [line for part in found for line in read_part(part, MIB)]
    assert [(line.where.line, line.where.offset, line.data, line.fault) for line in lines] == rows(str(path))


@pytest.mark.parametrize("kind", ["jsonl.gz", "json", "csv"])
def test_what_cannot_be_divided(s3, tmp_path, kind):
    write(tmp_path / f"a.{kind}", kind)
    put(s3, tmp_path)
    assert divide(f"{s3.url}/a.{kind}", 1) is None
    assert divide(f"{s3.url}/missing", 1) is None


def large(path, kind):
    """Write 24 MiB of rows that do not compress, in pieces of a MiB."""
    table = pa.table({"prompt": [os.urandom(512).hex() for _ in range(24 * 1024)]})
    if kind == "jsonl":
        path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in table.to_pylist()))
    elif kind == "parquet":
        pq.write_table(table, path, row_group_size=1024, compression="none", use_dictionary=False)
    else:
        make = pa.ipc.new_stream if kind == "arrow" else pa.ipc.new_file
        with make(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=1024)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow", "feather"])
def test_a_part_in_the_middle_transfers_about_its_own_bytes(s3, tmp_path, kind):
    large(tmp_path / "a", kind)
    put(s3, tmp_path)
    name = f"{s3.url}/a"
    s3.forget()
    found = divide(name, 3 * MIB)
    assert len(found) == (9 if kind == "jsonl" else 8)
    planned = s3.served
    # The lines of JSONL have to be counted; of tables the headers tell.
    assert planned < (27 if kind == "jsonl" else 1) * MIB
    s3.forget()
    assert len(list(read_part(found[4], MIB))) == pytest.approx(3 * 1024, rel=0.05)
    assert found[4].size < s3.served < found[4].size + MIB
    assert len(s3.requests) < 60


def test_a_look_at_the_first_rows_transfers_little(s3, tmp_path):
    large(tmp_path / "a", "jsonl")
    put(s3, tmp_path)
    s3.forget()
    lines = open_source(f"{s3.url}/a", MIB).lines
    next(lines)
    lines.close()
    assert s3.served < 4 * MIB


# What changes, and what fails


def test_the_facts_of_an_object_are_those_of_its_version(s3):
    remote = Remote(s3.url)
    remote.write("a.jsonl", b"{}\n")
    before = facts_of(f"{s3.url}/a.jsonl")
    assert before[0] == 3
    assert facts_of(f"{s3.url}/a.jsonl") == before
    remote.write("a.jsonl", b"[]\n")
    assert facts_of(f"{s3.url}/a.jsonl") != before
    assert facts_of(f"{s3.url}/missing") is None


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow"])
def test_an_object_that_has_changed_since_is_an_error(s3, tmp_path, kind):
    write(tmp_path / "a", kind)
    put(s3, tmp_path)
    found = divide(f"{s3.url}/a", 1000)
    Remote(s3.url).write("a", (tmp_path / "a").read_bytes() + b"\n")
    with pytest.raises(BuildError, match="the file was changed"):
        list(read_part(found[1], MIB))


@pytest.mark.parametrize("kind", some(["jsonl", "jsonl.gz", "parquet", "arrow", "saved"], 5))
@pytest.mark.sweep
def test_a_store_that_fails_is_no_damage_of_the_rows(s3, tmp_path, kind):
    """Rows that cannot be fetched are not rows that are rejected: the build stops."""
    write(tmp_path / f"a.{kind}", kind)
    put(s3, tmp_path)
    (name,) = expand([f"{s3.url}/a.{kind}"])
    s3.forget()
    opened = list(open_source(name, MIB).lines)
    needed = len(s3.requests)
    assert opened
    for allowed in range(needed):
        s3.forget()
        s3.fail = lambda method, path, allowed=allowed: 403 if len(s3.requests) > allowed else None
        with pytest.raises(UsageError, match="access is denied"):
            assert all(line.fault is None for line in open_source(name, MIB).lines)


def test_an_object_that_is_not_there_is_told(s3):
    with pytest.raises(UsageError, match="cannot read s3://rows/a: there is no such object"):
        list(open_source(f"{s3.url}/a", MIB).lines)
    with pytest.raises(UsageError, match="cannot read s3://rows/a: there is no such object"):
        total_bytes(f"{s3.url}/a")


# Names


def names(s3, pattern):
    return [name.removeprefix(f"s3://{BUCKET}/") for name in expand([f"{s3.url}/{pattern}"])]


def test_names_stand_for_what_they_would_on_a_disk(s3, tmp_path):
    for name in ("d/2.jsonl", "d/10.jsonl", "d/x/1.csv", "d/README.md", "d/.hidden.jsonl", "d/_t/1.jsonl", "e.jsonl"):
        Remote(s3.url).write(name, b"{}")
    Remote(s3.url).write("odd[1].jsonl", b"{}")
    assert names(s3, "d/2.jsonl") == ["d/2.jsonl"]
    assert names(s3, "d/") == names(s3, "d") == ["d/10.jsonl", "d/2.jsonl", "d/x/1.csv"]
    assert names(s3, "d/*.jsonl") == ["d/10.jsonl", "d/2.jsonl"]
    assert names(s3, "d/?.jsonl") == ["d/2.jsonl"]
    assert names(s3, "*/*/[0-9].csv") == ["d/x/1.csv"]
    assert names(s3, "**/*.jsonl") == ["d/10.jsonl", "d/2.jsonl", "d/_t/1.jsonl", "e.jsonl", "odd[1].jsonl"]
    assert names(s3, "odd[1].jsonl") == ["odd[1].jsonl"]
    assert names(s3, "") == ["d/10.jsonl", "d/2.jsonl", "d/x/1.csv", "e.jsonl", "odd[1].jsonl"]
    both = expand([f"{s3.url}/d/2.jsonl", f"{s3.url}/d", "-"])
    assert both == [f"{s3.url}/d/2.jsonl", f"{s3.url}/d/10.jsonl", f"{s3.url}/d/x/1.csv", "-"]


def test_of_a_clone_of_the_Hub_train_is_read(s3):
    card = b"---\nconfigs:\n- data_files: [{split: train, path: b/*}, {split: test, path: a/*}]\n---\n"
    for name in ("c/data/train.jsonl", "c/data/test.jsonl", "c/dataset_infos.json", "k/a/1.jsonl", "k/b/1.jsonl"):
        Remote(s3.url).write(name, b"{}")
    Remote(s3.url).write("k/README.md", card)
    assert names(s3, "c/") == names(s3, "c") == ["c/data/train.jsonl"]
    assert names(s3, "c:test") == ["c/data/test.jsonl"]
    assert names(s3, "k") == ["k/b/1.jsonl"]
    left_out = {each.name: each.reason for each in find(f"{s3.url}/c").left_out}
    assert left_out == {"data/test.jsonl": "split test", "dataset_infos.json": "metadata"}


def test_data_sets_are_one_source(s3, tmp_path):
    write(tmp_path / "d" / "saved", "saved")
    one = datasets.Dataset(ROWS)
    datasets.DatasetDict({"train": one, "test": one.select([3])}).save_to_disk(str(tmp_path / "d" / "several"))
    (tmp_path / "d" / "0.jsonl").write_bytes(b"{}")
    put(s3, tmp_path)
    assert names(s3, "d/saved") == names(s3, "d/saved/") == ["d/saved/"]
    assert names(s3, "d/several") == names(s3, "d/several:train") == ["d/several/train/"]
    assert names(s3, "d/several:test") == ["d/several/test/"]
    assert names(s3, "d/") == names(s3, "d/*") == names(s3, "**") == ["d/0.jsonl", "d/saved/", "d/several/train/"]
    assert open_source(f"{s3.url}/d/several/test/", MIB).kind is Kind.FOLDER
    assert [data for _, _, data, _ in rows(f"{s3.url}/d/several/test/")] == [b'{"prompt":"ask 3","n":3}']
    with pytest.raises(UsageError, match="no split 'dev'; there are: train, test"):
        names(s3, "d/several:dev")
    Remote(s3.url).delete(["d/saved/data-00001-of-00003.arrow"])
    with pytest.raises(UsageError, match=r"it lacks data-00001-of-00003\.arrow"):
        total_bytes(f"{s3.url}/d/saved/")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("missing.jsonl", "no such object: s3://rows/missing.jsonl"),
        ("missing:train", "no such object: s3://rows/missing:train"),
        ("*.nothing", "no object matches s3://rows/*.nothing"),
        ("texts/", "the folder s3://rows/texts/ holds no file of rows"),
        ("out", "s3://rows/out/ is a build of maskprep, not a source"),
        ("d", "s3://rows/d: dataset_dict.json cannot be read"),
    ],
)
def test_what_is_not_found_or_cannot_be_a_source_is_told(s3, pattern, message):
    for name in ("texts/a.txt", "out/maskprep/manifest.json", "out/a.jsonl", "d/dataset_dict.json"):
        Remote(s3.url).write(name, b"[]")
    with pytest.raises(UsageError) as caught:
        names(s3, pattern)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("*", "a", True),
        ("*", "a/b", False),
        ("**", "a/b/c", True),
        ("**/c", "c", True),
        ("**/c", "a/b/c", True),
        ("a/**/c", "a/c", True),
        ("a/**/c", "b/c", False),
        ("**", ".a/b", False),
        ("*", ".a", False),
        (".*", ".a", True),
        ("a*", "A", False),
        ("[!a]", "b", True),
        ("a/b", "a", False),
    ],
)
def test_globs_match_as_they_do_on_a_disk(pattern, key, expected):
    assert matches(pattern.split("/"), key.split("/")) is expected


@pytest.mark.long
def test_a_hundred_thousand_keys_are_gone_through_soon():
    keys = [f"part={number % 100}/{number}.jsonl" for number in range(100_000)]
    assert len(RemoteFolder("s3://b/x", keys).sources().names) == 100_000
    assert len(list(RemoteFolder("s3://b/x", keys).matches(["part=7", "*.jsonl"]))) == 1000
