"""Adds the libraries and the sandbox, which bindings/install builds, to the wheel."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Where bindings/install puts what the wheel carries.
NATIVE = ["lib/libargyle.so.0", "lib/libargyle-sandbox.so.0", "bin/argyle-sandbox"]


class NativeFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the native files, or takes them from the prefix of bindings/install that ARGYLE_PREFIX names."""

    def initialize(self, version: str, build_data: "dict[str, Any]") -> None:
        """Say what goes into the wheel beside the package's own files."""
        if version == "editable":
            fail("an editable installation has no place for the libraries: leave --editable out.")
        prefix = os.environ.get("ARGYLE_PREFIX")
        if not prefix:
            self._temporary = tempfile.TemporaryDirectory(prefix="argyle-wheel-")
            prefix = self._temporary.name
            install(Path(self.root).parents[1], prefix)
        files = [Path(prefix, name) for name in NATIVE]
        for file in files:
            if not file.is_file():
                fail(f"{file} is not there: ARGYLE_PREFIX must name a prefix of bindings/install.")
        build_data["tag"] = f"py3-none-{platform_tag(files)}"
        build_data["pure_python"] = False
        build_data["force_include"].update({str(file.resolve()): f"argyle/lib/{file.name}" for file in files})

    def finalize(self, version: str, build_data: "dict[str, Any]", artifact_path: str) -> None:
        """Remove what was built, now that the wheel has it."""
        if hasattr(self, "_temporary"):
            self._temporary.cleanup()


def fail(sentence: str) -> NoReturn:
    """End the build with one sentence, where an exception would show the stack of the build tool."""
    sys.exit(f"argyle: {sentence}")


def install(repository: Path, prefix: str) -> None:
    """Build the libraries and the sandbox into a prefix."""
    if not sys.platform.startswith("linux"):
        fail(f"it works on Linux alone, and this is {sys.platform}.")
    command = repository / "bindings" / "install"
    if not command.is_file():
        fail("the sources of its libraries are not here: build it in a checkout of the repository.")
    # It says itself what is missing.
    status = subprocess.run([command, prefix], stdin=subprocess.DEVNULL, check=False).returncode
    if status != 0:
        sys.exit(status)


def platform_tag(files: "list[Path]") -> str:
    """Name the platform by the newest symbols of glibc that the files need."""
    try:
        needs = subprocess.run(
            ["readelf", "--version-info", *files], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    except FileNotFoundError:
        fail("readelf is missing, which tells what its libraries need: install binutils.")
    versions = {(int(major), int(minor)) for major, minor in re.findall(r"\bGLIBC_(\d+)\.(\d+)", needs)}
    if not versions:
        fail("its libraries were not built for glibc, which the wheel is for.")
    major, minor = max(versions)
    return f"manylinux_{major}_{minor}_{platform.machine()}"
