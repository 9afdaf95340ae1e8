"""Where jobs are done: in worker processes of this machine or of a cluster; nothing here knows a conversation.

jobs ──> Schedule: window, retries, search ──> drive: events, patience, Ctrl-C ──> Pool: processes, Ray, this process
         └──────────────── Outcome: the result, and the parts that no worker survived <────────┘
"""

from maskprep.engines.job import Cause, Failed, Heartbeat, Job, Outcome, Setup, Work
from maskprep.engines.local import LocalEngine, available_workers
from maskprep.engines.ray import RayEngine

__all__ = [
    "Cause",
    "Failed",
    "Heartbeat",
    "Job",
    "LocalEngine",
    "Outcome",
    "RayEngine",
    "Setup",
    "Work",
    "available_workers",
]
