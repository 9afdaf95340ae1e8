"""Imported first by the processes that workers are made of: they do without torch."""

from maskprep.light_imports import import_transformers, spare_torch

spare_torch()
import_transformers(torch=False)
