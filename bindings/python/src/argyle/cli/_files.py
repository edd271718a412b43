"""The files that commands write, which need not be regular."""

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
    """Open the file that an export goes to, or standard output: a regular file changes when all is written."""
    if output is None:
        yield standard_output()
        flush()
        return
    with _naming(output):
        if not output.exists() or (output.is_file() and _descriptor(output) is None):
            # The file that a link is for, not the link, is replaced.
            with _replacing(Path(os.path.realpath(output))) as file:
                yield file
        else:
            with opened(output) as file:
                yield file


def opened(path: Path) -> io.BufferedWriter:
    """Open a file, a device or a pipe to write it at once.

    A descriptor's name, such as /dev/stdout, stands for the descriptor: to open a file by it would empty the file.
    """
    number = _descriptor(path)
    return io.BufferedWriter(Descriptor(path if number is None else os.dup(number), "w", str(path)))


def source(path: Path) -> BinaryIO:
    """Open a file, a device or a pipe to read it.

    A descriptor's name stands for the descriptor where that has no other: it cannot be opened by it if it is a socket.
    """
    number = _descriptor(path)
    if number is None or not path.exists() or has_name(path.stat()):
        return path.open("rb")
    return io.BufferedReader(Descriptor(os.dup(number), "r", str(path)))


def has_name(status: os.stat_result) -> bool:
    """Whether this is a regular file that was not deleted, as the shell does with the text of a here-document."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink > 0


def _descriptor(path: Path) -> Optional[int]:
    """Give the number of the descriptor of this process that a path names, or None."""
    folder = Path(os.path.realpath(path.parent))
    # As many links as the kernel follows.
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
def _naming(output: Path) -> Iterator[None]:
    """Let errors name what the user named, not a hidden file or nothing."""
    try:
        yield
    except (errors.Error, BrokenPipeError):
        raise
    except OSError as failure:
        raise OSError(failure.errno, failure.strerror or str(failure), str(output)) from None


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside a path, and rename it at the end.

    Where that is not possible, as with a file that is mounted by itself or whose folder cannot be written, the file
    that is there is written at the end. So it has to be writable, which shows before anything is asked for.
    """
    with contextlib.ExitStack() as stack:
        # A link is still there where links lead in a circle.
        is_present = path.exists() or path.is_symlink()
        present = stack.enter_context(os.fdopen(os.open(path, os.O_WRONLY), "wb")) if is_present else None
        is_replaced = True
        temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.part")
        try:
            file: BinaryIO = stack.enter_context(temporary.open("x+b"))
        except OSError:
            if present is None:
                raise
            file = stack.enter_context(tempfile.TemporaryFile())
        else:
            stack.callback(temporary.unlink, missing_ok=True)
        if present is not None:
            is_replaced = _become_alike(file, os.fstat(present.fileno()))
        yield file
        file.flush()
        os.fsync(file.fileno())
        try:
            if is_replaced:
                temporary.replace(path)
        except OSError:
            is_replaced = False
            if present is None:
                raise
        if present is not None and not is_replaced:
            _overwrite(present, file)


def _become_alike(file: BinaryIO, present: os.stat_result) -> bool:
    """Give a new file the owner and the mode of one that it can replace: that has one name, and an owner to be kept."""
    number = file.fileno()
    os.fchmod(number, stat.S_IRUSR | stat.S_IWUSR)
    new = os.fstat(number)
    try:
        if (new.st_uid, new.st_gid) != (present.st_uid, present.st_gid):
            os.fchown(number, present.st_uid, present.st_gid)
        os.fchmod(number, stat.S_IMODE(present.st_mode))
    except PermissionError:
        return False
    return present.st_nlink == 1


def _overwrite(present: BinaryIO, file: BinaryIO) -> None:
    """Write a file's content over another's: all or, where there is no room, nothing."""
    before, after = (os.fstat(each.fileno()).st_size for each in (present, file))
    with _undisturbed():
        if after > before:
            try:
                os.posix_fallocate(present.fileno(), before, after - before)
            except OSError as failure:
                # Some file systems cannot make room.
                if failure.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    present.truncate(before)
                    raise
        file.seek(0)
        shutil.copyfileobj(file, present)
        present.truncate(after)
        present.flush()
        os.fsync(present.fileno())


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal end what is short and not to be left half done."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
