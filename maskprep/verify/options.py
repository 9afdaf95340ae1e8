"""The options of ``maskprep verify``, and the progress that it reports."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from maskprep.errors import UsageError
from maskprep.storage.hub_reach import hub_url, is_out_of_reach

ROWS = 200
"""How many rows are rebuilt from their source and run through the model, unless another number is asked for."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The options of a verification. ``rows``: a number, ``all``, None for the default; ``learn``: training steps.

    ``server`` is the URL of an inference server that is asked what it feeds its model, ``served_model`` the name under
    which it knows that model.
    """

    path: str
    model: str | None = None
    device: str = "auto"
    rows: str | None = None
    learn: int = 0
    seed: int = 0
    server: str | None = None
    served_model: str | None = None

    def check(self) -> None:
        """Raise ``UsageError`` where an option cannot be understood, or torch is not installed."""
        if self.rows not in {None, "all"} and not (str(self.rows).isdecimal() and int(str(self.rows))):
            raise UsageError(f"--rows {self.rows}: must be a number of rows, or all", "for example --rows 50")
        if self.served_model is not None and self.server is None:
            msg = f"--served-model {self.served_model}: means nothing without --server"
            raise UsageError(msg, "give --server URL, too")
        if self.learn < 0:
            raise UsageError(f"--learn {self.learn}: must be 0 or a number of training steps", "for example --learn 50")
        if find_spec("torch") is None:
            raise UsageError("verify needs torch, which is not installed", "pip install 'maskprep[verify]'")
        if self.model is not None and self.model.endswith(".gguf"):
            if not Path(self.model).is_file():
                raise UsageError(
                    f"--model {self.model}: there is no such file", "give a GGUF file, a folder or a hub id"
                )
            if find_spec("gguf") is None:
                msg = f"--model {self.model}: a GGUF file is read with the package gguf, which is not installed"
                raise UsageError(msg, "pip install 'maskprep[gguf]'")
        elif self.model is not None and is_out_of_reach(self.model):
            reason = f"there is no such folder, and the Hub cannot be reached ({hub_url()})"
            hint = "give a folder with config.json and safetensors, a GGUF file, or a hub id"
            raise UsageError(f"no model can be loaded from {self.model!r}: {reason}", hint)

    @property
    def wanted(self) -> int | None:
        """How many rows to sample, None for all."""
        return None if self.rows == "all" else int(self.rows or ROWS)
