"""Files of the command line that are not regular or have other suffixes."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path
from typing import Optional

import pytest

from conftest import COMMAND, FOREVER_MS, PATIENCE, Runner, Server, environment, metadata_lines, numbers, wait_until

pytest.importorskip("click")
pytest.importorskip("rich")


def shell(
    server: Server, line: str, *, directory: Path, **changes: Optional[str]
) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash, in which ``argyle`` is the command line."""
    result = subprocess.run(
        ["bash", "-c", f'set -o pipefail; argyle() {{ {shlex.join(COMMAND)} "$@"; }}; {line}'],
        cwd=directory,
        capture_output=True,
        text=True,
        env=environment(server, **changes),
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    return result


def exported(text: str) -> "list[int]":
    return [json.loads(line)["external_metadata"]["number"] for line in text.splitlines()]


def names(directory: Path) -> "list[str]":
    return sorted(path.name for path in directory.iterdir())


# ---------------------------------------------------------------- Exports to files that are not regular


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_export_to_a_pipe_by_name(run: Runner, server: Server, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    server.seed(250)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: "list[bytes]" = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    assert run("users", "export", "--format", kind, "--output", str(pipe)).code == 0
    reader.join(PATIENCE)
    assert run("users", "export", "--format", kind, "--output", str(tmp_path / "file")).code == 0
    assert found == [(tmp_path / "file").read_bytes()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["file", "pipe"]


@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_an_export_to_standard_output_by_name(server: Server, tmp_path: Path, output: str) -> None:
    server.seed(3)
    command = f"argyle users export --output {output}"
    assert exported(shell(server, f"{command} | cat", directory=tmp_path).stdout) == [1, 2, 3]
    file = tmp_path / "all.jsonl"
    file.write_text("what stood there\n")
    inode = file.stat().st_ino
    assert shell(server, f"{command} >> all.jsonl", directory=tmp_path).returncode == 0
    first, _, rest = file.read_text().partition("\n")
    assert (first, exported(rest), file.stat().st_ino) == ("what stood there", [1, 2, 3], inode)
    assert names(tmp_path) == ["all.jsonl"]


def test_an_export_into_another_process(server: Server, tmp_path: Path) -> None:
    server.seed(3)
    assert shell(server, "argyle users export --output >(cat > file); wait $!", directory=tmp_path).returncode == 0
    assert exported((tmp_path / "file").read_text()) == [1, 2, 3]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_full_device_is_named(run: Runner, server: Server, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    server.seed(3)
    result = run("users", "export", "--format", kind, "--output", "/dev/full")
    assert result.code == 1
    assert result.err == "argyle: /dev/full: No space left on device\n"


# Root ignores permissions.
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"] if os.geteuid() == 0 else []


def unprivileged(server: Server, *arguments: str) -> "subprocess.CompletedProcess[str]":
    result = subprocess.run(
        [*UNPRIVILEGED, *COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environment(server),
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in result.stderr
    return result


def test_an_export_to_a_read_only_folder(server: Server, tmp_path: Path) -> None:
    server.seed(3)
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "users.jsonl"
    file.write_text("old" * 1000)
    folder.chmod(0o555)
    try:
        assert unprivileged(server, "users", "export", "--output", str(file)).returncode == 0
        assert exported(file.read_text()) == [1, 2, 3]
        requests = server.requests
        refused = unprivileged(server, "users", "export", "--output", str(folder / "new.jsonl"))
        assert (refused.returncode, server.requests) == (1, requests)
        assert refused.stderr == f"argyle: {folder / 'new.jsonl'}: Permission denied\n"
        assert names(folder) == ["users.jsonl"]
    finally:
        folder.chmod(0o755)


def test_an_export_to_a_read_only_file_is_rejected_before_the_first_request(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text("old")
    file.chmod(0o444)
    requests = server.requests
    refused = unprivileged(server, "users", "export", "--output", str(file))
    assert (refused.returncode, server.requests) == (1, requests)
    assert refused.stderr == f"argyle: {file}: Permission denied\n"
    assert (file.read_text(), names(tmp_path)) == ("old", ["users.jsonl"])


def refuse_to_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make renames fail, as for a file that is a mount point."""

    def replace(path: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("old", ["", "a long text that stood there", "x"])
def test_a_file_that_cannot_be_replaced_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str
) -> None:
    from argyle.cli import _files

    refuse_to_rename(monkeypatch)
    file = tmp_path / "users.jsonl"
    file.write_text(old)
    inode = file.stat().st_ino
    with _files.destination(file) as stream:
        stream.write(b"new text")
        stream.flush()
        assert file.read_text() == old
    assert (file.read_text(), file.stat().st_ino, names(tmp_path)) == ("new text", inode, ["users.jsonl"])


def test_a_file_that_cannot_be_replaced_stays_if_the_export_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from argyle.cli import _files

    refuse_to_rename(monkeypatch)
    file = tmp_path / "users.jsonl"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), _files.destination(file) as stream:
        stream.write(b"new text")
        raise ZeroDivisionError

    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=f"No space left on device: '{file}'"), _files.destination(file) as stream:
        stream.write(b"new text")
    assert (file.read_text(), names(tmp_path)) == ("old", ["users.jsonl"])


def test_an_export_to_a_folder_or_a_loop_of_links_is_one_line(run: Runner, server: Server, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for output, told in ((tmp_path, "Is a directory"), (loop, "Too many levels of symbolic links")):
        requests = server.requests
        result = run("users", "export", "--output", str(output))
        assert (result.code, server.requests) == (1, requests)
        assert result.err == f"argyle: {output}: {told}\n"


def test_failures_go_to_standard_error_by_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("what stood there\n")
    (tmp_path / "users.jsonl").write_text("no JSON\n")
    line = "argyle users import users.jsonl --failures /dev/stderr 2>> log"
    assert shell(server, line, directory=tmp_path).returncode == 3
    told = (tmp_path / "log").read_text().splitlines()
    assert told[0] == "what stood there"
    assert json.loads(told[1])["line"] == 1


# ---------------------------------------------------------------- Parquet


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM])
def test_incomplete_parquet_cannot_be_read(server: Server, output: str, number: Optional[signal.Signals]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    server.seed(3)
    if number is None:
        server.fault(kind="error", status=422, method="GET", count=1)
    else:
        server.fault(kind="delay", milliseconds=FOREVER_MS, method="GET", count=1)
    command = [*COMMAND, "users", "export", "--format", "parquet", "--output", output]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(server)) as process:
        if number is not None:
            wait_until(lambda: not server.faults() or process.poll() is not None)
            process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == (1 if number is None else 128 + number)
    assert b"Exception ignored" not in err
    assert err.count(b"\n") == (0 if number == signal.SIGTERM else 1)
    with pytest.raises(pyarrow.ArrowInvalid):
        parquet.ParquetFile(pyarrow.BufferReader(out))


def test_parquet_that_cannot_be_written_is_one_line(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    server.seed(2000)
    for target in ("> out", "--output out"):
        line = f"ulimit -f 8; argyle users export --format parquet {target}"
        result = shell(server, line, directory=tmp_path)
        assert (result.returncode, result.stderr.count("\n")) == (1, 1)
        assert "File too large" in result.stderr


def test_row_groups_of_parquet_are_bounded_in_bytes(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    from argyle.cli._formats import selection
    from argyle.cli.users_export import _Parquet
    from argyle.models import User

    file = tmp_path / "users.parquet"
    with file.open("wb") as stream:
        writer = _Parquet(stream, selection(None, 1))
        for page in range(3):
            writer.write([User({"id": f"{page} {n}", "external_metadata": "ä" * 1_000_000}) for n in range(40)])
        writer.finish()
    found = parquet.ParquetFile(file)
    assert found.metadata.num_rows == 120
    groups = [found.metadata.row_group(index).num_rows for index in range(found.metadata.num_row_groups)]
    assert max(groups) * 2_000_000 < 50 << 20
    assert found.read(["id"])["id"].to_pylist() == [f"{page} {n}" for page in range(3) for n in range(40)]


# ---------------------------------------------------------------- Suffixes


@pytest.mark.parametrize(
    "ending", ["xlsx", "gz", "json", "tsv", "jsonl.gz", "csv.ZIP", "xls", "zst", "lz4", "arrow", "db"]
)
def test_a_suffix_of_another_format_is_rejected(run: Runner, server: Server, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"users.{ending}"
    requests = server.requests
    result = run("users", "export", "--output", str(file))
    assert (result.code, names(tmp_path)) == (2, [])
    assert f".{ending.rsplit('.', 1)[-1].lower()}" in result.err
    assert "--format" in result.err
    file.write_text(metadata_lines(1))
    assert run("users", "import", str(file)).code == 2
    assert server.requests == requests
    # Unless the format is given.
    assert run("users", "import", str(file), "--format", "jsonl").code == 0


def test_other_suffixes_are_ignored(run: Runner, server: Server, tmp_path: Path) -> None:
    server.seed(1)
    for name in ("users", "users.txt", "users.2024-06", "users.ndjson"):
        assert run("users", "export", "--output", str(tmp_path / name)).code == 0
        assert exported((tmp_path / name).read_text()) == [1]


# ---------------------------------------------------------------- Imports from files that are not regular


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_import_from_a_pipe_by_name(run: Runner, server: Server, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    server.seed(3)
    file = tmp_path / f"users.{kind}"
    assert run("users", "export", "--output", str(file)).code == 0
    server.control("DELETE", "/users")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(file.read_bytes()))
    writer.start()
    assert run("users", "import", "--format", kind, str(pipe)).code == 0
    writer.join(PATIENCE)
    assert run("users", "import", "--format", kind, "-", stdin=file.read_bytes()).code == 0
    line = f"argyle users import --format {kind} <(cat {file.name})"
    assert shell(server, line, directory=tmp_path).returncode == 0
    assert server.count == 9
    assert names(tmp_path) == ["pipe", file.name]


def test_an_import_from_standard_input_by_name(run: Runner, server: Server, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text(metadata_lines(3))
    before = names(Path("/dev"))
    # The same file by another name.
    for line in ("import /dev/stdin < users.jsonl", "import users.jsonl", "import /dev/fd/0 < users.jsonl"):
        assert shell(server, f"argyle users {line}", directory=tmp_path).returncode == 0
    assert numbers(run) == [0, 1, 2]
    assert names(tmp_path) == ["users.jsonl", "users.jsonl.done"]
    assert shell(server, "cat users.jsonl | argyle users import /dev/stdin", directory=tmp_path).returncode == 0
    assert server.count == 6
    assert names(Path("/dev")) == before


def test_an_import_of_nothing_leaves_nothing_behind(run: Runner, server: Server, tmp_path: Path) -> None:
    assert run("users", "import", "/dev/null").code == 0
    assert not Path("/dev/null.done").exists()
    result = run("users", "import", str(tmp_path))
    assert (result.code, result.err) == (1, f"argyle: {tmp_path}: Is a directory\n")
    assert server.count == 0


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/7", "/proc/self/fd/7"])
def test_an_import_from_a_deleted_file(run: Runner, server: Server, tmp_path: Path, name: str) -> None:
    """As a shell creates one for a here-document."""
    (tmp_path / "text").write_text(metadata_lines(3) + "not JSON\n")
    line = f"exec 7< text; rm text; argyle users import {name} 0<&7"
    result = shell(server, line, directory=tmp_path)
    assert (result.returncode, result.stdout.count("\n")) == (3, 3)
    assert numbers(run) == [0, 1, 2]
    assert names(tmp_path) == []
    line = f"printf '%s' '{metadata_lines(5)}' > text; {line} --journal journal"
    for count in (5, 0):
        result = shell(server, line, directory=tmp_path)
        assert (result.returncode, result.stdout.count("\n")) == (0, count)
    assert names(tmp_path) == ["journal"]
    result = shell(server, "argyle users import /dev/fd/8", directory=tmp_path)
    assert (result.returncode, result.stderr) == (1, "argyle: /dev/fd/8: No such file or directory\n")


def test_an_import_from_a_socket_by_name(run: Runner, server: Server) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(metadata_lines(3).encode())
        ours.shutdown(socket.SHUT_WR)
        result = subprocess.run(
            [*COMMAND, "users", "import", "/dev/stdin"],
            stdin=theirs.fileno(),
            capture_output=True,
            text=True,
            env=environment(server),
            timeout=PATIENCE,
            check=False,
        )
    assert (result.returncode, result.stderr) == (0, "argyle: 3 created\n")


# ---------------------------------------------------------------- What an export preserves


def test_write_only_files_are_written(server: Server, tmp_path: Path) -> None:
    server.seed(3)
    output, failures, lines = tmp_path / "output", tmp_path / "failures", tmp_path / "lines.jsonl"
    lines.write_text("not JSON\n")
    for file in (output, failures):
        file.write_text("old")
        file.chmod(0o222)
    assert unprivileged(server, "users", "export", "--output", str(output)).returncode == 0
    assert unprivileged(server, "users", "import", str(lines), "--failures", str(failures)).returncode == 3
    assert (output.stat().st_mode & 0o777, failures.stat().st_mode & 0o777) == (0o222, 0o222)
    for file in (output, failures):
        file.chmod(0o644)
    assert exported(output.read_text()) == [1, 2, 3]
    assert json.loads(failures.read_text())["line"] == 1


def test_an_export_keeps_hard_links(run: Runner, server: Server, tmp_path: Path) -> None:
    server.seed(3)
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("old" * 1000)
    os.link(file, other)
    assert run("users", "export", "--output", str(file)).code == 0
    assert exported(other.read_text()) == [1, 2, 3]
    assert file.samefile(other)
    assert names(tmp_path) == ["file", "other"]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")
@pytest.mark.parametrize("may_give", [True, False])
def test_an_export_keeps_the_owner(server: Server, tmp_path: Path, may_give: bool) -> None:
    server.seed(3)
    file = tmp_path / "file"
    file.write_text("old")
    os.chown(file, 12345, 54321)
    file.chmod(0o2666)
    before = file.stat()
    prefix = [] if may_give else ["setpriv", "--bounding-set=-chown,-fowner"]
    result = subprocess.run(
        [*prefix, *COMMAND, "users", "export", "--output", str(file)],
        capture_output=True,
        text=True,
        env=environment(server),
        timeout=PATIENCE,
        check=False,
    )
    assert (result.returncode, exported(file.read_text())) == (0, [1, 2, 3])
    after = file.stat()
    assert (after.st_uid, after.st_gid) == (12345, 54321)
    assert after.st_mode & 0o777 == 0o666
    # In place if the new file could not be given to the owner.
    assert (after.st_ino == before.st_ino) == (not may_give)
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("option", ["--failures", "--journal"])
def test_an_import_rejects_a_dash_for_its_files(run: Runner, server: Server, tmp_path: Path, option: str) -> None:
    lines = tmp_path / "users.jsonl"
    lines.write_text(metadata_lines(1))
    result = run("users", "import", str(lines), option, "-")
    assert (result.code, server.count) == (2, 0)
    assert option in result.err
