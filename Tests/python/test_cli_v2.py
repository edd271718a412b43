"""The command line with version 2 of the API."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import zlib
from collections.abc import Iterator
from datetime import date, datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import argyle
from conftest import CLI_KEY_ID, CLI_KEY_SECRET, Run, Runner, Server, Service

pytest.importorskip("click")
pytest.importorskip("rich")

CANARY = "canary-personal-51d0"
EMAIL = f"{CANARY}@example.com"
PHONE_NUMBER = "+12125550142"
PERSONAL = ["first_name", "last_name", "email", "phone_number", "ssn", "address", "birth_date"]
COLUMNS = ["id", "created_at", "items_connected", "employers_connected", "external_metadata", "external_id"]
FORMATS = ["jsonl", "csv", "parquet"]


@pytest.fixture
def service(server: Server) -> Iterator[Service]:
    """A server in front of the sandbox of the command line."""
    with contextlib.closing(Service(server.url)) as service:
        yield service


@pytest.fixture
def v1(run: Runner, service: Service) -> Runner:
    """Runs a command with version 1."""
    return partial(run, ARGYLE_BASE_URL=service.url)


@pytest.fixture
def v2(run: Runner, service: Service) -> Runner:
    """Runs a command with version 2."""
    return partial(run, ARGYLE_BASE_URL=service.url, ARGYLE_API_VERSION="2")


@pytest.fixture
def terminal_v2(terminal: Runner, service: Service) -> Runner:
    """Runs a command with version 2 on a terminal."""
    return partial(terminal, ARGYLE_BASE_URL=service.url, ARGYLE_API_VERSION="2", NO_COLOR="1")


@pytest.fixture
def client(server: Server) -> Iterator[argyle.Client]:
    """A client of version 2, whose requests are not recorded."""
    with argyle.Client(CLI_KEY_ID, CLI_KEY_SECRET, base_url=server.url, api_version=2) as client:
        yield client


def bodies(service: Service, method: str = "POST") -> "list[Any]":
    """Return the bodies of the requests."""
    return [body for each, _, body in service.requests if each == method]


# ---------------------------------------------------------------- The version


def test_the_version_is_an_option_or_a_variable(v1: Runner, service: Service) -> None:
    for arguments, variable, path in (
        ([], None, "/v1"),
        ([], "", "/v1"),
        ([], "2", "/v2"),
        (["--api-version", "2"], None, "/v2"),
        (["--api-version", "2"], "1", "/v2"),
        (["--api-version", "1"], "2", "/v1"),
    ):
        assert v1("users", "get", "u1", *arguments, ARGYLE_API_VERSION=variable).code == 4
        assert service.requests.pop()[1] == f"{path}/users/u1"


@pytest.mark.parametrize("value", ["0", "3", "v2", "two"])
def test_a_wrong_version_is_a_usage_error(v1: Runner, service: Service, value: str) -> None:
    assert "Invalid value for --api-version: must be 1 or 2" in v1("users", "list", "--api-version", value).err
    result = v1("users", "list", ARGYLE_API_VERSION=value)
    assert (result.code, service.requests) == (2, [])
    assert "Invalid value for ARGYLE_API_VERSION: must be 1 or 2" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--first-name", CANARY], "--first-name needs --api-version 2"),
        (["create", "--fields", '{"later": 1}'], '"later" needs --api-version 2'),
        (["update", "u1", "--external-id", CANARY], "--external-id needs --api-version 2"),
        (["list", "--external-id", CANARY], "--external-id needs --api-version 2"),
        (["list", "--ordering", "created_at", "--api-version", "2"], "--ordering needs --api-version 1"),
    ],
)
def test_what_the_other_version_has_is_a_usage_error(
    v1: Runner, service: Service, arguments: "list[str]", message: str
) -> None:
    result = v1("users", *arguments)
    assert (result.code, result.out, service.requests) == (2, "", [])
    assert message in result.err
    assert CANARY not in result.err


# ---------------------------------------------------------------- One user


def test_a_user_from_creation_to_deletion(v2: Runner, v1: Runner, service: Service, client: argyle.Client) -> None:
    created = v2("users", "create", "--external-id", "7", "--first-name", "Zoë", "--birth-date", "1985-02-03")
    assert (created.code, created.err) == (0, "")
    user_id = created.json()["id"]
    assert created.json() == {"id": user_id}
    assert bodies(service) == [
        {"external_id": "7", "first_name": "Zoë", "birth_date": {"year": 1985, "month": 2, "day": 3}}
    ]
    got = v2("users", "get", user_id, "--fields", "all")
    assert got.json() == client.users.get(user_id).raw
    assert {name: got.json()[name] for name in bodies(service)[0]} == bodies(service)[0]
    assert v2("users", "update", user_id, "--fields", '{"first_name": null}', "--last-name", "L").code == 0
    updated = v2("users", "get", user_id, "--fields", "all")
    assert (updated.json()["first_name"], updated.json()["last_name"]) == (None, "L")
    assert updated.json() == {**got.json(), "first_name": None, "last_name": "L"} == client.users.get(user_id).raw
    assert bodies(service, "PATCH") == [{"first_name": None, "last_name": "L"}]
    assert v1("users", "update", user_id, "--metadata", "[1]").code == 0
    (listed,) = v2("users", "list", "--fields", "all").lines()
    assert listed == {**updated.json(), "external_metadata": [1]}
    assert [user["id"] for user in v2("users", "list").lines()] == [user_id]
    assert v2("users", "delete", user_id, "--yes").lines() == [{"id": user_id, "deleted": True}]
    for command in (v1, v2):
        assert command("users", "get", user_id).code == 4


def test_every_option_of_a_field(v2: Runner, service: Service, client: argyle.Client) -> None:
    options = {"external_id": "7", "first_name": "A", "last_name": "L", "email": "a@example.com"}
    options["phone_number"] = PHONE_NUMBER
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    assert v2("users", "create", *arguments, "--metadata", "[1]").code == 0
    assert bodies(service) == [{**options, "external_metadata": [1]}]
    (user,) = client.users
    assert {name: user.raw[name] for name in bodies(service)[0]} == bodies(service)[0]


def test_fields_are_an_argument_a_file_or_standard_input(v2: Runner, service: Service, tmp_path: Path) -> None:
    text = json.dumps({"ssn": CANARY, "later": [None], "external_id": "7", "external_metadata": 1})
    (tmp_path / "fields").write_text(text)
    for value, stdin in ((text, ""), (f"@{tmp_path / 'fields'}", ""), ("-", text)):
        assert v2("users", "create", "--fields", value, stdin=stdin).code == 0
        assert bodies(service)[-1] == json.loads(text)
    # Options of their own take precedence.
    assert v2("users", "create", "--fields", text, "--external-id", "8", "--metadata", "null").code == 0
    assert bodies(service)[-1] == {**json.loads(text), "external_id": "8", "external_metadata": None}
    user_id = v2("users", "create").json()["id"]
    assert v2("users", "update", user_id, "--fields", "-", stdin='{"external_metadata": 1}').code == 0
    assert bodies(service, "PATCH") == [{"external_metadata": 1}]


@pytest.mark.parametrize("value", ["[]", "null", '"a"', "{", "@/nowhere/at/all", ""])
def test_fields_that_are_not_an_object_are_a_usage_error(v2: Runner, service: Service, value: str) -> None:
    for arguments in (["create"], ["update", "u1"]):
        result = v2("users", *arguments, "--fields", value)
        assert (result.code, result.out, service.requests) == (2, "", [])
        assert "--fields" in result.err


def test_wrong_dates_are_usage_errors(v2: Runner, service: Service) -> None:
    for value in ("1985-02-31", "03.02.1985", ""):
        result = v2("users", "create", "--birth-date", value)
        assert (result.code, service.requests) == (2, [])
        assert "--birth-date" in result.err


def test_an_update_of_nothing_is_a_usage_error(v1: Runner, v2: Runner, service: Service) -> None:
    for command in (v1, v2):
        assert command("users", "update", "u1").code == 2
    assert v2("users", "update", "u1", "--fields", "{}").code == 2
    assert service.requests == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [("email", "Enter a valid email address"), ("phone_number", "Enter a valid phone number")],
)
def test_a_field_that_the_service_rejects_is_named(
    run: Runner, client: argyle.Client, tmp_path: Path, name: str, problem: str
) -> None:
    before = client.users.get(client.users.create(first_name="Ada").id)
    message = f"status 400: {name}: {problem}."
    fields = json.dumps({"last_name": CANARY, name: CANARY})
    file, failures = tmp_path / "users.jsonl", tmp_path / "failures.jsonl"
    file.write_text(f"{fields}\n")
    for arguments, code in (
        (["create", f"--{name.replace('_', '-')}", CANARY], 1),
        (["create", "--fields", fields], 1),
        (["update", before.id, "--fields", fields], 1),
        (["import", str(file), "--failures", str(failures)], 3),
    ):
        result = run("users", *arguments, ARGYLE_API_VERSION="2")
        assert (result.code, result.out) == (code, "")
        assert re.search(rf"{re.escape(message)} \(trace id [0-9a-f-]{{36}}\)", result.err)
        assert CANARY not in result.err
    assert message in json.loads(failures.read_text())["message"]
    written = [path for path in tmp_path.iterdir() if path != file]
    assert len(written) == 2 and not [path for path in written if CANARY in path.read_text()]
    assert list(client.users) == [before]


def test_personal_data_is_not_in_messages(v2: Runner, service: Service) -> None:
    service.answers = [(400, {"email": ["Enter a valid email address."]}), (500, None), (200, {})]
    for _ in range(3):
        result = v2("users", "create", "--email", CANARY, "--fields", json.dumps({"ssn": CANARY}))
        assert result.code == 1
        assert CANARY not in result.out + result.err


# ---------------------------------------------------------------- Tokens


def test_a_token_is_created_and_inspected(v2: Runner, client: argyle.Client) -> None:
    created = client.users.create()
    result = v2("tokens", "create", created.id)
    token = argyle.UserToken({"user_token": result.json()["access"]})
    assert token.claims["user_id"] == created.id
    expiry = datetime.fromtimestamp(token.claims["exp"], timezone.utc)
    assert result.json() == {"access": token.access, "refresh": None, "expires_at": f"{expiry:%Y-%m-%dT%H:%M:%SZ}"}
    plain = v2("tokens", "create", created.id, "--plain").out
    assert plain.endswith("\n")
    for document, claims in (
        (created.raw, created.claims),
        (token.raw, token.claims),
        ([token.raw], token.claims),
        (plain[:-1], argyle.UserToken({"user_token": plain[:-1]}).claims),
    ):
        assert claims["user_id"] == created.id
        assert v2("tokens", "inspect", stdin=json.dumps(document)).json()["claims"] == claims


# ---------------------------------------------------------------- Lists


@pytest.fixture
def users(client: argyle.Client) -> "list[str]":
    """Create users with personal data, and return their ids, newest first."""
    fields: Any = {
        **dict.fromkeys(("first_name", "last_name", "ssn"), CANARY),
        "email": EMAIL,
        "phone_number": PHONE_NUMBER,
        "address": argyle.Address(*[CANARY] * 6),
    }
    ids = [client.users.create(external_id="odd" if n % 2 else None, **fields).id for n in range(5)]
    return ids[::-1]


def test_a_list_by_external_id(v2: Runner, service: Service, users: "list[str]") -> None:
    assert [user["id"] for user in v2("users", "list").lines()] == users
    assert [user["id"] for user in v2("users", "list", "--page-size", "2").lines()] == users
    assert [user["id"] for user in v2("users", "list", "--external-id", "odd").lines()] == users[1::2]
    assert service.requests[-1][1] == "/v2/users?limit=200&external_id=odd"
    for size, count in (("1", 2), ("2", 1)):
        service.requests.clear()
        found = v2("users", "list", "--external-id", "odd", "--page-size", size).lines()
        assert [(user["id"], user["external_id"]) for user in found] == [(user_id, "odd") for user_id in users[1::2]]
        assert len(service.requests) == count
        assert all(f"limit={size}&external_id=odd" in target for _, target, _ in service.requests)
    assert v2("users", "list", "--external-id", "even").out == ""
    service.requests.clear()
    assert [user["id"] for user in v2("users", "list", "--external-id", "odd", "--limit", "1").lines()] == users[1:2]
    # The next page may have been prefetched.
    assert service.requests[0][1] == "/v2/users?limit=1&external_id=odd"


def lines_of(kind: str, command: Runner, tmp_path: Path, *arguments: str) -> "tuple[list[Any], str]":
    """Return the users of an export, or of a list as JSON, and its whole text."""
    if kind == "list":
        result = command("users", "list", *arguments)
        assert result.code == 0
        return result.lines(), result.out
    if kind == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        file = tmp_path / "users.parquet"
        assert command("users", "export", "--output", str(file), *arguments).code == 0
        rows = parquet.read_table(file).to_pylist()
        return rows, str(rows)
    result = command("users", "export", "--format", kind, *arguments)
    assert result.code == 0
    return list(csv.DictReader(io.StringIO(result.out, newline=""))) if kind == "csv" else result.lines(), result.out


@pytest.mark.parametrize("kind", ["list", *FORMATS])
def test_personal_data_only_when_asked_for(v2: Runner, users: "list[str]", tmp_path: Path, kind: str) -> None:
    found, text = lines_of(kind, v2, tmp_path)
    assert CANARY not in text and PHONE_NUMBER not in text
    assert [list(user) for user in found] == [COLUMNS] * 5
    assert [user["id"] for user in found] == users
    found, text = lines_of(kind, v2, tmp_path, "--fields", "email, id,email")
    assert [user["id"] for user in found] == users
    assert [user["email"] for user in found] == [EMAIL] * 5
    assert [list(user) for user in found] == [["email", "id"]] * 5
    found, text = lines_of(kind, v2, tmp_path, "--fields", "all")
    assert [set(user) for user in found] == [{*COLUMNS, *PERSONAL}] * 5
    assert [user["ssn"] for user in found] == [CANARY] * 5
    assert [user["phone_number"] for user in found] == [PHONE_NUMBER] * 5
    assert (text.count(CANARY), text.count(PHONE_NUMBER)) == (5 * 10, 5)


@pytest.mark.parametrize("command", ["list", "export"])
def test_an_unknown_field_is_a_usage_error(v1: Runner, v2: Runner, service: Service, command: str) -> None:
    for runner, value in ((v2, "id,colour"), (v2, ""), (v2, "data_providers_connected"), (v1, "ssn"), (v1, "id,")):
        result = runner("users", command, "--fields", value)
        assert (result.code, result.out, service.requests) == (2, "", [])
        assert "--fields" in result.err
        assert "external_metadata" in result.err


def test_json_has_all_fields_if_all_are_chosen(v2: Runner, service: Service, client: argyle.Client) -> None:
    client.users.create(first_name=CANARY)
    (user,) = client.users
    raw = {**user.raw, "later": [1]}
    for command in ("list", "export"):
        service.answers = [(200, {"next": None, "previous": None, "results": [raw]})] * 2
        assert v2("users", command, "--fields", "all").lines() == [raw]
        assert "later" not in v2("users", command).lines()[0]


def test_tables(terminal_v2: Runner, server: Server, client: argyle.Client, users: "list[str]") -> None:
    client.users.update(users[0], birth_date=date(1985, 2, 3))
    server.control("PATCH", f"/users/{users[0]}", {"items_connected": ["item_000000001"]})
    table = terminal_v2("users", "list", columns=120).out
    assert re.search(r"ID +CREATED \(UTC\) +EXTERNAL ID +METADATA", table)
    created_at = f"{client.users.get(users[1]).created_at:%Y-%m-%d %H:%M:%S}"
    assert re.search(rf"{users[1]} +{created_at} +odd +\{{\}}", table)
    assert "argyle: 5 users\n" in table
    assert CANARY not in table and PHONE_NUMBER not in table
    assert "EXTERNAL" not in terminal_v2("users", "list", columns=80).out
    table = terminal_v2("users", "list", "--fields", "external_id,birth_date,items_connected,address", columns=200).out
    assert re.search(r"EXTERNAL ID +BIRTH DATE +ITEMS CONNECTED +ADDRESS", table)
    assert re.search(rf"1985-02-03 +item_000000001 +{CANARY}, {CANARY}", table)
    assert users[0] not in table
    assert CANARY in terminal_v2("users", "get", users[0], "--fields", "all").out


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["export", "--format", "csv"], ["export"]])
def test_names_cannot_control_the_terminal(terminal_v2: Runner, client: argyle.Client, arguments: "list[str]") -> None:
    client.users.create(first_name="\x1b]0;title\x07[red]\x9b31m\u2028", external_id="\x1b[2J\x7f")
    out = terminal_v2("users", *arguments, "--fields", "first_name,external_id", columns=200).out
    # The progress of an export has escape sequences of its own.
    assert not [part for part in ("\x1b]", "\x07", "\x9b", "\u2028", "\x1b[2J\x7f", "\x7f") if part in out]
    assert "[red]" in out


# ---------------------------------------------------------------- Export and import


#: Users with every kind of value.
ODD: "list[dict[str, Any]]" = [
    {},
    {"external_metadata": None},
    {"external_metadata": 'quotes "," and\nlines\r\n', "external_id": '"', "first_name": "a,b;c\td"},
    {"external_metadata": {"ä": ["\u2028😀", 1.5]}, "last_name": "Zoë 😀\r\n2\n3", "phone_number": "(212) 555-0142"},
    {"ssn": "012345678", "external_id": "007", "first_name": "null", "last_name": "{}", "email": "1@example.com"},
    {"address": {"city": "Springfield", "line1": 'a "b"'}, "birth_date": {"year": 1985, "month": 2, "day": 3}},
    {"birth_date": {"year": 1985, "month": 2, "day": 31}},
    {"birth_date": {"year": 1985}},
]


def without_ids(client: argyle.Client) -> "list[Any]":
    """Return the users, oldest first, without what the service chooses."""
    users = [
        {name: value for name, value in user.raw.items() if name not in ("id", "created_at")} for user in client.users
    ]
    return users[::-1]


@pytest.mark.parametrize("chosen", ["all", "default"])
@pytest.mark.parametrize("kind", FORMATS)
def test_exports_can_be_imported(
    v2: Runner, service: Service, server: Server, client: argyle.Client, tmp_path: Path, kind: str, chosen: str
) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    for fields in ODD:
        client.users.create(fields=fields)
    before = without_ids(client)
    assert [user["external_metadata"] for user in before] == [fields.get("external_metadata") or {} for fields in ODD]
    assert [(user["phone_number"], user["last_name"]) for user in before][3] == (PHONE_NUMBER, ODD[3]["last_name"])
    file = tmp_path / f"users.{kind}"
    arguments = ["--fields", "all"] if chosen == "all" else []
    exported = v2("users", "export", "--output", str(file), *arguments)
    assert (exported.code, exported.out) == (0, "")
    assert f"{len(ODD)} users written" in exported.err

    server.control("DELETE", "/users")
    imported = v2("users", "import", str(file), "--in-flight", "1")
    assert (imported.code, imported.err) == (0, f"argyle: {len(ODD)} created\n")
    # Only what is set is sent.
    names = [set(body or ()) for body in bodies(service)]
    kept = {"external_metadata", "external_id", *(PERSONAL if chosen == "all" else ())}
    assert names == [({"external_metadata"} | set(fields)) & kept for fields in ODD[::-1]]
    after = without_ids(client)[::-1]
    if chosen == "all":
        assert after == before
    else:
        assert [(user["external_metadata"], user["external_id"]) for user in after] == [
            (user["external_metadata"], user["external_id"]) for user in before
        ]
    # The second time, all are skipped.
    assert v2("users", "import", str(file)).lines() == []
    assert server.count == len(ODD)


def test_a_carriage_return_does_not_end_a_row(v2: Runner, service: Service, client: argyle.Client) -> None:
    client.users.create(first_name="a\rb")
    exported = v2("users", "export", "--format", "csv", "--fields", "all").out
    assert v2("users", "import", "-", "--format", "csv", stdin=exported).code == 0
    assert bodies(service)[-1] == {"first_name": "a\rb", "external_metadata": {}}


def test_lone_surrogates_are_replaced(v2: Runner, service: Service, client: argyle.Client, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    raw = client.users.get(client.users.create(external_metadata="\ud800").id).raw
    for kind in ("csv", "parquet"):
        file = tmp_path / f"users.{kind}"
        # The sandbox has no such names.
        service.answers = [(200, {"next": None, "previous": None, "results": [{**raw, "first_name": "a\ud800"}]})]
        assert v2("users", "export", "--output", str(file), "--fields", "all").code == 0
        assert v2("users", "import", str(file)).code == 0
        assert bodies(service)[-1] == {"first_name": "a?", "external_metadata": "\ud800"}


def test_version_1_imports_the_metadata_only(
    v1: Runner, v2: Runner, service: Service, client: argyle.Client, users: "list[str]"
) -> None:
    exported = v2("users", "export", "--fields", "all").out
    service.requests.clear()
    assert v1("users", "import", "-", stdin=exported).code == 0
    assert service.requests == [("POST", "/v1/users", {"external_metadata": {}})] * 5
    assert [user.first_name for user in client.users] == [None] * 5 + [CANARY] * 5


def test_lines_with_fields_are_imported(v2: Runner, service: Service, client: argyle.Client) -> None:
    lines: "list[dict[str, Any]]" = [
        {"first_name": "A", "later": 1, "id": "x", "items_connected": ["y"]},
        {"first_name": None, "address": {"city": None}, "birth_date": {}, "external_metadata": None},
        {"address": {"city": "B", "line2": None}, "open_banking": {"end_user": {"name": "C"}}},
        {"email": ["a"], "ssn": 7},
        {"ssn": 7},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    result = v2("users", "import", "-", "--in-flight", "1", stdin=text)
    # The service decides what is valid.
    assert (result.code, [user["line"] for user in result.lines()]) == (3, [1, 2, 3, 5])
    assert "line 4: " in result.err and "email: Not a valid string." in result.err
    assert bodies(service) == [
        {"first_name": "A"},
        {"external_metadata": None},
        {"address": {"city": "B"}, "open_banking": {"end_user": {"name": "C"}}},
        {"email": ["a"], "ssn": 7},
        {"ssn": 7},
    ]
    users = list(client.users)[::-1]
    assert [user.id for user in users] == [user["id"] for user in result.lines()]
    assert [user.first_name for user in users] == ["A", None, None, None]
    assert [user.address for user in users] == [None, None, argyle.Address(city="B"), None]
    assert [user.ssn for user in users] == [None, None, None, "7"]
    assert [user.external_metadata for user in users] == [{}] * 4


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_needs_one_field(
    v2: Runner, service: Service, client: argyle.Client, tmp_path: Path, delimiter: str
) -> None:
    file = tmp_path / "users.csv"
    rows = [
        ["number", " email ", "birth_date", "colour"],
        ["1", "a@example.com", '{"year":1985,"month":2,"day":3}'],
        ["2", "", ""],
        ["3"],
    ]
    file.write_text(
        "\n".join(delimiter.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows)
    )
    result = v2("users", "import", str(file), "--in-flight", "1")
    assert (result.code, [user["line"] for user in result.lines()]) == (0, [2, 3, 4])
    assert bodies(service) == [
        {"email": "a@example.com", "birth_date": {"year": 1985, "month": 2, "day": 3}},
        None,
        None,
    ]
    users = [client.users.get(user["id"]) for user in result.lines()]
    assert [user.email for user in users] == ["a@example.com", None, None]
    assert [user.birth_date for user in users] == [date(1985, 2, 3), None, None]


def test_a_csv_without_a_field_is_a_usage_error(v1: Runner, v2: Runner, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id,name\n1,2\n")
    assert v2("users", "import", str(file)).code == 2
    file.write_text("id,email\n1,2\n")
    assert v1("users", "import", str(file)).code == 2
    assert service.requests == []


def test_cells_that_cannot_be_read_are_reported(v2: Runner, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(b'first_name,address\nZo\xeb,\nA,{\nB,"{""city"": ""C""}"\n')
    result = v2("users", "import", str(file))
    assert (result.code, [user["line"] for user in result.lines()]) == (3, [4])
    assert "line 2: first_name is not UTF-8" in result.err
    assert "line 3: address is not JSON" in result.err


def test_parquet_columns_must_be_text(v2: Runner, service: Service, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "users.parquet"
    for column, value, message in (
        ("email", 7, "email is not text"),
        ("address", {"city": "A"}, "address is not text with JSON"),
    ):
        parquet.write_table(arrow.table({column: [value]}), file)
        result = v2("users", "import", str(file))
        assert (result.code, service.requests) == (2, [])
        assert message in result.err


def imported(file: Path, text: str, command: Runner, *arguments: str) -> Run:
    file.write_text(text)
    return command("users", "import", str(file), *arguments)


def test_the_journal_belongs_to_a_version(v1: Runner, v2: Runner, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    text = '{"external_metadata": 1}\n'
    assert imported(file, text, v2).code == 0
    journal = tmp_path / "users.jsonl.done"
    assert json.loads(journal.read_text().splitlines()[0])["api"] == "v2"
    result = imported(file, text, v1)
    assert (result.code, result.out) == (1, "")
    assert "API v2" in result.err
    assert "API v1" in result.err
    assert server.count == 1


@pytest.mark.parametrize(
    ("new", "is_rejected"),
    [
        ("email,first_name\na@example.com,A\n", False),
        ("id,first_name,email,ssn\nx,A,a@example.com,\n", False),
        ("email,first_name\nb@example.com,A\n", True),
        ("email,last_name\na@example.com,A\n", True),
        ("email,first_name,ssn\na@example.com,A,7\n", True),
        ("email,first_name\nA,a@example.com\n", True),
    ],
)
def test_changes_of_any_field_are_noticed(
    v2: Runner, server: Server, tmp_path: Path, new: str, is_rejected: bool
) -> None:
    file = tmp_path / "users.csv"
    assert imported(file, "first_name,email\nA,a@example.com\n", v2).code == 0
    result = imported(file, new, v2)
    assert ("line 2 has changed" in result.err, result.lines()) == (is_rejected, [])
    assert server.count == 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_checksums_of_the_metadata_alone_have_not_changed(
    v2: Runner, service: Service, tmp_path: Path, kind: str
) -> None:
    """Journals of older releases have them."""
    text = '{"a": "ü"}'
    file = tmp_path / f"users.{kind}"
    if kind == "csv":
        file.write_text('external_metadata\n"{""a"": ""ü""}"\n')
    else:
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"external_metadata": [text]}), file)
    assert v2("users", "import", str(file)).code == 0
    entry = json.loads((tmp_path / f"users.{kind}.done").read_text().splitlines()[-1])
    assert (entry["state"], entry["checksum"]) == ("created", zlib.crc32(text.encode()))


# ---------------------------------------------------------------- Round trips


def page_of(*users: "dict[str, Any]") -> "tuple[int, Any]":
    """Return a list with these users, none of which the server would change."""
    results = [{"id": f"u{n}", "external_metadata": {}, **user} for n, user in enumerate(users)]
    return 200, {"next": None, "previous": None, "results": results}


#: Texts that CSV keeps only if they are quoted.
BLANKS = [" lead", "trail ", " ", "\ttab", "\u00a0", "a\rb", "\r", "a\r\nb\n", ' "quoted"', " ,"]


@pytest.mark.parametrize("kind", FORMATS)
def test_blanks_and_line_ends_are_kept(v2: Runner, service: Service, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / f"users.{kind}"
    service.answers = [page_of(*({"first_name": text, "ssn": "1"} for text in BLANKS))]
    assert v2("users", "export", "--output", str(file), "--fields", "id,first_name,ssn").code == 0
    service.requests.clear()
    service.answers = [(201, {"id": "u", "user_token": "t"})] * len(BLANKS)
    assert v2("users", "import", str(file), "--in-flight", "1").code == 0
    assert bodies(service) == [{"first_name": text, "ssn": "1"} for text in BLANKS]


def test_only_rows_with_blanks_are_quoted(v2: Runner, service: Service) -> None:
    service.answers = [page_of({"first_name": "Ada"}, {"first_name": " Ada"})]
    out = v2("users", "export", "--format", "csv", "--fields", "id,first_name,ssn").out
    assert out == 'id,first_name,ssn\nu0,Ada,\n"u1"," Ada",""\n'


def test_an_empty_text_is_not_null_in_parquet(v2: Runner, service: Service, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / "users.parquet"
    service.answers = [page_of({"first_name": "", "ssn": None}, {"first_name": None, "ssn": ""})]
    assert v2("users", "export", "--output", str(file), "--fields", "first_name,ssn").code == 0
    service.requests.clear()
    service.answers = [(201, {"id": "u", "user_token": "t"})] * 2
    assert v2("users", "import", str(file), "--in-flight", "1").code == 0
    assert bodies(service) == [{"first_name": ""}, {"ssn": ""}]
    entries = [json.loads(line) for line in Path(f"{file}.done").read_text().splitlines()]
    assert len({entry["checksum"] for entry in entries if "line" in entry}) == 2


@pytest.mark.parametrize("api_version", ["1", "2"])
def test_the_first_of_equal_columns_is_imported(v1: Runner, service: Service, tmp_path: Path, api_version: str) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "users.parquet"
    names = ["id", "external_metadata", "external_metadata"]
    parquet.write_table(arrow.Table.from_arrays([arrow.array([each]) for each in ("x", '"a"', '"b"')], names), file)
    service.answers = [(201, {"id": "u", "token": "t", "user_token": "t"})]
    assert v1("users", "import", str(file), ARGYLE_API_VERSION=api_version).code == 0
    assert bodies(service) == [{"external_metadata": "a"}]
    assert json.loads(Path(f"{file}.done").read_text().splitlines()[-1])["checksum"] == zlib.crc32(b'"a"')


def test_csv_of_version_1_is_not_escaped(terminal: Runner, v1: Runner, service: Service) -> None:
    """On a terminal, too; only version 2 has texts that users choose."""
    user = {"id": "u\x1b[1m\x9b\u2028", "created_at": "\x07x"}
    line = "u\x1b[1m\x9b\u2028,\x07x,,,{}\n"
    service.answers = [page_of(user)] * 2
    shown = terminal("users", "export", "--format", "csv", ARGYLE_BASE_URL=service.url).out
    assert shown.count(line) == 1
    assert shown.index("id,created_at,employers_connected,data_providers_connected,external_metadata\n") >= 0


def test_bytes_of_version_1_are_kept() -> None:
    from argyle.cli._formats import selection
    from argyle.cli.users_export import _writers

    stream = io.BytesIO()
    user = argyle.User({"id": " u\ud800", "created_at": 'a\rb"', "external_metadata": "\ud800"})
    _writers["csv"](stream, selection(None, 1)).write([user])
    # The csv module of older Pythons does not quote a carriage return.
    assert stream.getvalue().splitlines(keepends=True)[1:] == [b' u\xed\xa0\x80,"a\r', b'b""",,,"""\\ud800"""\n']


