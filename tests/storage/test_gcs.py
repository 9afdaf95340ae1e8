"""Google Cloud Storage, as far as an emulator on loopback has it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from maskprep.errors import UsageError
from maskprep.sources import expand, open_source
from maskprep.sources.files import facts_of
from maskprep.sources.parts import divide, read_part
from maskprep.storage import Remote, RemoteFile

MIB = 1 << 20
# It answers one connection at a time by itself, and pyarrow keeps several.
SERVER = (
    "import http.server, sys; http.server.HTTPServer = http.server.ThreadingHTTPServer;"
    "from gcp_storage_emulator.__main__ import main; main(sys.argv[1:])"
)


@pytest.fixture(scope="module")
def gcs():
    """Start the emulator in a process of its own: pyarrow holds the interpreter while it asks for a size."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    words = ["start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=rows"]
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen([sys.executable, "-c", SERVER, *words], **silent) as process,
        pytest.MonkeyPatch.context() as patched,
    ):
        try:
            wait_for(port)
            patched.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{port}")
            yield "gs://rows"
        finally:
            process.kill()


def wait_for(port):
    for _ in range(200):
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the emulator does not start")


def test_objects_are_written_read_listed_and_deleted(gcs, tmp_path):
    remote = Remote(f"{gcs}/out/")
    remote.write("a/b.json", b"{}")
    assert remote.read("a/b.json") == b"{}"
    for size in (0, 1, 20 * MIB):
        data = os.urandom(size)
        (tmp_path / "up").write_bytes(data)
        remote.upload(tmp_path / "up", "x")
        remote.download("x", tmp_path / "down")
        assert (tmp_path / "down").read_bytes() == data
        assert remote.list() == {"a/b.json": 2, "x": size}
    remote.delete(["a/b.json", "missing"])
    assert remote.list() == {"x": 20 * MIB}
    with pytest.raises(FileNotFoundError):
        remote.read("missing")
    with pytest.raises(UsageError, match="gs://nowhere/x: there is no such bucket"):
        Remote("gs://nowhere/x").list()
    with pytest.raises(UsageError, match="gs://nowhere/x: there is no such bucket"):
        Remote("gs://nowhere/x").write("a", b"1")


def test_rows_and_parts_of_rows(gcs):
    rows = [json.dumps({"prompt": f"ask {number}"}).encode() for number in range(500)]
    Remote(f"{gcs}/rows").write("a.jsonl", b"\n".join(rows))
    (name,) = expand([f"{gcs}/rows/*.jsonl"])
    lines = list(open_source(name, MIB).lines)
    assert [line.data for line in lines] == rows
    parts = divide(name, 1000)
    assert [line for part in parts for line in read_part(part, MIB)] == lines


def test_the_facts_change_with_the_object(gcs):
    found = set()
    for data in (b"1", b"2", b"22"):
        Remote(gcs).write("facts", data)
        found.add(facts_of(f"{gcs}/facts"))
    assert len(found) == 3
    with RemoteFile(f"{gcs}/facts") as file, file.ahead(1, 2) as forward:
        assert forward.read() == b"2"
