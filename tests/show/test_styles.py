"""Every style of the terminal can be read on every theme: contrasts are computed as WCAG 2 says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.color import ColorType
from rich.style import Style

import maskprep.show
from maskprep.show import styles

READABLE = 4.5
SHADES = 16  # what numbers below it look like, each theme says for itself

# Text and ground of each theme, and that text when bold, where the terminal shows bold as bright.
THEMES = {
    "dark": ("#e5e5e5", "#000000"),
    "light": ("#000000", "#ffffff"),
    "Solarized dark": ("#839496", "#002b36"),
    "Solarized light": ("#657b83", "#fdf6e3"),
}
OWN = 4.1  # Solarized light's own text on its own ground has 4.13, and whoever chose it wants no other
STYLES = {name: value for name, value in vars(styles).items() if name.isupper()}


def luminance(triplet) -> float:
    shares = [value / 255 for value in triplet]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def triplet(code: str) -> tuple[int, ...]:
    return tuple(int(code[at : at + 2], 16) for at in (1, 3, 5))


def test_the_formula_is_that_of_the_standard():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", STYLES)
def test_every_style_can_be_read_on_every_theme(name, theme):
    style = Style.parse(STYLES[name])
    assert not style.dim
    assert (style.color is None) == (style.bgcolor is None), "a colour without its ground"
    if style.color is None or style.bgcolor is None:
        assert contrast(*map(triplet, THEMES[theme])) >= OWN
        return
    for colour in (style.color, style.bgcolor):
        assert colour.type is ColorType.EIGHT_BIT
        assert colour.number >= SHADES, "a colour that themes change"
    assert not style.bold, "a bold colour is another where bold is shown as bright"
    assert contrast(style.color.get_truecolor(), style.bgcolor.get_truecolor()) >= READABLE


def test_no_style_stands_anywhere_else():
    """A colour's name beside the styles would be one that nobody measured."""
    names = "dim|bold|italic|underline|reverse|black|red|green|yellow|blue|magenta|cyan|white"
    colour = re.compile(rf'"([a-z_]* )*({names})( [a-z_]*)*"')
    folder = Path(maskprep.show.__file__).parent
    html = {"notebook.py", "styles.py"}  # CSS, and the styles themselves
    found = {
        f"{path.name}:{number}"
        for path in folder.glob("*.py")
        if path.name not in html
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if colour.search(line)
    }
    assert found == set()


def test_trained_text_its_template_tokens_and_stop_tokens_differ():
    assert len({styles.TRAINED, styles.TRAINED_TEMPLATE, styles.STOP, styles.MASKED, styles.TEMPLATE}) == 5
