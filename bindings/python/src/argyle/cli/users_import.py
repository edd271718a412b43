"""``argyle users import``: users from a file, many at a time."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import signal
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Iterator, Optional, Union

import click

from .. import errors
from ..models import NewUser
from ._context import account, client, json_option, standard_input, written_path
from ._create import create_all
from ._files import has_name, opened, source
from ._formats import FORMATS, format_of
from ._journal import BEGUN, CREATED, FAILED, UNKNOWN, Journal, journal_of
from ._output import discard, flush, is_for_people, json_text, note, progress, write_json
from ._records import Record, Records

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# What is told of failures on standard error: how many kinds, and of each how many ranges of lines and trace ids.
# --failures takes all.
_TOLD, _RANGES, _TRACE_IDS = 100, 20, 3

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
@click.option("--journal", metavar="FILE", type=_path, help="Default: FILE.done, where links lead; none for a pipe.")
@click.option("--failures", metavar="FILE", type=written_path, help="Write each failure as a line of JSON.")
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

    What became of each line goes to the journal at once. Another run skips the lines that are created, retries those
    that failed, and reports those of which nobody knows whether the service created a user: after a lost connection or
    an end in the middle. These are retried with --retry-unknown only. Lines that failed may be corrected, and new ones
    added at the end.

    The first Ctrl-C takes no more lines and finishes what is in flight; the second breaks off.

    In a pipe, or with --json, the line and the id of each created user are written as JSON.
    """
    for name, target in (("--journal", journal), ("--failures", failures)):
        if target == _standard_input:
            raise click.UsageError(f"{name} needs the name of a file, and - is none")
    with contextlib.ExitStack() as stack:
        file = _open(stack, path)
        records = Records(file, format_of(chosen, path), "standard input" if path == _standard_input else str(path))
        service = stack.enter_context(client())
        # A pipe has no name that would stand for the same lines another time.
        status = os.fstat(file.fileno())
        is_regular = path != _standard_input and has_name(status)
        if journal is not None and journal.exists() and not journal.is_file():
            raise click.UsageError(f"--journal needs a regular file, and {journal} is none")
        if journal is None and is_regular:
            journal = journal_of(path, records)
        _check_distinct(path, journal, failures)
        _check_output(file, journal)
        kept = None
        if journal is not None:
            kept = stack.enter_context(Journal(journal, account(), status.st_ino if is_regular else None))
            if kept.known:
                records.keep()
                kept.check(records)
        failed = stack.enter_context(opened(failures)) if failures is not None else None
        run = _Import(records, kept, failed, str(failures), retry_unknown, not is_for_people(as_json))
        run.patience = max(in_flight, 20)
        try:
            with progress("created") as bar:
                run.bar = bar
                run.task = bar.add_task("importing", total=records.total, count=0)
                creations = create_all(service, run.wanted(), in_flight, records)
                with contextlib.closing(creations) as results, run.interrupts():
                    for record, result in results:
                        run.take(record, result)
        finally:
            run.abandon()
            run.report()
    if run.failure is not None:
        raise run.failure
    if run.is_interrupted:
        raise click.Abort
    context.exit(run.exit_code)


def _check_distinct(*paths: Optional[Path]) -> None:
    """Refuse to write into the file that is read, or twice into one."""
    files = [Path(os.path.realpath(path)) for path in paths if path is not None and path != _standard_input]
    same = len(set(files)) < len(files)
    if same or any(a.exists() and b.exists() and a.samefile(b) for a, b in itertools.combinations(files, 2)):
        raise click.UsageError("FILE, the journal and the file of failures must be different files.")


def _check_output(file: BinaryIO, journal: Optional[Path]) -> None:
    """Refuse to write the results into what is read: they would be read as lines, without end."""
    output = os.fstat(1)
    files = [os.fstat(file.fileno())]
    if journal is not None and journal.exists():
        files.append(journal.stat())
    if stat.S_ISREG(output.st_mode) and any(os.path.samestat(output, each) for each in files):
        raise click.UsageError("FILE, the journal and standard output must be different files.")


def _open(stack: contextlib.ExitStack, path: Path) -> BinaryIO:
    if path != _standard_input:
        return stack.enter_context(source(path))
    return standard_input()


