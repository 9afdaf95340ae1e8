"""From finished chunks to a data set: counts and ledgers put together, shards in their order, manifest, commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from maskprep.build.commit import BuildReport, PageWriter, commit
from maskprep.build.destination import Destination
from maskprep.build.gather import gather, note_repeats, write_ledger
from maskprep.build.manifest import manifest_of, sources_from
from maskprep.build.plan import LARGEST
from maskprep.build.resume import Listing
from maskprep.build.row_writer import Choice, Tallies
from maskprep.build.unused import refuse_unused
from maskprep.build.work_folder import WorkFolder
from maskprep.dataset.arrange import Staged, arrange_all, in_split, layout_before, layout_of
from maskprep.dataset.files import Receipt, write_empty
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.schema import Layout
from maskprep.errors import RejectedError
from maskprep.examples.inputs import Inputs
from maskprep.examples.tally import Tally
from maskprep.inspect.tokens import LoadedTokens, tokens_of_build
from maskprep.inspect.views import Viewer
from maskprep.plural import count
from maskprep.policy import Duplicates
from maskprep.storage.ahead import several


def close(inputs: Inputs, goal: Destination, listing: Listing, target: int, write_page: PageWriter) -> BuildReport:
    """Make a data set of finished chunks.

    Args:
        inputs: what it was made of.
        goal: where it goes, and where the chunks are.
        listing: tells of them.
        target: their size, in bytes of the sources.
        write_page: writes the report.

    Raises:
        RejectedError: there is no row, or too many were rejected: it must not be committed.
        UsageError: an entry of ``columns`` or ``roles`` did nothing.
    """
    config, output, place = inputs.config, goal.output, goal.place
    tallies = Tallies(splits={split: Tally() for split in output.splits if split})
    found = gather(place, listing.count, tallies, output.splits)
    drop = config.duplicates == Duplicates.DROP
    repeats = [] if drop else note_repeats(place, found, Choice(config.split, config.seed, output.splits[0]))
    with output.rejects.open("wb") as file:
        write_ledger(place, found, "rejects", file)
    _refuse_failures(inputs, goal, tallies.whole)
    refuse_unused(inputs, found.keys)
    with output.findings.open("wb") as file:
        write_ledger(place, found, "findings", file, repeats)
    if drop or tallies.whole.dropped:
        with output.dropped.open("wb") as file:
            write_ledger(place, found, "dropped", file)
    # A shard a chunk, as it lies there, where that makes shards of the usual size in the order that was asked for.
    plain = not (config.shuffle or config.packing or found.weighted) and output.profile.name == "hf"
    if plain and (listing.count == 1 or target == LARGEST):
        layout = layout_before(config)
        receipts = _adopted(found.shards, output, place, layout)
    else:
        receipts, layout = _arranged(found.shards, inputs, output, place)
    tokenizer = inputs.loaded.tokenizer
    if config.chat_template is not None:
        tokenizer.chat_template = inputs.preparer.templates[False].source
    tokenizer.save_pretrained(output.tokenizer)
    described = {
        **manifest_of(inputs, tallies, listing.files, found),
        "sources_from": sources_from(goal.name, inputs.sources),
    }
    loaded = partial(LoadedTokens, inputs.loaded, inputs.preparer.encoder)
    viewer = Viewer(tokens_of_build(output.tokenizer, loaded))  # which need not encode the rows of the page again
    return commit(output, config, described, receipts, layout, viewer, write_page, goal.name)


def _adopted(
    shards: Mapping[str, Sequence[Receipt]], output: OutputFolder, place: WorkFolder, layout: Layout
) -> list[Receipt]:
    """Take the shards of the chunks as those of the data set."""
    receipts = []
    for split, own in shards.items():
        if not own:
            receipts += in_split([write_empty(output.shards(split), layout)], split)
        named = [
            replace(receipt, file=f"data-{number:05d}-of-{len(own):05d}.arrow") for number, receipt in enumerate(own)
        ]
        final = in_split(named, split)
        for _ in several(lambda pair: place.adopt(pair[0].file, pair[1].file), zip(own, final, strict=True)):
            pass
        receipts += final
    return receipts


def _arranged(
    shards: Mapping[str, Sequence[Receipt]], inputs: Inputs, output: OutputFolder, place: WorkFolder
) -> tuple[list[Receipt], Layout]:
    """Give the rows of all splits the order, the packs and the form that were asked for."""
    waiting = {split: Staged.mapped([place.local(receipt.file) for receipt in own]) for split, own in shards.items()}
    layout = layout_of(waiting.values(), inputs.config)
    orders = {split: np.arange(len(rows)) for split, rows in waiting.items()}
    return arrange_all(waiting, layout, output, inputs.config, orders), layout


def _refuse_failures(inputs: Inputs, goal: Destination, tally: Tally) -> None:
    """Refuse to commit what no one wants."""
    facts = {**tally.facts(), "rejects_file": f"{goal.name}/maskprep/rejects.jsonl"}
    if not tally.rows:
        raise RejectedError(f"there is no row in {', '.join(inputs.sources)}", "give files with one JSON object a line")
    if not tally.used and not tally.rejected:
        raise RejectedError(
            f"all {count(tally.rows, 'row')} were dropped: nothing is left", "see `dropped` in --json", facts
        )
    limit = inputs.config.max_rejects
    if tally.reject_fraction > limit:
        tried = tally.used + tally.rejected
        share = f"{tally.rejected:,} of {count(tried, 'row')} ({tally.reject_fraction:.1%})"
        more = f"{'was' if tried == 1 else 'were'} rejected, more than max_rejects {limit:.1%}"
        way_out = tally.way_out("mend the rows or the configuration, or raise --max-rejects")
        raise RejectedError(f"{share} {more}: nothing was committed", way_out, facts)
