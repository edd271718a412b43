"""Processes with other functions of jansson's names, such as json-c's or a host's own, as in PostgreSQL."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from conftest import CLIENT, CONSUMERS, ROOT, SANDBOX, STRICT, Prefix, Sandbox, compilers, succeed

HOST = CONSUMERS / "strangers.c"
# A function that a program might define. It must never be called.
STRANGER = """
void {name}(void);
void {name}(void) {{ fputs("{name} of another library was called\\n", stderr); abort(); }}
"""
SHARED = ("--cflags", "--libs")
STATIC = ("--static", "--define-variable=argyle_library=-l:libargyle.a", *SHARED)


def jansson(file: str) -> Path:
    """Returns the path of a jansson library."""
    return Path(succeed(["pkg-config", "--variable=libdir", "jansson"]).strip()) / file


def functions_of_jansson() -> list[str]:
    """Returns the names of all functions that jansson exports with the prefix json_."""
    lines = succeed(["nm", "--dynamic", "--defined-only", jansson("libjansson.so")]).splitlines()
    names = {re.split("[ @]", line)[2] for line in lines if " T json_" in line}
    assert names > {"json_delete", "json_object", "json_object_get", "json_object_iter_key_len"}
    return sorted(names)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C source that defines a function for each of jansson's names."""
    source = tmp_path_factory.mktemp("strangers") / "strangers.c"
    functions = "".join(STRANGER.format(name=name) for name in functions_of_jansson())
    source.write_text(f"#include <stdio.h>\n#include <stdlib.h>\n{functions}")
    return source


@pytest.fixture(scope="module", params=["without versions", "with versions"])
def library_of_strangers(request: pytest.FixtureRequest, strangers: Path) -> Path:
    """A shared library of these functions, with symbol versions (as json-c has) and without."""
    has_versions = request.param == "with versions"
    file = strangers.parent / ("libversioned.so" if has_versions else "libplain.so")
    script = strangers.parent / "versions.map"
    script.write_text("STRANGERS_1 { global: json_*; };\n")
    versions = [f"-Wl,--version-script={script}"] if has_versions else []
    succeed(["cc", "-fno-builtin", "-shared", "-fPIC", strangers, f"-Wl,-soname,{file}", *versions, "-o", file])
    return file


def whole(archive: Path) -> list[str | Path]:
    """Returns the flags that link a whole archive, needed or not."""
    return ["-Wl,--whole-archive", archive, "-Wl,--no-whole-archive"]


def build_host(program: Path, *arguments: str | Path) -> Path:
    """Builds the host with these sources, libraries and flags, in this order."""
    # --no-as-needed links every library in this order, even one of which the host uses nothing.
    succeed(["cc", "-std=c99", *STRICT, "-Wl,--no-as-needed", HOST, *arguments, "-o", program])
    return program


def check(command: list[str | Path], *environments: dict[str, str]) -> None:
    """Runs a host and checks its output."""
    environment = {name: value for variables in environments for name, value in variables.items()}
    assert succeed(command, environment) == "ok\n"


@pytest.mark.parametrize("first", ["-largyle", "-ljansson"])
def test_host_that_exports_them(
    first: str, prefix: Prefix, sandbox: Sandbox, strangers: Path, tmp_path: Path
) -> None:
    flags = [*prefix.flags("--cflags", "--libs-only-L"), first, "-largyle", "-ljansson"]
    host = build_host(tmp_path / "host", "-DLINKED", "-rdynamic", strangers, *flags)
    check([host], sandbox.environment(), prefix.environment())


def test_library_before_the_shared_one(
    prefix: Prefix, sandbox: Sandbox, library_of_strangers: Path, tmp_path: Path
) -> None:
    host = build_host(tmp_path / "host", "-DLINKED", library_of_strangers, *prefix.flags(*SHARED))
    check([host], sandbox.environment(), prefix.environment())


def test_library_that_is_preloaded(
    prefix: Prefix, sandbox: Sandbox, library_of_strangers: Path, tmp_path: Path
) -> None:
    host = build_host(tmp_path / "host", "-DLINKED", *prefix.flags(*SHARED))
    preload = {"LD_PRELOAD": str(library_of_strangers)}
    check([host], sandbox.environment(), prefix.environment(), preload)


@pytest.mark.parametrize("variables", [{}, {"DEEP": "1"}], ids=["default", "deepbind"])
def test_host_that_loads_the_library(
    variables: dict[str, str], prefix: Prefix, sandbox: Sandbox, strangers: Path, tmp_path: Path
) -> None:
    host = build_host(tmp_path / "host", "-rdynamic", strangers, *prefix.flags("--cflags"), "-ldl")
    check([host, prefix.file(CLIENT)], sandbox.environment(), variables)


