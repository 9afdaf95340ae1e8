"""From a URL to a connection: where the store is, who asks, and how long to wait, all from the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import lru_cache
from typing import Any

from maskprep.errors import UsageError
from maskprep.storage.store_errors import store_errors
from maskprep.storage.urls import split

TRIES = 5
"""How often a request is sent that the network or the store fails; with pauses of up to some seconds between."""

_CONNECT = 5.0  # seconds
_SILENT = 30.0  # seconds without a byte

_PART = 5 << 20  # bytes: what is smaller is written in one request

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


def connect(url: str, size: int | None = None) -> tuple[Any, str]:
    """Return a file system of pyarrow, and the path in it that a URL stands for: ``bucket/key``.

    ``size`` is that of the object (bytes) which is to be written. Raises UsageError where the URL or the environment
    cannot be used, BuildError where the store cannot be reached.
    """
    scheme, bucket, key = split(url)
    if scheme == "gs":
        made = _gcs(os.environ.get("STORAGE_EMULATOR_HOST", ""))
    else:
        endpoint, region = _first(_ENDPOINTS), _first(_REGIONS)
        if not region:
            region = "us-east-1" if endpoint else _region(bucket)
        # Whoever changes the environment wants other credentials: they are part of the key of what is remembered.
        who = tuple(os.environ.get(name) for name in _CREDENTIALS)
        made = _s3(endpoint, region, size is not None and size < _PART, who)
    return made, f"{bucket}/{key}" if key else bucket


def _first(names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")


@lru_cache(maxsize=8)
def _s3(endpoint: str, region: str, delayed: bool, _: tuple[str | None, ...]) -> Any:  # noqa: FBT001
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem  # noqa: PLC0415 - see the package

    scheme, host = _endpoint(endpoint, "AWS_ENDPOINT_URL")
    return S3FileSystem(
        region=region,
        scheme=scheme,
        endpoint_override=host or None,
        connect_timeout=_CONNECT,
        request_timeout=_SILENT,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=TRIES),
        # A small object is one request then, not three. A large one would leave an empty object in its place if it
        # could not be begun.
        allow_delayed_open=delayed,
    )


@lru_cache(maxsize=64)
def _region(bucket: str) -> str:
    """Return the region of a bucket, asked of Amazon: a request to another region is refused."""
    from pyarrow.fs import resolve_s3_region  # noqa: PLC0415 - see the package

    with store_errors(f"s3://{bucket}"):
        return str(resolve_s3_region(bucket))


@lru_cache(maxsize=2)
def _gcs(emulator: str) -> Any:
    from pyarrow.fs import GcsFileSystem  # noqa: PLC0415 - see the package

    wait = timedelta(seconds=_SILENT)
    if not emulator:
        return GcsFileSystem(retry_time_limit=wait)
    scheme, host = _endpoint(emulator if "://" in emulator else f"http://{emulator}", "STORAGE_EMULATOR_HOST")
    return GcsFileSystem(anonymous=True, scheme=scheme, endpoint_override=host, retry_time_limit=wait)


def _endpoint(value: str, name: str) -> tuple[str, str]:
    """Return scheme and host of an endpoint: Amazon's own where none is given."""
    if not value:
        return "https", ""
    scheme, _, host = value.partition("://")
    host = host.rstrip("/")
    if scheme not in {"http", "https"} or not host or {"@", "/", "?"} & set(host):
        raise UsageError(f"{name} must be like https://HOST or http://HOST:PORT, with nothing after it")
    return scheme, host
