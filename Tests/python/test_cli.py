"""The command line, against a sandbox that it starts itself."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

import argyle
from conftest import (
    CLI_KEY_ID,
    CLI_KEY_SECRET,
    COMMAND,
    FOREVER_MS,
    PATIENCE,
    ROOT,
    SANDBOX,
    Runner,
    Server,
    environment,
    jwt,
    metadata_lines,
    numbers,
    wait_until,
)

pytest.importorskip("click")
pytest.importorskip("rich")

UNKNOWN_ID = "01234567-0123-0123-0123-0123456789ab"


# ---------------------------------------------------------------- One user


def test_a_user_from_creation_to_deletion(run: Runner) -> None:
    created = run("users", "create", "--metadata", '{"group": "Zoë"}')
    assert (created.code, created.err) == (0, "")
    assert list(created.json()) == ["id"]
    user_id = created.json()["id"]

    got = run("users", "get", user_id)
    assert got.code == 0
    assert got.out.count("\n") == 1
    assert got.json()["external_metadata"] == {"group": "Zoë"}

    assert run("users", "update", user_id, "--metadata", "null").json()["external_metadata"] is None
    assert [user["id"] for user in run("users", "list").lines()] == [user_id]
    assert run("users", "delete", user_id, "--yes").lines() == [{"id": user_id, "deleted": True}]
    assert run("users", "get", user_id).code == 4


def test_metadata_from_a_file_and_from_standard_input(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    file.write_text('["from a file"]')
    user_id = run("users", "create", "--metadata", f"@{file}").json()["id"]
    assert run("users", "get", user_id).json()["external_metadata"] == ["from a file"]
    updated = run("users", "update", user_id, "--metadata", "-", stdin='"from standard input"\n')
    assert updated.json()["external_metadata"] == "from standard input"


@pytest.mark.parametrize("value", ["{", "@/nowhere/at/all", "NaN", ""])
def test_metadata_that_is_not_json_is_a_usage_error(run: Runner, server: Server, value: str) -> None:
    result = run("users", "create", "--metadata", value)
    assert (result.code, result.out) == (2, "")
    assert "--metadata" in result.err
    assert server.count == 0


def test_an_unknown_user_is_exit_code_4(run: Runner) -> None:
    for arguments in (["get", UNKNOWN_ID], ["update", UNKNOWN_ID, "--metadata", "1"], ["delete", UNKNOWN_ID, "--yes"]):
        result = run("users", *arguments)
        assert (result.code, result.out) == (4, "")
        assert re.fullmatch(r"argyle: .*Not found.*\(trace id [0-9a-f-]{36}\)\n", result.err)


def test_an_empty_id_is_a_usage_error(run: Runner) -> None:
    assert run("users", "get", "").code == 2


# ---------------------------------------------------------------- Lists


def test_a_list_has_the_requested_number_of_users(run: Runner, server: Server) -> None:
    server.seed(450)
    everyone = [user["external_metadata"]["number"] for user in run("users", "list").lines()]
    assert everyone == list(range(450, 0, -1))
    for limit in (1, 200, 201, 1000):
        assert len(run("users", "list", "--limit", str(limit)).lines()) == min(limit, 450)
    oldest = run("users", "list", "--ordering", "created_at", "--limit", "2").lines()
    assert [user["external_metadata"]["number"] for user in oldest] == [1, 2]
    assert (
        run("users", "list", "--ordering", "-created_at", "--limit", "1").json()["external_metadata"]["number"] == 450
    )


def test_pages_are_written_as_they_arrive(server: Server) -> None:
    server.seed(4000)
    before = server.requests
    with subprocess.Popen([*COMMAND, "users", "list"], stdout=subprocess.PIPE, env=environment(server)) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["id"]
            # The pipe holds only a few of the twenty pages.
            assert server.requests - before < 15
        finally:
            process.kill()


def test_a_reader_that_exits_is_not_an_error(server: Server) -> None:
    # More than a pipe holds, in each format: otherwise, all may be written before the reader exits.
    server.seed(3000)
    for command in ("users list", "users export", "users export --format csv"):
        line = f"set -o pipefail; {shlex.join(COMMAND)} {command} | head -1"
        result = subprocess.run(
            ["bash", "-c", line], capture_output=True, env=environment(server), timeout=PATIENCE, check=False
        )
        assert result.stdout.count(b"\n") == 1
        assert result.returncode == 141
        assert result.stderr == b""


def test_a_full_disk_is_reported(server: Server) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [*COMMAND, "users", "create"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(server),
            timeout=PATIENCE,
            check=False,
        )
    assert (result.returncode, result.stderr) == (1, b"argyle: standard output: No space left on device\n")


# ---------------------------------------------------------------- Terminals


def test_tables_on_a_terminal_and_json_when_asked_for(run: Runner, terminal: Runner, server: Server) -> None:
    server.seed(250)
    table = terminal("users", "list")
    assert table.code == 0
    assert len(re.findall("METADATA", table.out)) == 1
    assert "\x1b[36m" in table.out
    assert "argyle: 250 of 250 users\n" in table.out
    rows = re.findall(r"\{\"group\":\"[A-Z]\",\"number\":(\d+)\}", table.out)
    assert [int(number) for number in rows] == list(range(250, 0, -1))
    assert len({line.index('{"') for line in table.out.splitlines() if '{"' in line}) == 1

    as_json = terminal("users", "list", "--json", "--limit", "3")
    assert as_json.lines() == run("users", "list", "--limit", "3").lines()


def test_no_color_means_no_escape_sequences(terminal: Runner, server: Server) -> None:
    server.seed(1)
    user_id = terminal("users", "list", "--json").json()["id"]
    for arguments in (["users", "list"], ["users", "get", user_id]):
        assert "\x1b" in terminal(*arguments).out
        plain = terminal(*arguments, NO_COLOR="1").out
        assert "\x1b" not in plain
        assert user_id in plain


def test_a_narrow_terminal_has_room_for_ids(terminal: Runner, server: Server) -> None:
    server.seed(1)
    table = terminal("users", "list", columns=80, NO_COLOR="1").out
    assert "EMPLOYERS" not in table
    assert max(len(line) for line in table.splitlines()) <= 80
    assert re.search("[0-9a-f-]{36}", table)


def test_metadata_cannot_control_the_terminal(run: Runner, terminal: Runner) -> None:
    evil = {"[bold]\x1b]0;title\x07\x9b31m": "\x1b[2J\u2028\x7f[red]:smile:"}
    user_id = run("users", "create", "--metadata", json.dumps(evil)).json()["id"]
    assert run("users", "get", user_id).json()["external_metadata"] == evil
    for arguments in (["list", "--json"], ["list"], ["get", user_id]):
        out = terminal("users", *arguments, NO_COLOR="1", columns=200).out
        assert not set("\x1b\x07\x9b\x7f\u2028") & set(out)
        assert "[bold]" in out
        assert "[red]:smile:" in out


def test_deletion_asks_for_confirmation_on_a_terminal(run: Runner, terminal: Runner, server: Server) -> None:
    user_id = run("users", "create").json()["id"]
    declined = terminal("users", "delete", user_id, prompt="[y/N]", answer="n\n")
    assert declined.code == 1
    assert f"Permanently delete user {user_id}? [y/N]" in declined.out
    assert server.count == 1
    assert terminal("users", "delete", user_id, prompt="[y/N]", answer="\x03").code == 130
    assert server.count == 1
    assert terminal("users", "delete", user_id, prompt="[y/N]", answer="y\n").code == 0
    assert server.count == 0


def test_deletion_without_a_terminal_requires_yes(run: Runner, server: Server) -> None:
    user_id = run("users", "create").json()["id"]
    refused = run("users", "delete", user_id, stdin="y\n")
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert server.count == 1


def test_deletion_of_several_continues_after_a_failure(run: Runner, server: Server) -> None:
    first, second = (run("users", "create").json()["id"] for _ in range(2))
    result = run("users", "delete", first, UNKNOWN_ID, second, "--yes")
    assert result.code == 3
    assert [line["id"] for line in result.lines()] == [first, second]
    assert UNKNOWN_ID in result.err
    assert server.count == 0


# ---------------------------------------------------------------- Keys and secrets


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("name", ["ARGYLE_KEY_ID", "ARGYLE_KEY_SECRET"])
def test_a_missing_key_is_named(run: Runner, name: str, value: Optional[str]) -> None:
    result = run("users", "list", **{name: value})
    assert result.code == 2
    assert name in result.err
    assert len(re.findall("ARGYLE_KEY_[A-Z]+", result.err)) == 1


def test_a_wrong_key_is_exit_code_5(run: Runner) -> None:
    for arguments in (["users", "list"], ["users", "create"], ["users", "delete", "x", "y", "--yes"]):
        result = run(*arguments, ARGYLE_KEY_SECRET="another-canary")
        assert (result.code, result.out) == (5, "")
        assert result.err.count("\n") == 1
        assert "another-canary" not in result.err


def test_no_argument_takes_a_key(run: Runner) -> None:
    for command in ("list", "get", "create", "update", "delete", "export", "import"):
        options = re.findall(r"(?<!\S)--?[a-z-]+", run("users", command, "--help").out)
        assert options
        assert not [option for option in options if "key" in option or "secret" in option or "token" in option]
    assert run("users", "list", "--key-secret", "x").code == 2


def test_the_secret_is_not_in_the_list_of_processes(server: Server) -> None:
    server.fault(kind="delay", milliseconds=FOREVER_MS, count=1)
    with subprocess.Popen([*COMMAND, "users", "list"], env=environment(server)) as process:
        try:
            wait_until(lambda: not server.faults())
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert b"users" in arguments
            assert CLI_KEY_SECRET.encode() not in arguments
        finally:
            process.kill()


def test_a_created_user_s_token_is_not_shown(run: Runner, terminal: Runner) -> None:
    for result in (run("users", "create"), terminal("users", "create"), terminal("users", "create", "--json")):
        assert "eyJ" not in result.out + result.err


# ---------------------------------------------------------------- Tokens


def test_a_token_is_created_and_inspected(run: Runner, terminal: Runner) -> None:
    user_id = run("users", "create").json()["id"]
    as_json = run("tokens", "create", user_id)
    plain = run("tokens", "create", user_id, "--plain")
    assert set(as_json.json()) == {"access", "refresh", "expires_at"}
    assert re.fullmatch(r"eyJ[\w-]+\.[\w-]+\.[\w-]+\n", plain.out)
    assert re.fullmatch(r"eyJ[\w-]+\.[\w-]+\.[\w-]+\n", terminal("tokens", "create", user_id).out)

    for text in (as_json.out, plain.out):
        inspected = run("tokens", "inspect", stdin=text)
        assert inspected.json()["claims"]["user_id"] == user_id
        assert inspected.json()["expired"] is False
        signature = plain.out.strip().rsplit(".", 1)[1]
        assert signature not in inspected.out
    assert as_json.json()["expires_at"][:10] == run("tokens", "inspect", stdin=as_json.out).json()["expires_at"][:10]


def test_a_token_is_typed_without_echo(terminal: Runner) -> None:
    token = jwt({"sub": "someone", "exp": 1500000000})
    shown = terminal("tokens", "inspect", prompt="Token: ", answer=token + "\n", NO_COLOR="1").out
    assert token not in shown
    assert re.search(r"sub +someone *\n", shown)
    assert re.search(r"exp +1500000000 +2017-07-14 02:40:00 UTC *\n", shown)
    assert "expired" in shown


def test_an_expired_token_is_reported(run: Runner) -> None:
    inspected = run("tokens", "inspect", stdin=jwt({"exp": 1500000000}))
    assert inspected.code == 0
    assert inspected.json() == {"claims": {"exp": 1500000000}, "expires_at": "2017-07-14T02:40:00Z", "expired": True}
    assert run("tokens", "inspect", stdin=jwt({"a": 1})).json()["expires_at"] is None


def test_an_invalid_token_is_a_usage_error_and_not_printed(run: Runner) -> None:
    for text in (
        "",
        "  \n",
        "canary-garbage",
        '{"refresh": "canary-garbage"}',
        "{canary-garbage",
        "[canary-garbage",
        "[]",
    ):
        result = run("tokens", "inspect", stdin=text)
        assert (result.code, result.out) == (2, "")
        assert "canary" not in result.err
    assert run("tokens", "inspect", "eyJhbGciOiJIUzI1NiJ9.e30.x").code == 2


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "\ufeff{}\r\n",
        "Bearer {}",
        "\ufeffbearer  {}\n",
        "Authorization: Bearer {}",
        '"{}"',
        "'{}'\n",
        "'Authorization: Bearer {}'",
        '[{{"access": "{}"}}]',
    ],
)
def test_tokens_are_inspected_in_all_forms(run: Runner, form: str) -> None:
    text = form.format(jwt({"sub": "someone"}))
    for data in (text.encode(), b"\xff\xfe" + text.lstrip("\ufeff").encode("utf-16-le")):
        assert run("tokens", "inspect", stdin=data).json()["claims"] == {"sub": "someone"}


@pytest.mark.parametrize("path", ["/v1/users", "/v1/user-tokens"])
def test_responses_of_the_api_are_inspected(run: Runner, server: Server, path: str) -> None:
    user_id = run("users", "create").json()["id"]
    with argyle.Client(CLI_KEY_ID, CLI_KEY_SECRET, base_url=server.url) as client:
        raw: Any
        if path == "/v1/users":
            raw = client.users.create().raw
            user_id = raw["id"]
        else:
            raw = client.user_tokens.create(user_id).raw
    for indent in (None, 2):
        inspected = run("tokens", "inspect", stdin="\ufeff" + json.dumps(raw, indent=indent))
        assert inspected.json()["claims"]["user_id"] == user_id


def test_a_token_of_an_absent_user_is_exit_code_4(run: Runner, server: Server) -> None:
    for user_id in (UNKNOWN_ID, "someone"):
        result = run("tokens", "create", user_id)
        assert (result.code, result.out) == (4, "")
        assert re.fullmatch(r"argyle: .*does not exist.*\(trace id [0-9a-f-]{36}\)\n", result.err)
    # Other errors do not mean that the user is absent.
    for fault in (
        {"kind": "error", "status": 400},
        {"kind": "error", "status": 422},
        {"kind": "body", "body": "empty"},
    ):
        server.fault(**fault, method="POST", path="/v1/user-tokens", count=1)
        assert run("tokens", "create", UNKNOWN_ID).code == 1


def test_the_commands_of_the_readme_run_unchanged(server: Server, tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    (block,) = (
        block for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S) if "argyle users create" in block
    )
    # The server is already running, with another key.
    lines = [line for line in block.splitlines() if not line.startswith(("argyle sandbox", "export "))]
    result = subprocess.run(
        ["bash", "-c", f'set -eu -o pipefail; argyle() {{ {shlex.join(COMMAND)} "$@"; }}\n' + "\n".join(lines)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(server),
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    claims = json.loads(result.stdout.splitlines()[-1])["claims"]
    assert claims["user_id"] in {json.loads(line)["id"] for line in (tmp_path / "users.jsonl").read_text().splitlines()}


# ---------------------------------------------------------------- Export


def test_the_page_size_can_be_chosen(run: Runner, server: Server, tmp_path: Path) -> None:
    server.seed(45)
    for size, requests in ((1, 45), (20, 3), (200, 1)):
        before = server.requests
        assert len(run("users", "list", "--page-size", str(size)).lines()) == 45
        assert len(run("users", "export", "--page-size", str(size)).lines()) == 45
        # If the last page is full, the iterator may request another one.
        assert 2 * requests <= server.requests - before <= 2 * (requests + 1)
    assert len(run("users", "list", "--page-size", "2", "--limit", "5").lines()) == 5
    for wrong in ("0", "201", "x"):
        for command in ("list", "export"):
            assert run("users", command, "--page-size", wrong).code == 2


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_exports_can_be_imported(run: Runner, server: Server, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    odd: "list[Any]" = [{}, None, "", 'quotes "," and\nlines\r\n', [1, 2.5, {"ä": "\u2028😀"}]]
    odd += [2**80, -(10**18) * 9 - 1, "\ud800", 0, False]
    lines = "".join(json.dumps({"external_metadata": value}) + "\n" for value in odd) + '{"other": 1}\n'
    assert run("users", "import", "-", "--in-flight", "1", stdin=lines).code == 0
    server.seed(250)
    before = run("users", "list", "--ordering", "created_at").lines()
    assert [json.dumps(user["external_metadata"]) for user in before if user["created_at"] > "2023"] == [
        json.dumps(value) for value in [*odd, {}]
    ]

    file = tmp_path / f"users.{kind}"
    exported = run("users", "export", "--output", str(file))
    assert (exported.code, exported.out) == (0, "")
    assert f"{len(before)} users written" in exported.err
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    piped = subprocess.run(
        [*COMMAND, "users", "export", "--format", kind],
        stdout=subprocess.PIPE,
        env=environment(server),
        timeout=PATIENCE,
        check=True,
    )
    assert piped.stdout == file.read_bytes()

    server.control("DELETE", "/users")
    assert run("users", "import", str(file), "--in-flight", "1").code == 0
    after = run("users", "list", "--ordering", "created_at").lines()
    assert [user["external_metadata"] for user in after] == [user["external_metadata"] for user in before]


def test_exported_columns(run: Runner, server: Server, tmp_path: Path) -> None:
    user_id = run("users", "create", "--metadata", '{"a": "ü"}').json()["id"]
    server.control("PATCH", f"/users/{user_id}", {"employers_connected": ["x,y", "z"]})
    user = run("users", "get", user_id).json()
    assert run("users", "export").json() == user
    (row,) = csv.DictReader(run("users", "export", "--format", "csv").out.splitlines())
    assert row == {
        "id": user_id,
        "created_at": user["created_at"],
        "employers_connected": '["x,y","z"]',
        "data_providers_connected": "[]",
        "external_metadata": '{"a":"ü"}',
    }
    parquet = pytest.importorskip("pyarrow.parquet")
    run("users", "export", "--output", str(tmp_path / "users.parquet"))
    (line,) = parquet.read_table(tmp_path / "users.parquet").to_pylist()
    assert line["created_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z") == user["created_at"]
    assert line["employers_connected"] == ["x,y", "z"]
    assert line["external_metadata"] == '{"a":"ü"}'


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_export_of_no_users(run: Runner, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / f"users.{kind}"
    assert run("users", "export", "--output", str(file)).code == 0
    assert run("users", "import", str(file)).code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_export_leaves_the_file_unchanged(
    server: Server, tmp_path: Path, number: int, code: int
) -> None:
    server.seed(450)
    server.fault(kind="delay", milliseconds=FOREVER_MS, method="GET", count=1)
    file = tmp_path / "users.jsonl"
    file.write_text("what was there")
    command = [*COMMAND, "users", "export", "--output", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment(server)) as process:
        # Now it waits for the server: a signal during a late import may kill Python itself.
        wait_until(lambda: not server.faults())
        assert len(list(tmp_path.iterdir())) == 2
        process.send_signal(number)
        assert process.wait(PATIENCE) == code
        assert process.stderr is not None
        assert process.stderr.read() == (b"argyle: interrupted\n" if number == signal.SIGINT else b"")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_text() == "what was there"


def test_a_failed_export_leaves_nothing(run: Runner, server: Server, tmp_path: Path) -> None:
    server.seed(450)
    server.fault(kind="error", status=400, method="GET")
    assert run("users", "export", "--output", str(tmp_path / "users.csv")).code == 1
    assert not list(tmp_path.iterdir())


def test_an_export_keeps_links_and_modes(run: Runner, tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    assert run("users", "export", "--output", str(link)).code == 0
    assert link.is_symlink()
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("", 0o640)
    assert run("users", "export", "--output", "/dev/null").code == 0


def test_an_export_to_a_missing_folder_is_reported(run: Runner, tmp_path: Path) -> None:
    result = run("users", "export", "--output", str(tmp_path / "no" / "file"))
    assert result.code == 1
    assert "No such file or directory" in result.err


def test_progress_is_shown_on_a_terminal(terminal: Runner, server: Server, tmp_path: Path) -> None:
    server.seed(450)
    server.fault(kind="delay", milliseconds=FOREVER_MS, **server.only_the_second())
    file = tmp_path / "users.jsonl"
    out = terminal("users", "export", "--output", str(file), prompt="200 users", once_shown=server.clear_faults).out
    assert re.search(r"exporting.*200 users", out)
    assert "450 users written" in out


# ---------------------------------------------------------------- Import


def test_an_import_is_skipped_the_second_time(run: Runner, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text(metadata_lines(100))
    first = run("users", "import", str(file))
    assert first.code == 0
    assert sorted(line["line"] for line in first.lines()) == list(range(1, 101))
    assert first.err == "argyle: 100 created\n"
    second = run("users", "import", str(file))
    assert (second.code, second.out) == (0, "")
    assert "0 created, 100 skipped" in second.err
    # Added lines.
    file.write_text(metadata_lines(103))
    assert len(run("users", "import", str(file)).lines()) == 3
    assert numbers(run) == list(range(103))
    assert server.count == 103


def test_failed_lines_are_reported_and_retried(run: Runner, server: Server, tmp_path: Path) -> None:
    file, failures = tmp_path / "users.jsonl", tmp_path / "failures.jsonl"
    file.write_text(metadata_lines(50) + "not JSON\n\n[1]\n" + '{"external_metadata": 1e999}\n')
    server.fault(kind="error", status=422, method="POST", count=3)
    first = run("users", "import", str(file), "--failures", str(failures), "--in-flight", "1")
    assert first.code == 3
    assert len(first.lines()) == 47
    assert "47 created, 6 failed" in first.err
    told = [json.loads(line) for line in failures.read_text().splitlines()]
    assert len(told) == 6
    assert {51, 53, 54} < {failure["line"] for failure in told}
    assert [failure["code"] for failure in told].count("invalid_request") == 3
    for failure in told:
        if failure["trace_id"]:
            assert failure["trace_id"] in first.err
            assert "\nargyle: lines 1 to 3: " in f"\n{first.err}"
        else:
            assert f"line {failure['line']}: " in first.err

    second = run("users", "import", str(file))
    assert second.code == 3
    assert len(second.lines()) == 3
    assert server.count == 50


@pytest.mark.parametrize(
    "fault",
    [{"kind": "close", "when": "after"}, {"kind": "body", "body": "not_json"}, {"kind": "body", "body": "empty"}],
)
def test_a_line_whose_outcome_is_unknown_is_not_created_again(
    run: Runner, server: Server, tmp_path: Path, fault: "dict[str, Any]"
) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text(metadata_lines(10))
    server.fault(**fault, method="POST", count=1)
    first = run("users", "import", str(file), "--in-flight", "1")
    assert first.code == 3
    assert "9 created, 1 unknown" in first.err
    assert server.count == 10
    second = run("users", "import", str(file))
    assert second.code == 3
    assert "line 1: " in second.err
    assert "0 created, 9 skipped" in second.err
    assert server.count == 10
    assert run("users", "import", str(file), "--retry-unknown").code == 0
    assert server.count == 11
    assert run("users", "import", str(file)).code == 0


def test_an_import_continues_after_being_killed(run: Runner, server: Server, tmp_path: Path) -> None:
    file, journal = tmp_path / "users.jsonl", tmp_path / "journal"
    file.write_text(metadata_lines(300))
    # Eventually, all requests in flight are delayed.
    server.fault(kind="delay", milliseconds=FOREVER_MS, method="POST", probability=0.1, seed=1, count=8)
    command = [*COMMAND, "users", "import", str(file), "--journal", str(journal), "--in-flight", "8"]

    def states() -> "dict[int, str]":
        found = {}
        for line in journal.read_text().splitlines() if journal.exists() else []:
            # The last entry may be incomplete.
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if "line" in entry:
                    found[entry["line"]] = entry["state"]
        return found

    def begun() -> "list[int]":
        return [line for line, state in states().items() if state == "begun"]

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment(server)) as process:
        wait_until(lambda: not server.faults())
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
    server.clear_faults()
    assert len(states()) > len(begun())
    before, unknown = set(states()), begun()
    # A crash may truncate the last line.
    with journal.open("a") as torn:
        torn.write('{"line":300,"chec')

    second = run("users", "import", str(file), "--journal", str(journal))
    assert second.code == 3
    assert "8 unknown" in second.err
    assert not {line["line"] for line in second.lines()} & before
    present = numbers(run)
    assert len(present) == len(set(present))
    assert set(range(300)) - {line - 1 for line in unknown} <= set(present)

    assert run("users", "import", str(file), "--journal", str(journal), "--retry-unknown").code == 0
    assert set(numbers(run)) == set(range(300))


def test_a_changed_file_is_rejected(run: Runner, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text(metadata_lines(5))
    assert run("users", "import", str(file)).code == 0
    file.write_text(metadata_lines(6).split("\n", 1)[1])
    result = run("users", "import", str(file))
    assert result.code == 1
    assert "line 1 has changed" in result.err
    assert server.count == 5


def test_a_file_that_is_not_a_journal_is_left_alone(run: Runner, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    for text in (metadata_lines(5), "x", '{"line": "a"}\n', "[]\n"):
        file.write_text(metadata_lines(5))
        other = tmp_path / "other"
        other.write_text(text)
        result = run("users", "import", str(file), "--journal", str(other))
        assert result.code == 1
        assert "line 1 is not a journal entry" in result.err
        assert other.read_text() == text
    assert server.count == 0


def test_two_imports_cannot_use_one_journal(run: Runner, server: Server, tmp_path: Path) -> None:
    file, journal = tmp_path / "users.jsonl", tmp_path / "users.jsonl.done"
    file.write_text(metadata_lines(10))
    server.fault(kind="delay", milliseconds=FOREVER_MS, method="POST")
    command = [*COMMAND, "users", "import", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment(server)) as process:
        wait_until(lambda: journal.exists() and journal.read_text().count('"begun"') == 10)
        second = run("users", "import", str(file))
        process.kill()
    assert second.code == 1
    assert "another import" in second.err


def test_an_import_from_standard_input_has_a_journal_when_asked_for(
    run: Runner, server: Server, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    for count in (5, 0):
        result = run("users", "import", "-", "--journal", str(journal), stdin=metadata_lines(5))
        assert (result.code, len(result.lines())) == (0, count)
    assert len(run("users", "import", "-", stdin=metadata_lines(5)).lines()) == 5
    assert server.count == 10


def test_an_import_with_a_wrong_key_stops(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text(metadata_lines(500))
    result = run("users", "import", str(file), "--in-flight", "5", ARGYLE_KEY_SECRET="another-canary")
    assert result.code == 5
    assert "the rest was not attempted" in result.err
    failed = re.search("(\\d+) failed", result.err)
    assert failed
    assert int(failed[1]) <= 10
    assert "unknown" not in result.err
    assert len(run("users", "import", str(file)).lines()) == 500


def test_an_import_without_a_server_stops(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text(metadata_lines(500))
    result = run("users", "import", str(file), ARGYLE_BASE_URL="http://127.0.0.1:9")
    assert result.code == 3
    assert "the rest was not attempted" in result.err
    assert "unknown" not in result.err
    assert len(run("users", "import", str(file)).lines()) == 500


def test_an_import_continues_without_a_reader(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text(metadata_lines(200))
    line = f"set -o pipefail; {shlex.join(COMMAND)} users import {shlex.quote(str(file))} | true"
    result = subprocess.run(
        ["bash", "-c", line], capture_output=True, env=environment(server), timeout=PATIENCE, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"argyle: 200 created\n")
    assert server.count == 200


def test_a_file_without_metadata_is_a_usage_error(run: Runner, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id;metadata\n1;2\n")
    result = run("users", "import", str(file))
    assert result.code == 2
    assert "external_metadata" in result.err
    assert run("users", "import", str(tmp_path / "nowhere")).code == 1
    assert server.count == 0


# ---------------------------------------------------------------- The command itself


def test_failures_of_the_service_are_exit_code_1(run: Runner, server: Server) -> None:
    assert run("users", "list", ARGYLE_BASE_URL="http://127.0.0.1:9").code == 1
    server.fault(kind="body", body="not_json", method="GET")
    assert run("users", "list").code == 1


def test_a_call_is_interrupted_at_once(server: Server) -> None:
    server.fault(kind="delay", milliseconds=FOREVER_MS, method="POST")
    with subprocess.Popen([*COMMAND, "users", "create"], stderr=subprocess.PIPE, env=environment(server)) as process:
        wait_until(lambda: server.count == 1)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b"argyle: interrupted\n"


def test_usage_errors_are_one_line(run: Runner) -> None:
    for arguments in (["users", "nothing"], ["users", "get"], ["users", "list", "--limit", "0"], ["--what"]):
        result = run(*arguments)
        assert (result.code, result.out) == (2, "")
        assert result.err.count("\n") == 1
        assert "--help" in result.err


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ARGYLE_BASE_URL": "x"}, ["ARGYLE_BASE_URL"]),
        ({"ARGYLE_BASE_URL": None, "ARGYLE_ENVIRONMENT": "x"}, ["ARGYLE_ENVIRONMENT"]),
        ({"ARGYLE_ENVIRONMENT": "sandbox"}, ["ARGYLE_ENVIRONMENT", "ARGYLE_BASE_URL"]),
    ],
)
def test_a_wrong_variable_is_named(run: Runner, changes: "dict[str, Optional[str]]", named: "list[str]") -> None:
    result = run("users", "list", **changes)
    assert result.code == 2
    assert all(name in result.err for name in named)
    assert "base_url" not in result.err
    assert "environment " not in result.err


def test_the_environment_of_argyle(run: Runner) -> None:
    result = run("users", "list", ARGYLE_BASE_URL=None, ARGYLE_ENVIRONMENT="nowhere")
    assert result.code == 2
    assert "ARGYLE_ENVIRONMENT" in result.err


def test_help_lists_exit_codes_and_variables(run: Runner) -> None:
    text = run("--help").out
    for word in (
        "ARGYLE_KEY_ID",
        "ARGYLE_KEY_SECRET",
        "ARGYLE_BASE_URL",
        "ARGYLE_API_VERSION",
        "NO_COLOR",
        "130",
        "_ARGYLE_COMPLETE",
    ):
        assert word in text
    assert re.fullmatch(r"argyle \d+\.\d+\.\d+\n", run("--version").out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Runner, shell: str) -> None:
    assert "_ARGYLE_COMPLETE" in run(_ARGYLE_COMPLETE=f"{shell}_source").out
    words = "argyle users e"
    completed = run(_ARGYLE_COMPLETE=f"{shell}_complete", COMP_WORDS=words, COMP_CWORD="e" if shell == "fish" else "2")
    assert "export" in completed.out


@pytest.mark.parametrize("names", [["click"], ["rich"], ["click", "rich"]])
def test_a_missing_package_is_one_line(names: "list[str]") -> None:
    program = f"import sys; sys.modules.update(dict.fromkeys({names})); from argyle.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(None),
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == (f"argyle: the command line requires {' and '.join(names)}: pip install 'argyle[cli]'\n")


def test_parquet_without_pyarrow_is_reported(run: Runner, server: Server, tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    result = run("users", "export", "--output", str(tmp_path / "users.parquet"), PYTHONPATH=path)
    assert result.code == 2
    assert "pip install pyarrow" in result.err
    assert not (tmp_path / "users.parquet").exists()


def test_the_sandbox_accepts_options_and_ends_on_a_signal() -> None:
    command = [*COMMAND, "sandbox", "--port", "0", "--key-id", "someone"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(None, ARGYLE_SANDBOX=SANDBOX)
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "listening" in line:
                break
        assert "argyle-sandbox key id: someone\n" in lines
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_the_sandbox_of_the_environment_comes_first(tmp_path: Path) -> None:
    program = tmp_path / "argyle-sandbox"
    program.write_text('#!/bin/sh\necho "found $*"\n')
    program.chmod(0o755)
    result = subprocess.run(
        [*COMMAND, "sandbox", "--port", "1"],
        capture_output=True,
        text=True,
        env=environment(None, ARGYLE_SANDBOX=str(program)),
        timeout=PATIENCE,
        check=False,
    )
    assert result.stdout == "found --port 1\n"


def test_a_missing_sandbox_is_reported(run: Runner, tmp_path: Path) -> None:
    result = run("sandbox", ARGYLE_SANDBOX=str(tmp_path / "nowhere"))
    assert result.code == 1
    assert "nowhere" in result.err


class Closed:
    """Runs a command with some of the descriptors 0 to 2 closed."""

    def __init__(self, server: Server, descriptors: "list[int]") -> None:
        self.server = server
        self.descriptors = descriptors

    def command(self, *arguments: str) -> "list[str]":
        closing = " ".join(f"{number}>&-" for number in self.descriptors)
        return ["bash", "-c", f'exec "$@" {closing}', "bash", *COMMAND, *arguments]

    def __call__(self, *arguments: str) -> int:
        """Return the exit code; checks that messages are well-formed and that there is no traceback."""
        result = subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(self.server),
            timeout=PATIENCE,
            check=False,
        )
        assert b"Traceback" not in result.stderr
        return result.returncode


@pytest.fixture(params=[[0], [1], [2], [0, 1, 2]], ids=str)
def closed(request: pytest.FixtureRequest, server: Server) -> Closed:
    return Closed(server, request.param)


def test_closed_descriptors(closed: Closed, server: Server, run: Runner, tmp_path: Path) -> None:
    """No opened file gets their numbers; commands work without messages, but do nothing without standard output."""
    is_mute = 1 in closed.descriptors
    lines, journal = tmp_path / "users.jsonl", tmp_path / "users.jsonl.done"
    lines.write_text(metadata_lines(20) + "not JSON\n")
    if is_mute:
        assert closed("users", "import", str(lines)) == 1
        assert server.count == 0
        run("users", "import", str(lines))
    else:
        assert closed("users", "import", str(lines)) == 3
    assert server.count == 20
    entries = [entry for entry in map(json.loads, journal.read_text().splitlines()) if "line" in entry]
    assert sorted(entry["line"] for entry in entries if entry["state"] == "created") == list(range(1, 21))
    assert all(set(entry) <= {"line", "record", "checksum", "state", "id"} for entry in entries)

    for name in ("users.csv", "exported.jsonl"):
        assert closed("users", "export", "--output", str(tmp_path / name)) == 0
    exported = [json.loads(line) for line in (tmp_path / "exported.jsonl").read_text().splitlines()]
    assert [user["id"] for user in exported] == [
        user["id"] for user in run("users", "list", "--ordering", "created_at").lines()
    ]

    first, second = exported[0]["id"], exported[1]["id"]
    done = 1 if is_mute else 0
    assert closed("users", "create") == closed("users", "list") == closed("users", "get", first) == done
    assert closed("tokens", "create", first) == closed("users", "delete", first, second, "--yes") == done
    assert server.count == (20 if is_mute else 19)
    assert closed("users", "get", "x") == (1 if is_mute else 4)
    assert closed("users", "delete", exported[2]["id"]) == (1 if is_mute else 2)
    assert closed("tokens", "inspect") == closed("users", "x") == 2


def test_closed_descriptors_are_filled(closed: Closed, server: Server, tmp_path: Path) -> None:
    server.seed(5)
    server.fault(kind="delay", milliseconds=FOREVER_MS, method="GET")
    with subprocess.Popen(
        closed.command("users", "export", "--output", str(tmp_path / "users.jsonl")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(server),
    ) as process:
        wait_until(lambda: list(tmp_path.glob(".*.part")))
        found = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
        process.kill()
    assert found == ["/dev/null"] * 3


@pytest.mark.parametrize("others", [["--failures", "F"], ["--failures", "F.done"], ["--journal", "F"]])
def test_an_import_does_not_write_to_a_file_that_it_reads(run: Runner, tmp_path: Path, others: "list[str]") -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"external_metadata": 1}\n')
    options = [option.replace("F", str(lines)) if option.startswith("F") else option for option in others]
    result = run("users", "import", str(lines), *options)
    assert result.code == 2
    assert "different files" in result.err
    assert lines.read_text() == '{"external_metadata": 1}\n'


@pytest.mark.parametrize("command", [[], ["users"], ["tokens"]])
def test_without_a_command_the_help_is_shown(command: "list[str]") -> None:
    result = subprocess.run(
        [*COMMAND, *command], capture_output=True, text=True, env=environment(None), timeout=PATIENCE, check=False
    )
    # Older versions of click do not treat it as an error.
    assert (result.returncode, bool(result.stdout)) in ((2, False), (0, True))
    assert "\nCommands:\n" in result.stdout + result.stderr
