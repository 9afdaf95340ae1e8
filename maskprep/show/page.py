"""One self-contained HTML page of rows: the code and the style of ``assets``, and the data as inert text.

Nothing of the data is ever HTML. It travels as gzip in base64 (``page_data``), and the page's own script puts it into
the document as text nodes. The Content-Security-Policy lets the browser run the scripts named by hash and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from maskprep.inspect.views import RejectView, RowView
from maskprep.show.page_data import PageData
from maskprep.show.safe import safe

# In this order: a later file uses what an earlier one defines.
_SCRIPTS = ("data", "text", "layout", "row", "inspector", "list", "search", "reject", "plots", "overview", "main")
_STYLES = ("page", "row", "overview")


def write_page(
    path: Path, title: str, rows: Iterable[RowView | RejectView], statistics: Mapping[str, Any] | None
) -> int:
    """Write a page of rows and figures to ``path`` and return its size in bytes.

    ``rows`` are taken one by one: memory holds their compact form only. ``statistics`` are those of a build; where
    there is none, the page counts its own rows. The file appears when it is complete.

    Raises:
        OSError: the file cannot be written.
    """
    target = path.resolve()
    # A pipe or a device is written to, never replaced by a file of that name.
    special = target.exists() and not target.is_file()
    partial = target if special else target.with_name(f".{target.name}.partial")
    head, tail = _frame(title)
    data = PageData(title)
    try:
        with partial.open("wb") as file:
            size = file.write(head)
            for view in rows:
                size += file.write(_block("rows", data.add(view)))
            size += file.write(_block("rows", data.rest()))
            size += file.write(_block("meta", data.meta(statistics)))
            size += file.write(tail)
        if not special:
            partial.replace(target)
    except BaseException:
        if not special:
            partial.unlink(missing_ok=True)
        raise
    return size


def _frame(title: str) -> tuple[bytes, bytes]:
    """Return the page's bytes before and after the data."""
    scripts = [_asset(f"{name}.js") for name in _SCRIPTS]
    style = "".join(_asset(f"{name}.css") for name in _STYLES)
    filled = {
        # Inline code runs by its hash alone; nothing is loaded, sent or framed; no string can become markup or code.
        "policy": f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes([style])}; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        "title": html.escape(safe(title)),
        "style": f"<style>{style}</style>",
        "scripts": "".join(f"<script>{script}</script>\n" for script in scripts),
    }
    page = _asset("page.html")
    for name, text in filled.items():
        # Escaped text has no "<", so that a title cannot bring a place of its own.
        page = page.replace(f"<!-- {name} -->", text)
    head, tail = page.split("<!-- data -->")
    return head.encode(), tail.encode()


@cache
def _asset(name: str) -> str:
    return (files("maskprep.show") / "assets" / name).read_text(encoding="utf-8")


def _hashes(codes: Iterable[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in codes)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def _block(name: str, packed: bytes | None) -> bytes:
    """Return a data block: a script of a type that no browser runs."""
    return b'<script type="text/plain" class="%s">%s</script>\n' % (name.encode(), packed) if packed else b""
