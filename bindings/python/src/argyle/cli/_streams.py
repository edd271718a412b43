"""The standard streams, and other descriptors that may be non-blocking."""

from __future__ import annotations

import fcntl
import io
import os
import select
import sys
from typing import Any, Callable, Optional, TextIO


class Descriptor(io.FileIO):
    """A file that blocks even if its descriptor is non-blocking.

    Other programs that share a terminal or pipe may have made it non-blocking: then a read would look like the end of
    the file, and a write would be lost.
    """

    def __init__(self, file: Any, mode: str, name: Optional[str] = None, closefd: bool = True) -> None:
        super().__init__(file, mode, closefd=closefd)
        self._name = name

    def readinto(self, buffer: Any) -> int:
        """Read available data, waiting if there is none."""
        return self._wait(select.POLLIN, super().readinto, buffer)

    def read(self, size: Optional[int] = -1) -> Any:
        """Read through ``readinto``."""
        return io.RawIOBase.read(self, -1 if size is None else size)

    def readall(self) -> Any:
        """Read through ``readinto``."""
        return io.RawIOBase.readall(self)

    def write(self, data: Any) -> int:
        """Write as much as possible, waiting if the descriptor is not writable."""
        return self._wait(select.POLLOUT, super().write, data)

    def _wait(self, event: int, do: Callable[[Any], Optional[int]], data: Any) -> int:
        while True:
            try:
                count = do(data)
            except OSError as failure:
                if self._name is None:
                    raise
                raise OSError(failure.errno, failure.strerror, self._name) from None
            if count is not None:
                return count
            poll = select.poll()
            poll.register(self.fileno(), event)
            poll.poll()


class _Messages(Descriptor):
    """Standard error; errors in writing to it are ignored."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Reopen the standard streams: buffered, because the interpreter's own may lose data, and blocking.

    Closed descriptors are opened as /dev/null, or else a file or socket could get their number and receive the output.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:
            # open returns the lowest free number: this one. Standard output becomes read-only, see is_output_closed.
            os.set_inheritable(os.open(os.devnull, mode), True)
    sys.stdin = _text(sys.stdin, io.BufferedReader(Descriptor(0, "r", "standard input", closefd=False)))
    # The terminal's encoding may lack characters of the metadata.
    output = io.BufferedWriter(Descriptor(1, "w", "standard output", closefd=False))
    sys.stdout = _text(sys.stdout, output, "backslashreplace")
    sys.stderr = _text(
        sys.stderr, io.BufferedWriter(_Messages(2, "w", closefd=False)), "backslashreplace", line_buffered=True
    )


def _text(
    before: Optional[TextIO], file: Any, errors: Optional[str] = None, line_buffered: bool = False
) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        file,
        before.encoding if before is not None else "utf-8",
        errors or (before.errors if before is not None else None),
        line_buffering=line_buffered or file.isatty(),
    )


def is_output_closed() -> bool:
    """Whether standard output is not writable: it was closed, or opened read-only."""
    return fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
