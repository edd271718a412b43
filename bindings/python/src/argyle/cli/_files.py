"""Input and output files, which may be devices or pipes."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, Iterator, Optional

from .. import errors
from ._output import flush, standard_output
from ._streams import Descriptor


@contextlib.contextmanager
def destination(output: Optional[Path]) -> Iterator[BinaryIO]:
    """Open an output file, or standard output if None; a regular file is replaced only once it is complete."""
    if output is None:
        yield standard_output()
        flush()
        return
    with _errors_naming(output):
        if not output.exists() or (output.is_file() and _descriptor(output) is None):
            # Replace the target of a link rather than the link.
            with _replacing(Path(os.path.realpath(output))) as file:
                yield file
        else:
            with open_output(output) as file:
                yield file


def open_output(path: Path) -> io.BufferedWriter:
    """Open a file, device or pipe for writing.

    The name of a descriptor, such as /dev/stdout, means the descriptor itself: opening it would truncate the file.
    """
    number = _descriptor(path)
    return io.BufferedWriter(Descriptor(path if number is None else os.dup(number), "w", str(path)))


def open_input(path: Path) -> BinaryIO:
    """Open a file, device or pipe for reading.

    The name of a descriptor that has no other name means the descriptor itself: a socket cannot be opened by name.
    """
    number = _descriptor(path)
    if number is None or not path.exists() or is_linked_file(path.stat()):
        return path.open("rb")
    return io.BufferedReader(Descriptor(os.dup(number), "r", str(path)))


def is_linked_file(status: os.stat_result) -> bool:
    """Whether this is a regular file that has not been unlinked, as a shell does with a here-document."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink > 0


def _descriptor(path: Path) -> Optional[int]:
    """Return the descriptor of this process that a path names; None if it names none."""
    folder = Path(os.path.realpath(path.parent))
    # The kernel's limit on symbolic links.
    for _ in range(40):
        if folder == Path(f"/proc/{os.getpid()}/fd") and path.name.isdecimal():
            return int(path.name)
        try:
            path = folder / (folder / path.name).readlink()
        except OSError:
            return None
        folder = Path(os.path.realpath(path.parent))
    return None


@contextlib.contextmanager
def _errors_naming(output: Path) -> Iterator[None]:
    """Make errors name the user's file rather than a temporary file or none."""
    try:
        yield
    except (errors.Error, BrokenPipeError):
        raise
    except OSError as failure:
        raise OSError(failure.errno, failure.strerror or str(failure), str(output)) from None


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file in the same directory, and rename it to ``path`` at the end.

    If that is not possible, for example because the file is a mount point or the directory is read-only, the existing
    file is overwritten at the end. It must therefore be writable, which is checked before any request is made.
    """
    with contextlib.ExitStack() as stack:
        # In a loop of links, path is still a link.
        exists = path.exists() or path.is_symlink()
        existing = stack.enter_context(os.fdopen(os.open(path, os.O_WRONLY), "wb")) if exists else None
        is_replaced = True
        temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.part")
        try:
            file: BinaryIO = stack.enter_context(temporary.open("x+b"))
        except OSError:
            if existing is None:
                raise
            file = stack.enter_context(tempfile.TemporaryFile())
        else:
            stack.callback(temporary.unlink, missing_ok=True)
        if existing is not None:
            is_replaced = _copy_ownership(file, os.fstat(existing.fileno()))
        yield file
        file.flush()
        os.fsync(file.fileno())
        try:
            if is_replaced:
                temporary.replace(path)
        except OSError:
            is_replaced = False
            if existing is None:
                raise
        if existing is not None and not is_replaced:
            _overwrite(existing, file)


def _copy_ownership(file: BinaryIO, existing: os.stat_result) -> bool:
    """Copy the existing file's owner and mode; returns whether the new file can replace it.

    It cannot if the owner cannot be kept or the existing file has other hard links.
    """
    number = file.fileno()
    os.fchmod(number, stat.S_IRUSR | stat.S_IWUSR)
    new = os.fstat(number)
    try:
        if (new.st_uid, new.st_gid) != (existing.st_uid, existing.st_gid):
            os.fchown(number, existing.st_uid, existing.st_gid)
        os.fchmod(number, stat.S_IMODE(existing.st_mode))
    except PermissionError:
        return False
    return existing.st_nlink == 1


def _overwrite(existing: BinaryIO, file: BinaryIO) -> None:
    """Overwrite the existing file with the content of another, completely or, if the disk is full, not at all."""
    before, after = (os.fstat(each.fileno()).st_size for each in (existing, file))
    with _signals_ignored():
        if after > before:
            try:
                os.posix_fallocate(existing.fileno(), before, after - before)
            except OSError as failure:
                # Some file systems cannot preallocate.
                if failure.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    existing.truncate(before)
                    raise
        file.seek(0)
        shutil.copyfileobj(file, existing)
        existing.truncate(after)
        existing.flush()
        os.fsync(existing.fileno())


@contextlib.contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore termination signals during a short operation that must not be interrupted."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
