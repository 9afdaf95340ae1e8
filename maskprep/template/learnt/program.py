"""A chat template as it was learnt: replayed where a conversation answers as one before, else watched.

conversation ─▶ replay ─┬─▶ texts and their sources
                        └─ an answer not met ─▶ watch, add to the tree ─▶ the same
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from maskprep.policy import Part
from maskprep.template.learnt.code import Replay, compiled
from maskprep.template.learnt.environment import WatchingEnvironment, watch_rendering
from maskprep.template.learnt.runtime import OURS, Pairs, SlowError
from maskprep.template.learnt.tree import ContradictionError, Node
from maskprep.template.learnt.values import Fact, Watched
from maskprep.template.learnt.watch import Event, Watch
from maskprep.template.sandbox.limits import Exceeded, Limits
from maskprep.template.strings.origin import source_of

Written = tuple[list[str], list[int]]
"""What a template writes: texts, and the source of each. Texts may be empty, and neighbours of one source."""

_MOST_LEAVES = 4_000  # of all trees: some megabytes of code
_MOST_WATCHED = 400  # renderings, beside as many as were replayed
_PATIENCE = 20  # leaves for each miss: so many misses are waited for before what was learnt is compiled
_FEW = 64  # messages whose replay needs no timer: loops over them end soon, even one within another
_TOOLS = source_of(-1, Part.TOOLS)


class Program:
    """What was learnt of a template under one set of variables.

    Args:
        source: the template.
        variables: what it is given beside messages, tools and the wish for a generation prompt.
        now: the time that it is told.
        limits: what one rendering may take.

    ``note`` says why nothing is replayed any more, if so. ``replayed`` and ``watched`` count renderings.
    """

    def __init__(self, source: str, variables: Mapping[str, Any], now: datetime, limits: Limits) -> None:
        self.note = self.why = ""
        self.replayed = self.watched = self.slow = 0
        self._variables, self._limits = dict(variables), limits
        self._tree = Node()
        self._replay: Replay | None = None
        self._grown = False
        self._misses = self._leaves = 0
        try:
            self._environment = WatchingEnvironment(now, limits)
            with limits.compiling():
                self._template = self._environment.from_string(source)
        except (Exception, Exceeded) as error:  # the template itself compiles: what is watched takes more
            self.note = str(error)

    def render(self, messages: Pairs, tools: Any, *, prompted: bool) -> Written | None:
        """Return what the template writes, None where that is to be found out by rendering it.

        Args:
            messages: the messages, each as a template is given it, with the source of its content.
            tools: the tools, None without any.
            prompted: whether a generation prompt is wanted.
        """
        if self.note:
            return None
        if self._replay is not None:
            try:
                if len(messages) <= _FEW:
                    written = self._replay(messages, tools, prompted)
                else:
                    with self._limits.running():
                        written = self._replay(messages, tools, prompted)
            except SlowError:
                self.slow += 1
                return None
            except Exception:  # noqa: S110 - an answer that was not met, or a failure of the template: it is watched
                pass
            except Exceeded:
                return None  # the template itself says what it went beyond
            else:
                self.replayed += 1
                return written
        return self._watch(messages, tools, prompted=prompted)

    def _watch(self, messages: Pairs, tools: Any, *, prompted: bool) -> Written | None:
        if self._leaves > _MOST_LEAVES or self.watched > _MOST_WATCHED + self.replayed:
            self.slow += 1
            return None
        self.watched += 1
        watch = Watch()
        watch.scope.known["v0_0"] = Pairs
        given = {
            "messages": Watched(watch, "v0_0", messages),
            "tools": Watched(watch, "v0_tools", tools, str(_TOOLS), _TOOLS, OURS),
            "add_generation_prompt": Fact(watch, "v0_prompted", prompted),
            "documents": None,
        }
        try:
            with self._limits.running():
                watch_rendering(self._environment, self._template, {**given, **self._variables}, watch)
        except (Exception, Exceeded) as error:
            self.why = str(error)
            if not isinstance(error, Exceeded):  # another row of its kind may well stay within all limits
                self._add(watch.give_up())
            return None
        self._add(watch.end())
        return [text for text, _ in watch.written], [source for _, source in watch.written]

    def _add(self, events: list[Event]) -> None:
        try:
            self._grown |= self._tree.add(events)
        except ContradictionError as error:
            self.note, self._replay = f"it contradicts itself: {error}", None
            return
        # To compile takes as long as to watch a few rows: the more was learnt, the less often.
        self._misses += 1
        if self._grown and self._misses * _PATIENCE >= self._leaves:
            self._grown, self._misses = False, 0
            self._leaves = self._tree.count()
            self._replay = compiled(self._tree)