class _ReadingInterruptedError(Exception):
    """The reading of lines was interrupted."""


class _Like:
    """Failures with the same message."""

    def __init__(self) -> None:
        self.lines: "list[int]" = []
        self._trace_ids: "list[str]" = []
        self._count = 0

    def add(self, line: int, trace_id: Optional[str]) -> None:
        """Add a failure."""
        self.lines.append(line)
        if trace_id is not None:
            self._count += 1
            if len(self._trace_ids) < _TRACE_IDS:
                self._trace_ids.append(trace_id)

    @property
    def traces(self) -> str:
        """The ids by which Argyle's support finds the requests."""
        if not self._trace_ids:
            return ""
        more = self._count - len(self._trace_ids)
        return (
            f" (trace id{'s' if self._count > 1 else ''} {', '.join(self._trace_ids)}"
            + (f" and {more:,} more" if more else "")
            + ")"
        )


def _named(lines: "list[int]", most: Optional[int] = None) -> str:
    """Name lines, as ranges where they follow one another."""
    ranges: "list[list[int]]" = []
    for line in sorted(lines):
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    named = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in ranges[:most])
    more = sum(last - first + 1 for first, last in ranges[len(ranges[:most]) :])
    return f"line{'s' if len(lines) > 1 else ''} {named}" + (f" and {more:,} more" if more else "")


