"""``maskprep push``: checks a build, makes its card, and uploads both."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from maskprep.dataset.open_build import damage_told, open_build
from maskprep.errors import BuildError, UsageError, first_line
from maskprep.push.card import card_of

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PRIVATE = ("maskprep/*.jsonl", "maskprep/report.html")  # they quote rows, and name files of this machine


class Hub(Protocol):
    """What is asked of the Hub: ``huggingface_hub.HfApi``."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> Any:
        """Create a repository where there is none."""

    def upload_folder(self, *, repo_id: str, repo_type: str, folder_path: str, ignore_patterns: list[str]) -> Any:
        """Upload a folder."""

    def upload_file(self, *, path_or_fileobj: bytes, path_in_repo: str, repo_id: str, repo_type: str) -> Any:
        """Upload a file."""


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What to push, and where to.

    ``public``: make a new repository that everybody can read. ``rows``: upload rejected rows, findings and the page,
    too, which quote the data. ``dry_run``: upload nothing.
    """

    path: str
    repo: str
    public: bool = False
    rows: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class PushReport:
    """What was pushed. ``card`` is its text, ``card_file`` where it was written to by a dry run."""

    repo: str
    files: tuple[str, ...]
    card: str
    card_file: str | None = None

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return asdict(self)


def push(options: PushOptions, hub: Hub | None = None) -> PushReport:
    """Upload a build to the Hub as a data set, with a card; a dry run writes the card as ``OUT.card.md`` instead.

    Args:
        options: what, and where to.
        hub: takes it; the Hub itself unless given.

    Raises:
        UsageError: there is no finished build, or the repository has no such name.
        BuildError: the Hub does not take it.
    """
    if not _REPO.fullmatch(options.repo):
        raise UsageError(f"{options.repo!r} is no name of a repository", "give NAMESPACE/NAME, such as me/chats")
    data = open_build(options.path)
    if data.manifest is not data.whole:
        msg = f"{options.path!r} is one split of a data set"
        raise UsageError(msg, f"give the folder of all of it: {str(data.root)!r}")
    with damage_told(data.path):
        card = card_of(data.whole, options.repo)
    ignored = [] if options.rows else list(_PRIVATE)
    files = tuple(_files(data.root, ignored))
    if options.dry_run:
        path = data.root.with_name(f"{data.root.resolve().name}.card.md")
        path.write_text(card, encoding="utf-8")
        return PushReport(options.repo, files, card, str(path))
    hub = hub or _hub()
    try:
        hub.create_repo(options.repo, repo_type="dataset", private=not options.public, exist_ok=True)
        hub.upload_folder(
            repo_id=options.repo, repo_type="dataset", folder_path=str(data.root), ignore_patterns=ignored
        )
        hub.upload_file(
            path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=options.repo, repo_type="dataset"
        )
    except Exception as error:  # whatever a network and a server can raise
        hint = "log in with `hf auth login`, and see that you may write there; what is uploaded is not sent again"
        raise BuildError(f"the Hub does not take {options.repo}: {first_line(error)}", hint) from error
    return PushReport(options.repo, files, card)


def _files(root: Path, ignored: list[str]) -> list[str]:
    """Return the files that are uploaded, by their names in the folder."""
    found = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return [str(path) for path in found if not any(path.match(pattern) for pattern in ignored)]


def _hub() -> Hub:
    from huggingface_hub import HfApi  # noqa: PLC0415 - a second to import

    api: Hub = HfApi(library_name="maskprep")
    return api
