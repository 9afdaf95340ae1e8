"""A document of plain text, trained whole: no chat template, and no turns.

    <bos> Once upon a time … <eos>
          ├── trained ──────────┤

The token that a tokenizer begins its texts with stands before it, and the one that ends them behind it. Where there is
none to begin with, the first token of the document is not trained: nothing precedes it.
"""

from __future__ import annotations

from maskprep.conversation import Conversation, Finding
from maskprep.policy import Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import TEMPLATE, source_of
from maskprep.template.strings.runs import merge
from maskprep.template.turns.proved import Proved
from maskprep.template.turns.turn import Fit, Turn
from maskprep.tokenizer.load import LoadedTokenizer


def prove_document(conversation: Conversation, template: ChatTemplate, loaded: LoadedTokenizer) -> Proved:
    """Return a document as a conversation of one turn that no template renders, proved as it stands.

    Args:
        conversation: the document, its one message.
        template: named in what is returned; it renders nothing.
        loaded: knows the tokens that texts begin and end with.
    """
    text = conversation.messages[0].fields["content"]
    first, last = loaded.first_token, loaded.variables.get("eos_token") or ""
    runs = merge([(len(first), TEMPLATE), (len(text), source_of(0, Part.CONTENT)), (len(last), TEMPLATE)])
    whole = Rendered(first + text + last, runs)
    stop = len(first) + len(text)
    findings = conversation.findings
    if not last:
        findings = (*findings, Finding("no-stop-token", "the tokenizer has no token that ends a document"))
    turn = Turn(0, whole, len(first), stop, len(whole), Fit.PROMPT, ())
    return Proved(conversation, template, whole, (turn,), {0: turn}, findings)
