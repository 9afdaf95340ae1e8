"""Documents put together into rows of one length: which go together (lengths ─▶ packs), and the rows that they make.

lengths    3 5 2 4 1        capacity 8
packs      [0 1] [2 3 4]    document numbers; no document is cut, none is left out
row        ids 3 + 5, labels, position_ids 0 1 2 0 1 2 3 4, seq_lengths 3 5
"""

from maskprep.dataset.packing.packs import Packs, pack

__all__ = ["Packs", "pack"]
