"""The fixture ``s3``."""

from __future__ import annotations

from stores import s3  # noqa: F401
