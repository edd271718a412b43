"""Programs that link the library: with pkg-config, shared and static, from C and from Swift."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from conftest import CLIENT, CONSUMERS, ROOT, STRICT, Prefix, Sandbox, run, succeed

EXAMPLE = ROOT / "bindings" / "c" / "examples" / "users.c"
STATIC = ("--static", "--cflags", "--libs")
OPERATIONS = (
    "argyle_user_create",
    "argyle_user_get",
    "argyle_user_update",
    "argyle_user_list",
    "argyle_user_cursor_next",
    "argyle_user_token_create",
    "argyle_token_claims",
    "argyle_user_delete",
    "argyle_user_create_with_fields",
    "argyle_user_update_with_fields",
)


def needed(program: Path) -> set[str]:
    """Returns the shared libraries that a program needs."""
    lines = succeed(["readelf", "--dynamic", "--wide", program]).splitlines()
    return {line.split("[", 1)[1].split(".so")[0] for line in lines if "(NEEDED)" in line}


def compile_example(program: Path, *flags: str | Path) -> Path:
    """Builds the C example as its comment says, with strict warnings."""
    succeed(["cc", "-std=c99", *STRICT, EXAMPLE, *flags, "-o", program])
    return program


def check_example(program: Path, environment: dict[str, str]) -> None:
    """Runs the example and checks that it shows all operations."""
    output = succeed([program], environment)
    for operation in OPERATIONS:
        assert operation in output
    assert "3 users, 1 with metadata" in output
    assert '{"group": "B", "tags": ["vip", "early"], "active": true}' in output
    assert 'birth_date   {"year": 1990, "month": 1, "day": 13}' in output
    assert 'birth_date   {"year": null, "month": null, "day": null}' in output
    assert "not_found" in output
    # Tokens are credentials: only their first characters are printed.
    assert "eyJ" in output
    assert not [word for word in output.split() if word.startswith("eyJ") and len(word) > 20]


def test_shared(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    program = compile_example(tmp_path / "users", *prefix.flags("--cflags", "--libs"))
    assert needed(program) == {"libargyle", "libjansson", "libc"}
    check_example(program, sandbox.environment() | prefix.environment())


def test_prefix_can_be_moved(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    moved = Prefix(tmp_path / "moved")
    shutil.copytree(prefix.path, moved.path, symlinks=True)
    assert str(prefix.path) not in " ".join(moved.flags("--cflags", "--libs"))
    program = compile_example(tmp_path / "users", *moved.flags("--cflags", "--libs"))
    check_example(program, sandbox.environment() | moved.environment())


def test_static_beside_the_shared_library(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    flags = prefix.flags("--define-variable=argyle_library=-l:libargyle.a", *STATIC)
    program = compile_example(tmp_path / "users", *flags)
    assert needed(program) - {"libm"} == {"libjansson", "libcurl", "libc"}
    check_example(program, sandbox.environment())


def test_static_by_file_name(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    flags = prefix.flags(*STATIC)
    program = compile_example(tmp_path / "users", "-Wl,--as-needed", prefix.archive, *flags)
    assert "libargyle" not in needed(program)
    check_example(program, sandbox.environment())


def test_static_without_the_shared_library(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    static = Prefix(tmp_path / "static")
    shutil.copytree(prefix.path, static.path, ignore=shutil.ignore_patterns("*.so*"))
    program = compile_example(tmp_path / "users", *static.flags(*STATIC))
    assert needed(program) - {"libm"} == {"libjansson", "libcurl", "libc"}
    check_example(program, sandbox.environment())


def test_archive_exports_only_the_header_functions(prefix: Prefix) -> None:
    lines = succeed(["nm", "--extern-only", "--defined-only", prefix.archive]).splitlines()
    symbols = {line.split()[2]: line.split()[1] for line in lines if len(line.split()) == 3}
    assert symbols == {name: "T" for name in CLIENT.functions()}


def test_archive_has_no_section_groups(prefix: Prefix) -> None:
    output = succeed(["readelf", "--section-groups", "--wide", prefix.archive])
    assert "There are no section groups in this file." in output


@pytest.mark.parametrize("archive", [False, True])
def test_callback_that_throws(prefix: Prefix, tmp_path: Path, archive: bool) -> None:
    program = tmp_path / "throwing"
    flags = prefix.flags("--define-variable=argyle_library=-l:libargyle.a", *STATIC)
    if not archive:
        flags = prefix.flags("--cflags", "--libs")
    succeed(["g++", "-std=c++17", *STRICT, CONSUMERS / "throwing.cpp", *flags, "-o", program])
    # An exception in a callback aborts; argyle.h says so, and what to do instead.
    assert run([program, "throw"], prefix.environment()).returncode == -signal.SIGABRT
    output = succeed([program, "keep"], prefix.environment())
    assert output.splitlines() == ["returned connection", "caught: thrown in the log function"]


def test_swift_program_with_the_archive(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    directory = CONSUMERS / "swift-program"
    program = tmp_path / "program"
    succeed([
        *("swiftc", directory / "main.swift", "-o", program),
        *("-I", directory, "-Xcc", f"-I{prefix.path / 'include'}"),
        *(prefix.archive, "-ljansson", "-lcurl", "-lm"),
    ])
    assert "libargyle" not in needed(program)
    assert "libswiftCore" in needed(program)
    assert "in a Swift program" in succeed([program], sandbox.environment())


def test_swift_package_that_depends_on_this_one(sandbox: Sandbox, tmp_path: Path) -> None:
    output = succeed(
        [
            *("swift", "run", "--package-path", CONSUMERS / "swift-package"),
            *("--scratch-path", tmp_path / "build", "consumer"),
        ],
        sandbox.environment(),
    )
    assert output.strip().endswith("ok")
