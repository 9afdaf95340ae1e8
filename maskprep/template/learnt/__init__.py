"""Chat templates learnt by watching them run, and replayed for other conversations."""
