"""From a conversation to sequences ready to be written: each step proved, or the row rejected with the reason."""

from maskprep.examples.prepared import Loss, Prepared, PreparedSequence
from maskprep.examples.preparer import Preparer, batches
from maskprep.policy import TRAINABLE, Adaptations, Control, Overflow, Policy
from maskprep.template.turns.proved import Proved

__all__ = [
    "TRAINABLE",
    "Adaptations",
    "Control",
    "Loss",
    "Overflow",
    "Policy",
    "Prepared",
    "PreparedSequence",
    "Preparer",
    "Proved",
    "batches",
]
