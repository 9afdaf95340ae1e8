"""The checks of ``maskprep verify``: each looks at a finished data set and returns a ``Result`` of plain facts.

files ─▶ structure ─▶ source ─▶ loss, gradient, model ─▶ padding ─▶ packing ─▶ learning
bytes    columns      rebuilt    one pass of a model      batches    packs      training steps

Only the modules of this folder import torch, and only those from ``runner`` on.
"""
