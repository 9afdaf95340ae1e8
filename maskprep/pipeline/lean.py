"""Imported first by the processes that workers are made of: they do without torch."""

from maskprep.sparing import spare_torch

spare_torch()
