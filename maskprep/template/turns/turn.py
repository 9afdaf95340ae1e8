"""A proved turn: the text that a sequence must begin with to train it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from maskprep.conversation import Finding
from maskprep.policy import Part
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import part_of


class Fit(StrEnum):
    """How a completion was found."""

    PROMPT = "prompt"  # continued(k) starts with prompt(k)
    REWRITTEN = "rewritten"  # earlier messages are rendered otherwise, but the generation prompt stands in its place
    GRAFT = "graft"  # the turn's own text put behind a prompt that does not fit it
    WHITE_SPACE = "white-space"  # the same, where prompt and header differ in white space alone
    TRAIN = "train"  # the turn as rendered, though the prompt does not fit it
    OTHER_ROLE = "spoken"  # another role's own text, which no generation prompt asks for


@dataclass(slots=True)
class Turn:
    """A proved turn: ``text[:start]`` is its context, ``text[start:end]`` its completion, ``text[stop:end]`` its stop.

    ``thought`` is the place in ``text`` of an empty thought that the template wrote, if any. The last ``borrowed_stop``
    characters of ``text`` are a stop token that only the next turn writes. A sequence trains the turn faithfully when
    it starts with ``text[:end]``: the same characters of the same origin.
    """

    message: int
    text: Rendered
    start: int
    stop: int
    end: int
    fit: Fit
    findings: tuple[Finding, ...]
    thought: tuple[int, int] = (0, 0)
    borrowed_stop: int = 0

    @property
    def grafted(self) -> bool:
        """Whether the turn's text was put behind a prompt that the template does not write in front of it."""
        return self.fit in (Fit.GRAFT, Fit.WHITE_SPACE)

    def begins(self, text: Rendered) -> bool:
        """Tell whether ``text`` starts with this turn's context and completion.

        The origins must agree as well: a user can spell what an assistant said.
        """
        return self.end <= len(text) and text.starts_alike(self.text, self.end)

    def parts(self) -> AbstractSet[Part]:
        """Return the parts that the completion consists of."""
        inner = {part_of(source) for source in self.text.sources(self.start, self.stop)}
        return inner | ({Part.STOP} if self.stop < self.end else set())
