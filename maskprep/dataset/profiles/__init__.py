"""The profiles: what each trainer reads, and its settings. Pure functions between maskprep's rows and a trainer's.

our rows ─▶ split ─▶ what the trainer reads        input_ids, labels … in its columns, types and container
                 └▶ the companion                  row by row, what it cannot carry: spans, origin
both ─▶ restore ─▶ our rows, exactly

Nothing here reads or writes a file, and no trainer is imported. Each profile is a file of its name here, with
``PROFILE`` in it: to add one, write its file, and name it in ``policy.ProfileName``.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from maskprep.dataset.profiles.profile import Container, Handover, Profile, RowLayout
from maskprep.policy import ProfileName


def _profile_of(name: ProfileName) -> Profile:
    found: Profile = import_module(f"{__name__}.{name}").PROFILE
    return found


PROFILES: Mapping[str, Profile] = MappingProxyType({name: _profile_of(name) for name in ProfileName})
"""Every profile, by the name that ``profile`` has in the configuration."""

__all__ = ["PROFILES", "Container", "Handover", "Profile", "RowLayout"]
