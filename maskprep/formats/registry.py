"""The formats that rows may have, in the order in which they are tried. To add one, write it, and name it here."""

from __future__ import annotations

from maskprep.formats.alpaca import ALPACA
from maskprep.formats.finish import COMMON_FIELDS
from maskprep.formats.gemini import GEMINI
from maskprep.formats.logs import LOGS
from maskprep.formats.openai import OPENAI, SHAREGPT
from maskprep.formats.pairs import PAIRS, TEXTS
from maskprep.formats.preference import FIELDS
from maskprep.formats.prompt_completion import PROMPT_COMPLETION
from maskprep.formats.question_answer import QUESTION_ANSWER
from maskprep.formats.responses import RESPONSES
from maskprep.formats.row_format import RowFormat
from maskprep.formats.text import TEXT
from maskprep.formats.xlam import XLAM
from maskprep.policy import Format

GUESSED = (
    *(LOGS, SHAREGPT, OPENAI, PAIRS, TEXTS, RESPONSES, GEMINI),
    *(PROMPT_COMPLETION, ALPACA, XLAM, QUESTION_ANSWER),
)
"""The formats that can be told from a row; a row that fits several has the first of them, unless another was named."""

ROW_FORMATS: dict[Format, RowFormat] = {shape.name: shape for shape in (*GUESSED, TEXT)}
"""All formats, by name."""

ROW_FIELDS = frozenset({field for shape in ROW_FORMATS.values() for field in shape.fields} | {*COMMON_FIELDS, *FIELDS})
"""The fields of a row that mean something."""
