"""bindings/install and bindings/demo, run as in a fresh clone."""

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
def test_missing_swift_is_reported(command: list[str], tmp_path: Path) -> None:
    # PATH holds only the programs that a script needs to get there, because Swift may be in /usr/bin.
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
    # One sentence on one line.
    assert re.fullmatch(r"(install|demo|run): Swift was not found: [^\n]*\.\n", result.stderr)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["a", "b"], [""], ["--help"]])
def test_install_requires_one_prefix(arguments: list[str], tmp_path: Path) -> None:
    result = run([ROOT / "bindings" / "install", *arguments], directory=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "install: usage: bindings/install PREFIX\n"
    assert list(tmp_path.iterdir()) == []


def write_stub(directory: Path, name: str, script: str) -> None:
    """Writes a shell script that stands in for a program when `directory` comes first on PATH."""
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_missing_packages_are_installed_by_name(tmp_path: Path) -> None:
    log, index = tmp_path / "log", tmp_path / "index"
    write_stub(tmp_path, "dpkg-query", 'case "$*" in *" here") echo installed ;; *) exit 1 ;; esac')
    write_stub(tmp_path, "sudo", 'exec "$@"')
    # A machine without a package index, such as a fresh image.
    write_stub(
        tmp_path,
        "apt-get",
        f'echo "$*" >>"{log}"\n[ "$1" = update ] && : >"{index}"\n[ -e "{index}" ]',
    )
    script = f'set -euo pipefail; source "{ROOT}/bindings/common.sh"; require_packages here one two'
    output = succeed(["bash", "-c", script], {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert output == "==> Installing one two\n"
    install = "install -qq -y --no-install-recommends one two"
    assert log.read_text().splitlines() == [install, "update -qq", install]


def test_apt_is_not_run_if_nothing_is_missing(tmp_path: Path) -> None:
    write_stub(tmp_path, "dpkg-query", "echo installed")
    write_stub(tmp_path, "apt-get", "exit 1")
    script = f'set -euo pipefail; source "{ROOT}/bindings/common.sh"; require_packages one two'
    assert succeed(["bash", "-c", script], {"PATH": f"{tmp_path}:{os.environ['PATH']}"}) == ""


def test_packages_that_cannot_be_installed_are_named(tmp_path: Path) -> None:
    for name in ("dpkg-query", "sudo", "apt-get"):
        write_stub(tmp_path, name, "exit 1")
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = run([ROOT / "bindings" / "install", tmp_path / "prefix"], {"PATH": path})
    assert result.returncode == 1
    assert result.stderr.startswith("install: ")
    assert "libjansson-dev" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "prefix").exists()


def processes_with(text: str) -> list[str]:
    """Returns the command lines of running processes that contain `text`."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            # The process has exited.
            continue
        if text in line:
            found.append(line)
    return found


def test_demo(tmp_path: Path) -> None:
    # The demo keeps its files below TMPDIR and removes them. Its sandbox has exited by then.
    output = succeed([ROOT / "bindings" / "demo"], {"TMPDIR": str(tmp_path)})
    for operation in OPERATIONS:
        assert operation in output
    for operation in ("create", "get", "update", "list", "delete"):
        assert f"client.users.{operation}" in output
    assert "client.user_tokens.create" in output
    # From C and from Python.
    assert output.count("3 users, 1 with metadata") == 2
    assert not [word for word in output.split() if word.startswith("eyJ") and len(word) > 20]
    assert list(tmp_path.glob("argyle-demo.*")) == []
    assert processes_with(str(tmp_path)) == []


def test_demo_ignores_proxies(tmp_path: Path) -> None:
    # Nothing listens there: a request through a proxy would fail.
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:1")
    assert "3 users, 1 with metadata" in succeed([ROOT / "bindings" / "demo"], proxies)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_demo_stops_its_sandbox(
    number: signal.Signals, tmp_path: Path
) -> None:
    # A stub for the compiler replaces the example with a program that waits to be killed.
    programs = tmp_path / "bin"
    programs.mkdir()
    write_stub(
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
        # Ctrl-C in a terminal signals all processes of the command, and so does this test.
        start_new_session=True,
    )
    assert process.stdout is not None
    assert "waiting\n" in iter(process.stdout.readline, "")
    assert list(directory.glob("argyle-demo.*")) != []
    assert processes_with(str(directory)) != []
    os.killpg(process.pid, number)
    process.stdout.read()
    assert process.wait(timeout=PATIENCE) == 128 + number
    assert list(directory.glob("argyle-demo.*")) == []
    assert processes_with(str(directory)) == []


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
