"""The standard streams, and whatever else may be a descriptor that does not block."""

from __future__ import annotations

import fcntl
import io
import os
import select
import sys
from typing import Any, Callable, Optional, TextIO


class Descriptor(io.FileIO):
    """A descriptor of a file that is waited for where it does not block.

    Other programs may have set it so, for a terminal or pipe that they share: a read would then seem to be at the end,
    and a write be lost.
    """

    def __init__(self, file: Any, mode: str, name: Optional[str] = None, closefd: bool = True) -> None:
        super().__init__(file, mode, closefd=closefd)
        self._name = name

    def readinto(self, buffer: Any) -> int:
        """Read what there is, after waiting for something."""
        return self._wait(select.POLLIN, super().readinto, buffer)

    def read(self, size: Optional[int] = -1) -> Any:
        """Read by way of ``readinto``."""
        return io.RawIOBase.read(self, -1 if size is None else size)

    def readall(self) -> Any:
        """Read by way of ``readinto``."""
        return io.RawIOBase.readall(self)

    def write(self, data: Any) -> int:
        """Write what there is room for, after waiting for some."""
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
    """Standard error: where nobody takes messages, there is nobody to be told."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Open the standard streams anew: buffered, as the interpreter's own may lose what is written, and waited for.

    Closed descriptors are filled, as a file or socket there would get what is written to them.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one. Standard output is only filled: see is_closed.
            os.set_inheritable(os.open(os.devnull, mode), True)
    sys.stdin = _text(sys.stdin, io.BufferedReader(Descriptor(0, "r", "standard input", closefd=False)))
    # A terminal may lack characters of the users' metadata.
    output = io.BufferedWriter(Descriptor(1, "w", "standard output", closefd=False))
    sys.stdout = _text(sys.stdout, output, "backslashreplace")
    sys.stderr = _text(
        sys.stderr, io.BufferedWriter(_Messages(2, "w", closefd=False)), "backslashreplace", is_lines=True
    )


def _text(
    before: Optional[TextIO], file: Any, errors: Optional[str] = None, is_lines: bool = False
) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        file,
        before.encoding if before is not None else "utf-8",
        errors or (before.errors if before is not None else None),
        line_buffering=is_lines or file.isatty(),
    )


def is_closed() -> bool:
    """Whether standard output cannot be written: this process was given none, or one to read."""
    return fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
