"""One self-contained HTML page of rows: the code and the style of ``assets``, and the data as inert text.

Nothing of the data is ever HTML. It travels as gzip in base64 (``page_data``), and the page's own script puts it into
the document as text nodes. The Content-Security-Policy lets the browser run the scripts named by hash and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from maskprep.inspect.views import RejectView, RowView
from maskprep.show.html import asset, text, write_html
from maskprep.show.page_data import PageData

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
    return write_html(path, title, _body(title, rows, statistics), styles=_STYLES, scripts=_SCRIPTS)


def _body(title: str, rows: Iterable[RowView | RejectView], statistics: Mapping[str, Any] | None) -> Iterator[bytes]:
    """Yield the frame of the page with the data in it."""
    # Escaped text has no "<", so that a title cannot bring a place of its own.
    head, tail = asset("page.html").replace("<!-- title -->", text(title)).split("<!-- data -->")
    data = PageData(title)
    yield head.encode()
    for view in rows:
        yield _block("rows", data.add(view))
    yield _block("rows", data.rest())
    yield _block("meta", data.meta(statistics))
    yield tail.encode()


def _block(name: str, packed: bytes | None) -> bytes:
    """Return a data block: a script of a type that no browser runs."""
    return b'<script type="text/plain" class="%s">%s</script>\n' % (name.encode(), packed) if packed else b""
