"""What commands write: data to standard output, all else to standard error."""

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

# Control characters, with which a text could steer the terminal, and halves of surrogate pairs, which are no UTF-8.
_unsafe = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def safe(text: str) -> str:
    """Write unsafe characters as JSON does."""
    return _unsafe.sub(lambda character: f"\\u{ord(character[0]):04x}", text)


def json_text(value: Any) -> str:
    """Write a value as one line of JSON."""
    return safe(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def standard_output() -> BinaryIO:
    """Give standard output, for bytes."""
    return sys.stdout.buffer


def flush() -> None:
    """Send off what was written."""
    sys.stdout.flush()


def discard() -> None:
    """Throw away what is written from now on, as nobody takes it: the interpreter would fail once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def is_for_people(as_json: bool) -> bool:
    """Whether data is to be shown rather than written as JSON."""
    return not as_json and sys.stdout.isatty()


def write_json(value: Any) -> None:
    """Write a value as a line of JSON: in UTF-8, but on a terminal in what it can show."""
    is_utf8 = not sys.stdout.isatty() or _is_utf8(sys.stdout.encoding)
    text = json_text(value) if is_utf8 else json.dumps(value, allow_nan=False, separators=(",", ":"))
    standard_output().write(text.encode() + b"\n")


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def write_text(text: str) -> None:
    """Write a line of text."""
    sys.stdout.write(safe(text) + "\n")


def note(message: str) -> None:
    """Tell something in one line on standard error."""
    sys.stderr.write(f"argyle: {safe(' '.join(message.split()))}\n")
    sys.stderr.flush()


def console(to_stderr: bool = False) -> Console:
    """Make a console for tables or progress."""
    from rich.console import Console

    if os.environ.get("NO_COLOR"):
        # rich by itself would leave bold and dim.
        return Console(stderr=to_stderr, markup=False, emoji=False, highlight=False, color_system=None)
    return Console(stderr=to_stderr, markup=False, emoji=False, highlight=False)


def progress(unit: Optional[str] = None) -> Progress:
    """Make a progress bar on standard error, of which nothing is seen where that is no terminal."""
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
