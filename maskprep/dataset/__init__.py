"""Rows on disk: Arrow shards that ``datasets.load_from_disk`` opens, and the manifest that tells what they hold."""
