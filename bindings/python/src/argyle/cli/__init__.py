"""The command-line tool ``argyle``."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Run the tool with the arguments of this process, and end the process with its exit code."""
    try:
        from ._streams import prepare

        prepare()
        # rich is imported late, as only tables and progress bars need it.
        missing = [name for name in ("click", "rich") if find_spec(name) is None]
        if missing:
            print(
                f"argyle: the command-line tool needs {' and '.join(missing)}: pip install 'argyle[cli]'",
                file=sys.stderr,
            )
            sys.exit(1)

        from ._root import argyle

        argyle.main(prog_name="argyle", complete_var="_ARGYLE_COMPLETE")
    except KeyboardInterrupt:
        # While modules are imported.
        sys.exit(130)
    except ImportError as failure:
        from ..errors import LibraryError

        if not isinstance(failure, LibraryError):
            raise
        # While commands are imported, by a Python that cannot use the library at all.
        print(f"argyle: {failure}", file=sys.stderr)
        sys.exit(1)
