"""``verify --server`` against a real llama-server: where MASKPREP_LLAMA_SERVER names the program."""

from __future__ import annotations

import os
import socket
import subprocess
import time

import builds
import pytest
from builds import chat, jsonl

from maskprep.verify.served.host import Host, ServerError

MODEL = "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
OTHER = "{% for m in messages %}### {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}### {% endif %}"
pytestmark = [pytest.mark.assets, pytest.mark.long]


@pytest.fixture
def served(tmp_path):
    """A function that starts the server and returns its URL."""
    program, assets = os.environ.get("MASKPREP_LLAMA_SERVER"), os.environ.get("MASKPREP_ASSETS", "")
    model = os.path.join(assets, MODEL)  # noqa: PTH118
    if not program or not os.path.isfile(model):  # noqa: PTH113
        pytest.skip("MASKPREP_LLAMA_SERVER names no program, or the model is not there")
    started = []

    def start(*words):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [program, "-m", model, "--host", "127.0.0.1", "--port", str(port), "-c", "4096", "--jinja", *words]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        host, end = Host(f"http://127.0.0.1:{port}"), time.monotonic() + 60
        while True:
            try:
                host.get("/health")
            except ServerError:
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.2)
            else:
                return model, host.url

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_real_server_feeds_what_was_trained_and_another_template_is_found(served, tmp_path):
    rows = [chat("Who are you?", "A program."), chat("Hi!", "Hello.", "And in German?", "Hallo.")]
    (tmp_path / "rows.jsonl").write_bytes(jsonl(*rows))
    model, url = served()
    out = tmp_path / "out"
    assert builds.run("build", tmp_path / "rows.jsonl", "--tokenizer", model, "-o", out).code == 0
    checks = {each["check"]: each for each in builds.run("verify", out, "--server", url, "--json").json["checks"]}
    assert (checks["server"]["verdict"], checks["server"]["figures"]["turns"]) == ("passed", 3)
    (tmp_path / "other.jinja").write_text(OTHER)
    _, url = served("--chat-template-file", str(tmp_path / "other.jinja"))
    checks = {each["check"]: each for each in builds.run("verify", out, "--server", url, "--json").json["checks"]}
    assert checks["server"]["verdict"] == "failed"
    assert any("another chat template" in flag for flag in checks["server"]["flags"])
