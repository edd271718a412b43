"""Output: data to standard output, everything else to standard error."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, Optional

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

# Control characters, which could manipulate the terminal, and surrogates, which UTF-8 cannot encode.
_unsafe = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def safe(text: str) -> str:
    """Escape unsafe characters as in JSON."""
    return _unsafe.sub(lambda character: f"\\u{ord(character[0]):04x}", text)


def json_text(value: Any) -> str:
    """Encode a value as one line of JSON."""
    return safe(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def standard_output() -> BinaryIO:
    """Return standard output as a binary stream."""
    return sys.stdout.buffer


def flush() -> None:
    """Flush standard output."""
    sys.stdout.flush()


def discard_output() -> None:
    """Redirect standard output to /dev/null after an error; otherwise the interpreter's flush at exit would fail."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def is_human_readable(as_json: bool) -> bool:
    """Whether to print data for people rather than as JSON."""
    return not as_json and sys.stdout.isatty()


def write_json(value: Any) -> None:
    """Print a value as a line of JSON: in UTF-8, or in ASCII on a terminal that does not use UTF-8."""
    is_utf8 = not sys.stdout.isatty() or _is_utf8(sys.stdout.encoding)
    text = json_text(value) if is_utf8 else json.dumps(value, allow_nan=False, separators=(",", ":"))
    standard_output().write(text.encode() + b"\n")


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def write_text(text: str) -> None:
    """Print a line of text."""
    sys.stdout.write(safe(text) + "\n")


def print_message(message: str) -> None:
    """Print a message as one line on standard error."""
    sys.stderr.write(f"argyle: {safe(' '.join(message.split()))}\n")
    sys.stderr.flush()


def console(to_stderr: bool = False) -> Console:
    """Create a console for tables or progress."""
    from rich.console import Console

    if os.environ.get("NO_COLOR"):
        # By default, rich would keep bold and dim.
        return Console(stderr=to_stderr, markup=False, emoji=False, highlight=False, color_system=None)
    return Console(stderr=to_stderr, markup=False, emoji=False, highlight=False)


def progress(unit: Optional[str] = None) -> Progress:
    """Create a progress bar on standard error, hidden if that is not a terminal."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = console(to_stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TextColumn("{task.fields[count]:,} " + (unit or "users")),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=screen,
        disable=not screen.is_terminal,
        transient=True,
    )
