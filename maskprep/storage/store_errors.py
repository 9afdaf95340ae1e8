"""The errors of an object store, turned into errors that say what to do, and no secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from maskprep.errors import BuildError, UsageError

_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_MOST = 300  # characters of what the store says
_ALLOWED = (
    "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (Google: GOOGLE_APPLICATION_CREDENTIALS), and what they are "
    "allowed to do with this bucket."
)
_DENIED = r"ACCESS_DENIED|FORBIDDEN|INVALID_ACCESS_KEY|SIGNATURE|TOKEN|CREDENTIALS|PERMISSION_DENIED|UNAUTHENTICATED"
_WRONG = (
    (r"NO_SUCH_BUCKET|NoSuchBucket", "there is no such bucket", "Check its name and AWS_ENDPOINT_URL."),
    (_DENIED, "access is denied", _ALLOWED),
    (r"MOVED_PERMANENTLY|REDIRECT|HTTP status 301", "the bucket is in another region", "Set AWS_REGION."),
)
_NETWORK = "Check the network and AWS_ENDPOINT_URL, then run the same again: what is done is kept."


@contextmanager
def store_errors(url: str) -> Iterator[None]:
    """Raise a store's errors in the block as ones that name the URL; a missing object stays a FileNotFoundError.

    UsageError where another try will not help: no such bucket, no access. BuildError for everything else.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = _reason(error)
        for pattern, what, hint in _WRONG:
            if re.search(pattern, reason):
                raise UsageError(f"{url}: {what}: {reason}", hint) from None
        raise BuildError(f"{url}: the object store failed: {reason}", _NETWORK) from None


def _reason(error: OSError) -> str:
    """Return the first line of a store's error, without credentials: a store may quote them."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    for name in _SECRETS:
        if value := os.environ.get(name):
            reason = reason.replace(value, f"<{name}>")
    return reason if len(reason) <= _MOST else f"{reason[:_MOST]}…"
