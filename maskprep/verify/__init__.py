"""The checks of ``maskprep verify``: each looks at a finished data set and returns a ``Result`` of plain facts.

files ─▶ structure ─▶ source ─▶ loss, gradient, model ─▶ padding ─▶ packing ─▶ tree      ─▶ learning
bytes    columns      rebuilt    one pass of a model      batches    packs      branches     training steps

Only ``with_model.py`` and what it imports need torch: the checks of files, structure and source run without it.
"""
