"""How a run ends: by Ctrl-C, once or twice, and by the driver's death. No process stays, whatever it is at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import maskprep

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
SOON = 20.0  # seconds; it takes a tenth of one on an idle machine


def in_session(session):
    """Return the processes of a session that are neither gone nor zombies."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[3]) == session and words[0] != "Z":
            found.append(int(folder.name))
    return found


def until(condition):
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


class Driver:
    def __init__(self, folder, what, workers=2):
        self.gate = folder / "gate"
        command = [sys.executable, str(Path(__file__).with_name("driver.py")), str(self.gate), what, str(workers)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        path = {"PYTHONPATH": str(Path(maskprep.__file__).parents[1])}
        self.process = subprocess.Popen(command, **pipes, start_new_session=True, env={**os.environ, **path})

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def press(self):
        """Do what a terminal does at Ctrl-C: the whole group gets the signal."""
        os.killpg(self.process.pid, signal.SIGINT)

    def rest(self):
        """Return what else it prints, its errors and its exit code, when all its processes are gone."""
        output, errors = self.process.communicate(timeout=SOON)
        until(lambda: not in_session(self.process.pid))
        return output.splitlines(), errors, self.process.returncode


@pytest.fixture
def driver(tmp_path):
    drivers = []

    def start(*arguments):
        drivers.append(Driver(tmp_path, *arguments))
        return drivers[-1]

    yield start
    for one in drivers:
        for process in in_session(one.process.pid):
            os.kill(process, signal.SIGKILL)
        one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize("workers", [0, 2])
def test_the_first_interrupt_ends_cleanly(driver, workers):
    run = driver("jobs", workers)
    begun = [run.line() for _ in range(workers or 1)]
    run.press()
    assert run.line() == (f"stopping {workers}" if workers else "asked")
    run.gate.touch()
    lines, errors, code = run.rest()
    if not workers:
        lines.remove("stopping 0")
    assert sorted(lines[:-1]) == sorted(line.replace("begun", "done") for line in begun)
    assert (lines[-1], errors, code) == ("interrupted", "", 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_second_interrupt_ends_at_once(driver, workers):
    run = driver("jobs", workers)
    for _ in range(workers or 1):
        run.line()
    run.press()
    assert run.line() == (f"stopping {workers}" if workers else "asked")
    run.press()
    assert run.rest() == (["interrupted"], "", 0)
    assert not run.gate.exists()


def test_an_interrupt_while_workers_start_ends_at_once(driver, tmp_path):
    run = driver("set-up")
    until((tmp_path / "log").exists)
    run.press()
    assert run.rest() == (["stopping 0", "interrupted"], "", 0)


@pytest.mark.parametrize("what", ["jobs", "set-up", "stuck"])
def test_workers_end_with_a_driver_that_is_killed(driver, tmp_path, what):
    run = driver(what)
    log = tmp_path / "log"
    until(lambda: log.exists() and len(log.read_text().splitlines()) == 2)
    run.process.kill()
    _, errors, _ = run.rest()
    assert errors == ""