def test_host_that_loads_an_extension_with_the_archive(
    prefix: Prefix, sandbox: Sandbox, strangers: Path, tmp_path: Path
) -> None:
    host = build_host(tmp_path / "host", "-rdynamic", strangers, *prefix.flags("--cflags"), "-ldl")
    extension = tmp_path / "extension.so"
    succeed(["cc", "-shared", *whole(prefix.archive), "-ljansson", "-lcurl", "-lm", "-o", extension])
    check([host, extension], sandbox.environment())


@pytest.mark.parametrize("linker", ["bfd", "gold", "lld"])
def test_library_before_the_archive(
    linker: str, prefix: Prefix, sandbox: Sandbox, library_of_strangers: Path, tmp_path: Path
) -> None:
    flags = (f"-fuse-ld={linker}", f"-B{Path(compilers()[1][0]).parent}")
    host = build_host(tmp_path / "host", "-DLINKED", *flags, library_of_strangers, *prefix.flags(*STATIC))
    check([host], sandbox.environment())


@pytest.mark.parametrize("position", ["-pie", "-no-pie"])
def test_host_that_exports_them_with_the_archive(
    position: str, prefix: Prefix, sandbox: Sandbox, strangers: Path, tmp_path: Path
) -> None:
    flags = ("-DLINKED", "-rdynamic", position)
    host = build_host(tmp_path / "host", *flags, strangers, *prefix.flags(*STATIC))
    check([host], sandbox.environment())


# Creates a client before main() is called.
EARLY_HOST = r"""
#include <argyle.h>
#include <stdio.h>

static argyle_client *client;
static argyle_error *error;

__attribute__((constructor)) static void make_client(void) {
  static const char options[] = "{\"key_id\": \"id\", \"key_secret\": \"secret\"}";
  client = argyle_client_new_text(options, sizeof options - 1, &error);
}

int main(void) {
  puts(client != NULL ? "ok" : argyle_error_message(error));
  argyle_error_free(error);
  argyle_client_free(client);
  return 0;
}
"""


@pytest.mark.parametrize("flags", [STATIC, SHARED], ids=["archive", "shared"])
def test_host_that_starts_in_a_constructor(
    flags: tuple[str, ...], prefix: Prefix, strangers: Path, tmp_path: Path
) -> None:
    source = tmp_path / "host.c"
    source.write_text(EARLY_HOST)
    host = tmp_path / "host"
    succeed(["cc", "-std=c99", *STRICT, "-rdynamic", source, strangers, *prefix.flags(*flags), "-o", host])
    check([host], prefix.environment())


def test_jansson_version_str_may_be_another_library_s(prefix: Prefix, tmp_path: Path) -> None:
    source = tmp_path / "host.c"
    source.write_text(EARLY_HOST + 'const char *jansson_version_str(void) { return "2.14"; }\n')
    host = tmp_path / "host"
    succeed(["cc", "-std=c99", "-rdynamic", source, *prefix.flags(*SHARED), "-o", host])
    output = succeed([host], prefix.environment())
    assert output == "jansson_version_str in this process is not jansson's, and jansson's cannot be found\n"


def run_python(program: str, prefix: Prefix, preloaded: Path, environment: dict[str, str]) -> str:
    """Runs a Python program with strangers in its process, and returns its output."""
    variables = {
        "LD_PRELOAD": str(preloaded),
        "ARGYLE_LIBRARY": str(prefix.file(CLIENT)),
        "ARGYLE_SANDBOX_LIBRARY": str(prefix.file(SANDBOX)),
        "PYTHONPATH": str(ROOT / "bindings" / "python" / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return succeed([sys.executable, "-c", program], environment | variables)


def test_python_with_a_library_that_is_preloaded(
    prefix: Prefix, sandbox: Sandbox, library_of_strangers: Path
) -> None:
    program = (
        "import os, argyle\n"
        "key = [os.environ['ARGYLE_KEY_ID'], os.environ['ARGYLE_KEY_SECRET']]\n"
        "with argyle.Client(*key, base_url=os.environ['ARGYLE_BASE_URL']) as client:\n"
        "    client.users.create(external_metadata={'n': 1})\n"
        "    token = client.user_tokens.create(next(iter(client.users)).id)\n"
        "    print(token.claims['user_id'] == client.users.list().results[0].id)\n"
    )
    assert run_python(program, prefix, library_of_strangers, sandbox.environment()) == "True\n"


def test_sandbox_with_a_library_that_is_preloaded(prefix: Prefix, library_of_strangers: Path) -> None:
    # No token is created, because libjwt calls jansson for that.
    program = (
        "import argyle\n"
        "fault = {'kind': 'delay', 'milliseconds': 0}\n"
        "with argyle.Sandbox(faults=[fault]) as sandbox, sandbox.client() as client:\n"
        "    print(client.users.list().results)\n"
    )
    assert run_python(program, prefix, library_of_strangers, {}) == "[]\n"
