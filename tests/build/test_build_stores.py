"""Builds from and to an object store, alone and on a cluster of which a node is lost: the same bytes as in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from builds import NOW, chat, jsonl
from bundled import ROOT, TOKENIZER

from maskprep.dataset.names import SETTINGS
from maskprep.storage import Remote

SMALL = "import maskprep.build.plan as plan; plan._LEAST = 20_000; from maskprep.cli import main; main()"


def rows(count=500):
    return jsonl(
        *[chat(f"a {n} " * (n % 30), f"re: {n % 450}", "and?", f"b {n}") if n % 99 else {} for n in range(count)]
    )


def run(*args, code=0, source):
    words = ["build", source, "--tokenizer", str(TOKENIZER), "--history", "rendered", "--set", f"now={NOW}"]
    words += ["--max-rejects", "0.5", *args]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", SMALL, *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def tree(read, names):
    """Return a hash of each file, without the place that it was written to: the manifest's, and the settings."""
    found = {}
    for name in names:
        if name.removeprefix("maskprep/") in SETTINGS.values():
            continue
        data = read(name)
        if name == "maskprep/manifest.json":
            facts = json.loads(data)
            facts["config"]["output"] = None
            data = json.dumps(facts).encode()
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def in_folder(folder):
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    return tree(lambda name: (folder / name).read_bytes(), names)


def in_store(url):
    remote = Remote(url)
    return tree(remote.read, sorted(remote.list()))


@pytest.fixture
def source(s3):
    Remote(s3.url).write("in/rows.jsonl", rows())
    return f"{s3.url}/in/rows.jsonl"


KNOWN = {}


@pytest.fixture
def expected(tmp_path, source):
    """What a build in a folder writes: always the same."""
    if not KNOWN:
        run("--output", str(tmp_path / "out"), source=source)
        KNOWN.update(in_folder(tmp_path / "out"))
    return KNOWN


@pytest.mark.parametrize(
    "settings",
    [
        (),
        pytest.param(
            ("--set", "shuffle=true", "--set", "split=0.3", "--set", "profile=axolotl"), marks=pytest.mark.long
        ),
    ],
)
def test_a_store_gets_the_bytes_that_a_folder_gets(s3, source, tmp_path, settings):
    run(*settings, "--output", str(tmp_path / "out"), source=source)
    run(*settings, "--workers", "2", "--output", f"{s3.url}/out", source=source)
    expected = in_folder(tmp_path / "out")
    assert "maskprep/manifest.json" in expected
    assert in_store(f"{s3.url}/out") == expected


@pytest.mark.long
def test_one_chunk_stays_in_the_store_and_makes_the_same_data_set(s3, tmp_path):
    Remote(s3.url).write("in/rows.jsonl", rows(30))
    name = f"{s3.url}/in/rows.jsonl"
    run("--output", str(tmp_path / "out"), source=name)
    run("--output", f"{s3.url}/out", source=name)
    report = "maskprep/report.html"  # no shard is read again for it
    expected, found = in_folder(tmp_path / "out"), in_store(f"{s3.url}/out")
    assert found.pop(report) != expected.pop(report)
    assert found == expected


@pytest.mark.long
def test_the_state_file_is_the_last_to_come_and_the_first_to_go(s3, source):
    run("--output", f"{s3.url}/out", source=source)
    writes = [place for place in s3.requests if place.startswith("PUT") and "/work/" not in place]
    assert writes[-1].endswith("/out/state.json")
    s3.requests.clear()
    run("--output", f"{s3.url}/out", "--overwrite", source=source)
    changes = [place for place in s3.requests if place.startswith(("PUT", "DELETE"))]
    assert changes[0] == "DELETE /rows/out/state.json"


def test_what_is_not_ours_is_never_deleted(s3, source):
    Remote(s3.url).write("out/notes.txt", b"precious")
    for more in ((), ("--overwrite",)):
        done = run("--output", f"{s3.url}/out", *more, code=2, source=source)
        assert "notes.txt" in done.stderr
    assert Remote(s3.url).list("out") == {"out/notes.txt": 8}


def test_a_finished_data_set_is_refused(s3, source):
    run("--output", f"{s3.url}/out", source=source)
    before = in_store(f"{s3.url}/out")
    assert "already holds a data set" in run("--output", f"{s3.url}/out", code=2, source=source).stderr
    assert in_store(f"{s3.url}/out") == before


@pytest.mark.long
def test_too_many_rejects_leave_nothing_but_these(s3):
    Remote(s3.url).write("in/rows.jsonl", b"{}\n" * 100)
    run("--output", f"{s3.url}/out", code=1, source=f"{s3.url}/in/rows.jsonl")
    assert list(Remote(f"{s3.url}/out").list()) == ["maskprep/rejects.jsonl"]


@pytest.mark.long
def test_a_killed_build_goes_on(s3, source, expected):
    words = ["build", source, "--tokenizer", str(TOKENIZER), "--history", "rendered", "--set", f"now={NOW}"]
    words += ["--max-rejects", "0.5", "--workers", "1", "--output", f"{s3.url}/out"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", SMALL, *words], env=env, start_new_session=True)
    until(lambda: done(s3) >= 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "state.json" not in Remote(f"{s3.url}/out").list()
    assert "begun otherwise" in run("--max-length", "999", "--output", f"{s3.url}/out", code=2, source=source).stderr
    run("--output", f"{s3.url}/out", source=source)
    assert in_store(f"{s3.url}/out") == expected


@pytest.mark.long
def test_a_store_that_fails_for_a_moment_costs_nothing(s3, source, expected):
    failures = iter([503] * 3)
    s3.fail = lambda method, path: next(failures, None) if method == "PUT" and "/work/chunk" in path else None
    run("--workers", "1", "--output", f"{s3.url}/out", source=source)
    assert next(failures, None) is None
    assert in_store(f"{s3.url}/out") == expected


@pytest.mark.long
def test_a_store_that_fails_for_good_is_told_of_and_the_build_goes_on_later(s3, source, expected):
    s3.fail = lambda method, path: 403 if method == "PUT" and "chunk-0000003" in path else None
    stderr = run("--workers", "0", "--output", f"{s3.url}/out", code=2, source=source).stderr
    assert f"{s3.url}/out" in stderr
    s3.fail = None
    run("--output", f"{s3.url}/out", source=source)
    assert in_store(f"{s3.url}/out") == expected


def done(store):
    return sum(".json" in name for name in Remote(f"{store.url}/out/maskprep/work").list() if "chunk" in name)


def until(there):
    deadline = time.monotonic() + 120
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.long
def test_a_cluster_that_loses_a_node_writes_the_same_bytes(s3, source, expected):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    soon = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 500,
        "health_check_timeout_ms": 500,
        "health_check_failure_threshold": 2,
    }
    store = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": soon, **store})
        try:
            nodes = [cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20) for _ in range(3)]
            lost = []

            def lose():
                until(lambda: done(s3) >= 3)
                lost.append(done(s3))
                cluster.remove_node(nodes[0], allow_graceful=False)

            thread = threading.Thread(target=lose)
            thread.start()
            ray = ("--engine", "ray", "--set", f"ray_address={cluster.address}")
            run(*ray, "--output", f"{s3.url}/out", source=source)
            thread.join()
        finally:
            cluster.shutdown()
    assert lost
    assert in_store(f"{s3.url}/out") == expected
