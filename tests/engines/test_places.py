"""Workers that a cluster has no place for."""

from __future__ import annotations

from made_up import Numbers

from maskprep.engines.drive import Terms, drive
from maskprep.engines.events import Alive, Faulted, Finished, Ready
from maskprep.engines.job import Cause


class Places:
    """A pool of which only the first ``places`` workers that are started run; number ``lost`` ends in its first job."""

    limit = 3

    def __init__(self, places, lost=None):
        self.places, self.lost, self.started, self.done, self.told, self.silent = places, lost, [], {}, [], 0

    def start(self, number):
        self.started.append(number)
        if len(self.started) <= self.places:
            self.told += [(number, Alive()), (number, Ready())]

    def give(self, number, job, *, every_heartbeat):
        if number == self.lost:
            self.told.append((number, Faulted(Cause.KILLED, "its node is gone")))
        else:
            self.done.setdefault(number, []).append(job)
            self.told.append((number, Finished(job.start)))

    def stop(self, number):
        pass

    def events(self, timeout):
        told, self.told = self.told[:1], self.told[1:]
        self.silent = 0 if told else self.silent + 1
        assert self.silent < 10, "nothing will ever happen"
        return told

    def close(self):
        pass

    kill = close


def outcomes(pool, count):
    jobs = (Numbers(number, number + 1) for number in range(count))
    return sorted(outcome.result for outcome in drive(pool, jobs, Terms(window=100, patience=300)))


def test_a_job_does_not_wait_for_a_place_that_never_comes():
    pool = Places(places=2)
    assert outcomes(pool, 20) == list(range(20))
    assert sum(map(len, pool.done.values())) == 20


def test_when_a_worker_is_lost_for_good_the_others_do_its_job():
    pool = Places(places=3, lost=2)
    assert outcomes(pool, 20) == list(range(20))
    assert len(pool.started) == 4
    assert set(pool.done) == {1, 3}
