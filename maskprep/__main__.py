"""``python -m maskprep``."""

from maskprep.cli import main

if __name__ == "__main__":
    main()
