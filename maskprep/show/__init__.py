"""Reports shown on terminals and pages. Text from data is neutralised here, before it reaches a terminal."""
