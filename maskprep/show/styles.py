"""Every style of the terminal, once: text that can be read on a dark, a light and a Solarized screen.

    a colour       comes as a pair, text and ground, out of the 240 colours that no theme changes (16 to 255)
    no colour      is the terminal's own text on its own ground: bold, italic, underlined, never dim

Text alone in a colour (``yellow``) cannot be read on some grounds, and what ``bright_black`` or a bold black is, each
theme says otherwise. The contrast of a pair is 4.5 at least (WCAG), which a test measures.
"""

from __future__ import annotations

from maskprep.inspect.views import TokenView

GOOD = "color(16) on color(114)"
"""What went well: black on light green."""

WARNING = "color(16) on color(222)"
"""What deserves a look: black on light yellow."""

BAD = "color(231) on color(124)"
"""What is wrong: white on dark red."""

HEADING = "bold"
"""What names the lines below it, or counts among them most."""

TRAINED = GOOD
"""The words that are trained: black on light green."""

TRAINED_TEMPLATE = "color(231) on color(22)"
"""Template tokens that are trained: white on dark green."""

STOP = "color(231) on color(90)"
"""A stop token that is trained: white on dark purple."""

MASKED = ""
"""A message's text that is not trained."""

TEMPLATE = "italic"
"""Template tokens that are not trained."""

FOLD = "italic"
"""What stands for text that is left out."""

SPECIAL = "underline"
"""A special token, besides the style that it has anyway."""

CUT = BAD
"""The mark of a token that was split, and of the place where two texts part."""

FIRST = GOOD
"""Of two masks that are compared: what only the first trains."""

SECOND = BAD
"""Of two masks that are compared: what only the second trains."""


def token_style(token: TokenView) -> str:
    """Return the style of a token of a row: by whether it is trained, its part, and whether it is special."""
    if token.trained:
        style = {"stop": STOP, "scaffold": TRAINED_TEMPLATE}.get(token.part, TRAINED)
    else:
        style = TEMPLATE if token.part == "scaffold" else MASKED
    return f"{style} {SPECIAL}".strip() if token.special else style
