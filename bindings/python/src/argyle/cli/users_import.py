"""``argyle users import``: users from a file, created concurrently."""

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
from ._context import account, api_version, api_version_option, client, json_option, output_path, standard_input
from ._create import create_all
from ._files import is_linked_file, open_input, open_output
from ._formats import FORMATS, WRITABLE, format_of
from ._journal import BEGUN, CREATED, FAILED, UNKNOWN, Journal, find_journal
from ._output import discard_output, flush, is_human_readable, json_text, print_message, progress, write_json
from ._records import Record, Records

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# Limits of the report on standard error: groups of failures, and ranges of lines and trace ids in each. --failures has
# no limits.
_MAX_GROUPS, _MAX_RANGES, _MAX_TRACE_IDS = 100, 20, 3

_path = click.Path(path_type=Path)
_standard_input = Path("-")


@click.command("import")
@click.argument("path", metavar="FILE|-", type=_path)
@click.option("--format", "chosen", type=click.Choice(FORMATS), help="Default: by FILE's suffix, or else jsonl.")
@click.option("--in-flight", type=click.IntRange(1, 1000), default=20, show_default=True, help="Concurrent requests.")
@click.option(
    "--journal", metavar="FILE", type=_path, help="Default: FILE.done, next to a link's target; none for a pipe."
)
@click.option("--failures", metavar="FILE", type=output_path, help="Write each failure as a line of JSON.")
@click.option("--retry-unknown", is_flag=True, help="Retry lines whose users may already exist.")
@api_version_option
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
    """Create a user for each line of FILE, with the line's fields.

    A line is a JSON object. With API version 1 only its optional member external_metadata is used, with version 2 also
    external_id, first_name, last_name, email, phone_number, ssn, address, birth_date and open_banking. CSV and Parquet
    files have columns of these names: with text, or with JSON in external_metadata, address, birth_date and
    open_banking; birth_date may also be YYYY-MM-DD. Empty cells are not sent, except for empty text in Parquet. Files
    written by `argyle users export` can be imported.

    The result of each line is written to the journal immediately. Another run skips lines whose users were created,
    retries failed ones, and reports those whose result is unknown, after a lost connection or a killed run; they are
    retried only with --retry-unknown. Failed lines may be corrected, and new lines added at the end.

    The first Ctrl-C reads no more lines and finishes requests in flight; the second aborts.

    In a pipe, or with --json, the line number and id of each created user are written as JSON.
    """
    for name, target in (("--journal", journal), ("--failures", failures)):
        if target == _standard_input:
            raise click.UsageError(f"{name} must be a file name, got -")
    with contextlib.ExitStack() as stack:
        file = _open(stack, path)
        name = "standard input" if path == _standard_input else str(path)
        records = Records(file, format_of(chosen, path), name, WRITABLE[api_version()])
        service = stack.enter_context(client())
        # Only a regular file's name means the same lines in another run.
        status = os.fstat(file.fileno())
        is_regular = path != _standard_input and is_linked_file(status)
        if journal is not None and journal.exists() and not journal.is_file():
            raise click.UsageError(f"--journal must be a regular file, and {journal} is not")
        if journal is None and is_regular:
            journal = find_journal(path, records)
        _check_distinct(path, journal, failures)
        _check_output(file, journal)
        opened_journal = None
        if journal is not None:
            opened_journal = stack.enter_context(Journal(journal, account(), status.st_ino if is_regular else None))
            if opened_journal.known:
                records.buffer_pipe()
                opened_journal.check(records)
        failed = stack.enter_context(open_output(failures)) if failures is not None else None
        run = _Import(records, opened_journal, failed, str(failures), retry_unknown, not is_human_readable(as_json))
        run.max_consecutive_failures = max(in_flight, 20)
        try:
            with progress("created") as bar:
                run.bar = bar
                run.task = bar.add_task("importing", total=records.total, count=0)
                creations = create_all(service, run.pending(), in_flight, records)
                with contextlib.closing(creations) as results, run.interrupts():
                    for record, result in results:
                        run.add_result(record, result)
        finally:
            run.abandon()
            run.report()
    if run.failure is not None:
        raise run.failure
    if run.is_interrupted:
        raise click.Abort
    context.exit(run.exit_code)


