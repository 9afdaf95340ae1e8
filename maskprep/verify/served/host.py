"""One inference server, by HTTP: a few requests at a time, tried again where that helps, and to no other host."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from maskprep.errors import UsageError
from maskprep.formats.wording import quote

KEY = "MASKPREP_SERVER_KEY"
"""The environment variable that holds the key of the server, sent as ``Authorization: Bearer``."""

_SECONDS = (5.0, 120.0)  # to connect, and between two pieces of an answer: a long prompt may be computed meanwhile
_TRIES = 3
_PAUSE = 0.5  # seconds before the second try, twice as many before the third
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_THERE = frozenset({404, 405, 501})
_MOST = 2**26  # bytes of an answer
_TOLD = 300  # characters of an answer that an error quotes


class ServerError(Exception):
    """A server that does not answer, or answers with a refusal; the message says which and what it said."""


class NotThereError(ServerError):
    """The server has no such address."""


class Host:
    """The server at ``url``, such as ``http://localhost:8000``; a path behind the host goes before every address.

    Raises:
        UsageError: the URL is none of HTTP, or holds a password.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"--server {url}: must be a URL such as http://localhost:8000")
        if parts.username or parts.password:
            msg = "--server: the URL holds a name or a password, which would end up in reports"
            raise UsageError(msg, f"take it out of the URL, and put the server's key into the environment: {KEY}=…")
        self.url = url.rstrip("/").removesuffix("/v1")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy: what is sent is for this host alone
        if key := os.environ.get(KEY):
            self._session.headers["Authorization"] = f"Bearer {key}"

    def get(self, path: str) -> Any:
        """Return what an address answers, as JSON. Raises ``ServerError``."""
        return self._asked("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return what an address answers to JSON, as JSON. Raises ``ServerError``."""
        return self._asked("POST", path, body)

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        for left in reversed(range(_TRIES)):
            try:
                return self._once(method, path, body)
            except _TryAgainError as error:
                if not left:
                    raise ServerError(str(error)) from error
                time.sleep(_PAUSE * 2 ** (_TRIES - 1 - left))
        raise AssertionError

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            with self._session.request(
                method, self.url + path, json=body, timeout=_SECONDS, allow_redirects=False, stream=True
            ) as answer:
                data = answer.raw.read(_MOST + 1, decode_content=True)
                status = answer.status_code
        except requests.exceptions.RequestException as error:
            raise _TryAgainError(f"{self.url}{path} does not answer: {_reason(error)}") from error
        except OSError as error:
            raise _TryAgainError(f"{self.url}{path} broke off: {error}") from error
        said = quote(data[: 4 * _TOLD].decode(errors="replace")[:_TOLD])
        if status in _NOT_THERE:
            raise NotThereError(f"{self.url}{path} is not there ({status})")
        if status in _BUSY:
            raise _TryAgainError(f"{self.url}{path} answered {status}: {said}")
        if status != requests.codes.ok:
            raise ServerError(f"{self.url}{path} answered {status}: {said}")
        if len(data) > _MOST:
            raise ServerError(f"{self.url}{path} answered with more than {_MOST:,} bytes")
        try:
            return requests.compat.json.loads(data)
        except ValueError as error:
            raise ServerError(f"{self.url}{path} answered with what is no JSON: {said}") from error


class _TryAgainError(ServerError):
    """A fault that may be gone in a moment."""


def _reason(error: Exception) -> str:
    """Return the innermost cause of a fault of the network: it says what the others wrap."""
    cause: BaseException = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    return f"{type(cause).__name__}: {cause}"[:_TOLD]
