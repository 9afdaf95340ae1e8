"""Reports made visible. Whatever comes from data is neutralised here, before it reaches a terminal."""
