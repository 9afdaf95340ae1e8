"""What the shell's Tab offers for the values of options: choices, and the keys of ``--set`` with their choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from maskprep.policy import EngineName, History, Mismatch, ProfileName


def _among(choices: Iterable[str]) -> Callable[[str], list[str]]:
    known = list(choices)

    def complete(incomplete: str) -> list[str]:
        """Return the choices that begin so."""
        return [choice for choice in known if choice.startswith(incomplete)]

    return complete


profile = _among(ProfileName)
history = _among(History)
prompt_mismatch = _among(Mismatch)
engine = _among(EngineName)


def setting(incomplete: str) -> list[str]:
    """Return the keys of the configuration that begin so, each with ``=``; behind that, the choices of the key."""
    from maskprep.config.keys import choices_of, keys  # noqa: PLC0415 - pydantic: --help does without

    key, equals, value = incomplete.partition("=")
    if equals:
        return [f"{key}={choice}" for choice in choices_of(key) if choice.startswith(value)]
    return [f"{name}=" for name in keys() if name.startswith(incomplete)]
