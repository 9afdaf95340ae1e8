"""From text to token ids, and from token ids to the bytes that each of them spells."""
