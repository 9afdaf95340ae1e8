"""Whether the Hugging Face Hub can be reached: asked once, for two seconds, instead of retried for a minute.

ask_hub()            begins to ask, in the background
cache_alone(…)       where nobody answers: what is loaded in the block is taken from the local cache, or is not there
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_PATIENCE = 2.0  # seconds
_OFFLINE = "HF_HUB_OFFLINE"
_PORTS = {"http": 80, "https": 443}


def hub_url() -> str:
    """Return where the Hub is, as the environment says."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def is_offline() -> bool:
    """Tell whether the environment says that nothing is to be downloaded."""
    return os.environ.get(_OFFLINE, "").upper() in {"1", "TRUE", "YES", "ON"}


def is_cached(model: str) -> bool:
    """Tell whether the local cache has something of a model of the Hub."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    cache = os.environ.get("HF_HUB_CACHE") or Path(home, "hub")
    return Path(cache, f"models--{model.replace('/', '--')}").expanduser().is_dir()


def ask_hub() -> Callable[[], bool]:
    """Begin to ask whether the Hub, or the proxy before it, can be reached; return what waits for the answer."""
    answers: list[bool] = []
    began = time.monotonic()
    # Resolving a name cannot be given a time limit: whoever hangs in it is left behind.
    asking = threading.Thread(target=lambda: answers.append(_connects()), daemon=True)
    asking.start()

    def reachable() -> bool:
        asking.join(max(0.0, began + _PATIENCE - time.monotonic()))
        return bool(answers and answers[0])

    return reachable


def _connects() -> bool:
    try:
        url = urlsplit(hub_url())
        proxy = getproxies().get(url.scheme)
        if proxy and not proxy_bypass(url.hostname or ""):
            url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        with socket.create_connection((url.hostname or "", url.port or _PORTS.get(url.scheme, 443)), _PATIENCE):
            return True
    except (OSError, ValueError):  # nobody answers, or what the environment says is no URL
        return False


def is_out_of_reach(model: str) -> bool:
    """Tell whether what is no folder here can be had neither from the local cache nor from the Hub: asked at once."""
    return not Path(model).is_dir() and not is_offline() and not is_cached(model) and not ask_hub()()


@contextmanager
def cache_alone(*, wanted: bool) -> Iterator[None]:
    """Have the packages of the Hub look at nothing but the local cache in the block, where that is ``wanted``."""
    if not wanted:
        yield
        return
    before = os.environ.get(_OFFLINE)
    os.environ[_OFFLINE] = "1"
    # What is imported already has read the environment.
    modules = [sys.modules[name] for name in ("huggingface_hub.constants", "datasets.config") if name in sys.modules]
    known = [(module, getattr(module, _OFFLINE)) for module in modules if hasattr(module, _OFFLINE)]
    for module, _ in known:
        setattr(module, _OFFLINE, True)
    try:
        yield
    finally:
        for module, value in known:
            setattr(module, _OFFLINE, value)
        os.environ.pop(_OFFLINE)
        if before is not None:
            os.environ[_OFFLINE] = before
