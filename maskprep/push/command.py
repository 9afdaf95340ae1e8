"""``maskprep push``: checks a build, makes its card, and uploads both."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from maskprep.dataset.open_build import damage_told, open_build
from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import BuildError, UsageError, first_line
from maskprep.push.card import card_of
from maskprep.storage.hub_reach import ask_hub, hub_url

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_STALE = ["data-*", "train/*", "validation/*", "maskprep/*"]  # of a build that was there before


class Hub(Protocol):
    """What is asked of the Hub: ``huggingface_hub.HfApi``."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> Any:
        """Create a repository where there is none."""

    def repo_info(self, repo_id: str, *, repo_type: str) -> Any:
        """Return what a repository is: whether it is ``private``."""

    def upload_folder(  # noqa: D102 - the next one says it
        self, *, repo_id: str, repo_type: str, folder_path: str, allow_patterns: list[str], delete_patterns: list[str]
    ) -> Any: ...

    def upload_file(self, *, path_or_fileobj: bytes, path_in_repo: str, repo_id: str, repo_type: str) -> Any:
        """Upload a file."""


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What to push, and where to.

    ``public``: everybody may read it. ``rows``: upload the manifest, rejected rows, findings and the page, too, which
    quote the data and name files of this machine. ``dry_run``: upload nothing.
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
        files = tuple(_files(data, rows=options.rows))
        _refuse_paths(data, options)
    if options.dry_run:
        path = data.root.with_name(f"{data.root.resolve().name}.card.md")
        path.write_text(card, encoding="utf-8")
        return PushReport(options.repo, files, card, str(path))
    hub = hub or _hub(options.repo)
    try:
        hub.create_repo(options.repo, repo_type="dataset", private=not options.public, exist_ok=True)
        _refuse_readers(hub, options)
        hub.upload_folder(
            repo_id=options.repo,
            repo_type="dataset",
            folder_path=str(data.root),
            allow_patterns=list(files),
            delete_patterns=_STALE,
        )
        hub.upload_file(
            path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=options.repo, repo_type="dataset"
        )
    except BuildError:
        raise
    except Exception as error:  # whatever a network and a server can raise
        hint = "log in with `hf auth login`, and see that you may write there; what is uploaded is not sent again"
        raise BuildError(f"the Hub does not take {options.repo}: {first_line(error)}", hint) from error
    return PushReport(options.repo, files, card)


def _files(data: StoredDataSet, *, rows: bool) -> list[str]:
    """Return the files that are uploaded, by their names in the folder: those of the build, and no others."""
    manifest = data.whole
    splits = {str(shard["file"]).rpartition("/")[0] for shard in manifest["shards"]}
    named = [str(shard["file"]) for shard in manifest["shards"]]
    named += [f"tokenizer/{name}" for name in manifest["tokenizer_files"]]
    named += ["dataset_dict.json", *(f"{split}/{name}".lstrip("/") for split in splits for name in _DATASETS)]
    named += [f"maskprep/{name}" for name in _QUOTING] if rows else []
    return sorted(name for name in named if (data.root / name).is_file())


def _refuse_readers(hub: Hub, options: PushOptions) -> None:
    """Refuse a repository that was there before, and that everybody can read."""
    if not options.public and not hub.repo_info(options.repo, repo_type="dataset").private:
        msg = f"{options.repo} is there already, and everybody can read it"
        raise BuildError(msg, "say --public if they may read this, too; or give another name")


def _refuse_paths(data: StoredDataSet, options: PushOptions) -> None:
    """Refuse rows whose ``origin`` tells where files lie on this machine."""
    files = [file for source in data.whole["sources"] for file in source["files"]]
    absolute = next((file for file in files if Path(file).is_absolute()), None)
    if absolute is not None and not options.rows:
        msg = f"the column origin of every row names {absolute!r}, a place on this machine"
        raise UsageError(msg, "build from a relative path (cd there first), or say --rows if everybody may know it")


_DATASETS = ("state.json", "dataset_info.json")
_QUOTING = ("manifest.json", "rejects.jsonl", "findings.jsonl", "dropped.jsonl", "report.html")


def _hub(repo: str) -> Hub:
    if not ask_hub()():
        msg = f"the Hub does not take {repo}: it cannot be reached ({hub_url()})"
        raise BuildError(msg, "connect to the network and try again; --dry-run writes the card without it")
    from huggingface_hub import HfApi  # noqa: PLC0415 - a second to import

    api: Hub = HfApi(library_name="maskprep")
    return api
