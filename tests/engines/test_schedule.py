"""The bookkeeping alone, against a worker that is simulated: what is done, how often, and in what window."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import Located, Numbers, check, ranges

from maskprep.engines.job import Cause
from maskprep.engines.schedule import Schedule
from maskprep.errors import BuildError


def simulate(schedule, guilty, order=lambda open_: 0, workers=3):
    """Do all tasks, ``workers`` at a time; a task that meets a guilty number fails there. Return outcomes and tasks."""
    outcomes, seen, open_ = [], [], []
    while True:
        while len(open_) < workers and (task := schedule.next()) is not None:
            open_.append(task)
            seen.append((task.job, task.part))
        if not open_:
            return outcomes, seen
        task = open_.pop(order(open_) % len(open_))
        bad = next((number for number in task.job.numbers() if number in guilty), None)
        if bad is None:
            outcome = schedule.finished(task, tuple(number**2 for number in task.job.numbers()))
        else:
            outcome = schedule.failed(task, Cause.KILLED, "gone", bad)
        if outcome is not None:
            outcomes.append(outcome)


@given(
    st.sets(st.integers(0, 59), max_size=8),
    st.integers(1, 6),
    st.integers(1, 5),
    st.sampled_from([Numbers, Located]),
    st.data(),
)
def test_each_job_has_one_outcome_and_only_the_guilty_rows_fail(guilty, size, workers, kind, data):
    jobs = [kind(start, min(start + size, 60)) for start in range(0, 60, size)]
    order = lambda open_: data.draw(st.integers(0, len(open_) - 1))  # noqa: E731
    outcomes, _ = simulate(Schedule(jobs, 4), guilty, order, workers)
    check(outcomes, jobs, dict.fromkeys(guilty, Cause.KILLED))


def test_the_result_is_of_the_whole_job_without_the_guilty_rows():
    outcomes, seen = simulate(Schedule([Numbers(0, 64)], 1), {7, 40})
    assert outcomes[0].result == tuple(n * n for n in range(64) if n not in {7, 40})
    assert [job for job, part in seen if not part] == [Numbers(0, 64), Numbers(0, 64), Numbers(0, 64, skip=(7, 40))]


def test_a_row_is_condemned_only_when_it_failed_twice_by_itself():
    _, seen = simulate(Schedule([Numbers(0, 64)], 1), {7})
    assert Counter(seen)[Numbers(7, 8, part=True), True] == 2
    # Bisecting 64 rows: two parts for each of six levels, the guilty row's second try among them.
    assert sum(part for _, part in seen) == 2 * 6 + 1


def test_the_last_heartbeat_shortens_the_search():
    _, seen = simulate(Schedule([Located(0, 1000)], 1), {700})
    assert sum(part for _, part in seen) == 3 + 1


def test_heartbeats_that_come_late_do_not_make_the_search_go_row_by_row():
    schedule, tasks = Schedule([Located(0, 1024)], 1), 0
    while (task := schedule.next()) is not None:
        tasks += 1
        if 700 in task.job.numbers():
            schedule.failed(task, Cause.HUNG, "silence", task.job.start)
        else:
            schedule.finished(task, ())
    assert tasks < 30


def test_a_job_that_fails_once_is_just_done_again():
    schedule = Schedule(ranges(1), 1)
    task = schedule.next()
    assert schedule.failed(task, Cause.KILLED, "node lost", None) is None
    again = schedule.next()
    assert (again.job, again.part, again.every_heartbeat) == (task.job, False, True)
    assert schedule.finished(again, "done").result == "done"


def test_a_single_row_that_fails_twice_leaves_nothing():
    outcomes, _ = simulate(Schedule([Numbers(5, 6)], 1), {5})
    check(outcomes, [Numbers(5, 6)], {5: Cause.KILLED})


def test_never_more_is_pulled_than_the_window():
    pulled = []

    def endless():
        for number in count():
            pulled.append(number)
            yield Numbers(number, number + 1)

    schedule = Schedule(endless(), 3)
    tasks = [schedule.next() for _ in range(3)]
    assert schedule.next() is None
    assert len(pulled) == 3
    schedule.failed(tasks[0], Cause.HUNG, "", None)
    assert schedule.next().job == tasks[0].job  # again, and nothing new
    assert schedule.next() is None
    schedule.finished(tasks[1], ())
    assert schedule.next().job == Numbers(3, 4)
    assert len(pulled) == 4


def test_a_job_that_fails_as_a_whole_only_ends_the_run():
    schedule = Schedule([Numbers(0, 4)], 1)

    def work():
        while (task := schedule.next()) is not None:
            if task.part:
                schedule.finished(task, ())
            else:
                schedule.failed(task, Cause.MEMORY, "Traceback\ntoo big", None)

    with pytest.raises(BuildError, match=r"fails as a whole \(out-of-memory: too big\)") as caught:
        work()
    assert caught.value.facts["details"] == "Traceback\ntoo big"


def test_work_that_always_fails_is_not_searched_for_ever():
    with pytest.raises(BuildError, match="more than 100 rows fail"):
        simulate(Schedule([Numbers(0, 10_000)], 1), set(range(10_000)))
