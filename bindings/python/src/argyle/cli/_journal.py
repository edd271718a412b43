"""What became of each line of an import, kept in a file so that another run goes on from there."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import click

from .._json import loads

#: Handed over, with no answer yet: after a crash, nobody knows whether the service has created the user.
BEGUN = "begun"
CREATED = "created"
FAILED = "failed"
UNKNOWN = "unknown"


class Journal:
    """A file of JSON Lines: one when a line's user is about to be created, one when that is over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        #: What was told last of each line, with its checksum.
        self.known: "dict[int, tuple[str, int]]" = {}
        self._file = path.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise click.ClickException(f"{path}: another import is using this journal") from None
        self._read()

    def _read(self) -> None:
        begin = b'{"line":'
        size = 0
        with self._path.open("rb") as file:
            for number, text in enumerate(file, 1):
                # The end of a process may have torn the last entry.
                if not text.endswith(b"\n") and begin.startswith(text[: len(begin)]):
                    self._file.truncate(size)
                    break
                try:
                    entry = loads(text)
                    self.known[int(entry["line"])] = (str(entry["state"]), int(entry["checksum"]))
                except (ValueError, TypeError, KeyError):
                    raise click.ClickException(f"{self._path}: line {number} is not of an import's journal") from None
                size += len(text)

    def note(self, line: int, checksum: int, state: str, **more: Any) -> None:
        """Write what became of a line, at once."""
        entry = {"line": line, "checksum": checksum, "state": state, **more}
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def __enter__(self) -> Journal:
        """Give the journal, which the end of the block closes."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the file, which lets another import use it."""
        self._file.close()
