"""Worker processes: what is killed, greedy or hung costs its row; nothing is lost, nothing is left behind."""

from __future__ import annotations

import multiprocessing
import threading
import time
from contextlib import closing
from itertools import count

import made_up
import pytest
from made_up import BadStart, Doomed, Located, Naps, Numbers, Squares, check, ranges

from maskprep.engines import Cause, LocalEngine, available_workers
from maskprep.errors import BuildError, MaskprepError

MEMORY = 400 * 2**20


def do(setup, jobs, *, window=4, workers=2, patience=60.0, memory_limit=None, **callbacks):
    engine = LocalEngine(workers, patience, memory_limit)
    return list(engine.run(setup, jobs, window=window, **callbacks))


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_each_job_is_done_once(workers):
    jobs = ranges(40)
    check(do(Squares(), jobs, workers=workers, window=7), jobs)


@pytest.mark.parametrize("workers", [0, 2])
def test_no_jobs_start_no_worker(workers, tmp_path):
    assert do(BadStart(made_up.raising, tmp_path / "log"), [], workers=workers) == []
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("act", "cause", "says"),
    [
        (made_up.killed, Cause.KILLED, "SIGKILL"),
        (made_up.greedy, Cause.MEMORY, "MemoryError"),
        (made_up.raising, Cause.RAISED, "ValueError: row\nof doom"),
        (made_up.leaving, Cause.RAISED, "SystemExit: 3"),
        (made_up.hung, Cause.HUNG, "no sign of life for 0.5 seconds"),
        (made_up.stuck_in_c, Cause.HUNG, "no sign of life for 0.5 seconds"),
    ],
)
def test_only_the_guilty_row_fails(act, cause, says):
    patience = 0.5 if cause is Cause.HUNG else 60.0
    jobs = [Located(0, 100), Located(100, 200), Located(200, 300)]
    outcomes = do(Squares(((137, act),)), jobs, patience=patience, memory_limit=MEMORY)
    check(outcomes, jobs, {137: cause})
    failed = next(outcome.failed for outcome in outcomes if outcome.failed)
    assert says in failed[0].detail


def test_several_guilty_rows_of_different_kinds():
    traps = ((3, made_up.killed), (14, made_up.raising), (15, made_up.killed), (29, made_up.greedy))
    jobs = ranges(4, size=8)
    outcomes = do(Squares(traps), jobs, memory_limit=MEMORY, workers=3)
    check(outcomes, jobs, {3: Cause.KILLED, 14: Cause.RAISED, 15: Cause.KILLED, 29: Cause.MEMORY})


def test_a_worker_that_something_else_killed_costs_nothing(tmp_path):
    jobs = ranges(6)
    outcomes = do(Squares(((25, made_up.killed),), tmp_path / "log", once=True), jobs)
    check(outcomes, jobs)
    assert (tmp_path / "log").read_text() == "25 20 30\n" * 2  # the same job again, undivided


def test_a_worker_killed_while_it_sends_its_result_costs_nothing(tmp_path):
    gate, log = tmp_path / "gate", tmp_path / "log"
    jobs = (Numbers(number, number + 1) for number in count())
    with closing(LocalEngine(2).run(Doomed(gate=gate, log=log), jobs, window=4)) as outcomes:
        for outcome in outcomes:
            if outcome.job.start == 0:
                break
            if log.exists() and not gate.exists():
                gate.touch()
                while len(multiprocessing.active_children()) == 2:
                    time.sleep(0.01)  # nobody reads: it is killed in the midst of its result
    assert (outcome.result, outcome.failed) == (bytes(2**22), ())
    assert log.read_text() == "begun\n" * 2


def test_exceptions_of_the_work_cost_a_row_without_processes_too():
    jobs = ranges(3)
    outcomes = do(Squares(((4, made_up.raising), (25, made_up.raising))), jobs, workers=0)
    check(outcomes, jobs, {4: Cause.RAISED, 25: Cause.RAISED})


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_ours_comes_back_as_it_was(workers):
    with pytest.raises(BuildError, match="the disk is full") as caught:
        do(Squares(((25, made_up.refusing),)), ranges(10), workers=workers)
    assert (caught.value.hint, caught.value.facts) == ("free some space", {"free": 0})


