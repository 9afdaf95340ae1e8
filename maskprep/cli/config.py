"""``maskprep config`` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from maskprep.cli import options
from maskprep.cli.paging import show_paged
from maskprep.cli.running import errors_shown, print_json


def config(
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="A key, such as train.turns.")] = None,
    as_json: options.JsonOption = False,  # noqa: FBT002 - typer's way
) -> None:
    """Explain a key of the configuration; without KEY, list all of them."""
    with errors_shown(as_json=as_json):
        from maskprep.config.key_help import key_named, keys  # noqa: PLC0415 - heavy: --help does without
        from maskprep.show.keys import show_key, show_keys  # noqa: PLC0415

        if key is None:
            known = keys()
            if as_json:
                print_json({"keys": [each.facts() for each in known]})
            else:
                show_paged(lambda out: show_keys(out, known))
            return
        found = key_named(key)
        if as_json:
            print_json(found.facts())
        else:
            show_paged(lambda out: show_key(out, found))
