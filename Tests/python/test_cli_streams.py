"""The standard streams lose no data, whatever kind of file they are."""

from __future__ import annotations

import array
import contextlib
import json
import os
import shlex
import subprocess
import termios
import threading
from collections.abc import Iterator
from fcntl import ioctl
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from conftest import COMMAND, PATIENCE, Runner, Server, environment, metadata_lines, numbers, wait_until

pytest.importorskip("click")
pytest.importorskip("rich")


def shell(server: Server, line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash, in which $argyle is the command."""
    result = subprocess.run(
        ["bash", "-c", line.replace("$argyle", shlex.join(COMMAND))],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(server),
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    return result


# ---------------------------------------------------------------- Output


@pytest.mark.parametrize("command", ["users export", "users export --format csv", "users list"])
def test_a_short_write_is_not_ignored(server: Server, tmp_path: Path, command: str) -> None:
    server.seed(200)
    line = f"ulimit -f 8; PYTHONUNBUFFERED=1 $argyle {command} > out"
    result = shell(server, line, tmp_path)
    assert (result.returncode, result.stderr) == (1, "argyle: standard output: File too large\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["list", "export"])
def test_non_blocking_output_is_waited_for(server: Server, command: str, unbuffered: str) -> None:
    server.seed(3000)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with (
        subprocess.Popen(
            [*COMMAND, "users", command],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=environment(server, PYTHONUNBUFFERED=unbuffered),
        ) as process,
        open(ours, "rb") as reader,
    ):
        # The pipe is full before anything is read.
        wait_until(lambda: process.poll() is not None or _waiting(ours) > 60_000)
        os.close(theirs)
        lines = reader.read().splitlines()
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait(PATIENCE) == 0, told
    assert [json.loads(line)["external_metadata"]["number"] for line in lines] == (
        list(range(1, 3001)) if command == "export" else list(range(3000, 0, -1))
    )


def _waiting(descriptor: int) -> int:
    """Return the number of bytes in a pipe."""
    count = array.array("i", [0])
    ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


@pytest.mark.parametrize(
    "command",
    ["users list", "users export", "users import users.jsonl", "users create", "users get x", "users delete x --yes"],
)
def test_closed_output_is_reported_before_the_first_request(server: Server, tmp_path: Path, command: str) -> None:
    (tmp_path / "users.jsonl").write_text(metadata_lines(3))
    requests = server.requests
    result = shell(server, f"$argyle {command} >&-", tmp_path)
    assert (result.returncode, server.requests) == (1, requests)
    assert result.stderr == "argyle: standard output is closed\n"
    # Commands that write nothing to it do not need it.
    assert shell(server, "$argyle users export --output all.jsonl >&-", tmp_path).returncode == 0


def test_messages_that_cannot_be_written_do_not_change_the_exit_code(server: Server, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text("not JSON\n")
    for command, code in (("users get x", 4), ("users import users.jsonl", 3), ("users x", 2)):
        for told in ("2> /dev/full", "2> >(true)", "2>&-"):
            assert shell(server, f"$argyle {command} {told}", tmp_path).returncode == code


# ---------------------------------------------------------------- Input


@contextlib.contextmanager
def fed(server: Server, *arguments: str) -> "Iterator[tuple[subprocess.Popen[str], IO[str]]]":
    """A command whose standard input is a non-blocking pipe."""
    theirs, ours = os.pipe()
    os.set_blocking(theirs, False)
    with (
        subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(server),
        ) as process,
        open(ours, "w") as writer,
    ):
        os.close(theirs)
        try:
            yield process, writer
        finally:
            process.kill()


def _has_created(server: Server, count: int, process: "subprocess.Popen[str]") -> bool:
    return server.count == count or process.poll() is not None


def test_an_import_waits_for_non_blocking_input(run: Runner, server: Server) -> None:
    with fed(server, "users", "import", "-", "--in-flight", "1") as (process, writer):
        for count in (1, 2, 3):
            writer.write(metadata_lines(count).splitlines(keepends=True)[-1])
            writer.flush()
            wait_until(partial(_has_created, server, count, process))
        writer.close()
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out.count("\n"), err) == (0, 3, "argyle: 3 created\n")
    assert numbers(run) == [0, 1, 2]


@pytest.mark.parametrize("command", [["users", "create", "--metadata", "-"], ["tokens", "inspect"]], ids=" ".join)
def test_non_blocking_input_is_read_to_its_end(run: Runner, server: Server, command: "list[str]") -> None:
    text = '{"n": 1}'
    if command[0] == "tokens":
        text = run("tokens", "create", run("users", "create").json()["id"]).out
    with fed(server, *command) as (process, writer):
        writer.write(text[:5])
        writer.flush()
        wait_until(lambda: _waiting(writer.fileno()) == 0 or process.poll() is not None)
        writer.write(text[5:])
        writer.close()
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")


def test_the_end_of_non_blocking_input_is_detected(server: Server) -> None:
    with fed(server, "users", "create", "--metadata", "-") as (process, writer):
        threading.Thread(target=writer.close).start()
        assert process.wait(PATIENCE) == 2


# ---------------------------------------------------------------- Line by line


@pytest.mark.parametrize("kind", ["standard input", "named"])
@pytest.mark.parametrize("chosen", ["jsonl", "csv"])
def test_a_program_gets_the_result_of_a_line_before_it_writes_another(
    server: Server, tmp_path: Path, chosen: str, kind: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    name = "-" if kind == "standard input" else str(pipe)
    command = [*COMMAND, "users", "import", name, "--format", chosen]
    redirection = f'exec "$@" < {shlex.quote(str(pipe))}' if name == "-" else 'exec "$@"'
    with subprocess.Popen(
        ["bash", "-c", redirection, "bash", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(server),
    ) as process:
        killer = threading.Timer(PATIENCE, process.kill)
        killer.start()
        assert process.stdout is not None
        with pipe.open("w") as writer:
            texts = ["{}\n", "{}\nnot JSON\n\n", '{"exter'] if chosen == "jsonl" else ["1\n", "2\n{\n\n", "3"]
            number = 0
            if chosen == "csv":
                writer.write("external_metadata\n")
                number = 1
            for text in texts[:2]:
                number += 1
                writer.write(text)
                writer.flush()
                assert json.loads(process.stdout.readline() or "null")["line"] == number
            # An incomplete line does not block requests in flight.
            writer.write(("4\n" if chosen == "csv" else "{}\n") + texts[2])
            writer.flush()
            assert json.loads(process.stdout.readline() or "null")["line"] == number + 3
        out, err = process.communicate(timeout=PATIENCE)
        killer.cancel()
    assert out.count("\n") == (1 if chosen == "csv" else 0)
    assert process.returncode == 3
    assert f"{4 if chosen == 'csv' else 3} created, {1 if chosen == 'csv' else 2} failed" in err
