"""The journal of an import: the state of each line, from which another run continues."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Iterable, NoReturn, Optional

import click

from .._json import loads
from ._records import Record, Records

#: Submitted, without a response yet: after a crash, the user may or may not exist.
BEGUN = "begun"
CREATED = "created"
FAILED = "failed"
UNKNOWN = "unknown"

_SUFFIX = ".done"
# Prefixes of the entries, by which one is recognised that a crash truncated.
_HEADER, _INODE, _LINE = b'{"server":', b'{"inode":', b'{"line":'


class Journal:
    """A file of JSON Lines: the account, then for each line that its user is about to be created, and the result.

    ``account`` identifies where users are created. A journal of another account must not be used: its lines would be
    skipped although their users do not exist in this one.
    """

    def __init__(self, path: Path, account: "dict[str, str]", inode: Optional[int]) -> None:
        self._path = path
        self._account = account
        self._inode: Optional[int] = None
        #: The last state, checksum and line of each record, by number. Journals of older releases have only lines,
        #: which are negative keys here.
        self.known: "dict[int, tuple[str, int, int]]" = {}
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as failure:
            raise click.ClickException(f"{path}: {failure.strerror}: choose another journal with --journal") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise click.ClickException(f"{path}: another import is using this journal") from None
        header = self._read()
        if header != account:
            if any(state != FAILED for state, _, _ in self.known.values()):
                self._reject_account(header)
            # No line in it can have created a user: start over.
            self._file.truncate(0)
            self.known, self._inode = {}, None
            self._write(account)
        if inode is not None and inode != self._inode:
            # Editors replace a file with a new one of the same name.
            self._write({"inode": inode})

    def _read(self) -> "Optional[dict[str, str]]":
        """Read the entries, and return the journal's account."""
        size = 0
        header = None
        text = b"\n"
        with self._path.open("rb") as file:
            for number, text in enumerate(file, 1):
                try:
                    entry = loads(text)
                    if number == 1 and "server" in entry:
                        header = {name: str(entry[name]) for name in self._account}
                    elif "inode" in entry:
                        self._inode = int(entry["inode"])
                    else:
                        line = int(entry["line"])
                        number = int(entry.get("record", -line))
                        self.known[number] = (str(entry["state"]), int(entry["checksum"]), line)
                except (ValueError, TypeError, KeyError):
                    # A killed process may have truncated the last entry.
                    if not text.endswith(b"\n") and any(
                        begin.startswith(text[: len(begin)]) for begin in (_HEADER, _INODE, _LINE)
                    ):
                        self._file.truncate(size)
                        return header
                    raise click.ClickException(f"{self._path}: line {number} is not a journal entry") from None
                size += len(text)
        if not text.endswith(b"\n"):
            self._append(b"\n")
        return header

    def _reject_account(self, header: "Optional[dict[str, str]]") -> NoReturn:
        """Reject a journal of another account, or of an older release, which did not record the account."""
        here = _describe(self._account)
        if header is None:
            raise click.ClickException(
                f"{self._path}: this journal does not record its account: choose another with --journal, or if it was"
                f" {here}, insert this as its first line: {_text(self._account)}"
            )
        hint = ""
        if {**header, "key_id": ""} == {**self._account, "key_id": ""}:
            hint = "; if both keys belong to one account, put this key's id into the journal's first line"
        raise click.ClickException(
            f"{self._path}: this is the journal of an import to {_describe(header)}, not to {here}: set"
            f" the environment to that, or choose another journal with --journal{hint}"
        )

    def check(self, records: Records) -> None:
        """Reject a file in which a line whose user may exist has been changed, moved or removed.

        Failed lines may change. But removing one moves the lines after it, which would be created again under other
        numbers.
        """
        settled = {number: line for number, (state, _, line) in self.known.items() if state != FAILED}
        if settled:
            for record in records:
                self.state(record, records.name)
                settled.pop(record.number, None)
                settled.pop(-record.line, None)
        if settled:
            self._reject_change(records.name, min(settled.values()), "is missing")

    def state(self, record: Record, name: str) -> Optional[str]:
        """Return the state of a line in its current form; None if it is new."""
        known = self.known.get(record.number) or self.known.get(-record.line)
        if known is None or known[1] == record.checksum:
            return known and known[0]
        if known[0] != FAILED:
            self._reject_change(name, record.line, "has changed")
        return None

    def _reject_change(self, name: str, line: int, what: str) -> NoReturn:
        raise click.ClickException(
            f"{name}: line {line} {what}, but according to the journal {self._path} its user may exist: restore the"
            " line in its place, and add new ones at the end; for another file, choose another journal with --journal"
        )

    def set_state(self, record: Record, state: str, **more: Any) -> None:
        """Write a line's state immediately."""
        self._write({"line": record.line, "record": record.number, "checksum": record.checksum, "state": state, **more})

    def _write(self, entry: "dict[str, Any]") -> None:
        self._append(_text(entry).encode() + b"\n")

    def _append(self, data: bytes) -> None:
        written = 0
        try:
            # After a partial write, the next one fails with the reason.
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as failure:
            if written:
                # The next entry must start on a new line.
                self._file.truncate(os.fstat(self._file.fileno()).st_size - written)
            raise OSError(failure.errno, failure.strerror, str(self._path)) from None

    def __enter__(self) -> Journal:
        """Return the journal; the end of the block closes it."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the file, which releases its lock."""
        self._file.close()


