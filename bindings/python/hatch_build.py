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

#: Files to include, relative to the prefix of bindings/install.
NATIVE = ["lib/libargyle.so.0", "lib/libargyle-sandbox.so.0", "bin/argyle-sandbox"]


class NativeFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the native files, or takes them from the installation prefix in ARGYLE_PREFIX."""

    def initialize(self, version: str, build_data: "dict[str, Any]") -> None:
        """Add the native files and the platform tag to the wheel."""
        if version == "editable":
            fail("editable installation is not supported, because the wheel contains libraries: omit --editable.")
        prefix = os.environ.get("ARGYLE_PREFIX")
        if not prefix:
            self._temporary = tempfile.TemporaryDirectory(prefix="argyle-wheel-")
            prefix = self._temporary.name
            install(Path(self.root).parents[1], prefix)
        files = [Path(prefix, name) for name in NATIVE]
        for file in files:
            if not file.is_file():
                fail(f"{file} does not exist: ARGYLE_PREFIX must be an installation prefix of bindings/install.")
        build_data["tag"] = f"py3-none-{platform_tag(files)}"
        build_data["pure_python"] = False
        build_data["force_include"].update({str(file.resolve()): f"argyle/lib/{file.name}" for file in files})

    def finalize(self, version: str, build_data: "dict[str, Any]", artifact_path: str) -> None:
        """Remove the temporary prefix."""
        if hasattr(self, "_temporary"):
            self._temporary.cleanup()


def fail(sentence: str) -> NoReturn:
    """Exit with a message; an exception would print the build tool's traceback."""
    sys.exit(f"argyle: {sentence}")


def install(repository: Path, prefix: str) -> None:
    """Build the libraries and the sandbox into a prefix."""
    if not sys.platform.startswith("linux"):
        fail(f"Linux is required, got {sys.platform}.")
    command = repository / "bindings" / "install"
    if not command.is_file():
        fail("the sources of the libraries are missing: build in a checkout of the repository.")
    # The command itself reports missing tools.
    status = subprocess.run([command, prefix], stdin=subprocess.DEVNULL, check=False).returncode
    if status != 0:
        sys.exit(status)


def platform_tag(files: "list[Path]") -> str:
    """Return the wheel's platform tag, by the newest glibc version that the files require."""
    try:
        requirements = subprocess.run(
            ["readelf", "--version-info", *files], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    except FileNotFoundError:
        fail("readelf is required to read the libraries' glibc version: install binutils.")
    versions = {(int(major), int(minor)) for major, minor in re.findall(r"\bGLIBC_(\d+)\.(\d+)", requirements)}
    if not versions:
        fail("the libraries were not built for glibc, which the wheel requires.")
    major, minor = max(versions)
    return f"manylinux_{major}_{minor}_{platform.machine()}"
