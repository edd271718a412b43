"""The headers: they compile without warnings and agree with the Swift sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import CLIENT, ROOT, SANDBOX, STRICT, Library, Prefix, compilers, succeed

DECLARATION = re.compile(
    r'^@_cdecl\("(?P<exported>\w+)"\)\s+@implementation\s+public func (?P<name>\w+)\(', re.MULTILINE
)


def swift_sources(directory: str) -> list[Path]:
    """Returns the Swift sources of a target or of one of its directories."""
    sources = sorted((ROOT / "Sources" / directory).rglob("*.swift"))
    assert sources
    return sources


@pytest.mark.parametrize("compiler", [pair[0] for pair in compilers()])
def test_compiles_alone_as_c99(compiler: str, library: Library, tmp_path: Path) -> None:
    source = tmp_path / "alone.c"
    source.write_text(f"#include <{library.header.name}>\n")
    object_file = tmp_path / "alone.o"
    include = f"-I{library.header.parent}"
    succeed([*(compiler, "-std=c99", *STRICT, include), "-c", source, "-o", object_file])


@pytest.mark.parametrize("compiler", [pair[1] for pair in compilers()])
def test_compiles_alone_as_cpp17(compiler: str, library: Library, tmp_path: Path) -> None:
    source = tmp_path / "alone.cpp"
    source.write_text(f"#include <{library.header.name}>\n")
    object_file = tmp_path / "alone.o"
    include = f"-I{library.header.parent}"
    succeed([*(compiler, "-std=c++17", *STRICT, include), "-c", source, "-o", object_file])


def test_cpp_program_that_calls_nothing(prefix: Prefix, library: Library, tmp_path: Path) -> None:
    source = tmp_path / "nothing.cpp"
    source.write_text(f"#include <{library.header.name}>\nint main() {{ return 0; }}\n")
    program = tmp_path / "nothing"
    # --no-as-needed links the library though nothing is called, so that loading and unloading it is tested.
    flags = prefix.flags("--cflags", "--libs", library=library)
    succeed(["g++", "-std=c++17", *STRICT, "-Wl,--no-as-needed", source, *flags, "-o", program])
    assert f"lib{library.name}.so." in succeed(["readelf", "--dynamic", program])
    succeed([program], prefix.environment())


def test_cpp_program_that_calls(prefix: Prefix, library: Library, tmp_path: Path) -> None:
    source = tmp_path / "version.cpp"
    name = library.prefix
    source.write_text(
        f"#include <{library.header.name}>\n#include <cstdio>\n"
        f'int main() {{ std::printf("%s %d %s %d", {name}_version(), {name}_version_number(),\n'
        f"  {name.upper()}_VERSION, {name.upper()}_VERSION_NUMBER); }}\n"
    )
    program = tmp_path / "version"
    flags = prefix.flags("--cflags", "--libs", library=library)
    succeed(["g++", "-std=c++17", *STRICT, source, *flags, "-o", program])
    version, number, macro, macro_number = succeed([program], prefix.environment()).split()
    assert (version, number) == (macro, macro_number)
    major, minor, patch = (int(part) for part in version.split("."))
    assert int(number) == major << 16 | minor << 8 | patch
    assert prefix.file(library).name == f"lib{library.name}.so.{version}"


def test_cpp_program_with_both_libraries(prefix: Prefix, tmp_path: Path) -> None:
    source = tmp_path / "both.cpp"
    source.write_text(
        "#include <argyle-sandbox.h>\n#include <argyle.h>\n#include <cstring>\n"
        "int main() { return std::strcmp(argyle_version(), argyle_sandbox_version()); }\n"
    )
    program = tmp_path / "both"
    flags = prefix.flags("--cflags", "--libs") + prefix.flags("--libs", library=SANDBOX)
    succeed(["g++", "-std=c++17", *STRICT, source, *flags, "-o", program])
    succeed([program], prefix.environment())


def test_function_list_matches_the_compiler(library: Library, tmp_path: Path) -> None:
    listing = tmp_path / "prototypes"
    succeed(["gcc", "-aux-info", listing, "-x", "c", "-std=c99", "-fsyntax-only", library.header])
    seen = {
        match.group(1)
        for line in listing.read_text().splitlines()
        if f"{library.header.name}:" in line and (match := re.search(r"\b(argyle_\w+) \(", line))
    }
    assert sorted(seen) == library.functions()


def test_every_function_is_documented(library: Library) -> None:
    documented: list[str] = []
    text = library.header.read_text()
    pairs = re.findall(r"(/\*\*(?:(?!\*/).)*\*/)\n([^;/#{]+);", text, re.DOTALL)
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
    assert sorted(documented) == library.functions()


def prototypes(library: Library) -> dict[str, tuple[str, list[str]]]:
    """Returns the result type and the parameters of each function."""
    text = re.sub(r"/\*.*?\*/", "", library.header.read_text(), flags=re.DOTALL)
    found = re.findall(r"^([a-z][\w *]*?)(argyle_\w+)\(([^()]*)\);", text, re.MULTILINE)
    prototypes = {name: (result.strip(), parameters.split(", ")) for result, name, parameters in found}
    assert sorted(prototypes) == library.functions()
    return prototypes


def test_integers_have_c_types(library: Library) -> None:
    for name, (result, parameters) in prototypes(library).items():
        assert "json_int_t" not in " ".join([result, *parameters]), name


def test_accessors_take_const_handles(library: Library) -> None:
    mutating = re.compile(r"_(free|cancel|stop|decref)$")
    for name, (_, parameters) in prototypes(library).items():
        if any("error **" in parameter for parameter in parameters) or mutating.search(name):
            continue
        # A function that can neither fail nor change anything is an accessor.
        assert not [word for word in parameters if "*" in word and not word.startswith("const ")], name


def test_every_function_is_checked_against_the_header(library: Library) -> None:
    implemented: list[str] = []
    for source in swift_sources(library.target):
        text = source.read_text()
        found = list(DECLARATION.finditer(text))
        assert len(found) == text.count("@_cdecl"), f"{source}: @_cdecl without @implementation or public"
        for match in found:
            assert match["exported"] == match["name"], source
            implemented.append(match["exported"])
    assert sorted(implemented) == library.functions()


def test_nothing_is_exported_from_elsewhere() -> None:
    exporting = swift_sources(CLIENT.target) + swift_sources(SANDBOX.target)
    for source in sorted((ROOT / "Sources").rglob("*.swift")):
        if source not in exporting:
            assert "@_cdecl" not in source.read_text(), source


def snake_case(name: str) -> str:
    """Turns notFound into not_found."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def test_error_codes_agree() -> None:
    in_header = {
        int(match[2]): match[1].lower()
        for match in re.finditer(r"^  ARGYLE_ERROR_(\w+) = (\d+)", CLIENT.header.read_text(), re.MULTILINE)
    }
    sources = "\n".join(source.read_text() for source in swift_sources("Argyle/Errors"))
    constants = {
        int(match[2]): snake_case(match[1])
        for match in re.finditer(r"static let `?(\w+)`? = Code\(rawValue: (\d+)\)", sources)
    }
    names = {int(match[1]): match[2] for match in re.finditer(r'case (\d+): "(\w+)"', sources)}
    assert len(in_header) >= 17
    assert sorted(in_header) == list(range(1, len(in_header) + 1))
    assert names == {0: "ok", **in_header}
    # `protocol` is a Swift keyword.
    assert constants.pop(5) == "protocol_violation"
    assert in_header.pop(5) == "protocol"
    assert constants == in_header


def test_sandbox_options_match_its_command(prefix: Prefix) -> None:
    comment = SANDBOX.header.read_text().split("argyle_sandbox *argyle_sandbox_start")[0].rsplit("/**", 1)[1]
    documented = re.findall(r"^ \*   (\w+) +(?:string|integer|boolean|array)\b", comment, re.MULTILINE)
    table = (ROOT / "Sources" / "ArgyleSandbox" / "SandboxOptions+Table.swift").read_text()
    assert documented == re.findall(r'\b(?:Option|text)\(\s*"(\w+)"', table)
    text = succeed([prefix.path / "bin" / "argyle-sandbox", "--help"])
    command = {name.replace("-", "_") for name in re.findall(r"--([a-z][a-z-]+) [A-Z]", text)}
    # An option that the command accepts repeatedly is an array here.
    assert set(documented) == command - {"fault"} | {"faults"}
