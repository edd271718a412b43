"""Reading the users to import from a file, one at a time."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import re
import zlib
from datetime import date
from typing import Any, BinaryIO, Iterator, NamedTuple, Optional

import click

from .._json import loads
from ._formats import TEXTS, given, pyarrow
from ._texts import HEAD, Lines, encoding_of, json_problem, parse_date


class Record(NamedTuple):
    """A user to create."""

    #: The line number, or for Parquet the row number.
    line: int
    #: The record's index, from 1. Unlike its line, it stays the same when an earlier record is corrected.
    number: int
    #: A checksum of the content, to detect changes.
    checksum: int
    #: The user's fields.
    fields: "dict[str, Any]"
    #: Why the record is invalid, or None.
    problem: Optional[str]
    #: The record's share of ``Records.total``.
    size: int


class Records:
    """The records of a file, with their total size if known: in bytes, or for Parquet in rows."""

    def __init__(self, file: BinaryIO, kind: str, name: str, fields: "tuple[str, ...]") -> None:
        self._file = file
        #: The names of the fields to read; others are ignored.
        self._fields = fields
        #: The file's name in messages.
        self.name = name
        self._kind = kind
        self._start = file.tell() if file.seekable() else 0
        self.total: Optional[int] = None
        self._lines: Optional[Lines] = None
        #: The first bytes of a text, which are enough to detect its encoding.
        self._head = b""
        if kind != "parquet":
            self._head = file.read(HEAD) if file.seekable() else self._read_head()
            with self._reading():
                encoding_of(self._head)
            try:
                size = os.fstat(file.fileno()).st_size
            except (OSError, ValueError):
                size = 0
            self.total = size or None
        elif not file.seekable():
            # Parquet is read from its end.
            self.buffer_pipe()

    def _read_head(self) -> bytes:
        """Read enough of a pipe to detect the encoding, leaving nothing in the file's buffer, which poll cannot see."""
        head = b""
        while len(head) < HEAD:
            data = self._file.read1(1 << 16)  # type: ignore[attr-defined]
            head += data
            # A short line may be all that is available for now.
            if not data or (head.endswith(b"\n") and head.isascii() and b"\0" not in head):
                break
        return head

    def buffer_pipe(self) -> None:
        """Buffer the content of a pipe, so that it can be read again."""
        if not self._file.seekable():
            self._file, self._start = io.BytesIO(self._head + self._file.read()), 0

    @property
    def descriptor(self) -> int:
        """The descriptor that is readable when there is more input."""
        return self._file.fileno()

    def is_ready(self) -> bool:
        """Whether the next step's first line is available without blocking."""
        return self._file.seekable() or self._lines is None or self._lines.is_ready()

    def __iter__(self) -> Iterator[Record]:
        """Read the records, from the start."""
        return (record for record in self.steps() if record is not None)

    def steps(self) -> "Iterator[Optional[Record]]":
        """Read the records, from the start, with None for an empty line."""
        if self._file.seekable():
            self._file.seek(self._start + len(self._head))
        readers = {"jsonl": self._json_lines, "csv": self._csv, "parquet": self._parquet}
        return readers[self._kind]()

    def _json_lines(self) -> "Iterator[Optional[Record]]":
        number = 0
        for line, text in enumerate(self._texts(), 1):
            stripped = text.strip()
            if not stripped:
                yield None
                continue
            number += 1
            fields: "dict[str, Any]" = {}
            problem = None
            try:
                user = loads(stripped)
                if not isinstance(user, dict):
                    problem = "this is not a JSON object"
                else:
                    fields = given({name: user[name] for name in self._fields if name in user})
            except ValueError as failure:
                problem = json_problem("this", failure)
            yield Record(line, number, zlib.crc32(stripped), fields, problem, len(text))

    def _texts(self) -> Iterator[bytes]:
        with self._reading():
            self._lines = Lines(self._head, self._file)
            yield from self._lines

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except ValueError as failure:
            raise click.ClickException(f"{self.name}: {failure}") from None
        except OSError as failure:
            raise click.ClickException(f"{self.name}: {failure.strerror}") from None

    def _csv(self) -> "Iterator[Optional[Record]]":
        read = 0

        def texts(first: bytes, rest: Iterator[bytes]) -> Iterator[str]:
            nonlocal read
            for text in itertools.chain([first], rest):
                read += len(text)
                yield text.decode("utf-8", "surrogateescape")

        # A user's metadata may exceed the csv module's default limit.
        csv.field_size_limit(2**31 - 1)
        source = self._texts()
        declared = None
        skipped = 0
        for first in source:
            # A line in which Excel declares the delimiter.
            declared = declared or re.match(rb'"?sep=([^"\r\n])"?[\r\n]*$', first)
            blanks = b' \t,;"\r\n' + (declared[1] if declared else b"")
            is_empty = not first.strip(blanks) and first.count(b'"') % 2 == 0
            if not is_empty and (declared is None or declared.string is not first):
                break
            skipped += 1
        else:
            return
        # Spreadsheets use semicolons or tabs in locales with a decimal comma.
        names = "|".join(self._fields).encode()
        match = declared or re.search(rb'([,;\t]) *"?(?:%b)\b|\b(?:%b)"? *([,;\t])' % (names, names), first)
        delimiter = b"," if match is None else match[1] or match[2]
        rows = csv.reader(texts(first, source), delimiter=delimiter.decode("latin-1"), skipinitialspace=True)
        line = 1
        try:
            header = [name.strip() for name in next(rows, [])]
            columns = [(name, header.index(name)) for name in self._columns("the CSV", header)]
            line = rows.line_num + skipped + 1
            number = 0
            for row in rows:
                if row:
                    number += 1
                    cells = {name: row[index] for name, index in columns if index < len(row) and row[index]}
                    size, read = read, 0
                    yield _record_from_cells(line, number, cells, size)
                else:
                    yield None
                line = rows.line_num + skipped + 1
        except csv.Error as failure:
            raise click.ClickException(f"{self.name}: line {line} is not CSV: {failure}") from None

    def _columns(self, what: str, names: "list[str]") -> "list[str]":
        """Return the columns to read, in a fixed order, on which checksums depend."""
        columns = [name for name in self._fields if name in names]
        if not columns:
            raise click.UsageError(f"{what} has no column {' or '.join(self._fields)}")
        return columns

    def _parquet(self) -> "Iterator[Optional[Record]]":
        arrow = pyarrow()
        import pyarrow.parquet as parquet

        try:
            file = parquet.ParquetFile(self._file)
            columns = self._columns("the Parquet file", file.schema_arrow.names)
            self.total = file.metadata.num_rows
            row = 0
            for batch in file.iter_batches(1000, columns=columns):
                # The first of several columns with the same name.
                indices = [batch.schema.names.index(name) for name in columns]
                for values in zip(*(batch.column(index).to_pylist() for index in indices)):
                    row += 1
                    cells = {name: value for name, value in zip(columns, values) if value is not None}
                    for name, cell in cells.items():
                        if not isinstance(cell, str):
                            what = "text" if name in TEXTS else "text with JSON"
                            raise click.UsageError(f"the Parquet file's column {name} is not {what}")
                    yield _record_from_cells(row, row, cells, 1)
        except (arrow.ArrowException, OSError) as failure:
            raise click.ClickException(f"{self.name}: not a Parquet file, or damaged: {failure}") from None


