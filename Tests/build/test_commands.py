"""The two commands, as somebody sees them who has just cloned the project."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from conftest import PATIENCE, ROOT, Prefix, run, succeed
from test_linking import OPERATIONS


@pytest.mark.parametrize(
    "command", [["bindings/install", "unused"], ["bindings/demo"], ["Tests/run"], [".ci/run"]]
)
def test_say_so_where_swift_is_missing(command: list[str], tmp_path: Path) -> None:
    # A PATH of the few programs that a script needs to get so far: Swift may lie in /usr/bin.
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "env", "sh"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    result = run([ROOT / command[0], *command[1:]], {"PATH": str(programs)}, elsewhere)
    assert result.returncode == 1
    assert result.stdout == ""
    # One line, one sentence.
    assert re.fullmatch(r"(install|demo|run): Swift was not found: [^\n]*\.\n", result.stderr)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["a", "b"], [""], ["--help"]])
def test_install_wants_one_prefix(arguments: list[str], tmp_path: Path) -> None:
    result = run([ROOT / "bindings" / "install", *arguments], directory=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "install: usage: bindings/install PREFIX\n"
    assert list(tmp_path.iterdir()) == []


def stand_in(directory: Path, name: str, script: str) -> None:
    """Puts a program into a directory, to be found before the real one."""
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_missing_packages_are_installed_by_name(tmp_path: Path) -> None:
    log, index = tmp_path / "log", tmp_path / "index"
    stand_in(tmp_path, "dpkg-query", 'case "$*" in *" here") echo installed ;; *) exit 1 ;; esac')
    stand_in(tmp_path, "sudo", 'exec "$@"')
    # A machine that has no package index yet, as a fresh image.
    stand_in(
        tmp_path,
        "apt-get",
        f'echo "$*" >>"{log}"\n[ "$1" = update ] && : >"{index}"\n[ -e "{index}" ]',
    )
    script = f'set -euo pipefail; source "{ROOT}/bindings/common.sh"; require_packages here one two'
    output = succeed(["bash", "-c", script], {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert output == "==> Installing one two\n"
    install = "install -qq -y --no-install-recommends one two"
    assert log.read_text().splitlines() == [install, "update -qq", install]


def test_nothing_is_asked_of_apt_where_nothing_is_missing(tmp_path: Path) -> None:
    stand_in(tmp_path, "dpkg-query", "echo installed")
    stand_in(tmp_path, "apt-get", "exit 1")
    script = f'set -euo pipefail; source "{ROOT}/bindings/common.sh"; require_packages one two'
    assert succeed(["bash", "-c", script], {"PATH": f"{tmp_path}:{os.environ['PATH']}"}) == ""


def test_say_which_packages_cannot_be_installed(tmp_path: Path) -> None:
    for name in ("dpkg-query", "sudo", "apt-get"):
        stand_in(tmp_path, name, "exit 1")
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = run([ROOT / "bindings" / "install", tmp_path / "prefix"], {"PATH": path})
    assert result.returncode == 1
    assert result.stderr.startswith("install: ")
    assert "libjansson-dev" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "prefix").exists()


def processes_that_name(text: str) -> list[str]:
    """The command lines of running programs that hold a text."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            # It ended meanwhile.
            continue
        if text in line:
            found.append(line)
    return found


def test_demo(tmp_path: Path) -> None:
    # What it needs lies below TMPDIR, and is gone at its end, with the sandbox that used it.
    output = succeed([ROOT / "bindings" / "demo"], {"TMPDIR": str(tmp_path)})
    for operation in OPERATIONS:
        assert operation in output
    for operation in ("create", "get", "update", "list", "delete"):
        assert f"client.users.{operation}" in output
    assert "client.user_tokens.create" in output
    # From C, and from Python.
    assert output.count("3 users, 1 with metadata") == 2
    assert not [word for word in output.split() if word.startswith("eyJ") and len(word) > 20]
    assert list(tmp_path.glob("argyle-demo.*")) == []
    assert processes_that_name(str(tmp_path)) == []


def test_demo_does_without_proxies(tmp_path: Path) -> None:
    # Nothing listens there: a request by way of a proxy would fail.
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:1")
    assert "3 users, 1 with metadata" in succeed([ROOT / "bindings" / "demo"], proxies)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_demo_stops_the_sandbox_where_it_is_stopped_itself(
    number: signal.Signals, tmp_path: Path
) -> None:
    # The example is stood in for by one that waits to be ended, by way of the compiler.
    programs = tmp_path / "bin"
    programs.mkdir()
    stand_in(
        programs,
        "cc",
        'case "$*" in *users.c*) ;; *) exec /usr/bin/cc "$@" ;; esac\n'
        'while [ "$1" != -o ]; do shift; done\n'
        "printf '#!/bin/sh\\necho waiting\\nexec sleep 600\\n' >\"$2\" && chmod +x \"$2\"",
    )
    directory = tmp_path / "directory"
    directory.mkdir()
    path = f"{programs}:{os.environ['PATH']}"
    process = subprocess.Popen(
        [ROOT / "bindings" / "demo"],
        env={**os.environ, "PATH": path, "TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        # A terminal's Ctrl-C reaches all processes of the command, and so does this test's signal.
        start_new_session=True,
    )
    assert process.stdout is not None
    assert "waiting\n" in iter(process.stdout.readline, "")
    assert list(directory.glob("argyle-demo.*")) != []
    assert processes_that_name(str(directory)) != []
    os.killpg(process.pid, number)
    process.stdout.read()
    assert process.wait(timeout=PATIENCE) == 128 + number
    assert list(directory.glob("argyle-demo.*")) == []
    assert processes_that_name(str(directory)) == []


def test_installing_again_changes_nothing(prefix: Prefix) -> None:
    def contents() -> dict[str, bytes]:
        files = (path for path in sorted(prefix.path.rglob("*")) if path.is_file())
        return {str(path.relative_to(prefix.path)): path.read_bytes() for path in files}

    before = contents()
    succeed([ROOT / "bindings" / "install", prefix.path])
    assert contents() == before
    assert sorted(before) == [
        "bin/argyle-sandbox",
        "include/argyle-sandbox.h",
        "include/argyle.h",
        "lib/libargyle-sandbox.so",
        "lib/libargyle-sandbox.so.0",
        "lib/libargyle-sandbox.so.0.1.0",
        "lib/libargyle.a",
        "lib/libargyle.so",
        "lib/libargyle.so.0",
        "lib/libargyle.so.0.1.0",
        "lib/pkgconfig/argyle-sandbox.pc",
        "lib/pkgconfig/argyle.pc",
    ]
