"""Helpers and fixtures for the tests of the shipped files: an installed prefix, compilers, a sandbox."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSUMERS = ROOT / "Tests" / "consumers"
STRICT = ("-pedantic", "-Wall", "-Wextra", "-Werror")
# Reached only if something hangs.
PATIENCE = 120
# Longer than PATIENCE, for delays that the test ends itself.
FOREVER_MS = 600_000


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a command with these variables added to its environment, and waits for it to exit."""
    return subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(environment or {})},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def succeed(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """Runs a command that must succeed, and returns its standard output."""
    result = run(command, environment, directory)
    assert result.returncode == 0, (
        f"{' '.join(map(str, command))}\nexited with {result.returncode}\n{result.stdout}{result.stderr}"
    )
    return result.stdout


def make_certificate(folder: Path) -> None:
    """Writes a self-signed certificate for 127.0.0.1 and its key to a folder."""
    succeed([
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"),
        *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
    ])


def wait_until(condition: Callable[[], object]) -> None:
    """Polls until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@dataclass(frozen=True)
class Library:
    """One of the project's shared libraries."""

    # The header's name, without its suffix.
    name: str
    # The Swift target with its exported functions.
    target: str
    # The libraries that it needs, apart from the C library.
    needed: frozenset[str]
    # Maximum size in bytes.
    max_size: int

    @property
    def header(self) -> Path:
        """Its C header."""
        return ROOT / "include" / f"{self.name}.h"

    @property
    def prefix(self) -> str:
        """Prefix of its functions' names, and in upper case of its macros' names."""
        return self.name.replace("-", "_")

    @property
    def version(self) -> str:
        """The version, from the numbers in the header."""
        text = self.header.read_text()
        numbers = [
            re.search(rf"^#define {self.prefix.upper()}_VERSION_{part} (\d+)$", text, re.MULTILINE)
            for part in ("MAJOR", "MINOR", "PATCH")
        ]
        return ".".join(number.group(1) for number in numbers if number is not None)

    @property
    def node(self) -> str:
        """The version node of its exported symbols."""
        return f"{self.prefix.upper()}_{self.version.split('.')[0]}"

    def functions(self) -> list[str]:
        """Returns the header's functions, as listed by the tool that determines the library's exports."""
        functions = succeed([ROOT / "bindings" / "c" / "functions", self.header]).split()
        assert len(functions) > 5
        return functions


CLIENT = Library("argyle", "ArgyleABI", frozenset({"libjansson", "libcurl"}), 440 * 1024)
SANDBOX = Library(
    "argyle-sandbox",
    "ArgyleSandboxABI",
    frozenset({"libjansson", "libmicrohttpd", "libsqlite3", "libjwt"}),
    512 * 1024,
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrizes tests that take a library with both libraries."""
    if "library" in metafunc.fixturenames:
        metafunc.parametrize("library", [CLIENT, SANDBOX], ids=lambda library: library.name)


def swift_resources() -> Path:
    """Returns the directory of the Swift toolchain's libraries."""
    information = json.loads(succeed(["swiftc", "-print-target-info"]))
    return Path(information["paths"]["runtimeResourcePath"])


def compilers() -> list[tuple[str, str]]:
    """Returns the C and C++ compilers that must accept the headers: Debian's and Swift's."""
    programs = swift_resources().parents[1] / "bin"
    return [("gcc", "g++"), (str(programs / "clang"), str(programs / "clang++"))]


@dataclass(frozen=True)
class Prefix:
    """An installation by bindings/install."""

    path: Path

    def file(self, library: Library) -> Path:
        """Returns a shared library's file, not a symbolic link to it."""
        return (self.path / "lib" / f"lib{library.name}.so").resolve()

    @property
    def archive(self) -> Path:
        """The static library."""
        return self.path / "lib" / "libargyle.a"

    def flags(self, *arguments: str, library: Library = CLIENT) -> list[str]:
        """Returns pkg-config's flags for a library."""
        search = {"PKG_CONFIG_PATH": str(self.path / "lib" / "pkgconfig")}
        # Spaces in paths are escaped with a backslash.
        return shlex.split(succeed(["pkg-config", *arguments, library.name], search))

    def environment(self) -> dict[str, str]:
        """Returns the environment in which a program finds the shared libraries."""
        return {"LD_LIBRARY_PATH": str(self.path / "lib")}


@dataclass(frozen=True)
class Sandbox:
    """A running argyle-sandbox."""

    base_url: str
    key_id: str
    key_secret: str

    def environment(self) -> dict[str, str]:
        """Returns the variables from which the examples read its URL and key."""
        return {
            "ARGYLE_BASE_URL": self.base_url,
            "ARGYLE_KEY_ID": self.key_id,
            "ARGYLE_KEY_SECRET": self.key_secret,
        }


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Prefix:
    """A temporary prefix, installed by bindings/install."""
    path = tmp_path_factory.mktemp("install") / "prefix"
    succeed([ROOT / "bindings" / "install", path])
    return Prefix(path)


@pytest.fixture
def sandbox(prefix: Prefix) -> Iterator[Sandbox]:
    """An empty sandbox on a free port, with its default key."""
    process = subprocess.Popen(
        # No connection times out, however slow the machine is.
        [prefix.path / "bin" / "argyle-sandbox", "--port", "0", "--timeout", "3600"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    values: dict[str, str] = {}
    try:
        for line in process.stdout:
            match = re.fullmatch(r"argyle-sandbox (key id:|key secret:|listening on) (\S+)\n", line)
            if match is not None:
                values[match[1]] = match[2]
            if "listening on" in values:
                break
        yield Sandbox(values["listening on"], values["key id:"], values["key secret:"])
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
