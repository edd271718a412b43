"""The users in a file that is to be imported, one at a time."""

from __future__ import annotations

import csv
import io
import os
import zlib
from typing import Any, BinaryIO, Iterator, NamedTuple, Optional

import click

from .._json import loads
from .._operations import UNSET
from ._formats import pyarrow


class Record(NamedTuple):
    """A user to create."""

    #: The line in the file; for Parquet the row.
    line: int
    #: A checksum of what stands there, to know it again.
    checksum: int
    #: The metadata, or UNSET.
    metadata: Any
    #: What is wrong with it, or None.
    problem: Optional[str]
    #: How much of the total this is.
    size: int


class Records:
    """The records of a file, and how much that is in all, where that is known."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file = file
        self._kind = kind
        self._start = file.tell() if file.seekable() else 0
        self.total: Optional[int] = None
        if kind != "parquet":
            try:
                size = os.fstat(file.fileno()).st_size
            except (OSError, ValueError):
                size = 0
            self.total = size or None
        elif not file.seekable():
            # Parquet begins at its end.
            self.keep()

    def keep(self) -> None:
        """Let what comes through a pipe be read again."""
        if not self._file.seekable():
            self._file = io.BytesIO(self._file.read())

    def __iter__(self) -> Iterator[Record]:
        """Read record by record, from the start on."""
        if self._file.seekable():
            self._file.seek(self._start)
        readers = {"jsonl": self._json_lines, "csv": self._csv, "parquet": self._parquet}
        return readers[self._kind]()

    def _json_lines(self) -> Iterator[Record]:
        for line, text in enumerate(self._file, 1):
            stripped = text.strip()
            if not stripped:
                continue
            metadata: Any = UNSET
            problem = None
            try:
                user = loads(stripped)
                if not isinstance(user, dict):
                    problem = "this is no JSON object"
                else:
                    metadata = user.get("external_metadata", UNSET)
            except ValueError as failure:
                problem = f"this is not JSON: {failure}"
            yield Record(line, zlib.crc32(stripped), metadata, problem, len(text))

    def _csv(self) -> Iterator[Record]:
        read = 0

        def texts() -> Iterator[str]:
            nonlocal read
            for text in self._file:
                read += len(text)
                yield text.decode("utf-8-sig", "surrogateescape")

        # The metadata of a user may be larger than the csv module expects of a cell.
        csv.field_size_limit(2**31 - 1)
        rows = csv.reader(texts())
        header = next(rows, None)
        if header is None:
            return
        if "external_metadata" not in header:
            raise click.UsageError("the CSV has no column external_metadata")
        index = header.index("external_metadata")
        line = rows.line_num + 1
        try:
            for row in rows:
                if row:
                    cell = row[index] if index < len(row) else ""
                    size, read = read, 0
                    yield _of_text(line, cell, size)
                line = rows.line_num + 1
        except csv.Error as failure:
            raise click.ClickException(f"line {line} is not CSV: {failure}") from None

    def _parquet(self) -> Iterator[Record]:
        arrow = pyarrow()
        import pyarrow.parquet as parquet

        try:
            file = parquet.ParquetFile(self._file)
        except (arrow.ArrowException, OSError) as failure:
            raise click.ClickException(f"this is not Parquet: {failure}") from None
        if "external_metadata" not in file.schema_arrow.names:
            raise click.UsageError("the Parquet file has no column external_metadata")
        self.total = file.metadata.num_rows
        row = 0
        for batch in file.iter_batches(1000, columns=["external_metadata"]):
            for cell in batch.column(0).to_pylist():
                row += 1
                if cell is not None and not isinstance(cell, str):
                    raise click.UsageError("the Parquet file's column external_metadata is not text with JSON")
                yield _of_text(row, cell or "", 1)


def _of_text(line: int, text: str, size: int) -> Record:
    """Make a record of a cell: an empty one is a user without metadata."""
    encoded = text.encode("utf-8", "surrogateescape")
    checksum = zlib.crc32(encoded)
    if not text:
        return Record(line, checksum, UNSET, None, size)
    try:
        return Record(line, checksum, loads(encoded), None, size)
    except ValueError as failure:
        return Record(line, checksum, UNSET, f"external_metadata is not JSON: {failure}", size)
