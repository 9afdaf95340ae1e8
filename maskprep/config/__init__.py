"""The configuration: everything that a user can ask for, read from defaults, YAML and the command line."""

from maskprep.config.load import load
from maskprep.config.model import Config
from maskprep.config.sections import Source, TokenizerChoice, Train

__all__ = ["Config", "Source", "TokenizerChoice", "Train", "load"]
