"""maskprep: conversations in, token ids and proved loss masks out.

JSONL ─▶ formats ─▶ template ─▶ sequences ─▶ labels ─▶ shards
         normalise   render,      encode,      -100 or   Arrow, manifest,
                     prove turns  prove ids    the id    rejects

What ``maskprep build`` does, and where to read it; ``build/command.py`` calls the rest:

    chunks of the sources     sources/feed.py, chunk.py       planned by the driver, read by the workers
    ├ worker processes        engines/drive.py                each runs build/worker.py on one chunk after another
    │ ├ line to conversation  formats/reading.py              one file a format, one table: formats/registry.py
    │ ├ rendering             template/learnt/program.py      replayed as it was learnt, else run: chat_template.py
    │ ├ prompt, completion    template/turns/regular.py       at a glance, else proved step by step: finder.py
    │ ├ sequences, ids        examples/batch.py               together, else one by one: examples/sequences.py
    │ ├ labels, spans         examples/labels.py
    │ └ rows of the chunk     build/row_writer.py             a row that cannot be proved is a reject, with its reason
    ├ order, packs, shards    dataset/arrange.py, packing/    as the trainer reads them: dataset/profiles/
    └ commit                  dataset/output.py               the last file to come makes the folder a data set

The other commands are ``inspect/``, ``probe/`` and ``verify/``; ``cli/`` parses their options, ``show/`` prints their
reports, and ``collate/`` makes batches for training code.
"""

__version__ = "0.1.0"
