"""The shared libraries: their dependencies, exports and sizes."""

from __future__ import annotations

from conftest import CLIENT, ROOT, SANDBOX, Library, Prefix, succeed


def dynamic_entries(prefix: Prefix, library: Library, tag: str) -> list[str]:
    """Returns the entries with this tag in a library's dynamic section."""
    lines = succeed(["readelf", "--dynamic", "--wide", prefix.file(library)]).splitlines()
    return [line.split("[", 1)[1].rstrip("]") for line in lines if f"({tag})" in line]


def test_needs_only_its_dependencies(prefix: Prefix, library: Library) -> None:
    needed = {name.split(".so")[0] for name in dynamic_entries(prefix, library, "NEEDED")}
    assert needed - {"libm"} == library.needed | {"libc"}


def test_has_no_run_path(prefix: Prefix, library: Library) -> None:
    assert dynamic_entries(prefix, library, "RUNPATH") == []
    assert dynamic_entries(prefix, library, "RPATH") == []


def test_binds_all_functions_when_loaded(prefix: Prefix, library: Library) -> None:
    """Lazy binding saves registers on the stack, and they may hold part of a secret."""
    assert "BIND_NOW" in succeed(["readelf", "--dynamic", prefix.file(library)])


def test_soname_and_links(prefix: Prefix, library: Library) -> None:
    file = f"lib{library.name}.so"
    soname = f"{file}.{library.version.split('.')[0]}"
    directory = prefix.path / "lib"
    assert dynamic_entries(prefix, library, "SONAME") == [soname]
    assert (directory / file).readlink().name == soname
    assert (directory / soname).readlink().name == f"{file}.{library.version}"
    assert (directory / f"{file}.{library.version}").is_file()
    assert not (directory / f"{file}.{library.version}").is_symlink()


def test_versions_agree() -> None:
    assert SANDBOX.version == CLIENT.version


def test_is_stripped_and_small(prefix: Prefix, library: Library) -> None:
    sections = succeed(["readelf", "--sections", "--wide", prefix.file(library)])
    assert ".dynsym" in sections
    assert ".symtab" not in sections
    assert ".debug_" not in sections
    assert prefix.file(library).stat().st_size < library.max_size


def test_exports_exactly_the_header_functions(prefix: Prefix, library: Library) -> None:
    lines = succeed(["nm", "--dynamic", "--defined-only", prefix.file(library)]).splitlines()
    exported = {line.split()[2]: line.split()[1] for line in lines}
    # The version node is an absolute symbol.
    assert exported.pop(library.node, "A") == "A"
    assert exported == {f"{name}@@{library.node}": "T" for name in library.functions()}


def test_files_contain_no_build_paths(prefix: Prefix) -> None:
    files = [prefix.archive, prefix.path / "bin" / "argyle-sandbox"]
    for file in [*files, prefix.file(CLIENT), prefix.file(SANDBOX)]:
        assert str(ROOT).encode() not in file.read_bytes(), file


def test_sandbox_program_needs_only_system_libraries(prefix: Prefix) -> None:
    program = prefix.path / "bin" / "argyle-sandbox"
    lines = succeed(["readelf", "--dynamic", "--wide", program]).splitlines()
    needed = {line.split("[", 1)[1].split(".so")[0] for line in lines if "(NEEDED)" in line}
    assert needed >= {"libmicrohttpd", "libsqlite3", "libjwt", "libc"}
    assert not {name for name in needed if "swift" in name.lower() or "argyle" in name}
    assert not [line for line in lines if "(RUNPATH)" in line or "(RPATH)" in line]
