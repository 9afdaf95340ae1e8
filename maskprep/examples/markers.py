r"""Markers of a template that are no tokens of the tokenizer: they are spelt in pieces, and trained in pieces.

    template     <|im_start|>user\nHi<|im_end|>\n            written around every message
    tokens       <  |  im  _start  |  > …                    the tokenizer was not made for this template

Nothing is read off the template's text: a short chat is rendered, and what stands there between the messages is looked
at. A text counts as a marker where it has the form that control tokens have. Where a turn ends with a token, and the
template came with the tokenizer, the model was made with markers in pieces, if there are any: that is no fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from maskprep.conversation import Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns.stop_tokens import Stops
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.load import LoadedTokenizer

_CHAT = tuple(
    Message({"role": role, "content": text})
    for role, text in (("user", "Is it far?"), ("assistant", "An hour."), ("user", "Thanks!"), ("assistant", "Bye."))
)
_MARKER = re.compile(
    r"<[|\uff5c][^<>|\uff5c\s]{1,40}[|\uff5c]>|<\|[a-z_]{1,40}>|<[a-z_]{1,40}\|>|\[/?[A-Z_]{2,40}\]|</?[a-z][a-z0-9_]{0,40}>"
)
_ELEMENT = re.compile(r"</?([a-z][a-z0-9_]*)>")


def markers_told(
    template: ChatTemplate, loaded: LoadedTokenizer, encoder: Encoder, stops: Stops
) -> tuple[Finding, ...]:
    """Return what is to be told of every row: markers in pieces, and the setting that makes tokens of them."""
    found = markers_in_pieces(template, loaded, encoder, stops)
    if not found:
        return ()
    setting = f"tokenizer.add_special_tokens={json.dumps(found, ensure_ascii=False)}"
    detail = (
        f"the template writes {', '.join(found)}, which this tokenizer spells in pieces: --set '{setting}' makes "
        "tokens of them, or use the template that belongs to the tokenizer"
    )
    return (Finding("marker-not-token", detail),)


def markers_in_pieces(
    template: ChatTemplate, loaded: LoadedTokenizer, encoder: Encoder, stops: Stops
) -> tuple[str, ...]:
    """Return the markers around messages that are no tokens, in the order in which they are written.

    None where a turn ends with a token and the template is one that came with the tokenizer.
    """
    try:
        chat = template.tracked(Conversation(_CHAT), len(_CHAT), generation_prompt=False)
    except RowError:
        return ()
    gaps = list(_gaps(chat))
    if len(gaps) != len(_CHAT):
        return ()
    ends = gaps[-1] if gaps[-1].strip() else gaps[1]
    pieces = [marker for marker in dict.fromkeys(_MARKER.findall("\n".join(gaps))) if len(encoder.ids(marker)) > 1]
    end = _MARKER.search(ends)
    if stops.first(ends, 0) is None and stops.last_special(ends, 0) is None and end is not None:
        last = end[0]
    elif template.source in _own(loaded):
        return ()
    else:
        last = ""
    return tuple(marker for marker in pieces if marker == last or not _is_element(marker, template.source))


def _gaps(chat: Rendered) -> Iterator[str]:
    """Yield what the template writes behind each message, up to the next one; nothing where their order is another."""
    extents = [chat.extent(index) for index in range(len(_CHAT))]
    for extent, later in zip(extents, [*extents[1:], (len(chat), len(chat))], strict=True):
        if extent is None or later is None or later[0] < extent[1]:
            return
        yield chat.between(extent[1], later[0])


def _own(loaded: LoadedTokenizer) -> tuple[str, ...]:
    """Return the templates that came with the tokenizer."""
    own = loaded.tokenizer.chat_template
    return tuple(own.values()) if isinstance(own, dict) else (own,) if own else ()


def _is_element(marker: str, source: str) -> bool:
    """Tell whether a template writes an element of this name, opened and closed, such as ``<think>…</think>``."""
    name = _ELEMENT.fullmatch(marker)
    return name is not None and f"<{name[1]}>" in source and f"</{name[1]}>" in source