def _check_distinct(*paths: Optional[Path]) -> None:
    """Reject an output file that is also the input or another output file."""
    files = [Path(os.path.realpath(path)) for path in paths if path is not None and path != _standard_input]
    same = len(set(files)) < len(files)
    if same or any(a.exists() and b.exists() and a.samefile(b) for a, b in itertools.combinations(files, 2)):
        raise click.UsageError("FILE, the journal and the failures file must be different files.")


def _check_output(file: BinaryIO, journal: Optional[Path]) -> None:
    """Reject standard output that is also the input or the journal: results would be read as lines, endlessly."""
    output = os.fstat(1)
    files = [os.fstat(file.fileno())]
    if journal is not None and journal.exists():
        files.append(journal.stat())
    if stat.S_ISREG(output.st_mode) and any(os.path.samestat(output, each) for each in files):
        raise click.UsageError("FILE, the journal and standard output must be different files.")


def _open(stack: contextlib.ExitStack, path: Path) -> BinaryIO:
    if path != _standard_input:
        return stack.enter_context(open_input(path))
    return standard_input()


class _ReadingInterruptedError(Exception):
    """Ctrl-C interrupted the reading of a line."""


class _FailureGroup:
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
            if len(self._trace_ids) < _MAX_TRACE_IDS:
                self._trace_ids.append(trace_id)

    @property
    def traces(self) -> str:
        """The text about trace ids, with which Argyle's support can find the requests."""
        if not self._trace_ids:
            return ""
        more = self._count - len(self._trace_ids)
        return (
            f" (trace id{'s' if self._count > 1 else ''} {', '.join(self._trace_ids)}"
            + (f" and {more:,} more" if more else "")
            + ")"
        )


