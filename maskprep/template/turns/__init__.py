"""The law, turn by turn: prompt, completion, stop token; each proved on a rendering."""
