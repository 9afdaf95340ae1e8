"""What lies beside the rows and tells where they are: read as a stranger's, who may name any file there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maskprep.storage import RemoteFile, is_remote

_MOST = 16 << 20  # bytes; one of ten thousand shards has one


def read_sidecar(name: str) -> Any:
    """Return the JSON of a small file. Raises OSError, ValueError or RecursionError."""
    with RemoteFile(name) if is_remote(name) else Path(name).open("rb") as file:
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        message = f"it has more than {_MOST:,} bytes"
        raise ValueError(message)
    return json.loads(data)


def is_plain(name: object) -> bool:
    """Tell whether a name is that of something in the same folder: no path, and no way up."""
    return isinstance(name, str) and name not in {"", ".", ".."} and not {"/", "\\", "\0"} & set(name)
