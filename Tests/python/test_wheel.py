"""The wheel: its contents and tag, and that it works without the repository and without Swift."""

from __future__ import annotations

import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from types import SimpleNamespace
from typing import Optional

import pytest

import argyle
from conftest import ROOT

SOURCE = ROOT / "bindings" / "python"
PREFIX = ROOT / ".build-prefix"


def run_pip(*arguments: str | Path, prefix: Optional[Path] = None) -> subprocess.CompletedProcess[str]:
    """Run pip offline, with the installed hatchling."""
    environment = {key: value for key, value in os.environ.items() if key != "ARGYLE_PREFIX"}
    if prefix is not None:
        environment["ARGYLE_PREFIX"] = str(prefix)
    command, *others = arguments
    options = ["--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    return subprocess.run(
        [sys.executable, "-m", "pip", command, *options, *others],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def build(source: Path, directory: Path, prefix: Optional[Path]) -> subprocess.CompletedProcess[str]:
    """Build a wheel, with the libraries of a prefix or else with those that bindings/install builds."""
    return run_pip("wheel", "--wheel-dir", directory, source, prefix=prefix)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    result = build(SOURCE, directory, PREFIX)
    assert result.returncode == 0, result.stderr
    (wheel,) = directory.iterdir()
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with only the wheel."""
    directory = tmp_path_factory.mktemp("environment")
    environment = directory / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True, timeout=300)
    # From a separate folder, next to which there is nothing else.
    copy = shutil.copy(wheel, directory)
    subprocess.run(
        [environment / "bin" / "pip", "install", "--disable-pip-version-check", "--no-index", copy],
        check=True,
        env={"PATH": "", "HOME": str(directory)},
        capture_output=True,
        timeout=300,
    )
    return environment / "bin" / "python"


def test_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        metadata = Parser().parsestr(archive.read(f"argyle-{argyle.__version__}.dist-info/METADATA").decode())
        tag = archive.read(f"argyle-{argyle.__version__}.dist-info/WHEEL").decode()
    native = {"argyle/lib/libargyle.so.0", "argyle/lib/libargyle-sandbox.so.0", "argyle/lib/argyle-sandbox"}
    assert {name for name in names if not name.endswith(".py") and ".dist-info/" not in name} == {
        "argyle/py.typed",
        *native,
    }
    assert all(modes[name] & 0o111 for name in native)
    assert {path.relative_to(SOURCE / "src").as_posix() for path in (SOURCE / "src").rglob("*.py")} < names
    assert (metadata["Name"], metadata["Version"]) == ("argyle", argyle.__version__)
    assert "Root-Is-Purelib: false\n" in tag
    assert f"Tag: {wheel.stem.partition('-')[2].partition('-')[2]}\n" in tag


def test_tag_names_the_newest_glibc_symbol(wheel: Path) -> None:
    match = re.fullmatch(
        rf"argyle-{argyle.__version__}-py3-none-manylinux_2_(\d+)_{platform.machine()}.whl", wheel.name
    )
    assert match
    newest = 0
    for name in ("lib/libargyle.so.0", "lib/libargyle-sandbox.so.0", "bin/argyle-sandbox"):
        symbols = subprocess.run(
            ["objdump", "--dynamic-syms", PREFIX / name], capture_output=True, text=True, check=True
        ).stdout
        newest = max(newest, *(int(minor) for minor in re.findall(r"\(GLIBC_2\.(\d+)", symbols)))
    assert int(match[1]) == newest > 0


def test_works_alone(python: Path, tmp_path: Path) -> None:
    program = """
import argyle, pathlib, re, subprocess, sys
with argyle.Sandbox() as sandbox, sandbox.client() as client:
    created = client.users.create(external_metadata={"group": "A"})
    assert client.users.get(created.id).external_metadata == {"group": "A"}
    assert [user.id for user in client.users] == [created.id]
# Of a line, the sixth part is the path, which may have blanks.
maps = {line.split(maxsplit=5)[-1] for line in pathlib.Path("/proc/self/maps").read_text().splitlines()}
print(*sorted(path for path in maps if re.search(r"argyle[^/]*\\.so", path)), sep="\\n")
server = pathlib.Path(argyle.__file__).with_name("lib") / "argyle-sandbox"
print(subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout.strip())
"""
    result = subprocess.run(
        [python, "-I", "-c", program],
        cwd=tmp_path,
        env={"PATH": str(python.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    *libraries, version = result.stdout.splitlines()
    lib = next(python.parents[1].glob("lib/python3*/site-packages/argyle/lib"))
    assert libraries == [str(lib / "libargyle-sandbox.so.0"), str(lib / "libargyle.so.0")]
    assert argyle.__version__ in version


def test_is_found_by_pip_and_by_the_shell(python: Path) -> None:
    shown = subprocess.run(
        [python, "-m", "pip", "list"], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert re.search(rf"^argyle +{re.escape(argyle.__version__)}$", shown, re.M)
    assert (python.parent / "argyle").exists()


def test_is_found_by_pyinstaller(python: Path) -> None:
    """All files in PyInstaller's hook exist, and the libraries go where the package looks for them."""
    program = """
import importlib, importlib.metadata, pathlib, runpy
points = importlib.metadata.distribution("argyle").entry_points
[point] = [point for point in points if point.group == "pyinstaller40" and point.name == "hook-dirs"]
[folder] = point.load()()
hook = runpy.run_path(f"{folder}/hook-argyle.py")
print(*sorted(f"{target}/{pathlib.Path(file).name}" for file, target in hook["binaries"]))
print(all(pathlib.Path(file).is_file() for file, _ in hook["binaries"]))
for name in hook["hiddenimports"]:
    importlib.import_module(name)
print("argyle.async_client" in hook["hiddenimports"])
"""
    output = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=120)
    names = "argyle/lib/argyle-sandbox argyle/lib/libargyle-sandbox.so.0 argyle/lib/libargyle.so.0"
    assert output.stdout.splitlines() == [names, "True", "True"]


