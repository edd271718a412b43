"""What the checks of the shipped files share: a prefix made by bindings/install, compilers, a sandbox."""

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
# Reached only when something hangs.
PATIENCE = 120
# Longer than that, for a delay that the test ends.
FOREVER_MS = 600_000


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with these variables added, and gives back what it printed."""
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
    """Runs a command that has to succeed, and gives back its standard output."""
    result = run(command, environment, directory)
    assert result.returncode == 0, (
        f"{' '.join(map(str, command))}\nended with {result.returncode}\n{result.stdout}{result.stderr}"
    )
    return result.stdout


def make_certificate(folder: Path) -> None:
    """A certificate for this host, signed by itself, and its key."""
    succeed([
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"),
        *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
    ])


def wait_until(condition: Callable[[], object]) -> None:
    """Waits for an event."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@dataclass(frozen=True)
class Library:
    """A shared library of the project, which goes by the name of its header."""

    name: str
    # The Swift target of its exported functions.
    target: str
    # The libraries that it needs beside the C library.
    needed: frozenset[str]
    # How large it may be, in bytes.
    limit: int

    @property
    def header(self) -> Path:
        """Its C header."""
        return ROOT / "include" / f"{self.name}.h"

    @property
    def prefix(self) -> str:
        """What its functions' names begin with, and in capitals those of its macros."""
        return self.name.replace("-", "_")

    @property
    def version(self) -> str:
        """The version by the header's numbers."""
        text = self.header.read_text()
        numbers = [
            re.search(rf"^#define {self.prefix.upper()}_VERSION_{part} (\d+)$", text, re.MULTILINE)
            for part in ("MAJOR", "MINOR", "PATCH")
        ]
        return ".".join(number.group(1) for number in numbers if number is not None)

    @property
    def node(self) -> str:
        """The version node of its exports."""
        return f"{self.prefix.upper()}_{self.version.split('.')[0]}"

    def functions(self) -> list[str]:
        """The functions of the header, from the tool by which the library's exports are made."""
        functions = succeed([ROOT / "bindings" / "c" / "functions", self.header]).split()
        assert len(functions) > 5
        return functions


CLIENT = Library("argyle", "ArgyleABI", frozenset({"libjansson", "libcurl"}), 416 * 1024)
SANDBOX = Library(
    "argyle-sandbox",
    "ArgyleSandboxABI",
    frozenset({"libjansson", "libmicrohttpd", "libsqlite3", "libjwt"}),
    512 * 1024,
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that asks for a library once for each."""
    if "library" in metafunc.fixturenames:
        metafunc.parametrize("library", [CLIENT, SANDBOX], ids=lambda library: library.name)


def swift_resources() -> Path:
    """The directory of the Swift toolchain's own libraries."""
    information = json.loads(succeed(["swiftc", "-print-target-info"]))
    return Path(information["paths"]["runtimeResourcePath"])


def compilers() -> list[tuple[str, str]]:
    """The C and C++ compilers that the header has to please: Debian's and Swift's."""
    programs = swift_resources().parents[1] / "bin"
    return [("gcc", "g++"), (str(programs / "clang"), str(programs / "clang++"))]


@dataclass(frozen=True)
class Prefix:
    """What bindings/install laid out."""

    path: Path

    def file(self, library: Library) -> Path:
        """A shared library itself, not a link to it."""
        return (self.path / "lib" / f"lib{library.name}.so").resolve()

    @property
    def archive(self) -> Path:
        """The static library."""
        return self.path / "lib" / "libargyle.a"

    def flags(self, *arguments: str, library: Library = CLIENT) -> list[str]:
        """What pkg-config says about a library."""
        search = {"PKG_CONFIG_PATH": str(self.path / "lib" / "pkgconfig")}
        # A blank in a path has a backslash before it.
        return shlex.split(succeed(["pkg-config", *arguments, library.name], search))

    def environment(self) -> dict[str, str]:
        """Lets a program that was linked with the shared library find it."""
        return {"LD_LIBRARY_PATH": str(self.path / "lib")}


@dataclass(frozen=True)
class Sandbox:
    """A running argyle-sandbox."""

    base_url: str
    key_id: str
    key_secret: str

    def environment(self) -> dict[str, str]:
        """How the examples are told about it."""
        return {
            "ARGYLE_BASE_URL": self.base_url,
            "ARGYLE_KEY_ID": self.key_id,
            "ARGYLE_KEY_SECRET": self.key_secret,
        }


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Prefix:
    """A prefix of its own, made by bindings/install."""
    path = tmp_path_factory.mktemp("install") / "prefix"
    succeed([ROOT / "bindings" / "install", path])
    return Prefix(path)


@pytest.fixture
def sandbox(prefix: Prefix) -> Iterator[Sandbox]:
    """An empty sandbox on a free port, with the key that it has unless told otherwise."""
    process = subprocess.Popen(
        # However slow the machine is, nobody's time is over.
        [prefix.path / "bin" / "argyle-sandbox", "--port", "0", "--timeout", "3600"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told: dict[str, str] = {}
    try:
        for line in process.stdout:
            match = re.fullmatch(r"argyle-sandbox (key id:|key secret:|listening on) (\S+)\n", line)
            if match is not None:
                told[match[1]] = match[2]
            if "listening on" in told:
                break
        yield Sandbox(told["listening on"], told["key id:"], told["key secret:"])
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
