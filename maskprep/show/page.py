"""One self-contained HTML page of rows: the code and the style of ``assets``, and the data as inert text.

Nothing of the data is ever HTML. It travels as gzip in base64 (``page_data``), and the page's own script puts it into
the document as text nodes. The Content-Security-Policy lets the browser run the scripts named by hash and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskprep.inspect.views import RejectView, RowView
from maskprep.show.html import asset, text, write_html
from maskprep.show.page_data import PageData


@dataclass(frozen=True, slots=True)
class Checks:
    """The results of a verification as HTML: a ``badge`` of one line, and the ``body`` of their own view."""

    badge: str
    body: Iterable[str]


# In this order: a later file uses what an earlier one defines.
_SCRIPTS = (
    *("data", "text", "layout", "fold", "row", "inspector", "list", "search"),
    *("reject", "shape", "plots", "overview", "run", "main"),
)
_STYLES = ("page", "row", "overview", "verify", "narrow")


def write_page(  # noqa: PLR0913, PLR0917 - all that a page may show
    path: Path,
    title: str,
    rows: Iterable[RowView | RejectView],
    statistics: Mapping[str, Any] | None,
    run: Mapping[str, Any] | None = None,
    checks: Checks | None = None,
) -> int:
    """Write a page of rows and figures to ``path`` and return its size in bytes; it appears when it is complete.

    Args:
        path: the file.
        title: any text; where the page lies in a build, the build's folder is named before it.
        rows: taken one by one: memory holds their compact form only.
        statistics: those of a build; where there is none, the page counts its own rows.
        run: what is told of the run that made the rows, see ``run_facts``.
        checks: the results of ``maskprep verify``, if any.

    Raises:
        OSError: the file cannot be written.
    """
    return write_html(path, title, _body(title, rows, statistics, run, checks), styles=_STYLES, scripts=_SCRIPTS)


def _body(
    title: str,
    rows: Iterable[RowView | RejectView],
    statistics: Mapping[str, Any] | None,
    run: Mapping[str, Any] | None,
    checks: Checks | None,
) -> Iterator[bytes]:
    """Yield the frame of the page with the data in it."""
    head, tail = asset("page.html").split("<!-- data -->")
    # Places are filled from the last to the first: a text that is filled in is never searched for another place.
    before, after = head.split("<!-- checks -->")
    before = before.replace("<!-- badge -->", checks.badge if checks else "").replace("<!-- title -->", text(title))
    data = PageData(title)
    yield before.encode()
    yield from map(str.encode, checks.body if checks else ())
    yield after.encode()
    for view in rows:
        yield _block("rows", data.add(view))
    yield _block("rows", data.rest())
    yield _block("meta", data.meta(statistics, run))
    yield tail.encode()


def _block(name: str, packed: bytes | None) -> bytes:
    """Return a data block: a script of a type that no browser runs."""
    return b'<script type="text/plain" class="%s">%s</script>\n' % (name.encode(), packed) if packed else b""
