"""``argyle users export``: all users to a file or pipe."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any, BinaryIO, Optional, Protocol

import click

from ..models import User
from ._context import client, output_path, page_size_option
from ._files import destination
from ._formats import COLUMNS, FORMATS, format_of, pyarrow
from ._output import json_text, print_message, progress


class Writer(Protocol):
    """Writes users in a format."""

    def write(self, users: "list[User]") -> None:
        """Write some users."""

    def finish(self) -> None:
        """Write the end of the file."""

    def abandon(self) -> None:
        """Write nothing more, because the file is incomplete."""


@click.command("export")
@click.option("--format", "chosen", type=click.Choice(FORMATS), help="Default: by FILE's suffix, or else jsonl.")
@click.option("--output", type=output_path, metavar="FILE", help="Default: standard output.")
@page_size_option
def export_users(chosen: Optional[str], output: Optional[Path], page_size: Optional[int]) -> None:
    """Write all users as JSON Lines, CSV or Parquet, oldest first.

    jsonl contains the users as the service sends them. csv and parquet have the columns id, created_at,
    employers_connected, data_providers_connected and external_metadata; in both the metadata is JSON, in csv the lists
    too. `argyle users import` reads all formats. FILE is created or replaced once the export is complete; devices
    and pipes are written as users arrive. If users are deleted meanwhile, the export can miss others.
    """
    if output == Path("-"):
        output = None
    kind = format_of(chosen, output)
    if kind == "parquet":
        pyarrow()
        if output is None and sys.stdout.isatty():
            raise click.UsageError("Parquet cannot be written to a terminal: use --output FILE")
    count = 0
    with client(writes=output is None) as service, destination(output) as file:
        writer = _writers[kind](file)
        try:
            with progress() as bar:
                task = bar.add_task("exporting", total=None, count=0)
                for page in service.users.pages(limit=page_size, ordering="created_at"):
                    writer.write(page.results)
                    count += len(page)
                    bar.update(task, total=page.count, completed=count, count=count)
            writer.finish()
            file.flush()
        except BaseException:
            writer.abandon()
            raise
    print_message(f"{count:,} users written" + ("" if output is None else f" to {output}"))


class _JSONLines(Writer):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, users: "list[User]") -> None:
        self._file.write("".join(json_text(user.raw) + "\n" for user in users).encode())


class _CSV(Writer):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._text = io.StringIO()
        self._rows = csv.writer(self._text, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def write(self, users: "list[User]") -> None:
        for user in users:
            self._rows.writerow([_cell(user.raw, column) for column in COLUMNS])
        self.finish()

    def finish(self) -> None:
        self._file.write(self._text.getvalue().encode("utf-8", "surrogatepass"))
        self._text.seek(0)
        self._text.truncate()


def _cell(user: "dict[str, Any]", column: str) -> str:
    """Return a cell's text; empty if the member is missing."""
    if column not in user:
        return ""
    value = user[column]
    return value if column in ("id", "created_at") and isinstance(value, str) else json_text(value)


class _Sink(io.RawIOBase):
    """The stream for Parquet, which can be abandoned: pyarrow would complete an abandoned file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.is_abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data) if self.is_abandoned else self._file.write(data)


class _Parquet(Writer):
    # Size of a row group, in users and in characters of metadata: not tiny, and small enough for memory.
    _group, _characters = 10_000, 16 << 20

    def __init__(self, file: BinaryIO) -> None:
        arrow = pyarrow()
        import pyarrow.parquet as parquet

        texts = arrow.list_(arrow.string())
        types = [arrow.string(), arrow.timestamp("us", "UTC"), texts, texts, arrow.string()]
        self._schema = arrow.schema(list(zip(COLUMNS, types)))
        self._table = arrow.Table
        self._sink = _Sink(file)
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._begin_group()

    def _begin_group(self) -> None:
        self._columns: "list[list[Any]]" = [[] for _ in COLUMNS]
        self._size = 0

    def write(self, users: "list[User]") -> None:
        for user in users:
            metadata = json_text(user.external_metadata) if "external_metadata" in user.raw else None
            cells = (user.id, user.created_at, user.employers_connected, user.data_providers_connected, metadata)
            for column, cell in zip(self._columns, cells):
                column.append(cell)
            self._size += len(metadata or "")
            if len(self._columns[0]) >= self._group or self._size >= self._characters:
                self._write_group()

    def finish(self) -> None:
        self._write_group()
        self._writer.close()

    def abandon(self) -> None:
        self._sink.is_abandoned = True
        self._writer.is_open = False

    def _write_group(self) -> None:
        self._writer.write_table(self._table.from_pydict(dict(zip(COLUMNS, self._columns)), schema=self._schema))
        self._begin_group()


_writers: "dict[str, Any]" = {"jsonl": _JSONLines, "csv": _CSV, "parquet": _Parquet}
