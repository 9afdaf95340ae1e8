"""The variables of a chat template that a user may set."""

from __future__ import annotations

from jinja2 import meta
from jinja2.exceptions import TemplateError

from maskprep.conversation import RESERVED_KWARGS
from maskprep.template.environment import PlainEnvironment
from maskprep.template.render import ChatTemplate


def free_variables(template: ChatTemplate) -> list[str]:
    """Return the names that the template looks up and that nobody but a user gives it, in the order of the alphabet."""
    try:
        asked = meta.find_undeclared_variables(PlainEnvironment(template.now).parse(template.source))
    except TemplateError:
        return []
    return sorted(asked - RESERVED_KWARGS - template.variables.keys())
