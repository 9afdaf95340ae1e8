"""maskprep: conversations in, token ids and proved loss masks out.

JSONL ─▶ formats ─▶ template ─▶ sequences ─▶ labels ─▶ shards
         normalise   render,      encode,      -100 or   Arrow, manifest,
                     prove turns  prove ids    the id    rejects
"""

__version__ = "0.1.0"