def test_an_error_of_ours_that_cannot_travel_ends_the_run_all_the_same():
    with pytest.raises(BuildError, match=r"^1 2 3\nwhat to do: count again$") as caught:
        do(Squares(((25, made_up.unpicklable),)), ranges(10))
    assert caught.value.hint == "count again"


def test_a_result_that_cannot_travel_is_a_fault_of_the_work():
    outcomes = do(Squares(result=made_up.lambda_result), [Numbers(0, 1)])
    assert [(f.cause, "pickle" in f.detail) for f in outcomes[0].failed] == [(Cause.RAISED, True)]


@pytest.mark.parametrize("workers", [1, 3])
def test_jobs_are_pulled_no_further_than_the_window(workers):
    pulled, taken = [], 0

    def endless():
        for number in count():
            pulled.append(number)
            yield Numbers(number, number + 1)

    engine = LocalEngine(workers)
    with closing(engine.run(Squares(((7, made_up.killed),)), endless(), window=2)) as outcomes:
        for _ in outcomes:
            assert len(pulled) - taken <= 2
            taken += 1
            if taken == 30:
                break


@pytest.mark.parametrize("workers", [0, 1])
def test_progress_is_reported_by_job(workers):
    reported = []
    job = Numbers(0, 3)
    do(Naps(((0, made_up.raising),)), [job], workers=workers, progress=lambda *heartbeat: reported.append(heartbeat))
    # Undivided and for the first time, heartbeats may be left out; then none is.
    assert [heartbeat for heartbeat in reported if heartbeat[0] == Numbers(1, 3, part=True)] == [
        (Numbers(1, 3, part=True), 1),
        (Numbers(1, 3, part=True), 2),
    ]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("act", "says"),
    [
        (made_up.refusing, "the disk is full"),
        (made_up.raising, "a worker cannot be set up: of doom"),
        (made_up.leaving, "a worker cannot be set up: SystemExit: 3"),
    ],
)
def test_a_set_up_that_fails_ends_the_run(act, says, workers, tmp_path):
    with pytest.raises(MaskprepError, match=f"^{says}"):
        do(BadStart(act, tmp_path / "log"), ranges(20), workers=workers)
    assert len((tmp_path / "log").read_text().splitlines()) <= max(workers, 1)


def test_a_set_up_beyond_the_memory_limit_says_so(tmp_path):
    with pytest.raises(BuildError, match="a worker ran out of memory while it started"):
        do(BadStart(made_up.greedy, tmp_path / "log"), ranges(1), memory_limit=MEMORY)


def test_workers_that_die_while_they_start_end_the_run(tmp_path):
    with pytest.raises(BuildError, match=r"3 workers in a row were lost while they started: .*SIGKILL"):
        do(BadStart(made_up.killed, tmp_path / "log"), ranges(20))
    assert len((tmp_path / "log").read_text().splitlines()) in (3, 4)


def test_a_job_whose_worker_dies_while_it_starts_is_not_charged(tmp_path):
    jobs = [Numbers(0, 1)]
    check(do(BadStart(made_up.killed, tmp_path / "log", good=3), jobs, workers=1), jobs)


def test_a_slow_reader_of_outcomes_makes_nobody_hang():
    jobs, outcomes = ranges(6, size=2), []
    pause = threading.Event()
    for outcome in LocalEngine(2, patience=0.5).run(Naps(), jobs, window=4):
        outcomes.append(outcome)
        if len(outcomes) == 2:
            pause.wait(1.5)
    check(outcomes, jobs)


def test_it_runs_beside_the_main_thread():
    jobs, outcomes = ranges(4), []
    thread = threading.Thread(target=lambda: outcomes.extend(do(Squares(), jobs)))
    thread.start()
    thread.join()
    check(outcomes, jobs)


def test_processors_are_counted():
    assert 1 <= available_workers() <= multiprocessing.cpu_count()