class _Import:
    """One run of an import."""

    def __init__(
        self,
        records: Records,
        journal: Optional[Journal],
        failures: Optional[io.BufferedWriter],
        failures_name: str,
        retry_unknown: bool,
        writes_json: bool,
    ) -> None:
        self._records = records
        self._journal = journal
        self._failures = failures
        self._failures_name = failures_name
        self._retries_unknown = retry_unknown
        self._writes_json = writes_json
        self.bar: Optional[Progress] = None
        self.task: Optional[TaskID] = None
        self._under_way: "dict[int, Record]" = {}
        self._created = 0
        self._skipped = 0
        self._failed = 0
        self._unknown: "list[int]" = []
        #: What failed in which way, by the message.
        self._told: "dict[str, _Like]" = {}
        #: After how many failures in a row, that are not the lines' own, the rest is not tried.
        self.patience = 20
        self._in_a_row = 0
        self._fatal: Optional[errors.Error] = None
        self._stopped = False
        #: What ended the import early.
        self.failure: Optional[click.ClickException] = None
        self.is_interrupted = False
        self._is_reading = False

    @contextlib.contextmanager
    def interrupts(self) -> Iterator[None]:
        """Let the first Ctrl-C end the reading of lines, and the second everything."""
        before = signal.getsignal(signal.SIGINT)
        # A shell lets what it runs in the background ignore it.
        if before is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, number: int, frame: object) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt
        self.is_interrupted = True
        count = len(self._under_way)
        if count:
            what = "1 creation" if count == 1 else f"{count:,} creations"
            message = f"interrupted: {what} in flight will be finished first; Ctrl-C again breaks off"
            # A signal may come amid a write to the same stream, which another thread waits for.
            threading.Thread(target=note, args=[message]).start()
        if self._is_reading:
            # A pipe may have nothing to read for long.
            raise _ReadingInterruptedError

    def _stop(self, failure: Exception, name: Optional[str] = None) -> None:
        """Take no more lines, but finish what is in flight."""
        self._stopped = True
        if isinstance(failure, OSError):
            failure = click.ClickException(f"{name or failure.filename}: {failure.strerror}")
        if self.failure is None and isinstance(failure, click.ClickException):
            self.failure = failure

    def wanted(self) -> "Iterator[Optional[Record]]":
        """Give the records whose users are to be created now, and None for others."""
        steps = self._records.steps()
        while True:
            try:
                self._is_reading = True
                if self.is_interrupted:
                    self._stopped = True
                    return
                if self._fatal is not None or self._in_a_row >= self.patience or self.failure is not None:
                    self._stopped |= not self._records.is_ready() or any(step is not None for step in steps)
                    return
                record = next(steps)
            except StopIteration:
                return
            except _ReadingInterruptedError:
                self._stopped = True
                return
            except click.ClickException as failure:
                self._stop(failure)
                return
            finally:
                self._is_reading = False
            yield None if record is None else self._begin(record)

    def _begin(self, record: Record) -> Optional[Record]:
        """Give a record if its user is to be created now."""
        try:
            state = None if self._journal is None else self._journal.state(record, self._records.name)
        except click.ClickException as failure:
            self._stop(failure)
            return None
        if state == CREATED:
            self._skipped += 1
            self._advance(record)
        elif state in (BEGUN, UNKNOWN) and not self._retries_unknown:
            self._fail(record, "an earlier run ended before it knew whether the user was created", is_unknown=True)
        elif record.problem is not None:
            self._fail(record, record.problem)
        elif self._note(record, BEGUN):
            self._under_way[record.line] = record
            return record
        return None

    def take(self, record: Record, result: "Union[NewUser, errors.Error]") -> None:
        """Keep what became of a record."""
        # First: where the journal cannot be written, the record stays under way.
        if isinstance(result, NewUser):
            is_noted = self._note(record, CREATED, id=result.id)
        else:
            is_noted = self._note(record, UNKNOWN if result.outcome_unknown else FAILED)
        if not is_noted:
            return
        del self._under_way[record.line]
        if isinstance(result, NewUser):
            self._created += 1
            self._in_a_row = 0
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
        self._fail(record, str(result), result.outcome_unknown, result)

    def abandon(self) -> None:
        """Count what was under way when the run ended: in the journal it has begun."""
        for record in self._under_way.values():
            self._fail(record, "the import ended before it knew whether the user was created", is_unknown=True)
        self._under_way = {}

    def report(self) -> None:
        """Tell what became of all."""
        more = self._failed + len(self._unknown)
        for message, like in self._told.items():
            note(f"{_named(like.lines, _RANGES)}: {message}{like.traces}")
            more -= len(like.lines)
        if more:
            note(f"and {more:,} more" + ("" if self._failures else ": --failures FILE takes all"))
        parts = [f"{self._created:,} created"]
        if self._skipped:
            parts.append(f"{self._skipped:,} skipped, as an earlier run created them")
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        if self._unknown:
            # All of them, as somebody has to look for them.
            parts.append(
                f"{len(self._unknown):,} unknown ({_named(self._unknown)}): look whether they exist, or use"
                " --retry-unknown"
            )
        if self._stopped:
            parts.append("the rest was not tried")
        note(", ".join(parts))

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self._fatal is not None:
            return 5
        return 3 if self._failed or self._unknown else 0

    def _note(self, record: Record, state: str, **more: str) -> bool:
        """Write into the journal, and tell whether that was possible."""
        try:
            if self._journal is not None:
                self._journal.note(record, state, **more)
        except OSError as failure:
            self._stop(failure)
            return False
        return True

    def _fail(
        self, record: Record, message: str, is_unknown: bool = False, error: Optional[errors.Error] = None
    ) -> None:
        if is_unknown:
            self._unknown.append(record.line)
        else:
            self._failed += 1
        trace_id = None if error is None else error.trace_id
        if message in self._told or len(self._told) < _TOLD:
            self._told.setdefault(message, _Like()).add(record.line, trace_id)
        if self._failures is not None:
            told = {
                "line": record.line,
                "message": message,
                "code": None if error is None else error.code,
                "trace_id": trace_id,
                "outcome_unknown": is_unknown,
            }
            try:
                self._failures.write(json_text(told).encode() + b"\n")
                self._failures.flush()
            except OSError as failure:
                self._stop(failure, self._failures_name)
                # What it holds cannot be written at its end either.
                self._failures.raw.close()
                self._failures = None
        self._advance(record)

    def _write(self, value: "dict[str, Any]") -> None:
        try:
            write_json(value)
            flush()
        except BrokenPipeError:
            # To stop here would leave users of whom nobody knows whether they exist.
            self._writes_json = False
            discard()
        except OSError as failure:
            self._stop(failure)
            self._writes_json = False
            discard()

    def _advance(self, record: Record) -> None:
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, advance=record.size, count=self._created)
