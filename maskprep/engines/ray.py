"""Workers of a Ray cluster, one that runs already or one of this machine's own."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from maskprep.engines.drive import Terms, drive
from maskprep.engines.job import J, Outcome, Progress, R, Setup, Stopping, ignore
from maskprep.errors import UsageError

_PATIENCE = 300.0  # seconds
_CONNECT = 10.0  # seconds
_STORE = 100 * 2**20  # bytes of shared memory for a cluster of our own: jobs and receipts are small


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Does jobs on a Ray cluster, whose nodes have maskprep installed.

    Args:
        address: of the cluster, as ``ray.init`` takes it ("auto" on one of its nodes); None: one of this machine's own,
            for the time of the run.
        workers: each takes one processor of the cluster; None: as many as it has at the start.
        patience: seconds without a heartbeat after which a worker counts as hung.
        memory_limit: bytes a worker may have (see ``limit_memory``); None: no limit.
    """

    address: str | None = None
    workers: int | None = None
    patience: float = _PATIENCE
    memory_limit: int | None = None

    def run(
        self,
        setup: Setup[J, R],
        jobs: Iterable[J],
        *,
        window: int,
        progress: Progress[J] | None = None,
        stopping: Stopping | None = None,
    ) -> Iterator[Outcome[J, R]]:
        """Yield the outcome of each job, as ``Engine.run`` promises it.

        Raises:
            UsageError: Ray is not installed, or there is no cluster at the address.
        """
        ray = _connected(self.address, self.workers)
        from maskprep.engines.ray_pool import RayPool  # noqa: PLC0415 - needs Ray

        try:
            count = self.workers or max(int(ray.cluster_resources().get("CPU", 1)), 1)
            pool = RayPool(pickle.dumps(setup), count, self.memory_limit)
            yield from drive(pool, jobs, Terms(window, self.patience, progress or ignore, stopping or ignore))
        finally:
            ray.shutdown()


def _connected(address: str | None, workers: int | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports to its makers otherwise
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns that it will be the default
    try:
        import ray  # noqa: PLC0415 - an extra, and half a second
    except ImportError:
        raise UsageError("the engine ray needs Ray", "python -m pip install 'maskprep[ray]'") from None
    if address is not None:
        _check_address(address)
    if ray.is_initialized():
        raise UsageError("this process is connected to a Ray cluster already", "end that connection first")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    own = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _STORE}
    try:
        ray.init(**quiet, address="local", **own) if address is None else ray.init(**quiet, address=address)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise _no_cluster("on this machine" if address is None else f"at {address}", error) from error
    return ray


def _check_address(address: str) -> None:
    """Raise UsageError if nobody listens there: Ray itself would try for six minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
        except (OSError, OverflowError) as error:
            raise _no_cluster(f"at {address}", error) from error


def _no_cluster(where: str, error: Exception) -> UsageError:
    return UsageError(f"no Ray cluster {where}: {error}", "ray start --head starts one, and says its address")
