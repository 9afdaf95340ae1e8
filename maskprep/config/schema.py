"""The JSON schema of configuration files, for editors; ``python -m maskprep.config.schema`` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maskprep.config.meanings import MEANINGS
from maskprep.config.model import Config
from maskprep.config.sections import SECTIONS
from maskprep.policy import TRAINABLE

FILE = Path(__file__).with_name("schema.json")
"""The schema as it is installed."""


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file: a part of the keys is enough, the command line gives the rest."""
    made = Config.model_json_schema()
    made.pop("required", None)
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"], made["description"] = "maskprep", "the configuration of a build: `maskprep config` explains each key"
    named = made["$defs"]
    _tell(made["properties"], "")
    for name, section in SECTIONS.items():
        own = named[section.__name__]
        own.pop("description", None)
        _tell(own["properties"], f"{name}.")
    named["Train"]["properties"]["parts"]["items"] = {"enum": list(TRAINABLE)}
    text = {"type": "string", "minLength": 1}
    source = {"anyOf": [text, {"$ref": "#/$defs/Source"}]}
    sources, tokenizer = made["properties"]["sources"], made["properties"]["tokenizer"]
    for key in ("type", "items", "minItems", "$ref"):
        sources.pop(key, None)
        tokenizer.pop(key, None)
    sources["anyOf"] = [*source["anyOf"], {"type": "array", "items": source, "minItems": 1}]
    tokenizer["anyOf"] = [text, {"$ref": "#/$defs/TokenizerChoice"}]
    # A mapping in a file adds to what the command line gives: none of its keys must stand there.
    named["TokenizerChoice"].pop("required", None)
    return made


def _tell(properties: dict[str, Any], prefix: str) -> None:
    """Add to each key what it means, and an example."""
    for name, told in properties.items():
        told["description"], example = MEANINGS[prefix + name]
        told["examples"] = [example]
        told.pop("title", None)


def dumped() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(dumped(), encoding="utf-8")
