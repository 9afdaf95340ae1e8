"""A profile, which serves one trainer, and the facts of a data set that its settings are filled in with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import pyarrow as pa

from maskprep.dataset.profiles.arrays import carried, empty, ours
from maskprep.errors import UsageError
from maskprep.policy import ProfileName

Container = Literal["arrow", "dict", "parquet", "arrays"]
"""``arrow``: a folder that ``load_from_disk`` reads as one data set; ``dict``: one that it reads as a data set of
splits, be it ``train`` alone; ``parquet``: a folder of such files; ``arrays``: one of flat arrays of ids and masks."""


class RowLayout(Protocol):
    """Which columns maskprep's rows have; ``dataset/schema.py`` has the class that stands behind it."""

    @property
    def weighted(self) -> bool:
        """Whether each token has a weight."""

    @property
    def packed(self) -> bool:
        """Whether a row is several documents."""

    @property
    def trees(self) -> bool:
        """Whether a row may be a tree, in which a token sees its own branch alone."""

    @property
    def schema(self) -> Any:
        """The Arrow schema."""


@dataclass(frozen=True, slots=True)
class _BatchLayout:
    """The layout of a record batch, read off its columns."""

    schema: Any

    @property
    def weighted(self) -> bool:
        return "loss_weights" in self.schema.names

    @property
    def packed(self) -> bool:
        return "seq_lengths" in self.schema.names

    @property
    def trees(self) -> bool:
        return "visible_until" in self.schema.names


@dataclass(frozen=True, slots=True)
class Handover:
    """The facts that settings are filled in with. All text is quoted wherever it stands: it may be anything.

    Args:
        folder: the folder of the data set, as it stands in the settings.
        tokenizer: the folder of the tokenizer, as it stands in the settings.
        max_length: tokens of the longest row.
        weighted: whether each token has a weight.
        packed: whether a row is several documents.
        trees: whether a row may be a tree.
        pad_token: what pads, if that was chosen.
        divided: whether there is a validation set beside the training set.
        vocabulary: how many embeddings the model must have, if tokens were added.
        stops: ids at which generation must stop, if the model as it was published does not stop at all of them.
        ends: the tokens with which trained turns end.
        eos_token: what ought to be the tokenizer's eos token, if it is another one.
        model: the model to be trained.
    """

    folder: str
    tokenizer: str
    max_length: int
    weighted: bool = False
    packed: bool = False
    trees: bool = False
    divided: bool = False
    pad_token: str | None = None
    vocabulary: int | None = None
    stops: tuple[int, ...] = ()
    ends: tuple[str, ...] = ()
    eos_token: str | None = None
    model: str = "MODEL"


class Profile(ABC):
    """What one trainer reads, and the settings that it needs.

    ``title`` is what people call it, ``language`` that of its settings. ``one_file``: all rows of a split go into one
    file. ``companion``: something of a row is left over that the trainer cannot have in its way. ``trees``: the trainer
    takes a mask that says which token sees which.
    """

    name: ClassVar[ProfileName]
    title: ClassVar[str]
    container: ClassVar[Container]
    language: ClassVar[Literal["python", "yaml", "bash"]]
    one_file: ClassVar[bool] = False
    companion: ClassVar[bool] = True
    trees: ClassVar[bool] = False

    def refuses(self, layout: RowLayout) -> str | None:
        """Return why rows of this layout cannot be handed over, and what to do instead; None where they can."""
        if layout.trees and not self.trees:
            return (
                f"{self.title} makes its attention mask itself, and has none in which a token sees its own branch of "
                "a tree alone"
            )
        if layout.weighted:
            return (
                f"{self.title} cannot weigh tokens: its loss would be the plain mean. Weights of 0 and 1 alone become "
                "labels and need no column; for others take the profile hf"
            )
        return None

    def split(self, batch: Any) -> tuple[Any, Any | None]:
        """Return the columns of a batch that the trainer reads, and the companion, of as many rows, if there is one.

        Raises:
            UsageError: the profile refuses the layout.
        """
        reason = self.refuses(_BatchLayout(batch.schema))
        if reason is not None:
            raise UsageError(reason)
        return self._main(batch), carried(batch) if self.companion else None

    def schema(self, layout: RowLayout) -> tuple[Any, Any | None]:
        """Return the Arrow schemas of both parts that ``split`` gives, and raise what it raises."""
        main, companion = self.split(empty(layout.schema))
        return main.schema, None if companion is None else companion.schema

    def restore(self, main: Any, companion: Any | None) -> Any:
        """Return the record batch that ``split`` was given; both parts may have been in a file since."""
        if companion is None:
            return main
        packed = pa.types.is_list(companion.schema.field("origin").type)
        return ours(self._tokens(main, packed=packed), companion)

    @property
    def is_loadable(self) -> bool:
        """Whether ``load_from_disk`` reads what is written."""
        return self.container in {"arrow", "dict"}

    @abstractmethod
    def settings(self, handover: Handover) -> str:
        """Return the settings to paste into the trainer's configuration or program, in ASCII."""

    @abstractmethod
    def pitfalls(self, layout: RowLayout) -> Sequence[str]:
        """Return the settings that would change the loss and raise no error, a sentence each."""

    @abstractmethod
    def _main(self, batch: Any) -> Any:
        """Return the columns of a batch that the trainer reads."""

    @abstractmethod
    def _tokens(self, main: Any, *, packed: bool) -> dict[str, Any]:
        """Return maskprep's columns of tokens, by name, from the trainer's; ``packed``: rows are several documents."""
