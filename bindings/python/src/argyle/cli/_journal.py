"""What became of each line of an import, kept in a file so that another run goes on from there."""

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

#: Handed over, with no answer yet: after a crash, nobody knows whether the service has created the user.
BEGUN = "begun"
CREATED = "created"
FAILED = "failed"
UNKNOWN = "unknown"

_ENDING = ".done"
# What the entries begin with, whose end a crash may have torn.
_HEADER, _INODE, _LINE = b'{"server":', b'{"inode":', b'{"line":'


class Journal:
    """A file of JSON Lines: where the import goes, then for each line that it is about to be created, and what came.

    ``account`` is what the users are created in: a journal of another one would skip lines that do not exist there.
    """

    def __init__(self, path: Path, account: "dict[str, str]", inode: Optional[int]) -> None:
        self._path = path
        self._account = account
        self._inode: Optional[int] = None
        #: What was told last of each record by its number, with its checksum and line. Older journals know the lines
        #: alone: these stand here as negative numbers.
        self.known: "dict[int, tuple[str, int, int]]" = {}
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as failure:
            raise click.ClickException(f"{path}: {failure.strerror}: name another journal with --journal") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise click.ClickException(f"{path}: another import is using this journal") from None
        header = self._read()
        if header != account:
            if any(state != FAILED for state, _, _ in self.known.values()):
                self._refuse(header)
            # No user depends on it: it is empty, or nothing could be created where it went.
            self._file.truncate(0)
            self.known, self._inode = {}, None
            self._write(account)
        if inode is not None and inode != self._inode:
            # Editors replace a file by another of its name.
            self._write({"inode": inode})

    def _read(self) -> "Optional[dict[str, str]]":
        """Read what there is, and give the account that it is of."""
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
                    # The end of a process may have torn the last entry.
                    if not text.endswith(b"\n") and any(
                        begin.startswith(text[: len(begin)]) for begin in (_HEADER, _INODE, _LINE)
                    ):
                        self._file.truncate(size)
                        return header
                    raise click.ClickException(f"{self._path}: line {number} is not of an import's journal") from None
                size += len(text)
        if not text.endswith(b"\n"):
            self._append(b"\n")
        return header

    def _refuse(self, header: "Optional[dict[str, str]]") -> NoReturn:
        """Refuse a journal of another account, or one of an older release, which does not know its account."""
        here = _described(self._account)
        if header is None:
            raise click.ClickException(
                f"{self._path}: this journal does not say where it imported: name another with --journal, or if it was"
                f" {here}, put this line before its first: {_text(self._account)}"
            )
        hint = ""
        if {**header, "key_id": ""} == {**self._account, "key_id": ""}:
            hint = "; if both keys are of one account, write this one into the journal's first line"
        raise click.ClickException(
            f"{self._path}: this is the journal of an import to {_described(header)}, and not to {here}: set"
            f" the environment to that, or name another journal with --journal{hint}"
        )

    def check(self, records: Records) -> None:
        """Refuse a file in which a line that may have been created is no longer what and where it was.

        A failed line may have changed. But one that was removed has moved the lines after it: they would be created
        again under other numbers.
        """
        settled = {number: line for number, (state, _, line) in self.known.items() if state != FAILED}
        if settled:
            for record in records:
                self.state(record, records.name)
                settled.pop(record.number, None)
                settled.pop(-record.line, None)
        if settled:
            self._refuse_change(records.name, min(settled.values()), "is missing")

    def state(self, record: Record, name: str) -> Optional[str]:
        """Give what is known of a line in its present form."""
        known = self.known.get(record.number) or self.known.get(-record.line)
        if known is None or known[1] == record.checksum:
            return known and known[0]
        if known[0] != FAILED:
            self._refuse_change(name, record.line, "is not what it was")
        return None

    def _refuse_change(self, name: str, line: int, what: str) -> NoReturn:
        raise click.ClickException(
            f"{name}: line {line} {what}, and by the journal {self._path} its user may exist: put the line back in its"
            " place, and add new ones at the end; for another file, name another journal with --journal"
        )

    def note(self, record: Record, state: str, **more: Any) -> None:
        """Write what became of a line, at once."""
        self._write({"line": record.line, "record": record.number, "checksum": record.checksum, "state": state, **more})

    def _write(self, entry: "dict[str, Any]") -> None:
        self._append(_text(entry).encode() + b"\n")

    def _append(self, data: bytes) -> None:
        written = 0
        try:
            # What follows a part of it fails with the reason.
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as failure:
            if written:
                # What is written next is to begin on a line of its own.
                self._file.truncate(os.fstat(self._file.fileno()).st_size - written)
            raise OSError(failure.errno, failure.strerror, str(self._path)) from None

    def __enter__(self) -> Journal:
        """Give the journal, which the end of the block closes."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the file, which lets another import use it."""
        self._file.close()


def _text(entry: "dict[str, Any]") -> str:
    return json.dumps(entry, separators=(",", ":"))


def _described(account: "dict[str, str]") -> str:
    return f"{account['server']} (API {account['api']}) with the key {account['key_id']}"


def journal_of(path: Path, records: Iterable[Record]) -> Path:
    """Find the journal of a regular file, whatever name the file was opened by.

    It lies beside the file that links lead to. Where it is missing, the file may have had another name: its journal
    has lines of it, and knows its inode or has lost its file. The inode alone proves little, as a new file gets that of
    one that was removed, and editors make another.
    """
    file = Path(os.path.realpath(path))
    journal = file.with_name(file.name + _ENDING)
    beside_link = path.with_name(path.name + _ENDING)
    if beside_link.exists() and not (journal.exists() and beside_link.samefile(journal)):
        raise click.ClickException(
            f"{path} is a link to {file}, whose journal is {journal}: if {beside_link} is its journal, name it with"
            " --journal, or else remove it"
        )
    if journal.exists():
        return journal
    status = file.stat()
    # The journals that may be this file's, by the checksums of the lines that they know.
    candidates: "dict[object, Path]" = {}
    for other in sorted(file.parent.glob("*" + _ENDING)):
        former = other.with_name(other.name[: -len(_ENDING)])
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
                f"{other} has lines of {path} and may be its journal, from before it was renamed: then rename it to"
                f" {journal.name}; if not, start another with --journal {journal}"
            )
    if status.st_nlink > 1:
        raise click.ClickException(
            f"{path} has other names (hard links), and its journal may lie beside one of them: name it with --journal"
        )
    return journal


def _entries(path: Path) -> "Iterable[dict[str, Any]]":
    """Give the entries of what may be a journal."""
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
                    # A torn entry.
                    return
    except OSError:
        return