@pytest.mark.parametrize("value", ["1985-12-10", '{"year":1985,"month":12,"day":10}'])
def test_a_date_in_a_csv(v2: Runner, service: Service, tmp_path: Path, value: str) -> None:
    file = tmp_path / "users.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([["birth_date"], [value]])
    assert v2("users", "import", str(file)).code == 0
    assert bodies(service) == [{"birth_date": {"year": 1985, "month": 12, "day": 10}}]


@pytest.mark.parametrize("value", ["10.12.1985", "1985-02-31", "1985-2-3", "19851210", "[1985]", "{", "Ada"])
def test_a_cell_that_is_no_date_is_not_quoted(v2: Runner, service: Service, tmp_path: Path, value: str) -> None:
    file = tmp_path / "users.csv"
    file.write_text(f"birth_date\n{value}\n")
    result = v2("users", "import", str(file))
    assert (result.code, service.requests) == (3, [])
    assert "line 2: birth_date must be YYYY-MM-DD or a JSON object\n" in result.err
    assert value not in result.err.replace("YYYY-MM-DD", "") or value in "{"


# ---------------------------------------------------------------- Personal data in messages and results


@pytest.mark.parametrize("value", ["10.12.1985", "1985-2-3", "19851210", "1985-02-31", CANARY])
def test_a_wrong_date_is_not_quoted(v2: Runner, service: Service, value: str) -> None:
    result = v2("users", "create", "--birth-date", value)
    assert (result.code, service.requests) == (2, [])
    assert "'--birth-date': must be YYYY-MM-DD" in result.err
    assert value not in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--first-name", "Ada", CANARY],
        ["create", "--metadata", "{}", CANARY, CANARY],
        ["update", "u1", "--last-name", "Ada", CANARY],
        ["get", "u1", CANARY],
        ["list", "--external-id", "Ada", CANARY],
    ],
)
def test_stray_arguments_are_not_quoted(v1: Runner, v2: Runner, service: Service, arguments: "list[str]") -> None:
    for command in (v1, v2):
        result = command("users", *arguments)
        assert (result.code, result.out, service.requests) == (2, "", [])
        assert "unexpected extra argument" in result.err
        assert CANARY not in result.err