def _text(entry: "dict[str, Any]") -> str:
    return json.dumps(entry, separators=(",", ":"))


def _describe(account: "dict[str, str]") -> str:
    return f"{account['server']} (API {account['api']}) with the key {account['key_id']}"


def find_journal(path: Path, records: Iterable[Record]) -> Path:
    """Return the path of a regular file's journal, through symbolic links and after a rename.

    The journal is next to the target of a link. If there is none, the file may have been renamed: then some other
    journal contains its lines, and either has its inode or has no file of its own. The inode alone proves little:
    inodes of deleted files are reused, and editors create new files.
    """
    file = Path(os.path.realpath(path))
    journal = file.with_name(file.name + _SUFFIX)
    beside_link = path.with_name(path.name + _SUFFIX)
    if beside_link.exists() and not (journal.exists() and beside_link.samefile(journal)):
        raise click.ClickException(
            f"{path} is a link to {file}, whose journal is {journal}: if {beside_link} is its journal, pass it with"
            " --journal; otherwise, remove it"
        )
    if journal.exists():
        return journal
    status = file.stat()
    # Possible journals of this file, by the checksums of their lines.
    candidates: "dict[object, Path]" = {}
    for other in sorted(file.parent.glob("*" + _SUFFIX)):
        former = other.with_name(other.name[: -len(_SUFFIX)])
        inode = None
        for entry in _entries(other):
            inode = entry.get("inode", inode)
        if inode == status.st_ino:
            if former.exists() and former.samefile(file):
                return other
        elif former.exists():
            continue
        for entry in _entries(other):
            if "line" in entry and entry.get("state") != FAILED:
                candidates.setdefault(entry.get("checksum"), other)
    for record in records if candidates else ():
        if record.checksum in candidates:
            other = candidates[record.checksum]
            raise click.ClickException(
                f"{other} has lines of {path} and may be its journal, if {path} was renamed: if so, rename it to"
                f" {journal.name}; otherwise, start a new one with --journal {journal}"
            )
    if status.st_nlink > 1:
        raise click.ClickException(
            f"{path} has other names (hard links), and its journal may be next to one of them: pass it with --journal"
        )
    return journal


def _entries(path: Path) -> "Iterable[dict[str, Any]]":
    """Yield the entries of a file that may be a journal."""
    try:
        if not path.is_file():
            return
        with path.open("rb") as file:
            for text in file:
                if not text.startswith((_HEADER, _INODE, _LINE)):
                    return
                try:
                    yield loads(text)
                except ValueError:
                    # A truncated entry.
                    return
    except OSError:
        return
