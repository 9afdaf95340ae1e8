"""A cluster of several nodes, all on this machine: the same contract, also when a node is lost."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import made_up
import pytest
from made_up import BadStart, Located, Numbers, Squares, check, ranges

from maskprep.engines import Cause, RayEngine
from maskprep.errors import BuildError, UsageError

# Ray and what it brings leave sockets and files to the collector, and use what Python is about to drop.
pytestmark = [
    pytest.mark.ray,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
HERE = Path(__file__).parent
MEMORY = 2**30
SOON = {  # how soon the head notices that a node is lost
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 500,
    "health_check_failure_threshold": 2,
}


@dataclass(frozen=True)
class Gated(Squares):
    """Work that waits for a file, telling meanwhile on which node it is."""

    gate: Path = Path()

    def work(self, job, heartbeat):
        import ray

        node = ray.get_runtime_context().get_node_id()
        while not self.gate.exists():
            heartbeat(node)
            time.sleep(0.02)
        return super().work(job, heartbeat)


@pytest.fixture(scope="module", autouse=True)
def path():
    """Let nodes import what these tests import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (HERE, *HERE.parents[1:2]))))
        yield


@pytest.fixture(scope="module")
def cluster(path):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
    one = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": SOON, **store})
    nodes = [one.add_node(num_cpus=1, object_store_memory=store["object_store_memory"]) for _ in range(3)]
    one.nodes_by_id = {node.node_id: node for node in nodes}
    yield one
    one.shutdown()


def do(cluster, setup, jobs, *, patience=60.0, memory_limit=None, **callbacks):
    engine = RayEngine(cluster.address, patience=patience, memory_limit=memory_limit)
    return list(engine.run(setup, jobs, window=6, **callbacks))


def test_a_lost_node_costs_nothing(cluster, tmp_path):
    gate, seen, lost = tmp_path / "gate", {}, []
    jobs = ranges(12)

    def progress(job, value):
        seen[job] = value
        if not lost and len(set(seen.values()) & set(cluster.nodes_by_id)) == 3:
            lost.append(value)
            cluster.remove_node(cluster.nodes_by_id.pop(value), allow_graceful=False)
            gate.touch()

    check(do(cluster, Gated(gate=gate), jobs, progress=progress), jobs)
    assert lost


def test_only_the_guilty_rows_fail(cluster):
    traps = ((1, made_up.killed), (5, made_up.raising), (8, made_up.greedy), (15, made_up.hung))
    jobs = [*(Located(start, start + 3) for start in range(0, 15, 3)), Located(15, 16)]
    outcomes = do(cluster, Squares(traps), jobs, patience=3.0, memory_limit=MEMORY)
    check(outcomes, jobs, {1: Cause.KILLED, 5: Cause.RAISED, 8: Cause.MEMORY, 15: Cause.HUNG})


def test_an_error_of_ours_comes_back_as_it_was(cluster):
    with pytest.raises(BuildError, match="the disk is full") as caught:
        do(cluster, Squares(((25, made_up.refusing),)), ranges(10))
    assert caught.value.facts == {"free": 0}


def test_a_set_up_that_fails_ends_the_run(cluster, tmp_path):
    with pytest.raises(BuildError, match="a worker cannot be set up: of doom"):
        do(cluster, BadStart(made_up.raising, tmp_path / "log"), ranges(10))


def test_jobs_are_pulled_no_further_than_the_window(cluster):
    pulled = []

    def endless():
        for number in count():
            pulled.append(number)
            yield Numbers(number, number + 1)

    with closing(RayEngine(cluster.address).run(Squares(), endless(), window=3)) as outcomes:
        for taken, _ in enumerate(outcomes):
            assert len(pulled) - taken <= 3
            if taken == 20:
                break


def test_nodes_that_lack_a_module_are_told_of(cluster, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("from made_up import Squares\nclass Here(Squares): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(UsageError, match="a node of the cluster: No module named 'only_here'") as caught:
        do(cluster, only_here.Here(), ranges(3))
    assert "every node" in caught.value.hint


def test_a_cluster_of_its_own():
    ray = pytest.importorskip("ray")
    jobs = ranges(3)
    check(list(RayEngine(workers=1).run(Squares(), jobs, window=2)), jobs)
    assert not ray.is_initialized()


def test_no_cluster_at_the_address():
    pytest.importorskip("ray")
    with pytest.raises(UsageError, match=r"no Ray cluster at 127\.0\.0\.1:1: "):
        next(RayEngine("127.0.0.1:1").run(Squares(), ranges(1), window=1))


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs Ray") as caught:
        next(RayEngine().run(Squares(), ranges(1), window=1))
    assert "maskprep[ray]" in caught.value.hint
