"""What the checks of the shipped files share: a prefix made by bindings/install, compilers, a sandbox."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "include" / "argyle.h"
CONSUMERS = ROOT / "Tests" / "consumers"
STRICT = ("-pedantic", "-Wall", "-Wextra", "-Werror")


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


def declared_functions() -> list[str]:
    """The functions of the header, from the tool by which the library's exports are made."""
    functions = succeed([ROOT / "bindings" / "c" / "functions"]).split()
    assert len(functions) > 20
    return functions


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

    @property
    def library(self) -> Path:
        """The shared library itself, not a link to it."""
        return (self.path / "lib" / "libargyle.so").resolve()

    @property
    def archive(self) -> Path:
        """The static library."""
        return self.path / "lib" / "libargyle.a"

    def flags(self, *arguments: str) -> list[str]:
        """What pkg-config says about argyle."""
        search = str(self.path / "lib" / "pkgconfig")
        return succeed(["pkg-config", *arguments, "argyle"], {"PKG_CONFIG_PATH": search}).split()

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
        [prefix.path / "bin" / "argyle-sandbox", "--port", "0"],
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
        process.communicate(timeout=30)
