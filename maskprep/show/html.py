"""Self-contained HTML pages: nothing is loaded or sent, no text of the data becomes markup, only our scripts run."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import Path

from maskprep.errors import UsageError
from maskprep.show.safe import safe
from maskprep.storage.atomic import whole_file


def write_html(
    path: Path, title: str, body: Iterable[bytes], *, styles: Sequence[str], scripts: Sequence[str] = ()
) -> int:
    """Write a page to ``path`` and return its size in bytes; the file appears when it is complete.

    Args:
        path: the file; a pipe or a device is written to.
        title: any text.
        body: HTML between the tags of the body, taken piece by piece.
        styles: names of files of ``assets`` without their ``.css``.
        scripts: names of files of ``assets`` without their ``.js``; a later one uses what an earlier one defines.

    Raises:
        OSError: the file cannot be written.
    """
    codes = [asset(f"{name}.js") for name in scripts]
    style = "".join(asset(f"{name}.css") for name in styles)
    # Inline code runs by its hash alone; nothing is loaded, sent or framed; no string can become markup or code.
    policy = (
        f"default-src 'none'; script-src {_hashes(codes)}; style-src {_hashes([style])}; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="generator" content="maskprep">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    )
    tail = "".join(f"<script>{code}</script>\n" for code in codes) + "\n</body>\n</html>\n"
    with whole_file(path) as file:
        return sum(map(file.write, chain([head.encode()], body, [tail.encode()])))


def check_page_file(option: str, file: str) -> None:
    """Refuse a name that no page can be written to, before it takes time to make one.

    Raises:
        UsageError: it is a folder, or lies in none.
    """
    path = Path(file)
    if path.is_dir():
        raise UsageError(f"{option} {file}: this is a folder", "give the name of a file, such as page.html")
    if not path.parent.is_dir():
        raise UsageError(f"{option} {file}: there is no folder {str(path.parent)!r}", "make it, or name another file")


def text(value: str) -> str:
    """Return any text as HTML that shows it."""
    return html.escape(safe(value))


@cache
def asset(name: str) -> str:
    """Return a file of ``assets``."""
    return (files("maskprep.show") / "assets" / name).read_text(encoding="utf-8")


def _hashes(codes: Iterable[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in codes)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
