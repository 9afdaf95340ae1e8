"""maskprep inside other packages: each module here needs the package that it is named after, and is imported by it."""
