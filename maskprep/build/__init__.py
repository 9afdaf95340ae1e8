"""``maskprep build`` and ``maskprep export``: conversations in, a data set out.

plan ─▶ run_chunks ─▶ worker ─▶ row_writer ─▶ receipt   in as many processes as there are
                          └─ gather ─▶ finish ─▶ commit  counts, ledgers and shards put together, in order
"""
