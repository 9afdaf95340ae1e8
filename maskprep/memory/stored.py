"""A finished build, opened: its rows as examples, its manifest, and what the commands say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from maskprep.conversation import Finding
from maskprep.errors import UsageError
from maskprep.inspect.command import Output
from maskprep.memory.example import Example
from maskprep.progress import Progress
from maskprep.verify.command import VerifyReport, verify
from maskprep.verify.options import VerifyOptions


@dataclass(frozen=True, slots=True)
class StoredBuild:
    """The build in a folder: ``len(build)`` is the number of its sequences, ``build[i]`` is one as an example.

    Packed rows are taken apart: each document is an example. ``path`` is the folder.
    """

    path: str
    _output: Output

    @classmethod
    def open(cls, path: str) -> StoredBuild:
        """Open a build. Raises ``UsageError`` where there is none, ``BuildError`` where it is damaged."""
        return cls(path, Output.open(path))

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self._output.data)

    def __getitem__(self, number: int) -> Example:
        """Return sequence ``number``, from 0; negative ones count from the end. Raises IndexError, BuildError."""
        if isinstance(number, slice):
            raise UsageError("a build is read one sequence at a time", "write [build[i] for i in range(…)]")
        number = self._place(number)
        row, view = self._output.row(number), self._output.view(number)
        findings = tuple(Finding(code, detail) for code, detail in view.findings)
        return Example(number, (row.labelled,), findings, sequence=row.sequence, viewer=self._output.viewer)

    def __iter__(self) -> Iterator[Example]:
        """Yield the sequences, in order."""
        return map(self.__getitem__, range(len(self)))

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the build was made of and by, and its figures."""
        return self._output.data.manifest

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The rows that were rejected, each with file, line, code, message and hint."""
        return list(self._output.data.rejects())

    def origin(self, number: int) -> tuple[str, int, int]:
        """Return the file, the line and the sequence within the row that sequence ``number`` comes from."""
        row = self._output.row(self._place(number))
        return row.where.file, row.where.line, row.sequence

    def _place(self, number: int) -> int:
        if not -len(self) <= number < len(self):
            raise IndexError(f"there is no sequence {number}: the build has {len(self):,}")
        return number % len(self)

    def verify(self, **options: Any) -> VerifyReport:
        """Return the results of ``maskprep verify``; options as there: ``model``, ``device``, ``rows``, ``learn``."""
        known = asdict(VerifyOptions(self.path))
        unknown = sorted(options.keys() - known.keys())
        if unknown:
            raise UsageError(f"verify has no option {', '.join(unknown)}", f"there are: {', '.join(known)}")
        if isinstance(options.get("rows"), int):
            options["rows"] = str(options["rows"])
        return verify(VerifyOptions(self.path, **options), Progress())

    def inspect(self, number: int = 0, *, full: bool = False) -> None:
        """Print sequence ``number`` with its mask in colour."""
        self[number].show(full=full)
