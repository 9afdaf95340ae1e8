"""Renderings of ours compared with those of transformers, and templates tried out before any row."""

from __future__ import annotations

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError, UsageError
from maskprep.template.chat_template import ChatTemplate, refusal
from maskprep.template.sandbox.limits import Exceeded
from maskprep.tokenizer.load import LoadedTokenizer


class TransformersCheck:
    """Compares renderings with transformers' own, which are made with the tokenizer."""

    def __init__(self, loaded: LoadedTokenizer) -> None:
        """Keep the tokenizer."""
        self._loaded = loaded

    def check(self, template: ChatTemplate, conversation: Conversation, text: str) -> None:
        """Compare the text of a conversation with the plain rendering, and with transformers' own.

        Where the clock matters, transformers' would be of another time.

        Raises:
            RowError: ``render-differs``.
        """
        count = len(conversation.messages)
        plain = template.plain(conversation, count, generation_prompt=False)
        theirs = plain if template.uses_clock else self._rendered_by_transformers(template, conversation)
        if not text == plain == theirs:
            msg = "maskprep and transformers render this conversation differently"
            raise RowError("render-differs", msg, "please report the template and the row: this is a fault of maskprep")

    def _rendered_by_transformers(self, template: ChatTemplate, conversation: Conversation) -> str:
        try:
            with template.limits.running():
                text = self._loaded.tokenizer.apply_chat_template(
                    [dict(message.fields) for message in conversation.messages],
                    tools=conversation.tools,
                    documents=conversation.documents,
                    chat_template=template.source,
                    tokenize=False,
                    **{**template.variables, **(conversation.template_kwargs or {})},
                )
        except (Exceeded, MemoryError, RecursionError) as error:
            raise refusal(error) from error
        except Exception as error:  # whatever it refuses, we must not train
            msg = f"transformers cannot render this conversation: {type(error).__name__}: {error}"
            raise RowError("render-differs", msg) from error
        return str(text)


def try_out(template: ChatTemplate) -> None:
    """Render a short conversation; whether the template takes it does not matter, if it ends soon.

    Raises:
        UsageError: it takes too much.
    """
    conversation = Conversation((Message({"role": "user", "content": "Hello"}),))
    for render in (template.tracked, template.plain):
        try:
            render(conversation, 1, generation_prompt=True)
        except RowError as error:
            if error.code == "template-limit":
                msg = f"with a single short message, {error.message}"
                raise UsageError(msg, "raise template_seconds or template_bytes, or use another template") from error
