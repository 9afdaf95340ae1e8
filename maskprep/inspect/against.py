"""What ``--compare`` names, opened and compared: another build, or other settings for the same source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maskprep.config import load
from maskprep.dataset.open_build import is_output
from maskprep.errors import UsageError
from maskprep.examples.inputs import Inputs, look_at
from maskprep.inspect.compare import MaskComparison, compare, prepared, stored
from maskprep.inspect.output import Output
from maskprep.inspect.tokens import LoadedTokens
from maskprep.inspect.views import Viewer


def check_other(other: str) -> None:
    """Refuse what is neither a build nor a file of settings, before anything else is read. Raises ``UsageError``."""
    if is_output(other) or Path(other).is_file():
        return
    wanted = "give the folder of a finished build, or a YAML file with the settings to compare with"
    if Path(other).is_dir():
        raise UsageError(f"--compare {other}: the folder holds no build", wanted)
    raise UsageError(f"--compare {other}: there is no such build, and no such configuration file", wanted)


def build_against(path: str, other: str, limit: int) -> MaskComparison:
    """Compare a build with another one, or with what its source becomes under other settings.

    Raises:
        UsageError: one of the two cannot be read.
        BuildError: a build is damaged.
    """
    output = Output.open(path)
    second = stored(Output.open(other)) if is_output(other) else prepared(_with_settings(other, output.config))
    return compare((path, stored(output)), (other, second), output.viewer, limit)


def source_against(names: Sequence[str], inputs: Inputs, other: str, limit: int) -> MaskComparison:
    """Compare what a source becomes with a build of it, or with what it becomes under other settings."""
    viewer = Viewer(LoadedTokens(inputs.loaded, inputs.preparer.encoder))
    # One time for both: a template that asks for the time must not differ by that alone.
    base = {**inputs.config.model_dump(mode="json"), "now": inputs.now.isoformat()}
    second = stored(Output.open(other)) if is_output(other) else prepared(_with_settings(other, base))
    return compare((", ".join(names), prepared(inputs)), (other, second), viewer, limit)


def _with_settings(file: str, base: dict[str, object]) -> Inputs:
    theirs = load(file, {}, base=base)
    if any(source.path == "-" for source in theirs.sources):
        raise UsageError("the source was standard input, which is gone", "compare with another build")
    return look_at(theirs)
