"""Trees of questions as a Python function, which writes what the template would.

    def replay(v0_0, ...):                                    for i1, (v1_0, s1_0) in enumerate(v0_0):
        texts, sources = [], []                                   v1_1 = v1_0['role']
        for i1, (v1_0, s1_0) in enumerate(v0_0): …                if v1_1 == 'user':
        return texts, sources                                         texts += '<user>', v1_2, '<end>'; …; continue
                                                                  if not (v1_1 == 'assistant'): raise MissError
                                                                  texts += …; continue

Of two branches the one with fewer leaves is nested, and the other follows behind it: so the code is nested no deeper
than the logarithm of the number of leaves. An answer that was never met raises ``MissError``.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable
from typing import Any

from maskprep.template.learnt.tree import Node
from maskprep.template.learnt.watch import KINDS, NAMES

ARGUMENTS = ("v0_0", "v0_tools", "v0_prompted")
"""The messages (``Pairs``), the tools, and whether a generation prompt is wanted."""

Replay = Callable[[Any, Any, bool], tuple[list[str], list[int]]]
_MOST_STEPS = 2_000_000  # of loops within loops: some of a row may grow as the cube of its length
_MOST_NESTED = 90  # levels: Python takes 100


def compiled(tree: Node) -> Replay:
    """Return the function that stands for a tree."""
    namespace: dict[str, Any] = dict(NAMES)
    exec(compile(source_of(tree), "<learnt template>", "exec"), namespace)  # noqa: S102 - our own code
    replay: Replay = namespace["replay"]
    return replay


def source_of(tree: Node) -> str:
    """Return the function as Python code."""
    tree.count()
    writer = _Writer()
    writer.line(0, f"def replay({', '.join(ARGUMENTS)}):")
    writer.line(1, f"texts, sources, steps = [], [], {_MOST_STEPS}")
    writer.tree(tree, 1)
    return "\n".join(writer.lines)


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waiting: list[tuple[str, str]] = []
        self.target = ""

    def line(self, depth: int, code: str) -> None:
        self.lines.append(" " * depth + code)

    def flush(self, depth: int) -> None:
        """Write what waits to be written, in as few calls as there can be."""
        waiting, self.waiting = _merged(self.waiting), []
        texts, sources = _lists(self.target)
        if len(waiting) == 1:
            self.line(depth, f"{texts}.append({waiting[0][0]}); {sources}.append({waiting[0][1]})")
        elif waiting:
            self.line(depth, f"{texts} += {', '.join(code for code, _ in waiting)}")
            self.line(depth, f"{sources} += {', '.join(source for _, source in waiting)}")

    def tree(self, node: Node, depth: int) -> None:
        """Write a tree; its code always ends with a jump."""
        current: Node | None = node
        while current is not None:
            current = self._event(current, depth)

    def _event(self, node: Node, depth: int) -> Node | None:
        if node.event is None or depth > _MOST_NESTED:
            self.line(depth, "raise MissError")
            self.waiting = []
            return None
        kind, *given = node.event
        if self.waiting and self.target and self.target in str(given):
            self.flush(depth)  # it may read what waits to be written into this buffer
        if kind in {"if", "type", "value"}:
            return self._question(node, kind, given[0], depth)
        if kind == "bind":
            self.line(depth, f"{given[0]} = {given[1]}")
        elif kind == "write":
            if given[2] != self.target:
                self.flush(depth)
                self.target = given[2]
            self.waiting.append((given[0], given[1]))
        elif kind in {"put", "spill"}:
            self.flush(depth)
            texts, sources = _lists(given[1])
            if kind == "put":
                self.line(depth, f"put({given[0]}, {texts}, {sources})")
            else:
                held, whose = _lists(given[0])
                self.line(depth, f"{texts} += {held}; {sources} += {whose}")
        elif kind == "loop":
            self._loop(node, given[0], given[1], depth)
        else:
            self._leaf(kind, depth)
            return None
        return node.branches[None]

    def _loop(self, node: Node, targets: str, items: str, depth: int) -> None:
        assert node.loop is not None
        self.flush(depth)
        if not targets.startswith("i1,"):
            self.line(depth, f"if (steps := steps - len({items})) < 0: raise MissError")
        head = len(self.lines)
        self.line(depth, "")
        self.tree(node.loop, depth + 1)
        self.lines[head] = " " * depth + _heading(targets, items, "\n".join(self.lines[head + 1 :]))

    def _leaf(self, kind: str, depth: int) -> None:
        if kind == "slow":
            self.waiting = []
            self.line(depth, "raise SlowError")
            return
        self.flush(depth)
        self.line(depth, {"next": "continue", "break": "break", "end": "return texts, sources"}[kind])

    def _question(self, node: Node, kind: str, code: str, depth: int) -> Node:
        ordered = sorted(node.branches.items(), key=lambda pair: pair[1].leaves)
        *others, (answer, last) = ordered
        if others:
            self.flush(depth)
        for other, branch in others:
            self.line(depth, f"if {_condition(kind, code, other)}:")
            self.tree(branch, depth + 1)
        if not (kind == "if" and others):
            self.line(depth, f"if {_condition(kind, code, answer, met=False)}: raise MissError")
        return last


def _merged(waiting: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what is to be written with constants that stand side by side as one."""
    merged: list[tuple[str, str]] = []
    for code, source in waiting:
        if merged and _is_text(code) and _is_text(merged[-1][0]):
            merged[-1] = repr(literal_eval(merged[-1][0]) + literal_eval(code)), source
        else:
            merged.append((code, source))
    return merged


def _is_text(code: str) -> bool:
    return code[0] in "'\""


def _lists(buffer: str) -> tuple[str, str]:
    """Return the names of the lists that a buffer is, or of those that the template's output is."""
    return (f"{buffer}t", f"{buffer}s") if buffer else ("texts", "sources")


def _heading(targets: str, items: str, body: str) -> str:
    """Return the first line of a loop, which counts where the number is asked for."""
    number, item = targets.split(", ", 1)
    if re.search(rf"\b{number}\b", body):
        return f"for {targets} in enumerate({items}):"
    return f"for {item} in {items}:"


def _condition(kind: str, code: str, answer: Any, *, met: bool = True) -> str:
    if kind == "if":
        return code if answer == met else f"not {code}" if code[0] == "(" or code.isidentifier() else f"not ({code})"
    operator = ("is" if met else "is not") if kind == "type" else "==" if met else "!="
    return f"type({code}) {operator} {KINDS[answer]}" if kind == "type" else f"{code} {operator} {answer!r}"
