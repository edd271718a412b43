"""``argyle users export``: all users to a file or pipe."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any, BinaryIO, Optional, Protocol

import click

from .._options import Ordering
from ..models import User
from ._context import api_version, api_version_option, client, output_path, page_size_option
from ._files import destination
from ._formats import (
    FORMATS,
    TEXTS,
    WRITABLE,
    Selection,
    fields_option,
    format_of,
    given,
    pyarrow,
    selection,
)
from ._output import json_text, print_message, progress, safe

_LISTS = ("items_connected", "employers_connected", "data_providers_connected")


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
@fields_option
@page_size_option
@api_version_option
def export_users(
    chosen: Optional[str], output: Optional[Path], fields: Optional[str], page_size: Optional[int]
) -> None:
    """Write all users as JSON Lines, CSV or Parquet.

    With API version 1, users are written oldest first. jsonl contains the users as the service sends them. csv and
    parquet have the columns id, created_at, employers_connected, data_providers_connected and external_metadata; in
    both the metadata is JSON, in csv the lists too.

    With API version 2, users are written in the service's order. The fields first_name, last_name, email, phone_number,
    ssn, address and birth_date are written only if --fields has their names or is "all"; with "all", jsonl contains the
    users as the service sends them. In csv and parquet, address and birth_date are JSON; csv does not
    distinguish an empty text from null.

    `argyle users import` reads all formats. FILE is created or replaced once the export is complete; devices
    and pipes are written as users arrive. If users are deleted meanwhile, the export can miss others.
    """
    selected = selection(fields, api_version())
    if output == Path("-"):
        output = None
    kind = format_of(chosen, output)
    if kind == "parquet":
        pyarrow()
        if output is None and sys.stdout.isatty():
            raise click.UsageError("Parquet cannot be written to a terminal: use --output FILE")
    count = 0
    with client(writes=output is None) as service, destination(output) as file:
        writer = _writers[kind](file, selected)
        try:
            with progress() as bar:
                task = bar.add_task("exporting", total=None, count=0)
                ordering: Optional[Ordering] = "created_at" if api_version() == 1 else None
                for page in service.users.pages(limit=page_size, ordering=ordering):
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
    def __init__(self, file: BinaryIO, selected: Selection) -> None:
        self._file = file
        self._selected = selected

    def write(self, users: "list[User]") -> None:
        self._file.write("".join(json_text(self._selected.document(user)) + "\n" for user in users).encode())


class _CSV(Writer):
    def __init__(self, file: BinaryIO, selected: Selection) -> None:
        self._file = file
        self._columns = selected.columns
        # Texts that users choose, which version 1 lacks, must not control a terminal.
        self._escape = safe if file.isatty() else str
        self._text = io.StringIO()
        self._rows = csv.writer(self._text, lineterminator="\n")
        self._quoted_rows = csv.writer(self._text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._rows.writerow(self._columns)

    def write(self, users: "list[User]") -> None:
        for user in users:
            row = {column: _cell(user.raw, column) or "" for column in self._columns}
            texts = {column: self._escape(row[column]) for column in self._columns if column in TEXTS}
            # Without quotes, a reader may drop blanks around a text, and ends the row at a carriage return.
            is_quoted = any(text != text.strip() or "\r" in text for text in texts.values())
            (self._quoted_rows if is_quoted else self._rows).writerow({**row, **texts}.values())
        self.finish()

    def finish(self) -> None:
        self._file.write(self._text.getvalue().encode("utf-8", "surrogatepass"))
        self._text.seek(0)
        self._text.truncate()


def _cell(user: "dict[str, Any]", column: str) -> Optional[str]:
    """Return a member as text or as JSON; None if it is missing, or a field that is not set."""
    if column not in user or (column in WRITABLE[2] and not given({column: user[column]})):
        return None
    value = user[column]
    if column in TEXTS and isinstance(value, str):
        # UTF-8 cannot encode lone surrogates.
        return value.encode("utf-8", "replace").decode()
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
    # Size of a row group, in users and in characters of text: not tiny, and small enough for memory.
    _group, _characters = 10_000, 16 << 20

    def __init__(self, file: BinaryIO, selected: Selection) -> None:
        arrow = pyarrow()
        import pyarrow.parquet as parquet

        text = arrow.string()
        types = {"created_at": arrow.timestamp("us", "UTC"), **dict.fromkeys(_LISTS, arrow.list_(text))}
        self._names = selected.columns
        self._schema = arrow.schema([(name, types.get(name, text)) for name in self._names])
        self._table = arrow.Table
        self._sink = _Sink(file)
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._begin_group()

    def _begin_group(self) -> None:
        self._columns: "list[list[Any]]" = [[] for _ in self._names]
        self._size = 0

    def write(self, users: "list[User]") -> None:
        for user in users:
            for name, column in zip(self._names, self._columns):
                is_typed = name == "created_at" or name in _LISTS
                cell = getattr(user, name) if is_typed else _cell(user.raw, name)
                column.append(cell)
                self._size += len(cell) if isinstance(cell, str) else 0
            if len(self._columns[0]) >= self._group or self._size >= self._characters:
                self._write_group()

    def finish(self) -> None:
        self._write_group()
        self._writer.close()

    def abandon(self) -> None:
        self._sink.is_abandoned = True
        self._writer.is_open = False

    def _write_group(self) -> None:
        self._writer.write_table(self._table.from_pydict(dict(zip(self._names, self._columns)), schema=self._schema))
        self._begin_group()


_writers: "dict[str, Any]" = {"jsonl": _JSONLines, "csv": _CSV, "parquet": _Parquet}
