"""The commands: from a configuration to a report of plain facts. Nothing is printed here."""
