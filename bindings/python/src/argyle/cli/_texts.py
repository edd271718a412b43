"""Text input with or without a byte order mark, and with any line endings."""

from __future__ import annotations

import codecs
import io
import json
import re
import select
from collections import deque
from datetime import date
from functools import cached_property
from typing import BinaryIO, Deque, Iterator, Optional

_binary_formats = (
    (b"\x1f\x8b", "compressed with gzip"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet"),
    (b"PAR1", "Parquet"),
)


#: The number of bytes needed to detect the encoding.
HEAD = 4


def to_utf8(data: bytes) -> bytes:
    """Convert JSON or a token to UTF-8; raises ValueError if that is not possible."""
    encoding = encoding_of(data)
    if encoding in ("utf-8", "utf-8-sig"):
        return data[len(codecs.BOM_UTF8) :] if encoding == "utf-8-sig" else data
    try:
        return data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise ValueError(f"this is not {encoding.upper()}") from None


class Lines(Iterator[bytes]):
    """The lines of a file, in UTF-8 and with their line endings; raises ValueError if they cannot be decoded.

    ``head`` is the start of the file, already read. Invalid bytes in a UTF-8 file are kept as they are.
    """

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._file = file
        self._encoding = encoding_of(head)
        self._errors = "surrogateescape" if self._encoding.startswith("utf-8") else "surrogatepass"
        # Holds back a carriage return until the next character is known.
        self._decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder(self._encoding)(self._errors), translate=False
        )
        self._partial_line: "list[str]" = []
        self._lines: "Deque[bytes]" = deque()
        self._count = 0
        #: The exception to raise after the last line.
        self._end: Optional[Exception] = None
        self._feed(head)

    def __next__(self) -> bytes:
        """Return the next line."""
        while not self._lines:
            if self._end is not None:
                raise self._end
            self._read()
        return self._lines.popleft()

    def is_ready(self) -> bool:
        """Whether a line or the end is available without blocking; reads what has arrived."""
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
            self._feed(self._file.read1(1 << 16))  # type: ignore[attr-defined]
        except OSError as failure:
            self._end = failure

    def _feed(self, data: bytes) -> None:
        """Decode data into lines; empty data is the end."""
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            where = f"after line {self._count} " if self._count else ""
            self._end = ValueError(f"{where}this is not {self._encoding.upper()}")
            return
        for line in io.StringIO(text, newline=""):
            self._partial_line.append(line)
            if line[-1] in "\r\n":
                self._finish_line()
        if not data:
            if self._partial_line:
                self._finish_line()
            self._end = StopIteration()

    def _finish_line(self) -> None:
        self._lines.append("".join(self._partial_line).encode("utf-8", self._errors))
        self._partial_line.clear()
        self._count += 1


def encoding_of(data: bytes) -> str:
    """Detect the encoding from the first four bytes, provided that the text starts with an ASCII character."""
    what = next((what for prefix, what in _binary_formats if data.startswith(prefix)), None)
    if what is not None:
        raise ValueError(f"this is {what}, not text")
    return json.detect_encoding(data)


def parse_date(text: str) -> Optional[date]:
    """Parse a date of the form YYYY-MM-DD; returns None if it is not one."""
    # Newer Pythons accept other forms, too.
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def json_problem(what: str, failure: ValueError) -> str:
    """Return a message about invalid JSON."""
    if isinstance(failure, UnicodeDecodeError):
        return f"{what} is not UTF-8"
    if "set_int_max_str_digits" in str(failure):
        return f"{what} has an integer of too many digits"
    return f"{what} is not JSON: {failure}"
