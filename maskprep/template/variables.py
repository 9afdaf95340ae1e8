"""The variables of a chat template that a user may set."""

from __future__ import annotations

from jinja2 import meta, nodes
from jinja2.exceptions import TemplateError

from maskprep.conversation import RESERVED_KWARGS
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.environment import PlainEnvironment


def free_variables(template: ChatTemplate) -> list[str]:
    """Return the names that the template looks up and that nobody but a user gives it, in the order of the alphabet."""
    try:
        tree = PlainEnvironment(template.now).parse(template.source)
        asked = meta.find_undeclared_variables(tree)
    except TemplateError:
        return []
    # Jinja takes a name that is set in one branch and read in another for one that is missing.
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"} - _defaulted(tree)
    return sorted(asked - own - RESERVED_KWARGS - template.variables.keys())


def _defaulted(tree: nodes.Template) -> set[str]:
    """Return the names of which the template asks whether they are given."""
    tests = (test.node for test in tree.find_all(nodes.Test) if test.name in {"defined", "undefined"})
    filters = (each.node for each in tree.find_all(nodes.Filter) if each.name in {"default", "d"})
    return {node.name for node in (*tests, *filters) if isinstance(node, nodes.Name)}
