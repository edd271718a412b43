"""The README: its programs compile unchanged and run, and its tables agree with the header."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import CLIENT, ROOT, STRICT, Prefix, Sandbox, succeed

# A sandbox's default URL. Here the sandbox has a free port instead.
DEFAULT_URL = "http://127.0.0.1:8080"


def program(language: str, line: str) -> str:
    """Returns the README's first code block in a language that contains this line."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    found = [block for block in blocks if line in block.splitlines()]
    assert found, f"README.md has no program in {language}"
    return str(found[0])


def test_c_program(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    text = program("c", "#include <argyle.h>")
    source = tmp_path / "readme.c"
    source.write_text(text.replace(DEFAULT_URL, sandbox.base_url))
    flags = prefix.flags("--cflags", "--libs")
    succeed(["cc", "-std=c99", *STRICT, source, *flags, "-o", tmp_path / "readme"])
    assert succeed([tmp_path / "readme"], sandbox.environment() | prefix.environment())


def test_queue(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    text = program("c", "argyle_queue_free(queue);")
    (tmp_path / "queue.c").write_text(f"""
#include <argyle.h>
#include <stdlib.h>

static int users;

static void over(argyle_call *call, void *tag) {{ users += argyle_call_error(call) == NULL && tag == NULL; }}

int main(void) {{
  int i, operation = ARGYLE_OPERATION_USER_CREATE;
  json_t *options = json_pack("{{s:s, s:s, s:s}}", "key_id", getenv("ARGYLE_KEY_ID"), "key_secret",
                              getenv("ARGYLE_KEY_SECRET"), "base_url", getenv("ARGYLE_BASE_URL"));
  argyle_error *error;
  argyle_client *client = argyle_client_new(options, &error);
  argyle_call *call;
  void *tag;
{text}
  argyle_client_free(client);
  json_decref(options);
  return users == 1000 ? 0 : 1;
}}
""")
    flags = prefix.flags("--cflags", "--libs")
    succeed(["cc", "-std=gnu99", *STRICT, tmp_path / "queue.c", *flags, "-o", tmp_path / "queue"])
    succeed([tmp_path / "queue"], sandbox.environment() | prefix.environment())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that depends on this one, shared by the tests because building takes long."""
    directory = tmp_path_factory.mktemp("package")
    (directory / "Sources" / "readme").mkdir(parents=True)
    (directory / "Package.swift").write_text(
        f"""// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "readme",
  dependencies: [.package(name: "libargyle", path: "{ROOT}")],
  targets: [
    .executableTarget(
      name: "readme", dependencies: [.product(name: "Argyle", package: "libargyle")])
  ]
)
"""
    )
    return directory


def run_swift(source: str, sandbox: Sandbox, package: Path) -> str:
    """Runs a Swift program in a package that depends on this one."""
    program_file = package / "Sources" / "readme" / "main.swift"
    program_file.write_text(source.replace(DEFAULT_URL, sandbox.base_url))
    return succeed(["swift", "run", "--package-path", package], sandbox.environment())


def test_swift_program(sandbox: Sandbox, package: Path) -> None:
    assert run_swift(program("swift", "import Argyle"), sandbox, package)


def test_asynchronous_swift_program(sandbox: Sandbox, package: Path) -> None:
    text = program("swift", "for try await user in client.users.stream() { print(user.id) }")
    output = run_swift(
        f"""
import Argyle

func run(_ client: Client) async throws {{
  {text}
  guard Set(ids).count == 1000 else {{ fatalError("expected 1000 users, got \\(ids.count)") }}
}}
try await run(Client(
  keyID: "{sandbox.key_id}", keySecret: "{sandbox.key_secret}", baseURL: "{sandbox.base_url}"))
""",
        sandbox,
        package,
    )
    assert len(set(output.split())) == 1000


def test_error_table_matches_the_header() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / "README.md").read_text(), re.M)
    codes = re.findall(r"^  ARGYLE_ERROR_(\w+) = (\d+)", CLIENT.header.read_text(), re.M)
    assert rows == [(number, name.lower()) for name, number in codes]
    assert rows


def test_option_table_matches_the_header() -> None:
    section = (ROOT / "README.md").read_text().split("\n## Options")[1].split("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    comment = CLIENT.header.read_text().split("argyle_client *argyle_client_new")[0].rsplit("/**", 1)[1]
    options = dict(re.findall(r"^ \*   (\w+) +(?:string|integer|number|boolean) +(.*)$", comment, re.M))
    assert described == set(options)
    for row in rows:
        default = row.split("|")[3].strip()
        if default.isdigit():
            name = re.findall(r"`(\w+)`", row)[0]
            assert f"default {default}" in options[name], name
