"""The collector of cycles, told not to look at what stays for good."""

from __future__ import annotations

import gc

_BETWEEN = 100_000  # objects that are made before it looks at them: rows make some thousands, and hardly any cycle


def spare_collector() -> None:
    """Let the collector of this process leave alone what is there now, and look seldom at what comes.

    To be called once, when everything is loaded. A quarter of the time of a row would else go into looking at modules
    and tokenizers again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN, 20, 50)
