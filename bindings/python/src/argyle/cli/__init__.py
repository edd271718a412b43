"""The command-line tool ``argyle``."""

from __future__ import annotations

import io
import os
import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Run the tool with the arguments of this process, and end the process with its exit code."""
    try:
        _fill_standard_descriptors()
        # A terminal may lack characters of the users' metadata.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
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


def _fill_standard_descriptors() -> None:
    """Open the null device in place of closed descriptors: a file or socket there would get what is written to them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