@pytest.mark.parametrize("command", ["list", "get"])
def test_an_unknown_field_is_not_quoted(v2: Runner, service: Service, command: str) -> None:
    """It may be a value, meant for an update."""
    result = v2("users", command, *(["u1"] if command == "get" else []), "--fields", f'{{"ssn": "{CANARY}"}}')
    assert (result.code, service.requests) == (2, [])
    assert "--fields" in result.err and "external_metadata" in result.err
    assert CANARY not in result.err


def test_one_user_has_personal_data_only_when_asked_for(
    v2: Runner, terminal_v2: Runner, client: argyle.Client, users: "list[str]"
) -> None:
    raw = client.users.get(users[0]).raw
    got = v2("users", "get", users[0])
    assert (list(got.json()), got.err) == (COLUMNS, "")
    assert v2("users", "get", users[0], "--fields", "all").json() == raw
    some = v2("users", "get", users[0], "--fields", "first_name, id").json()
    assert list(some.items()) == [("first_name", CANARY), ("id", users[0])]
    updated = v2("users", "update", users[0], "--fields", '{"last_name": "Lovelace"}')
    assert list(updated.json()) == COLUMNS
    assert client.users.get(users[0]).last_name == "Lovelace"
    for arguments in (["get"], ["update", "--last-name", "Lovelace"]):
        shown = terminal_v2("users", arguments[0], users[0], *arguments[1:]).out
        assert users[0] in shown and "external_id" in shown
        assert CANARY not in shown and "Lovelace" not in shown
    shown = terminal_v2("users", "get", users[0], "--fields", "ssn").out
    assert CANARY in shown and users[0] not in shown


