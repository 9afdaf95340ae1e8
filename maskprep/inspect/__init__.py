"""``maskprep inspect``: rows of a build, or of a source as a build would make them, as plain facts."""