# ---------------------------------------------------------------- Errors


def sentences(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the build's own messages, which pip indents."""
    assert result.returncode != 0
    output = result.stdout + result.stderr
    assert "Traceback" not in output
    return re.findall(r"^ +((?:argyle|install): .*)$", output, re.M)


def test_says_that_the_repository_is_missing(tmp_path: Path) -> None:
    copy = shutil.copytree(SOURCE, tmp_path / "a" / "copy")
    assert sentences(build(copy, tmp_path, None)) == [
        "argyle: the sources of the libraries are missing: build in a checkout of the repository."
    ]


def test_says_that_swift_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A PATH with only the programs that the script needs until then: Swift may be in /usr/bin.
    for name in ("bash", "dirname", "env"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sentences(build(SOURCE, tmp_path, None)) == [
        "install: Swift was not found: install Swift 6.3.1 or newer (https://www.swift.org/install) and put it on PATH."
    ]


def test_says_that_the_prefix_is_invalid(tmp_path: Path) -> None:
    absent = tmp_path / "lib" / "libargyle.so.0"
    assert sentences(build(SOURCE, tmp_path, tmp_path)) == [
        f"argyle: {absent} does not exist: ARGYLE_PREFIX must be an installation prefix of bindings/install."
    ]


def test_says_that_it_cannot_be_editable(tmp_path: Path) -> None:
    result = run_pip("install", "--target", tmp_path, "--editable", SOURCE, prefix=PREFIX)
    assert sentences(result) == [
        "argyle: editable installation is not supported, because the wheel contains libraries: omit --editable."
    ]


@pytest.fixture
def hook() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SOURCE / "hatch_build.py")))


def test_says_that_linux_is_required(hook: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SystemExit) as raised:
        hook.install(ROOT, "unused")
    assert raised.value.code == "argyle: Linux is required, got darwin."


def test_says_that_the_libraries_are_not_for_glibc(hook: SimpleNamespace, tmp_path: Path) -> None:
    source = tmp_path / "empty.c"
    source.write_text("int nothing;\n")
    library = tmp_path / "empty.so"
    subprocess.run(["cc", "-shared", "-nostdlib", source, "-o", library], check=True)
    with pytest.raises(SystemExit) as raised:
        hook.platform_tag([library])
    assert raised.value.code == "argyle: the libraries were not built for glibc, which the wheel requires."


def test_says_that_readelf_is_missing(hook: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as raised:
        hook.platform_tag([PREFIX / "lib" / "libargyle.so.0"])
    assert raised.value.code == "argyle: readelf is required to read the libraries' glibc version: install binutils."
