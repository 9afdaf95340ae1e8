"""URLs of object stores: `s3://bucket/key`, `gs://bucket/key`. A key is written as it is, with nothing escaped."""

from __future__ import annotations

import re

from maskprep.errors import UsageError

_PREFIXES = ("s3://", "gs://")
_OPTION = re.compile(r"\?[A-Za-z_-]+=")  # of a URL; a question mark alone is part of a glob

_SET = {
    "s3": "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL, or a profile of AWS.",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS.",
}


def is_remote(name: str) -> bool:
    """Tell whether a name is a URL of an object store."""
    return name.startswith(_PREFIXES)


def split(url: str) -> tuple[str, str, str]:
    """Return scheme, bucket and key of a URL; the key may be empty.

    Raises UsageError where there is no bucket, or where it holds what belongs into the environment. That message does
    not quote the URL: it may hold a password.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if {"@", ":", "?"} & set(bucket) or _OPTION.search(key):
        message = f"a URL of {scheme}:// must hold a bucket and a key, no user, password, port or options"
        raise UsageError(message, _SET[scheme])
    if not bucket:
        raise UsageError(f"{url}: it names no bucket", f"Write {scheme}://BUCKET/KEY.")
    if {"", ".", ".."} & set(key.removesuffix("/").split("/")) - ({""} if not key else set()):
        raise UsageError(f"{url}: its key has an empty step, or one of dots", "Write the key without it.")
    return scheme, bucket, key
