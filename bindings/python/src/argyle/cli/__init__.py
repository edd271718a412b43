"""The command line ``argyle``."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Run the command line with the process's arguments, and exit."""
    try:
        from ._streams import prepare

        prepare()
        # Checked now, as rich is imported only for tables and progress bars.
        missing = [name for name in ("click", "rich") if find_spec(name) is None]
        if missing:
            print(
                f"argyle: the command line requires {' and '.join(missing)}: pip install 'argyle[cli]'",
                file=sys.stderr,
            )
            sys.exit(1)

        from ._root import argyle

        argyle.main(prog_name="argyle", complete_var="_ARGYLE_COMPLETE")
    except KeyboardInterrupt:
        # Raised by an import.
        sys.exit(130)
    except ImportError as failure:
        from ..errors import LibraryError

        if not isinstance(failure, LibraryError):
            raise
        # Raised by an import, if this interpreter cannot use the library at all.
        print(f"argyle: {failure}", file=sys.stderr)
        sys.exit(1)