class _DateError(ValueError):
    """A cell is not a date. The reason why it is not JSON would not help."""


def _birth_date(text: str) -> Any:
    """Parse a date, which may be JSON."""
    found: Any = parse_date(text.strip())
    with contextlib.suppress(ValueError):
        found = found or loads(text)
    if not isinstance(found, (date, dict)):
        raise _DateError("birth_date must be YYYY-MM-DD or a JSON object")
    return found


def _record_from_cells(line: int, number: int, cells: "dict[str, str]", size: int) -> Record:
    """Create a record from the cells of a row that are set; an empty cell of JSON is not."""
    checksum = 0
    fields: "dict[str, Any]" = {}
    problem = None
    for name, text in cells.items():
        if not text and name not in TEXTS:
            continue
        encoded = text.encode("utf-8", "surrogateescape")
        # Without the name of the metadata, as in journals of older releases.
        checksum = zlib.crc32(encoded, checksum if name == "external_metadata" else zlib.crc32(name.encode(), checksum))
        try:
            if name == "birth_date":
                fields[name] = _birth_date(text)
            else:
                fields[name] = encoded.decode() if name in TEXTS else loads(encoded)
        except _DateError as failure:
            problem = problem or str(failure)
        except ValueError as failure:
            problem = problem or json_problem(name, failure)
    return Record(line, number, checksum, given(fields), problem, size)
