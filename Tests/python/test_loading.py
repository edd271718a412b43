"""Finding and loading the libraries, and the errors if that fails."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest

import argyle
from argyle._abi import _loading
from conftest import KEY_ID, KEY_SECRET, ROOT

PACKAGE = Path(argyle.__file__).parent


def run_python(program: str, **environment: str) -> str:
    """Run a program without the library paths in this process's environment."""
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def stub(path: Path, name: str, version: Optional[str], needs: Optional[str] = None) -> Path:
    """Create a library with only a version function, and optionally a dependency that does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.with_suffix(".c")
    source.write_text(f'const char *{name}(void) {{ return "{version}"; }}\n' if version else "int nothing;\n")
    command: list[str | Path] = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{path.name}", source, "-o", path]
    if needs is None:
        subprocess.run(command, check=True)
        return path
    needed = stub(path.parent / "needed" / needs, "needed", None)
    subprocess.run([*command, "-Wl,--no-as-needed", needed], check=True)
    shutil.rmtree(needed.parent)
    return path


class Places:
    """A package without libraries, and stubs of libargyle at the paths where it is searched for."""

    def __init__(self, directory: Path) -> None:
        self.package = directory / "python" / "argyle"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("lib", "__pycache__"))
        self.override = directory / "override" / "libargyle.so.0"
        self.packaged = self.package / "lib" / "libargyle.so.0"
        self.system = directory / "system" / "libargyle.so.0"

    def load(self, override: Optional[Path] = None) -> str:
        """Return the message of the failure to load the library."""
        program = """
import argyle
try:
    argyle.Client("id", "secret")
except argyle.LibraryError as error:
    assert isinstance(error, ImportError)
    print(error)
"""
        return run_python(
            program,
            PYTHONPATH=str(self.package.parent),
            # The dynamic linker treats it as a system path.
            LD_LIBRARY_PATH=str(self.system.parent),
            **({"ARGYLE_LIBRARY": str(override)} if override else {}),
        )


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_order_and_versions(places: Places) -> None:
    stub(places.system, "argyle_version", "7.7.7")
    text = f"libargyle.so.0 is libargyle 7.7.7, but this package is argyle {argyle.__version__}: reinstall both\n"
    assert places.load() == text
    stub(places.packaged, "argyle_version", "8.8.8")
    assert places.load().startswith(f"{places.packaged} is libargyle 8.8.8, ")
    stub(places.override, "argyle_version", "9.9.9")
    assert places.load(places.override).startswith(f"{places.override} is libargyle 9.9.9, ")


def test_all_failures_in_one_message(places: Places) -> None:
    assert places.load() == (
        f"libargyle cannot be loaded: {places.packaged}: cannot open shared object file: No such file or directory; "
        "libargyle.so.0: cannot open shared object file: No such file or directory\n"
    )
    places.packaged.parent.mkdir()
    places.packaged.write_bytes(b"no library")
    text = places.load()
    assert f"{places.packaged}: file too short; libargyle.so.0: cannot open" in text
    assert text.count("\n") == 1


def test_override_is_the_only_place(places: Places) -> None:
    stub(places.packaged, "argyle_version", argyle.__version__)
    absent = places.override.with_name("absent.so")
    assert places.load(absent) == (
        f"libargyle cannot be loaded: {absent}: cannot open shared object file: No such file or directory\n"
    )


def test_library_without_a_function(places: Places) -> None:
    stub(places.packaged, "argyle_version", argyle.__version__)
    assert places.load() == f"{places.packaged} has no function argyle_error_code: its version differs\n"
    stub(places.packaged, "another", "1")
    assert places.load() == f"{places.packaged} has no function argyle_version: its version differs\n"


def test_system_library_if_the_packaged_one_lacks_a_dependency(places: Places) -> None:
    stub(places.packaged, "argyle_version", "8.8.8", needs="libargyle-absent.so.1")
    stub(places.system, "argyle_version", "7.7.7")
    assert places.load().startswith("libargyle.so.0 is libargyle 7.7.7, ")


def test_missing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = stub(tmp_path / "libargyle.so.0", "argyle_version", argyle.__version__, needs="libargyle-absent.so.1")
    monkeypatch.setenv("ARGYLE_LIBRARY", str(library))
    packages = {**_loading.packages["argyle"], "libargyle-absent.so.1": "libargyle-absent1", "libno.so.2": "libno2"}
    monkeypatch.setitem(_loading.packages, "argyle", packages)
    with pytest.raises(argyle.LibraryError) as raised:
        _loading.load("argyle", "ARGYLE_LIBRARY")
    assert str(raised.value) == (
        f"libargyle cannot be loaded: {library}: libargyle-absent.so.1: cannot open shared object file: "
        "No such file or directory (on Debian: apt install libargyle-absent1 libno2)"
    )


@pytest.mark.parametrize("name", ["argyle", "argyle-sandbox"])
def test_packages_of_all_dependencies(name: str) -> None:
    library = PACKAGE / "lib" / f"lib{name}.so.0"
    text = subprocess.run(["readelf", "--dynamic", library], check=True, capture_output=True, text=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", text)) - {"libc.so.6", "libm.so.6"}
    packages = {}
    for soname in needed:
        paths = subprocess.run(["ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
        path = next(line.split(" => ")[1] for line in paths.splitlines() if line.strip().startswith(f"{soname} "))
        owner = subprocess.run(
            ["dpkg-query", "--search", Path(path).resolve()], capture_output=True, text=True, check=True
        )
        packages[soname] = owner.stdout.partition(":")[0]
    assert packages == _loading.packages[name]


def test_client_does_not_need_the_sandbox(sandbox_url: str) -> None:
    program = f"""
