"""The buffer: what goes in comes out, in order; what fails is told; nothing is left running."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from maskprep.collate.ahead import ahead


def running():
    return [thread for thread in threading.enumerate() if thread.name == "maskprep-look-ahead"]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_items_in_order(size):
    assert list(ahead(range(50), size)) == list(range(50))
    assert not running()


def test_it_reads_ahead_but_not_too_far():
    read, gate = [], threading.Event()

    def source():
        for number in range(20):
            read.append(number)
            if number == 5:
                gate.set()
            yield number

    stream = ahead(source(), 4)
    assert next(stream) == 0
    assert gate.wait(5)  # four wait, and one is in hand
    assert len(read) == 6
    stream.close()
    assert len(read) <= 7
    assert not running()


def test_a_failure_comes_after_what_was_read():
    def source():
        yield 1
        raise OSError("the disk is gone")

    stream = ahead(source(), 3)
    assert next(stream) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)
    assert not running()


def test_a_program_that_ends_in_the_middle_ends_quietly():
    program = "from maskprep.collate.ahead import ahead\nstream = ahead(iter(int, 1), 3)\nnext(stream)"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
