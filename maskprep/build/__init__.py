"""``maskprep build`` and ``maskprep export``: conversations in, a data set out.

plan ─▶ run_chunks ─▶ worker ─▶ row_writer ─▶ receipt   in as many processes as there are
                          └─ gather ─▶ finish ─▶ commit  counts, ledgers and shards put together, in order

The package can be called, too: ``maskprep.build(sources=…)`` is the function of that name in ``api.py``, which would
else be hidden by this package as soon as anything imports it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *given: Any, **settings: Any) -> Any:
        """Build a data set; see ``api.build``."""
        return import_module("maskprep.api").build(*given, **settings)


sys.modules[__name__].__class__ = _Callable
