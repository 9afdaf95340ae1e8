"""The formats that rows may have: each is a file of its name here, with ``FORMAT`` in it.

To add one, write its file, and name it in ``policy.Format``, in the place where it is to be tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from maskprep.formats.finish import COMMON_FIELDS
from maskprep.formats.preference import FIELDS
from maskprep.formats.row_format import RowFormat
from maskprep.policy import Format


def _format_of(name: Format) -> RowFormat:
    found: RowFormat = import_module(f"maskprep.formats.{name}").FORMAT
    return found


ROW_FORMATS: Mapping[Format, RowFormat] = MappingProxyType(
    {name: _format_of(name) for name in Format if name is not Format.AUTO}
)
"""All formats, by name, in the order in which they are tried."""

GUESSED = tuple(row_format for row_format in ROW_FORMATS.values() if row_format.guessed)
"""The formats that can be told from a row; a row that fits several has the first of them, unless another was named."""

ROW_FIELDS = frozenset({field for each in ROW_FORMATS.values() for field in each.fields} | {*COMMON_FIELDS, *FIELDS})
"""The fields of a row that mean something."""
