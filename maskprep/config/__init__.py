"""The configuration: what the user asked for."""

from maskprep.config.load import load
from maskprep.config.model import Config
from maskprep.config.sections import Source, TokenizerChoice, Train

__all__ = ["Config", "Source", "TokenizerChoice", "Train", "load"]
