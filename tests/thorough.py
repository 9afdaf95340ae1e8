"""How much a run of the tests tries: all there is, or in the quick run (``-m "not long"``) a part of each sweep.

@pytest.mark.long                       left out of the quick run
@pytest.mark.sweep                      a part in the quick run, all in the others
for row in some(ROWS, 8): ...           what such a test goes through: every eighth of them
@settings(max_examples=examples(300))   properties are sweeps, too: of examples the quick run makes a few
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from hypothesis import HealthCheck, settings

FEW = 8
_quick = False


def make_quick() -> None:
    """Try a part only, from now on."""
    global _quick  # noqa: PLW0603 - of a process
    _quick = True


def some(things: Iterable, share: int, begin: int = 0) -> list:
    """Return all of them; in the quick run every ``share``-th, from the ``begin``-th (counted in a circle) on."""
    return list(islice(things, begin % share, None, share) if _quick else things)


def examples(number: int) -> int:
    """Return how many examples a property is tried with that deserves ``number``."""
    return max(FEW, number // 16) if _quick else number


def load_profile(*, repeatable: bool) -> None:
    """Say how properties are tried that do not say it themselves."""
    settings.register_profile(
        "maskprep",
        max_examples=examples(100),
        derandomize=repeatable,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("maskprep")
