"""``maskprep judge``: data that another tool tokenized, held against the law and against its source.

rows of any tool ─▶ documents ─▶ matched to source rows ─▶ what each token is ─▶ faults, by kind ─▶ report
                    ids, mask    by their text              by a rendering       counted in tokens
                        └───────── no source ──────────▶ what ids and template alone can say
"""
