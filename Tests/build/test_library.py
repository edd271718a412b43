"""The shared library: what it needs, what it shows, how large it is."""

from __future__ import annotations

import re

from conftest import HEADER, Prefix, declared_functions, succeed


def header_version() -> str:
    """The version by the header's numbers."""
    text = HEADER.read_text()
    numbers = [
        re.search(rf"^#define ARGYLE_VERSION_{part} (\d+)$", text, re.MULTILINE)
        for part in ("MAJOR", "MINOR", "PATCH")
    ]
    return ".".join(number.group(1) for number in numbers if number is not None)


def dynamic_entries(prefix: Prefix, tag: str) -> list[str]:
    """The entries of one kind in the library's dynamic section."""
    lines = succeed(["readelf", "--dynamic", "--wide", prefix.library]).splitlines()
    return [line.split("[", 1)[1].rstrip("]") for line in lines if f"({tag})" in line]


def test_needs_only_jansson_curl_and_libc(prefix: Prefix) -> None:
    needed = {name.split(".so")[0] for name in dynamic_entries(prefix, "NEEDED")}
    assert needed == {"libjansson", "libcurl", "libc", "libm"}


def test_looks_for_libraries_in_no_place_of_its_own(prefix: Prefix) -> None:
    assert dynamic_entries(prefix, "RUNPATH") == []
    assert dynamic_entries(prefix, "RPATH") == []


def test_soname_and_links(prefix: Prefix) -> None:
    version = header_version()
    soname = f"libargyle.so.{version.split('.')[0]}"
    directory = prefix.path / "lib"
    assert dynamic_entries(prefix, "SONAME") == [soname]
    assert (directory / "libargyle.so").readlink().name == soname
    assert (directory / soname).readlink().name == f"libargyle.so.{version}"
    assert (directory / f"libargyle.so.{version}").is_file()
    assert not (directory / f"libargyle.so.{version}").is_symlink()


def test_is_stripped_and_small(prefix: Prefix) -> None:
    sections = succeed(["readelf", "--sections", "--wide", prefix.library])
    assert ".dynsym" in sections
    assert ".symtab" not in sections
    assert ".debug_" not in sections
    assert prefix.library.stat().st_size < 256 * 1024


def test_exports_exactly_the_functions_of_the_header(prefix: Prefix) -> None:
    node = f"ARGYLE_{header_version().split('.')[0]}"
    lines = succeed(["nm", "--dynamic", "--defined-only", prefix.library]).splitlines()
    exported = {line.split()[2]: line.split()[1] for line in lines}
    # The node is a symbol of its own, absolute.
    assert exported.pop(node, "A") == "A"
    assert exported == {f"{name}@@{node}": "T" for name in declared_functions()}


def test_knows_no_path_of_the_machine_that_built_it(prefix: Prefix) -> None:
    content = prefix.library.read_bytes() + prefix.archive.read_bytes()
    assert str(HEADER.parent.parent).encode() not in content


def test_sandbox_needs_only_system_libraries(prefix: Prefix) -> None:
    program = prefix.path / "bin" / "argyle-sandbox"
    lines = succeed(["readelf", "--dynamic", "--wide", program]).splitlines()
    needed = {line.split("[", 1)[1].split(".so")[0] for line in lines if "(NEEDED)" in line}
    assert needed >= {"libmicrohttpd", "libsqlite3", "libjwt", "libc"}
    assert not {name for name in needed if "swift" in name.lower() or "argyle" in name}
    assert not [line for line in lines if "(RUNPATH)" in line or "(RPATH)" in line]
