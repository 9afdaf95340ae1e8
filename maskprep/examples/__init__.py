"""From rows to labelled sequences: each step proved, or the row rejected with the reason.

lines ─▶ parse ─▶ prove ─▶ sequences ─▶ labels      preparer.py: some rows at a time, the whole way on one screen
                  │        └ sequences.py, overflow.py, control_tokens.py: text and ids that train each turn
                  └ proofs.py: adapt/, a plan or a rendering, and the audit of some rows by transformers alone
"""

from maskprep.examples.prepared import Loss, Prepared, PreparedRow, PreparedSequence
from maskprep.examples.preparer import Preparer

__all__ = ["Loss", "Prepared", "PreparedRow", "PreparedSequence", "Preparer"]