def test_one_user_of_version_1_is_complete(v1: Runner, service: Service) -> None:
    user = {"id": "u1", "external_metadata": {}, "later": 1}
    service.answers = [(200, user)] * 4
    assert v1("users", "get", "u1").json() == v1("users", "update", "u1", "--metadata", "1").json() == user
    assert v1("users", "get", "u1", "--fields", "id").json() == {"id": "u1"}
    assert v1("users", "get", "u1", "--fields", "all").json() == user


# ---------------------------------------------------------------- Tables that do not fit


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("fields", [None, "all", "external_id,created_at,id", "first_name,items_connected,email,id"])
def test_no_id_is_cut(terminal_v2: Runner, users: "list[str]", columns: int, fields: "str | None") -> None:
    arguments = [] if fields is None else ["--fields", fields]
    out = terminal_v2("users", "list", *arguments, columns=columns).out
    assert all(len(line) <= columns for line in out.splitlines())
    if columns == 40:
        # Beside names of fields there is less room than an id needs: it is wrapped.
        out = re.sub(r" *\n +", "", out)
    assert re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", out) == users


@pytest.mark.parametrize(("columns", "is_table"), [(60, False), (80, False), (200, True)])
def test_users_are_shown_as_a_table_if_it_fits(
    terminal_v2: Runner, service: Service, columns: int, is_table: bool
) -> None:
    names = ["id", "created_at", "external_id", "first_name", "last_name", "phone_number"]
    user = {"created_at": "2026-01-02T03:04:05Z", "external_id": "7", "first_name": "Ada\x1b", "last_name": "q" * 90}
    service.answers = [page_of(user, {"phone_number": "+1"})]
    out = terminal_v2("users", "list", "--fields", ",".join(names), columns=columns).out
    assert "\x1b]" not in out and "Ada\x1b" not in out
    lines = [line.rstrip() for line in out.splitlines()]
    if is_table:
        assert re.fullmatch(r"ID +CREATED \(UTC\) +EXTERNAL ID +FIRST NAME +LAST NAME +PHONE NUMBER", lines[0])
        assert len(lines) == 4
        return
    # A line for each field, with an empty line between users; values are wrapped rather than cut.
    assert [line.split(" ")[0] for line in lines if line[:1] not in ("", " ")] == [*names, *names, "argyle:"]
    assert lines[:4] == [
        "id            u0",
        "created_at    2026-01-02 03:04:05",
        "external_id   7",
        "first_name    Ada\\u001b",
    ]
    assert out.count("q") == 90
    assert lines.count("") == 1
    assert lines[-2:] == ["phone_number  +1", "argyle: 2 users"]


