"""Text in the forms that it comes in: with a byte order mark or without, and with any ends of lines."""

from __future__ import annotations

import codecs
import io
import json
import select
from collections import deque
from functools import cached_property
from typing import BinaryIO, Deque, Iterator, Optional

_foreign = (
    (b"\x1f\x8b", "compressed with gzip"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet"),
    (b"PAR1", "Parquet"),
)


#: How many bytes tell the encoding.
HEAD = 4


def decoded(data: bytes) -> bytes:
    """Give a JSON text or a token as UTF-8; a ValueError says why that cannot be."""
    encoding = encoding_of(data)
    if encoding in ("utf-8", "utf-8-sig"):
        return data[len(codecs.BOM_UTF8) :] if encoding == "utf-8-sig" else data
    try:
        return data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise ValueError(f"this is not {encoding.upper()}") from None


class Lines(Iterator[bytes]):
    """The lines of a file, in UTF-8 and with their ends; what is no UTF-8 in a file of UTF-8 stays as it is.

    ``head`` are the first bytes, which were read already. A ValueError says why the lines cannot be read.
    """

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._file = file
        self._encoding = encoding_of(head)
        self._errors = "surrogateescape" if self._encoding.startswith("utf-8") else "surrogatepass"
        # It keeps a carriage return until it knows what comes after.
        self._decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder(self._encoding)(self._errors), translate=False
        )
        self._begun: "list[str]" = []
        self._lines: "Deque[bytes]" = deque()
        self._count = 0
        #: What is raised after the last line.
        self._end: Optional[Exception] = None
        self._take(head)

    def __next__(self) -> bytes:
        """Give a line."""
        while not self._lines:
            if self._end is not None:
                raise self._end
            self._read()
        return self._lines.popleft()

    def is_ready(self) -> bool:
        """Whether there is a line already, or the end; what has come in the meantime is read."""
        while not self._lines and self._end is None and self._poll.poll(0):
            self._read()
        return bool(self._lines) or self._end is not None

    @cached_property
    def _poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self._file.fileno(), select.POLLIN)
        return poll

    def _read(self) -> None:
        try:
            self._take(self._file.read1(1 << 16))  # type: ignore[attr-defined]
        except OSError as failure:
            self._end = failure

    def _take(self, data: bytes) -> None:
        """Take bytes; none are the end."""
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            where = f"after line {self._count} " if self._count else ""
            self._end = ValueError(f"{where}this is not {self._encoding.upper()}")
            return
        for line in io.StringIO(text, newline=""):
            self._begun.append(line)
            if line[-1] in "\r\n":
                self._finish_line()
        if not data:
            if self._begun:
                self._finish_line()
            self._end = StopIteration()

    def _finish_line(self) -> None:
        self._lines.append("".join(self._begun).encode("utf-8", self._errors))
        self._begun.clear()
        self._count += 1


def encoding_of(data: bytes) -> str:
    """Find the encoding by the first four bytes: a text begins with an ASCII character."""
    what = next((what for begin, what in _foreign if data.startswith(begin)), None)
    if what is not None:
        raise ValueError(f"this is {what}, not text")
    return json.detect_encoding(data)


def not_json(what: str, failure: ValueError) -> str:
    """Tell why something is not JSON that Python reads."""
    if isinstance(failure, UnicodeDecodeError):
        return f"{what} is not UTF-8"
    if "set_int_max_str_digits" in str(failure):
        return f"{what} has an integer of too many digits"
    return f"{what} is not JSON: {failure}"
