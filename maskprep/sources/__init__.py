"""Where rows come from: files of several kinds, folders, object stores, the Hub.

    find ─▶ open_source ─────────▶ Line ─▶ formats.parse
    names   kind, rows             JSON
        └─▶ divide ─▶ read_part ─▶
            parts     by several processes

Whatever a source is, its rows are lines of JSON with a place: what follows cannot tell them apart.
"""

from maskprep.sources.kinds import Kind
from maskprep.sources.names import HUB, expand, find
from maskprep.sources.opening import Opened, open_source, pick_rows, total_bytes

__all__ = ["HUB", "Kind", "Opened", "expand", "find", "open_source", "pick_rows", "total_bytes"]
