"""What builds write, as digests, so that two versions of maskprep can be held against each other.

    python benchmarks/identical.py --data FOLDER --tokenizers DIR [DIR ...] > before.txt
    PYTHONPATH=OTHER_CHECKOUT python benchmarks/identical.py --data FOLDER --tokenizers DIR [DIR ...] > after.txt
    diff before.txt after.txt

Every file of the data folder is built with every tokenizer and under every way of treating history, and once for each
profile, packed where the profile can be. A line is one build: the digest of all files that it wrote. From the manifest
the versions are left out, and of rejects and findings what is said in words. Each build is written to ``out`` in a
temporary folder, since the folder is named in the manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import transformers  # noqa: F401 - loaded once for all builds
from transformers import AutoTokenizer  # noqa: F401

from maskprep.cli import main as main_of_maskprep

_NOW = "2026-01-01T00:00:00+00:00"
_PROFILES = (
    "profile=hf",
    "profile=hf packing.length=2048",
    "profile=trl packing.length=2048",
    "profile=axolotl packing.length=2048",
    "profile=llamafactory packing.length=2048",
    "profile=megatron packing.length=2048",
    "profile=together",
    "max_length=600 overflow=split",
    "max_length=600 overflow=truncate",
    "max_length=600 overflow=drop_turns",
    "shuffle=true split=0.1 duplicates=drop audit=all",
    "control_tokens=escape prompt_mismatch=graft adapt.system=merge adapt.same_role=join",
)


def main() -> None:
    """Print a line for each build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokenizers", type=Path, nargs="+", required=True)
    parser.add_argument("--settings-on", default="tau_airline", help="the data file that all settings are tried on")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, digest in _digests(wanted, folder):
            print(f"{digest}  {name}", flush=True)


def _digests(wanted: argparse.Namespace, folder: str) -> Iterator[tuple[str, str]]:
    for data in sorted(wanted.data.glob("*.json*")):
        for tokenizer in wanted.tokenizers:
            choices = [f"history={history}" for history in ("split", "mask", "rendered")]
            if data.name.startswith(wanted.settings_on):
                choices += _PROFILES
            for settings in choices:
                name = f"{data.name} {tokenizer.name} {settings}"
                yield name, _build(data.resolve(), tokenizer.resolve(), settings.split(), folder)


def _build(data: Path, tokenizer: Path, settings: list[str], folder: str) -> str:
    """Build one data set, in a process of its own that need not load anything, and return the digest of all of it."""
    fixed = ["max_rejects=1", "max_expansion=1000", f"now={_NOW}", *settings]
    given = [argument for setting in fixed for argument in ("--set", setting)]
    said = Path(folder, "said.txt")
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.stdout.flush()
        for stream in (1, 2):
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        command = ["build", str(data), "--tokenizer", str(tokenizer), "--output", "out", "--overwrite", "--json"]
        sys.argv = ["maskprep", *command, *given]
        try:
            main_of_maskprep()
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out = Path(folder, "out")
    digest = hashlib.sha256(f"exit {code}\n".encode())
    if code:
        digest.update(said.read_bytes())
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        content = file.read_bytes()
        if file.name == "manifest.json":
            content = json.dumps(_without_versions(json.loads(content)), sort_keys=True).encode()
        if file.name == "report.html":
            continue  # it shows the manifest, with versions
        if file.suffix == ".jsonl":
            content = b"".join(_without_words(line) for line in content.splitlines())
        digest.update(f"{file.relative_to(out)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:20]


def _without_words(line: bytes) -> bytes:
    """Return a line of a ledger without what is said to people: that may be said otherwise."""
    facts = json.loads(line)
    return json.dumps([facts[key] for key in ("file", "line", "byte", "code")]).encode()


def _without_versions(manifest: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in manifest.items() if key != "versions"}


if __name__ == "__main__":
    main()
