"""Axolotl: a prompt strategy, whose rows are maskprep's; and a plug-in, with which maskprep reads the files, too.

    datasets:
      - path: rows.jsonl
        ds_type: json
        type: maskprep.integrations.axolotl
        input_transform: "{history: split, train: {turns: last}}"

Axolotl drops the keys that it does not know, and goes by those it knows when it looks for rows that it prepared before:
``input_transform`` is one of them that nothing else reads. With the plug-in, settings may stand under ``maskprep``:

    plugins: [maskprep.integrations.axolotl.Plugin]
    datasets:
      - path: rows.jsonl
        type: maskprep.integrations.axolotl
        maskprep: {history: split, train: {turns: last}}

``max_length`` is ``sequence_len`` unless it is set: what is longer is treated by ``overflow``, before Axolotl sees it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from axolotl.integrations.base import BasePlugin
from axolotl.prompt_tokenizers import DatasetWrappingStrategy

from maskprep.api import Masker, build
from maskprep.api import open as open_build
from maskprep.errors import UsageError
from maskprep.integrations.rows import settings_of, taken
from maskprep.sources.files import facts_of
from maskprep.sources.names import find

NAME = "maskprep.integrations.axolotl"
"""What ``type`` says in Axolotl's configuration."""

_KEPT = "input_transform"
_OURS = "maskprep"
_ROWS = 1000  # of a data set that are worth a process


def load(tokenizer: Any, cfg: Any, ds_cfg: Any = None, processor: Any = None) -> Strategy:
    """Return the strategy that Axolotl's loader of prompt strategies asks for.

    Raises:
        UsageError: a setting, the tokenizer or the template cannot be used.
    """
    if processor is not None:
        raise UsageError("maskprep makes rows of text only", "leave out processor_type")
    return Strategy(Masker(tokenizer, **_settings(cfg, ds_cfg or {})))


class Strategy(DatasetWrappingStrategy):  # type: ignore[misc]
    """Makes the data set that Axolotl read one of ``input_ids``, ``attention_mask`` and ``labels``."""

    def __init__(self, masker: Masker) -> None:
        self.masker = masker

    def wrap_dataset(
        self,
        dataset: Any,
        process_count: int | None = None,
        keep_in_memory: bool | None = False,  # noqa: FBT001, FBT002 - Axolotl's
        **kwargs: Any,
    ) -> Any:
        """Return the data set mapped, in at most as many processes as Axolotl says.

        Raises:
            MaskprepError: what ``Masker.map`` raises, and UsageError where Axolotl cannot take such rows.
        """
        del kwargs
        # Axolotl says as many as there are cores; each loads the tokenizer, which few rows do not repay.
        workers = min(process_count or 0, getattr(dataset, "num_rows", 0) // _ROWS)
        data = taken(self.masker.map(dataset, workers=workers, cache=not keep_in_memory), "Axolotl")
        return data.map(_with_mask, batched=True)


class Plugin(BasePlugin):  # type: ignore[misc]
    """Reads the files of the data sets of this type by maskprep, so that all that it reads can be trained on.

    Each becomes a build in a folder within ``dataset_prepared_path`` that goes by its files and its settings. Axolotl
    reads that one then, and packs it, as one that is tokenized.
    """

    def register(self, cfg: Any) -> None:
        """Put the settings where Axolotl keeps them."""
        for each in (*(cfg.get("datasets") or ()), *(cfg.get("test_datasets") or ())):
            if isinstance(each, dict) and each.get("type") == NAME and each.get(_OURS) is not None:
                if each.get(_KEPT):
                    raise UsageError(f"settings under {_OURS} and under {_KEPT}", f"leave out {_KEPT}")
                each[_KEPT] = json.dumps(settings_of(each.pop(_OURS), _OURS), sort_keys=True)

    def load_datasets(self, cfg: Any, preprocess: bool = False) -> None:  # noqa: FBT001, FBT002 - Axolotl's
        """Build what is to be read by maskprep, and let Axolotl go on with the builds.

        Raises:
            MaskprepError: what ``maskprep.build`` raises.
        """
        from axolotl.loaders import load_tokenizer  # noqa: PLC0415 - strategies do without
        from axolotl.utils.data.lock import FileLockLoader  # noqa: PLC0415

        del preprocess
        each = [*(cfg.datasets or ()), *(cfg.test_datasets or ())]
        ours = [one for one in each if one["type"] == NAME]
        if not ours:
            return
        tokenizer = load_tokenizer(cfg)
        loader = FileLockLoader(cfg)
        try:
            folders = loader.load(lambda: [_built(tokenizer, cfg, one) for one in ours])
        finally:
            loader.cleanup()
        for one, folder in zip(ours, folders, strict=True):
            for key in ("ds_type", "data_files", "name", "split", "revision", _KEPT):
                one.pop(key, None)
            one["path"], one["type"] = folder, None


def _built(tokenizer: Any, cfg: Any, ds_cfg: Any) -> str:
    """Return the folder of the build of a data set, made now unless it is there."""
    settings = _settings(cfg, ds_cfg)
    sources = ds_cfg.get("data_files") or ds_cfg["path"]
    sources = [sources] if isinstance(sources, str) else list(sources)
    facts = [[name, facts_of(name)] for source in sources for name in find(source).names]
    known = [Masker(tokenizer, **settings).fingerprint, settings, facts]
    digest = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()[:16]
    prepared = Path(cfg.dataset_prepared_path or "last_run_prepared").resolve()  # as Axolotl calls it
    folder, saved = prepared / f"maskprep-{digest}", prepared / f"maskprep-{digest}-tokenizer"
    try:
        open_build(folder)
    except UsageError:
        tokenizer.save_pretrained(saved)
        build(sources=sources, tokenizer=str(saved), output=folder, profile="axolotl", **settings)
    return str(folder)


def _settings(cfg: Any, ds_cfg: Any) -> dict[str, Any]:
    """Return the settings of a data set: those that are written, and Axolotl's own where there is none."""
    given = ds_cfg.get(_OURS)
    if given is None and ds_cfg.get(_KEPT):
        given = yaml.safe_load(ds_cfg[_KEPT])
    elif given is None and _has_lost(cfg, ds_cfg):
        msg = f"the settings under {_OURS} were dropped by Axolotl, which does not know that key"
        raise UsageError(msg, f"add plugins: [{NAME}.Plugin], or write them as text under {_KEPT}")
    settings = settings_of(given, _OURS)
    if "max_length" not in settings and cfg.get("sequence_len"):
        settings["max_length"] = int(cfg["sequence_len"])
    return settings


def _has_lost(cfg: Any, ds_cfg: Any) -> bool:
    """Tell whether the file of the configuration has settings of ours for this data set."""
    name = cfg.get("axolotl_config_path")
    if not name or not Path(name).is_file():
        return False
    written = yaml.safe_load(Path(name).read_text(encoding="utf-8")) or {}
    sets = [*(written.get("datasets") or ()), *(written.get("test_datasets") or ())]
    return any(one.get("path") == ds_cfg.get("path") and one.get(_OURS) for one in sets if isinstance(one, dict))


def _with_mask(rows: dict[str, Any]) -> dict[str, Any]:
    return {"attention_mask": [[1] * len(ids) for ids in rows["input_ids"]]}