import argyle
with argyle.Client({KEY_ID!r}, {KEY_SECRET!r}, base_url={sandbox_url!r}) as client:
    client.users.delete(client.users.create().id)
names = ("libargyle.so", "libcurl", "libargyle-sandbox", "libmicrohttpd", "libjwt")
print([name for name in names if name in open("/proc/self/maps").read()])
argyle.Sandbox()
print([name for name in names if name in open("/proc/self/maps").read()])
"""
    assert run_python(program) == (
        "['libargyle.so', 'libcurl']\n['libargyle.so', 'libcurl', 'libargyle-sandbox', 'libmicrohttpd', 'libjwt']\n"
    )


def test_sandbox_of_another_version(tmp_path: Path) -> None:
    library = stub(tmp_path / "libargyle-sandbox.so.0", "argyle_sandbox_version", "9.9.9")
    program = """
import argyle
try:
    argyle.Sandbox()
except argyle.LibraryError as error:
    print(error)
"""
    assert run_python(program, ARGYLE_SANDBOX_LIBRARY=str(library)) == (
        f"{library} is libargyle-sandbox 9.9.9, but this package is argyle {argyle.__version__}: reinstall both\n"
    )


def test_other_pythons_are_rejected() -> None:
    """The ctypes of PyPy, among others, lacks required features."""
    program = """
import ctypes, sys
del ctypes.pythonapi
sys.implementation.name = "pypy"
import argyle
for name in ("Client", "AsyncClient", "Sandbox"):
    try:
        getattr(argyle, name)
    except argyle.LibraryError as error:
        print(error)
"""
    assert run_python(program) == "argyle requires CPython, got pypy\n" * 3


def test_command_is_rejected_by_other_pythons() -> None:
    """In one line."""
    program = """
import ctypes, os, sys
del ctypes.pythonapi
sys.implementation.name = "pypy"
os.dup2(1, 2)
sys.argv = ["argyle", "users", "list"]
from argyle.cli import main
try:
    main()
except SystemExit as end:
    print(end.code)
"""
    assert run_python(program) == "argyle: argyle requires CPython, got pypy\n1\n"


def test_version_is_that_of_the_header() -> None:
    header = (ROOT / "include" / "argyle.h").read_text()
    assert f'#define ARGYLE_VERSION "{argyle.__version__}"\n' in header
