"""Objects of a store: whole or not there, whatever fails; and what is said about it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from stores import BUCKET, SECRET

from maskprep.errors import BuildError, UsageError
from maskprep.storage import Remote, RemoteFile, connect, is_remote
from maskprep.storage.store_errors import store_errors
from maskprep.storage.urls import split

MIB = 1 << 20


def test_objects_are_written_read_listed_and_deleted(s3, tmp_path):
    remote = Remote(f"{s3.url}/out/")
    assert remote.list() == {}
    remote.write("a/b.json", b"{}")
    remote.write("a/b.json", b"[1]")
    remote.write("ä b+c%20.txt", b"")
    assert remote.read("a/b.json") == b"[1]"
    assert remote.list() == {"a/b.json": 3, "ä b+c%20.txt": 0}
    assert remote.list("a") == remote.list("a/") == {"a/b.json": 3}
    assert Remote(s3.url).list() == {"out/a/b.json": 3, "out/ä b+c%20.txt": 0}
    with pytest.raises(FileNotFoundError):
        remote.read("missing")
    with pytest.raises(FileNotFoundError):
        remote.download("missing", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    remote.delete(["a/b.json", "missing"])
    assert remote.list() == {"ä b+c%20.txt": 0}


@pytest.mark.parametrize("name", ["a.gz", "a.zst", "a.bz2", "a.jsonl.gz"])
def test_a_name_does_not_say_that_anything_is_to_be_compressed(s3, name):
    Remote(s3.url).write(name, b"{}")
    assert Remote(s3.url).read(name) == b"{}"
    assert Remote(s3.url).list() == {name: 2}


def test_a_small_object_is_one_request(s3):
    Remote(s3.url).write("manifest.json", b"{}" * 1000)
    assert s3.requests == [f"PUT /{BUCKET}/manifest.json"]


def test_files_of_any_size_go_there_and_back(s3, tmp_path):
    remote = Remote(s3.url)
    for size in (0, 1, 5 * MIB - 1, 5 * MIB, 25 * MIB):
        data = os.urandom(size)
        (tmp_path / "up").write_bytes(data)
        remote.upload(tmp_path / "up", "x")
        remote.download("x", tmp_path / "down")
        assert (tmp_path / "down").read_bytes() == data
        assert remote.list() == {"x": size}
        remote.delete(["x"])


def test_it_is_small_and_picklable(s3):
    remote = Remote(f"{s3.url}/out")
    remote.write("a", b"1")
    again = pickle.loads(pickle.dumps(remote))
    assert again == remote
    assert again.read("a") == b"1"
    assert len(pickle.dumps(remote)) < 200


@pytest.mark.parametrize("size", [100, 25 * MIB])
@pytest.mark.parametrize("place", ["uploads", "partNumber=1&", "partNumber=2", "uploadId=", ""])
def test_an_upload_that_fails_leaves_nothing(s3, tmp_path, size, place):
    (tmp_path / "up").write_bytes(b"x" * size)
    s3.fail = lambda method, path: 403 if method in {"PUT", "POST"} and place in path else None
    remote = Remote(s3.url)
    if place and size == 100:
        remote.upload(tmp_path / "up", "x")
    else:
        with pytest.raises(UsageError, match="s3://rows/x: access is denied"):
            remote.upload(tmp_path / "up", "x")
        s3.fail = None
        assert remote.list() == {}


def test_an_upload_that_fails_leaves_what_was_there(s3, tmp_path):
    (tmp_path / "up").write_bytes(b"x" * 12 * MIB)
    remote = Remote(s3.url)
    remote.write("x", b"before")
    s3.fail = lambda method, path: 403 if "partNumber" in path else None
    with pytest.raises(UsageError):
        remote.upload(tmp_path / "up", "x")
    assert remote.read("x") == b"before"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_ends_while_it_uploads_leaves_all_or_nothing(s3, tmp_path, number):
    """Ctrl-C as the first part goes out: a stream that is closed by it would be completed with what it has."""
    (tmp_path / "up").write_bytes(b"x" * 12 * MIB)
    sending = threading.Event()
    s3.fail = lambda method, path: sending.set()
    code = (
        "import sys; from pathlib import Path; from maskprep.storage import Remote;"
        "Remote(sys.argv[1]).upload(Path(sys.argv[2]), 'x')"
    )
    words = [sys.executable, "-c", code, s3.url, str(tmp_path / "up")]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        assert sending.wait(30)
        process.send_signal(number)
        process.wait(60)
    s3.fail = None
    assert Remote(s3.url).list() in ({}, {"x": 12 * MIB})


def test_a_store_that_fails_for_a_while_is_asked_again(s3):
    remote = Remote(s3.url)
    failures = iter([500, 503, None, 500])
    s3.fail = lambda method, path: next(failures, None)
    remote.write("a", b"1")
    assert remote.read("a") == b"1"
    assert len(s3.requests) > 4


def test_a_store_that_goes_on_failing_is_told(s3, monkeypatch):
    monkeypatch.setattr(connect, "TRIES", 2)
    s3.fail = lambda method, path: 500
    with pytest.raises(BuildError, match=r"s3://rows/a: the object store failed: .*500") as caught:
        Remote(s3.url).write("a", b"1")
    assert "run the same again" in caught.value.hint


def test_what_a_user_must_mend_is_told(s3, monkeypatch):
    with pytest.raises(UsageError, match="s3://nowhere/x/a: there is no such bucket"):
        Remote("s3://nowhere/x").write("a", b"1")
    with pytest.raises(UsageError, match="s3://nowhere/x: there is no such bucket"):
        Remote("s3://nowhere/x").list()
    s3.fail = lambda method, path: 403
    for call in (lambda: Remote(s3.url).read("a"), Remote(s3.url).list, lambda: Remote(s3.url).delete(["a"])):
        with pytest.raises(UsageError, match=r"s3://rows.*: access is denied") as caught:
            call()
        assert "AWS_ACCESS_KEY_ID" in caught.value.hint
    monkeypatch.setattr(connect, "TRIES", 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(BuildError, match=r"s3://rows: the object store failed: .*connect") as told_:
        Remote(s3.url).list()
    assert "AWS_ENDPOINT_URL" in told_.value.hint


def test_credentials_are_not_in_messages(s3):
    with pytest.raises(BuildError) as caught, store_errors("s3://b"):
        raise OSError(f"the request of tester with {SECRET} failed\nmore")
    assert SECRET not in str(caught.value)
    assert "tester" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "s3://user:secret@bucket/key",
        "s3://secret@bucket",
        "s3://bucket/key?access_key=secret",
        "s3://bucket?secret_key=secret",
        "gs://bucket:secret/a",
    ],
)
def test_a_url_with_credentials_is_refused_and_not_repeated(url):
    with pytest.raises(UsageError, match="no user, password, port or options") as caught:
        Remote(url).read("a")
    assert "secret" not in str(caught.value)
    assert "environment" in caught.value.hint or "Set " in caught.value.hint


@pytest.mark.parametrize("url", ["s3://", "s3:///key", "s3://b/a//b", "s3://b/../c", "gs://b/./c"])
def test_a_url_that_names_nothing_is_refused(url):
    with pytest.raises(UsageError, match=r"names no bucket|empty step"):
        Remote(url).read("a")


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:9000", "http://", "ftp://x", "http://user:secret@host", "http://h/path"]
)
def test_an_endpoint_that_is_none_is_refused(monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL must be like") as caught:
        Remote("s3://b").read("a")
    assert "secret" not in str(caught.value)


def test_the_endpoint_of_s3_alone_wins(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint + "/")
    Remote(s3.url).write("a", b"1")


def test_a_question_mark_is_no_option():
    assert split("s3://b/y=2/part-?/x=1/a?.jsonl") == ("s3", "b", "y=2/part-?/x=1/a?.jsonl")


def test_which_names_are_remote():
    assert is_remote("s3://b/k")
    assert is_remote("gs://b")
    assert not any(map(is_remote, ["s3:/b", "b/s3://", "hf:a/b", "/s3", "http://b", ""]))


# Reading any bytes


def test_a_file_is_read_from_any_place(s3):
    data = os.urandom(MIB)
    Remote(s3.url).write("a", data)
    s3.forget()
    with RemoteFile(f"{s3.url}/a") as file:
        assert file.size == MIB
        assert file.seek(-10, os.SEEK_END) == MIB - 10
        assert file.read() == data[-10:]
        assert file.read(5) == b""
        file.seek(1000)
        assert file.read(5) == data[1000:1005]
        assert file.tell() == 1005
        buffer = bytearray(7)
        assert file.readinto(buffer) == 7
        assert bytes(buffer) == data[1005:1012]
    assert s3.served == 22


def test_reading_ahead_gives_the_bytes_in_order(s3, tmp_path):
    data = os.urandom(30 * MIB)
    (tmp_path / "a").write_bytes(data)
    Remote(s3.url).upload(tmp_path / "a", "a")
    with RemoteFile(f"{s3.url}/a") as file:
        for start, end in ((0, 30 * MIB), (5, 6), (7 * MIB + 3, 29 * MIB), (0, 99 * MIB), (3, 3)):
            with file.ahead(start, end) as forward:
                assert b"".join(iter(lambda: forward.read(3 * MIB), b"")) == data[start:end]


def test_of_what_is_read_ahead_little_is_wasted(s3, tmp_path):
    (tmp_path / "a").write_bytes(bytes(30 * MIB))
    Remote(s3.url).upload(tmp_path / "a", "a")
    s3.forget()
    with RemoteFile(f"{s3.url}/a") as file, file.ahead(0, file.size) as forward:
        assert forward.read(100) == bytes(100)
    assert s3.served == MIB


def test_what_fails_while_it_is_read_is_told(s3):
    Remote(s3.url).write("a", bytes(MIB))
    with RemoteFile(f"{s3.url}/a") as file:
        s3.fail = lambda method, path: 403
        with pytest.raises(UsageError, match="s3://rows/a: access is denied"):
            file.read(1)
        with file.ahead(0, MIB) as forward, pytest.raises(UsageError, match="s3://rows/a: access is denied"):
            forward.read(1)


def test_the_facts_change_with_the_object(s3):
    remote = Remote(s3.url)
    found = set()
    for data in (b"1", b"2", b"22"):
        remote.write("a", data)
        with RemoteFile(f"{s3.url}/a") as file:
            found.add(file.facts())
    assert len(found) == 3


# The process


def test_a_process_that_used_a_store_ends_quietly(s3):
    """Also with a file open, and with requests under way."""
    Remote(s3.url).write("a", bytes(20 * MIB))
    code = (
        "import sys; from maskprep.storage import Remote, RemoteFile; "
        "held = RemoteFile(sys.argv[1] + '/a'); ahead = held.ahead(0, held.size); ahead.read(2 << 20); "
        "print(len(Remote(sys.argv[1]).read('a')))"
    )
    words = [sys.executable, "-W", "error", "-c", code, s3.url]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{20 * MIB}\n", "")


def test_pyarrow_is_imported_once_it_is_needed():
    code = "import sys, maskprep.storage; maskprep.storage.Remote('s3://b/c'); print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_a_download_that_fails_leaves_no_file(s3, tmp_path):
    Remote(s3.url).write("a", bytes(4 * MIB))
    s3.fail = lambda method, path: 403 if method == "GET" else None
    with pytest.raises(UsageError):
        Remote(s3.url).download("a", tmp_path / "x")
    assert list(Path(tmp_path).iterdir()) == []