def _format_lines(lines: "list[int]", most: Optional[int] = None) -> str:
    """Format line numbers, with consecutive ones as ranges."""
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
        self._in_flight: "dict[int, Record]" = {}
        self._created = 0
        self._skipped = 0
        self._failed = 0
        self._unknown: "list[int]" = []
        #: Failures by message.
        self._groups: "dict[str, _FailureGroup]" = {}
        #: Stop after this many consecutive failures that are not the lines' own.
        self.max_consecutive_failures = 20
        self._consecutive_failures = 0
        self._fatal: Optional[errors.Error] = None
        self._stopped = False
        #: The error that ended the import early.
        self.failure: Optional[click.ClickException] = None
        self.is_interrupted = False
        self._is_reading = False

    @contextlib.contextmanager
    def interrupts(self) -> Iterator[None]:
        """Stop reading lines at the first Ctrl-C, and abort at the second."""
        before = signal.getsignal(signal.SIGINT)
        # Shells make background processes ignore SIGINT.
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
        count = len(self._in_flight)
        if count:
            what = "1 creation" if count == 1 else f"{count:,} creations"
            message = f"interrupted: finishing {what} in flight; press Ctrl-C again to abort"
            # In a thread, because the signal may have interrupted a write to the same stream, which has a lock.
            threading.Thread(target=print_message, args=[message]).start()
        if self._is_reading:
            # Reading from a pipe may block for a long time.
            raise _ReadingInterruptedError

    def _stop(self, failure: Exception, name: Optional[str] = None) -> None:
        """Read no more lines, but finish the requests in flight."""
        self._stopped = True
        if isinstance(failure, OSError):
            failure = click.ClickException(f"{name or failure.filename}: {failure.strerror}")
        if self.failure is None and isinstance(failure, click.ClickException):
            self.failure = failure

    def pending(self) -> "Iterator[Optional[Record]]":
        """Yield the records whose users are to be created now, and None for others."""
        steps = self._records.steps()
        while True:
            try:
                self._is_reading = True
                if self.is_interrupted:
                    self._stopped = True
                    return
                if self._fatal is not None or self.failure is not None or self._is_failing:
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

    @property
    def _is_failing(self) -> bool:
        return self._consecutive_failures >= self.max_consecutive_failures

    def _begin(self, record: Record) -> Optional[Record]:
        """Return the record if its user is to be created now, or None."""
        try:
            state = None if self._journal is None else self._journal.state(record, self._records.name)
        except click.ClickException as failure:
            self._stop(failure)
            return None
        if state == CREATED:
            self._skipped += 1
            self._advance(record)
        elif state in (BEGUN, UNKNOWN) and not self._retries_unknown:
            self._fail(record, "an earlier run ended before it was known whether the user was created", is_unknown=True)
        elif record.problem is not None:
            self._fail(record, record.problem)
        elif self._set_state(record, BEGUN):
            self._in_flight[record.line] = record
            return record
        return None

    def add_result(self, record: Record, result: "Union[NewUser, errors.Error]") -> None:
        """Handle the result of a record."""
        # The journal first: if it cannot be written, the record stays in flight.
        if isinstance(result, NewUser):
            is_recorded = self._set_state(record, CREATED, id=result.id)
        else:
            is_recorded = self._set_state(record, UNKNOWN if result.outcome_unknown else FAILED)
        if not is_recorded:
            return
        del self._in_flight[record.line]
        if isinstance(result, NewUser):
            self._created += 1
            self._consecutive_failures = 0
            if self._writes_json:
                self._write({"line": record.line, "id": result.id})
            self._advance(record)
            return
        if isinstance(result, (errors.AuthenticationError, errors.PermissionDeniedError)):
            self._fatal = result
        elif isinstance(result, (errors.ArgumentError, errors.InvalidRequestError)):
            # The failure is this line's own.
            self._consecutive_failures = 0
        else:
            self._consecutive_failures += 1
        self._fail(record, str(result), result.outcome_unknown, result)

    def abandon(self) -> None:
        """Count records in flight when the run ended as unknown; in the journal they stay begun."""
        for record in self._in_flight.values():
            self._fail(record, "the import ended before it was known whether the user was created", is_unknown=True)
        self._in_flight = {}

    def report(self) -> None:
        """Print a summary."""
        more = self._failed + len(self._unknown)
        for message, group in self._groups.items():
            print_message(f"{_format_lines(group.lines, _MAX_RANGES)}: {message}{group.traces}")
            more -= len(group.lines)
        if more:
            print_message(f"and {more:,} more" + ("" if self._failures else ": use --failures FILE to get all"))
        parts = [f"{self._created:,} created"]
        if self._skipped:
            parts.append(f"{self._skipped:,} skipped, created by an earlier run")
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        if self._unknown:
            # All of them, because the user must check each.
            parts.append(
                f"{len(self._unknown):,} unknown ({_format_lines(self._unknown)}): check whether they exist, or use"
                " --retry-unknown"
            )
        if self._stopped:
            parts.append("the rest was not attempted")
        print_message(", ".join(parts))

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self._fatal is not None:
            return 5
        return 3 if self._failed or self._unknown else 0

    def _set_state(self, record: Record, state: str, **more: str) -> bool:
        """Write a state to the journal; returns whether that succeeded."""
        try:
            if self._journal is not None:
                self._journal.set_state(record, state, **more)
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
        if message in self._groups or len(self._groups) < _MAX_GROUPS:
            self._groups.setdefault(message, _FailureGroup()).add(record.line, trace_id)
        if self._failures is not None:
            entry = {
                "line": record.line,
                "message": message,
                "code": None if error is None else error.code,
                "trace_id": trace_id,
                "outcome_unknown": is_unknown,
            }
            try:
                self._failures.write(json_text(entry).encode() + b"\n")
                self._failures.flush()
            except OSError as failure:
                self._stop(failure, self._failures_name)
                # Closing the buffered file would try again to write what it holds.
                self._failures.raw.close()
                self._failures = None
        self._advance(record)

    def _write(self, value: "dict[str, Any]") -> None:
        try:
            write_json(value)
            flush()
        except BrokenPipeError:
            # Stopping here would leave users whose creation has no known result.
            self._writes_json = False
            discard_output()
        except OSError as failure:
            self._stop(failure)
            self._writes_json = False
            discard_output()

    def _advance(self, record: Record) -> None:
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, advance=record.size, count=self._created)
