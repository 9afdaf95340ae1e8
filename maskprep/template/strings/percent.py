r"""``%`` formatting with the origin of what it puts in: ``'%s: %d' % (name, 3)`` and the filter ``format``.

'<|im_start|>%s\n%s'   the template's        text   <|im_start|>user\nHi
('user', Hi)            a message's           runs   (13, TEMPLATE) (4, TEMPLATE) (1, TEMPLATE) (2, source)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from maskprep.template.strings.markup import TrackedMarkup
from maskprep.template.strings.origin import TEMPLATE, lost
from maskprep.template.strings.printing import concat, notation, to_text
from maskprep.template.strings.runs import deep_sources
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import TrackedInt

# A place for a value: by name or by order, with flags, width and precision, and the kind of it.
_PLACE = re.compile(
    r"%(?:\((?P<name>[^()]*)\))?(?P<how>[-#0 +]*(?:\*|\d+)?(?:\.(?:\*|\d+)?)?[hlL]?)(?P<kind>.)", re.DOTALL
)


class _LostError(Exception):
    """Raised where nobody can tell whose the characters of the formatted text are."""


def percent(template: str, values: Any, plain: str) -> Tracked:
    """Return ``plain``, which is what ``template % values`` gives, with the origin of each character.

    Where the format is not the template's own, or asks for more than the text of a value, all of it is lost
    (``origin.py``).
    """
    own = Tracked(template)
    if {source for _, source in own._runs} <= {TEMPLATE} and not isinstance(template, TrackedMarkup):
        try:
            tracked = concat(_pieces(own, values))
        except _LostError:
            pass
        else:
            if str.__eq__(tracked, plain):
                return tracked
    return Tracked(str.__str__(plain)[:], lost(deep_sources((template, values))))


def _pieces(template: Tracked, values: Any) -> Iterator[str]:
    """Yield the pieces of a formatted text. Raises ``_LostError``."""
    ordered = iter(values if isinstance(values, tuple) else (values,))
    position = 0
    for place in _PLACE.finditer(str.__str__(template)):
        yield template[position : place.start()]
        position = place.end()
        if place["kind"] == "%":
            yield template[place.end() - 1 : place.end()]
            continue
        if place["how"]:
            raise _LostError
        yield _text(place["kind"], _value(place["name"], values, ordered))
    yield template[position:]


def _value(name: str | None, values: Any, ordered: Iterator[Any]) -> Any:
    if name is None:
        return next(ordered, "")
    if not isinstance(values, Mapping):
        raise _LostError
    return values[name]


def _text(kind: str, value: Any) -> str:
    if kind == "s":
        return to_text(value)
    if kind == "r":
        return concat(notation(value))
    if kind in "di" and isinstance(value, int) and not isinstance(value, bool):
        return to_text(value if isinstance(value, TrackedInt) else int(value))
    raise _LostError
