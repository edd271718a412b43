"""The header: what compilers say to it, and whether the Swift sources keep to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import HEADER, ROOT, STRICT, Prefix, compilers, declared_functions, succeed

ABI_SOURCES = sorted((ROOT / "Sources" / "ArgyleABI").rglob("*.swift"))
DECLARATION = re.compile(
    r'^@_cdecl\("(?P<exported>\w+)"\)\s+@implementation\s+public func (?P<name>\w+)\(', re.MULTILINE
)


def swift_text(directory: str) -> str:
    """All Swift sources of one target."""
    sources = sorted((ROOT / "Sources" / directory).rglob("*.swift"))
    assert sources
    return "\n".join(source.read_text() for source in sources)


@pytest.mark.parametrize("compiler", [pair[0] for pair in compilers()])
def test_compiles_alone_as_c99(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "alone.c"
    source.write_text("#include <argyle.h>\n")
    object_file = tmp_path / "alone.o"
    include = f"-I{HEADER.parent}"
    succeed([*(compiler, "-std=c99", *STRICT, include), "-c", source, "-o", object_file])


@pytest.mark.parametrize("compiler", [pair[1] for pair in compilers()])
def test_compiles_alone_as_cpp17(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "alone.cpp"
    source.write_text("#include <argyle.h>\n")
    object_file = tmp_path / "alone.o"
    include = f"-I{HEADER.parent}"
    succeed([*(compiler, "-std=c++17", *STRICT, include), "-c", source, "-o", object_file])


def test_cpp_program_that_calls_nothing(prefix: Prefix, tmp_path: Path) -> None:
    source = tmp_path / "nothing.cpp"
    source.write_text("#include <argyle.h>\nint main() { return 0; }\n")
    program = tmp_path / "nothing"
    # Needed though nothing is called, so that loading and unloading the library is what is tested.
    flags = prefix.flags("--cflags", "--libs")
    succeed(["g++", "-std=c++17", *STRICT, "-Wl,--no-as-needed", source, *flags, "-o", program])
    assert "libargyle.so." in succeed(["readelf", "--dynamic", program])
    succeed([program], prefix.environment())


def test_cpp_program_that_calls(prefix: Prefix, tmp_path: Path) -> None:
    source = tmp_path / "version.cpp"
    source.write_text(
        "#include <argyle.h>\n#include <cstdio>\n"
        'int main() { std::printf("%s %d %s %d", argyle_version(), argyle_version_number(),\n'
        "  ARGYLE_VERSION, ARGYLE_VERSION_NUMBER); }\n"
    )
    program = tmp_path / "version"
    flags = prefix.flags("--cflags", "--libs")
    succeed(["g++", "-std=c++17", *STRICT, source, *flags, "-o", program])
    version, number, macro, macro_number = succeed([program], prefix.environment()).split()
    assert (version, number) == (macro, macro_number)
    major, minor, patch = (int(part) for part in version.split("."))
    assert int(number) == major << 16 | minor << 8 | patch
    assert prefix.library.name == f"libargyle.so.{version}"


def test_list_of_functions_is_what_a_compiler_sees(tmp_path: Path) -> None:
    listing = tmp_path / "prototypes"
    succeed(["gcc", "-aux-info", listing, "-x", "c", "-std=c99", "-fsyntax-only", HEADER])
    seen = {
        match.group(1)
        for line in listing.read_text().splitlines()
        if "argyle.h:" in line and (match := re.search(r"\b(argyle_\w+) \(", line))
    }
    assert sorted(seen) == declared_functions()


def test_every_function_is_documented() -> None:
    documented: list[str] = []
    pairs = re.findall(r"(/\*\*(?:(?!\*/).)*\*/)\n([^;/#{]+);", HEADER.read_text(), re.DOTALL)
    for comment, declaration in pairs:
        match = re.fullmatch(r"(.*?)(argyle_\w+)\((.*)\)", declaration, re.DOTALL)
        if match is None:
            continue
        result, name, parameters = match.groups()
        documented.append(name)
        for parameter in parameters.split(","):
            if parameter != "void":
                assert f"@param {re.split(r'[ *]', parameter)[-1]} " in comment, f"{name}: {parameter}"
        assert ("@return" in comment) == (result.strip() != "void"), name
    assert sorted(documented) == declared_functions()


def test_every_function_is_checked_against_the_header() -> None:
    implemented: list[str] = []
    for source in ABI_SOURCES:
        text = source.read_text()
        found = list(DECLARATION.finditer(text))
        assert len(found) == text.count("@_cdecl"), f"{source}: @_cdecl without @implementation or public"
        for match in found:
            assert match["exported"] == match["name"], source
            implemented.append(match["exported"])
    assert sorted(implemented) == declared_functions()


def test_nothing_is_exported_from_elsewhere() -> None:
    for source in sorted((ROOT / "Sources").rglob("*.swift")):
        if source not in ABI_SOURCES:
            assert "@_cdecl" not in source.read_text(), source


def snake_case(name: str) -> str:
    """Turns notFound into not_found."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def test_error_codes_agree() -> None:
    in_header = {
        int(match[2]): match[1].lower()
        for match in re.finditer(r"^  ARGYLE_ERROR_(\w+) = (\d+)", HEADER.read_text(), re.MULTILINE)
    }
    sources = swift_text("Argyle/Errors")
    constants = {
        int(match[2]): snake_case(match[1])
        for match in re.finditer(r"static let `?(\w+)`? = Code\(rawValue: (\d+)\)", sources)
    }
    names = {int(match[1]): match[2] for match in re.finditer(r'case (\d+): "(\w+)"', sources)}
    assert len(in_header) >= 17
    assert sorted(in_header) == list(range(1, len(in_header) + 1))
    assert names == {0: "ok", **in_header}
    # A constant of Swift cannot well be called by its keyword.
    assert constants.pop(5) == "protocol_violation"
    assert in_header.pop(5) == "protocol"
    assert constants == in_header
