"""The command line as ``python -m argyle``."""

from .cli import main

if __name__ == "__main__":
    main()
