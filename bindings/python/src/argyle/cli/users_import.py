"""``argyle users import``: users from a file, many at a time."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Iterator, Optional, Union

import click

from .. import errors
from ..models import NewUser
from ._context import client, json_option, standard_input
from ._create import create_all
from ._formats import FORMATS, format_of
from ._journal import BEGUN, CREATED, FAILED, UNKNOWN, Journal
from ._output import discard, flush, is_for_people, json_text, note, progress, write_json
from ._records import Record, Records

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# How many kinds of failures are told on standard error; --failures takes all.
_TOLD = 100

_path = click.Path(path_type=Path)
_standard_input = Path("-")


@click.command("import")
@click.argument("path", metavar="FILE|-", type=_path)
@click.option(
    "--format", "chosen", type=click.Choice(FORMATS), help="By default what FILE's name ends with says, or else jsonl."
)
@click.option(
    "--in-flight", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many creations at a time."
)
@click.option("--journal", metavar="FILE", type=_path, help="Default: FILE.done; none for what is no regular file.")
@click.option("--failures", metavar="FILE", type=_path, help="Write each failure as a line of JSON.")
@click.option("--retry-unknown", is_flag=True, help="Create again what may have been created already.")
@json_option
@click.pass_context
def import_users(
    context: click.Context,
    path: Path,
    chosen: Optional[str],
    in_flight: int,
    journal: Optional[Path],
    failures: Optional[Path],
    retry_unknown: bool,
    as_json: bool,
) -> None:
    """Create a user for each line of FILE, with the line's external_metadata.

    A line is a JSON object; of its members external_metadata is used, where there is one, and all others are ignored.
    So whatever `argyle users export` writes can be imported: CSV and Parquet, too, have a column external_metadata with
    JSON, or nothing.

    What became of each line goes to the journal at once. Another run skips the lines that are created, tries again
    those that failed, and reports those of which nobody knows whether the service created a user: after a lost
    connection or an end in the middle. These are tried again with --retry-unknown only.

    In a pipe, or with --json, the line and the id of each created user are written as JSON.
    """
    with contextlib.ExitStack() as stack:
        source = _open(stack, path)
        records = Records(source, format_of(chosen, path))
        service = stack.enter_context(client())
        # A pipe has no name that would stand for the same lines another time.
        if journal is None and path.is_file():
            journal = path.with_name(path.name + ".done")
        _check_distinct(path, journal, failures)
        kept = stack.enter_context(Journal(journal)) if journal is not None else None
        failed = stack.enter_context(failures.open("wb")) if failures is not None else None
        run = _Import(records, kept, failed, retry_unknown, not is_for_people(as_json))
        run.patience = max(in_flight, 20)
        try:
            with progress("created") as bar:
                run.bar = bar
                run.task = bar.add_task("importing", total=records.total, count=0)
                with contextlib.closing(create_all(service, run.wanted(), in_flight)) as results:
                    for record, result in results:
                        run.take(record, result)
        finally:
            run.abandon()
            run.report()
    context.exit(run.exit_code)


def _check_distinct(*paths: Optional[Path]) -> None:
    """Refuse to write into the file that is read, or twice into one."""
    files = [path.resolve() for path in paths if path is not None and path != _standard_input]
    same = len(set(files)) < len(files)
    if same or any(a.exists() and b.exists() and a.samefile(b) for a, b in itertools.combinations(files, 2)):
        raise click.UsageError("FILE, the journal and the file of failures must be different files.")


def _open(stack: contextlib.ExitStack, path: Path) -> BinaryIO:
    if path != _standard_input:
        return stack.enter_context(path.open("rb"))
    return standard_input()


class _Import:
    """One run of an import."""

    def __init__(
        self,
        records: Records,
        journal: Optional[Journal],
        failures: Optional[BinaryIO],
        retry_unknown: bool,
        writes_json: bool,
    ) -> None:
        self._records = records
        self._journal = journal
        self._failures = failures
        self._retries_unknown = retry_unknown
        self._writes_json = writes_json
        self.bar: Optional[Progress] = None
        self.task: Optional[TaskID] = None
        self._under_way: "dict[int, Record]" = {}
        self._created = 0
        self._skipped = 0
        self._failed = 0
        self._unknown = 0
        #: First line, last line and message.
        self._told: "list[tuple[int, int, str]]" = []
        #: After how many failures in a row, that are not the lines' own, the rest is not tried.
        self.patience = 20
        self._in_a_row = 0
        self._fatal: Optional[errors.Error] = None
        self._stopped = False

    def wanted(self) -> Iterator[Record]:
        """Give the records whose users are to be created now."""
        for record in self._records:
            if self._fatal is not None or self._in_a_row >= self.patience:
                self._stopped = True
                return
            state, checksum = self._known(record.line)
            if state is not None and checksum != record.checksum:
                raise click.ClickException(
                    f"line {record.line} is not what it was when the journal was written:"
                    " name another with --journal, or remove it"
                )
            if state == CREATED:
                self._skipped += 1
                self._advance(record)
            elif state in (BEGUN, UNKNOWN) and not self._retries_unknown:
                self._fail(record, "an earlier run ended before it knew whether the user was created", is_unknown=True)
            elif record.problem is not None:
                self._fail(record, record.problem)
            else:
                self._note(record, BEGUN)
                self._under_way[record.line] = record
                yield record

    def take(self, record: Record, result: "Union[NewUser, errors.Error]") -> None:
        """Keep what became of a record."""
        del self._under_way[record.line]
        if isinstance(result, NewUser):
            self._created += 1
            self._in_a_row = 0
            self._note(record, CREATED, id=result.id)
            if self._writes_json:
                self._write({"line": record.line, "id": result.id})
            self._advance(record)
            return
        if isinstance(result, (errors.AuthenticationError, errors.PermissionDeniedError)):
            self._fatal = result
        elif isinstance(result, (errors.ArgumentError, errors.InvalidRequestError)):
            # It is this line's own.
            self._in_a_row = 0
        else:
            self._in_a_row += 1
        self._note(record, UNKNOWN if result.outcome_unknown else FAILED)
        self._fail(record, str(result), result.outcome_unknown, result)

    def abandon(self) -> None:
        """Count what was under way when the run ended."""
        for record in self._under_way.values():
            self._note(record, UNKNOWN)
            self._fail(record, "the import ended before it knew whether the user was created", is_unknown=True)
        self._under_way = {}

    def report(self) -> None:
        """Tell what became of all."""
        more = self._failed + self._unknown
        for first, last, message in self._told:
            note(f"line {first}: {message}" if first == last else f"lines {first} to {last}: {message}")
            more -= last - first + 1
        if more:
            note(f"and {more:,} more" + ("" if self._failures else ": --failures FILE takes all"))
        parts = [f"{self._created:,} created"]
        if self._skipped:
            parts.append(f"{self._skipped:,} skipped, as an earlier run created them")
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        if self._unknown:
            parts.append(f"{self._unknown:,} unknown: look whether they exist, or use --retry-unknown")
        if self._stopped:
            parts.append("the rest was not tried")
        note(", ".join(parts))

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self._fatal is not None:
            return 5
        return 3 if self._failed or self._unknown else 0

    def _known(self, line: int) -> "tuple[Optional[str], int]":
        return (None, 0) if self._journal is None else self._journal.known.get(line, (None, 0))

    def _note(self, record: Record, state: str, **more: str) -> None:
        if self._journal is not None:
            self._journal.note(record.line, record.checksum, state, **more)

    def _fail(
        self, record: Record, message: str, is_unknown: bool = False, error: Optional[errors.Error] = None
    ) -> None:
        if is_unknown:
            self._unknown += 1
        else:
            self._failed += 1
        trace_id = None if error is None else error.trace_id
        self._tell(record.line, message + (f" (trace id {trace_id})" if trace_id and trace_id not in message else ""))
        if self._failures is not None:
            failure = {
                "line": record.line,
                "message": message,
                "code": None if error is None else error.code,
                "trace_id": trace_id,
                "outcome_unknown": is_unknown,
            }
            self._failures.write(json_text(failure).encode() + b"\n")
            self._failures.flush()
        self._advance(record)

    def _tell(self, line: int, message: str) -> None:
        """Keep a message for the report, together with its like."""
        if self._told and self._told[-1][1:] == (line - 1, message):
            self._told[-1] = (self._told[-1][0], line, message)
        elif len(self._told) < _TOLD:
            self._told.append((line, line, message))

    def _write(self, value: "dict[str, Any]") -> None:
        try:
            write_json(value)
            flush()
        except BrokenPipeError:
            # To stop here would leave users of whom nobody knows whether they exist.
            self._writes_json = False
            discard()

    def _advance(self, record: Record) -> None:
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, advance=record.size, count=self._created)
