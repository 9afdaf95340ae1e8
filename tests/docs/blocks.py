"""The blocks of a Markdown page that are to be run, in their order.

```bash      each line is a command
```python    run as one program; what it names, later blocks of the page have
```text      is shown, not run; so are yaml, json and others
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block: its language, its text, and the line that it begins on."""

    language: str
    text: str
    line: int


def blocks_of(page: str) -> list[Block]:
    """Return all blocks of a page."""
    return [
        Block(
            found[2], re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE), page[: found.start()].count("\n") + 1
        )
        for found in _BLOCK.finditer(page)
    ]


def commands_of(block: str) -> list[list[str]]:
    """Return the words of each command of a block of a shell; comments are none."""
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
