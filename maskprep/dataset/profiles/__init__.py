"""The profiles: what each trainer reads, and its settings. Pure functions between maskprep's rows and a trainer's.

our rows ─▶ split ─▶ what the trainer reads        input_ids, labels … in its columns, types and container
                 └▶ the companion                  row by row, what it cannot carry: spans, origin
both ─▶ restore ─▶ our rows, exactly

Nothing here reads or writes a file, and no trainer is imported.
"""

from collections.abc import Mapping
from types import MappingProxyType

from maskprep.dataset.profiles.axolotl import Axolotl
from maskprep.dataset.profiles.hf import HuggingFace
from maskprep.dataset.profiles.llamafactory import LlamaFactory
from maskprep.dataset.profiles.megatron import Megatron
from maskprep.dataset.profiles.profile import Container, Handover, Profile, RowLayout
from maskprep.dataset.profiles.together import Together
from maskprep.dataset.profiles.trl import Trl

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {profile.name: profile for profile in (HuggingFace(), Trl(), Axolotl(), LlamaFactory(), Megatron(), Together())}
)
"""Every profile, by the name that ``profile`` has in the configuration."""

__all__ = ["PROFILES", "Container", "Handover", "Profile", "RowLayout"]
