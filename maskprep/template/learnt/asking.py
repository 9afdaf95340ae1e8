"""What the environment of a watched template is asked for by what stands for its filters, tests, methods and loops."""

from __future__ import annotations

from typing import Any, Protocol

from maskprep.template.learnt.watch import Watch


class Watching(Protocol):
    """The environment: ``watch`` is what is written to, ``running`` the loops that are gone through at the moment."""

    watch: Watch
    running: list[Any]
    undefined: Any
    globals: dict[str, Any]

    def to_text(self, value: Any) -> Any:
        """Return the text of a value."""

    def contained(self, item: Any, holder: Any) -> bool:
        """Tell whether something is in something else."""

    def compared(self, value: Any) -> Any:
        """Return a value that is about to be compared."""

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up an item, or else an attribute."""
