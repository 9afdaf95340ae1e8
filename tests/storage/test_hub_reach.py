"""Whether the Hub can be reached is asked once, and told in one message; the local cache goes without it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from builds import chat, run
from bundled import TOKENIZER

from maskprep.storage.hub_reach import ask_hub, cache_alone, is_cached, is_offline


@pytest.fixture
def nobody(place, monkeypatch):
    """Leave no Hub to be reached: a port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return f"http://127.0.0.1:{port}"


def test_a_tokenizer_of_the_hub_without_a_network_is_one_message_at_once(nobody, source):
    began = time.monotonic()
    outcome = run("build", source(chat("Hi", "Ho")), "--tokenizer", "owner/name", "--output", "out")
    assert time.monotonic() - began < 3
    assert outcome.code == 2
    assert outcome.stderr.count("\n") == 2
    assert f"the Hub cannot be reached ({nobody})" in outcome.stderr
    assert "what to do: connect to the network and try again" in outcome.stderr
    assert "Retry" not in outcome.stderr


def test_a_data_set_of_the_hub_without_a_network_is_one_message_at_once(nobody):
    began = time.monotonic()
    outcome = run("build", "hf:owner/name", "--tokenizer", TOKENIZER, "--output", "out")
    assert time.monotonic() - began < 3
    assert (outcome.code, outcome.stderr.count("\n")) == (2, 2)
    assert f"hf:owner/name: the data set cannot be opened: the Hub cannot be reached ({nobody})" in outcome.stderr


LOAD = "from maskprep.tokenizer.load import load_tokenizer; print(load_tokenizer('owner/name').tokenizer.eos_token)"


@pytest.mark.long
def test_a_tokenizer_in_the_local_cache_needs_no_network(nobody, place):
    folder = place / "hub" / "hub" / "models--owner--name"
    snapshot = folder / "snapshots" / ("0" * 40)
    shutil.copytree(TOKENIZER, snapshot)
    (snapshot / "config.json").write_text('{"model_type": "llama"}')
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    assert is_cached("owner/name")
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "<|im_end|>\n", "")


def test_who_listens_is_reached(nobody, monkeypatch):
    assert not ask_hub()()
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert ask_hub()()


@pytest.mark.parametrize("endpoint", ["nonsense", "http://", "http://[", "http://127.0.0.1:99999", "ftp://x.invalid"])
def test_an_endpoint_that_is_none_is_not_reached(nobody, monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert not ask_hub()()


def test_the_environment_is_as_before(nobody):
    with cache_alone(wanted=True):
        assert is_offline()
    assert "HF_HUB_OFFLINE" not in os.environ
    with cache_alone(wanted=False):
        assert not is_offline()


def test_a_model_that_is_out_of_reach_is_told_before_torch_is_imported(nobody, place):
    from maskprep.errors import UsageError
    from maskprep.verify.options import VerifyOptions

    with pytest.raises(UsageError, match="the Hub cannot be reached"):
        VerifyOptions("out", model="owner/name").check()
    code = (
        "import sys; from maskprep.errors import UsageError; from maskprep.verify.command import verify\n"
        "from maskprep.progress import Progress; from maskprep.verify.options import VerifyOptions\n"
        "try: verify(VerifyOptions('out', model='owner/name'), Progress())\n"
        "except UsageError as error: print(error.message)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "the Hub cannot be reached" in done.stdout, done.stderr
    assert done.stdout.endswith("False\n")