def test_a_long_id_is_wrapped_in_a_table(terminal_v2: Runner, service: Service) -> None:
    user_id = "0123456789" * 5
    service.answers = [page_of({"id": user_id})]
    out = terminal_v2("users", "list", columns=120).out
    assert [line.split()[0] for line in out.splitlines()] == ["ID", user_id[:36], user_id[36:], "argyle:"]


def test_tables_of_version_1_have_not_changed(terminal: Runner, service: Service) -> None:
    """However narrow."""
    for columns in (40, 60, 80):
        service.answers = [(200, {"count": 1, "next": None, "results": [{"id": "u1", "external_metadata": {}}]})]
        out = terminal("users", "list", columns=columns, ARGYLE_BASE_URL=service.url, NO_COLOR="1").out
        assert re.match(r"ID +CREATED.*\nu1 ", out)


# ---------------------------------------------------------------- Usage


def test_an_update_of_nothing_names_the_option(v1: Runner, v2: Runner, service: Service) -> None:
    result = v1("users", "update", "u1")
    assert result.err == "argyle: Missing option '--metadata'. (see argyle users update --help)\n"
    assert v1("users", "update", "u1", "--fields", "{}").err == result.err
    assert "there is nothing to update" in v2("users", "update", "u1").err
    assert service.requests == []


def test_an_option_of_the_other_version_is_all_that_is_named(v1: Runner, service: Service) -> None:
    result = v1("users", "update", "u1", "--birth-date", "1985-12-10", "--metadata", "1")
    assert (result.code, result.out, service.requests) == (2, "", [])
    assert result.err == "argyle: --birth-date needs --api-version 2 (see argyle users update --help)\n"


def test_standard_input_is_read_once(v2: Runner, service: Service) -> None:
    for arguments in (["create"], ["update", "u1"]):
        result = v2("users", *arguments, "--fields", "-", "--metadata", "-", stdin="{}")
        assert (result.code, result.out, service.requests) == (2, "", [])
        assert "only one option can read standard input" in result.err


def test_the_help_says_where_options_go(run: Runner) -> None:
    assert "argyle users list --api-version 2" in run("--help").out
    assert run("--api-version", "2", "users", "list").code == 2
    assert "personal data" in run("users", "get", "--help").out
