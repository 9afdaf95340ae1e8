"""Imported first by the processes that workers are made of: they do without torch."""

from maskprep.sparing import import_transformers, spare_torch

spare_torch()
import_transformers(torch=False)
