"""From a data set to batches of torch: for training code. Needs torch, and nothing of any trainer.

rows ─▶ PaddingCollator ─▶ batch of rows * longest         one document a row
rows ─▶ PackedCollator ─▶ batch of 1 * tokens, or of rows * length, in which no document sees another
rows ─▶ TreeCollator ─▶ batch of rows * length, in which each token sees its own branch alone
folders ─▶ PackedLoader ─▶ such batches, packed while the model trains, the same after a restart
raw rows ─▶ RawLoader ─▶ such batches, masked and packed while the model trains, the same after a restart
"""

from maskprep.collate.loader import PackedLoader
from maskprep.collate.masks import additive_mask, block_mask, document_ids, flex_block_mask, flex_mask_mod, tree_mask
from maskprep.collate.packed import PackedCollator
from maskprep.collate.padding import PaddingCollator
from maskprep.collate.raw import RawLoader
from maskprep.collate.trees import TreeCollator

__all__ = [
    "PackedCollator",
    "PackedLoader",
    "PaddingCollator",
    "RawLoader",
    "TreeCollator",
    "additive_mask",
    "block_mask",
    "document_ids",
    "flex_block_mask",
    "flex_mask_mod",
    "tree_mask",
]
