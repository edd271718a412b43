"""API v2: creating, reading, changing and deleting users, and the fields that they have."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from conftest import Answer, Sandbox, Starter
from test_users import EXACT, UNKNOWN, UUID

KEYS = [
    "id", "created_at", "items_connected", "employers_connected", "external_metadata", "external_id", "first_name",
    "last_name", "email", "phone_number", "ssn", "address", "birth_date"]
NO_ADDRESS = dict.fromkeys(["city", "line1", "line2", "state", "country", "postal_code"])
NO_BIRTH_DATE = dict.fromkeys(["year", "month", "day"])
UNSET: dict[str, Any] = {
    "items_connected": [], "employers_connected": [], "external_metadata": {}, "external_id": None, "first_name": None,
    "last_name": None, "email": None, "phone_number": None, "ssn": None, "address": NO_ADDRESS,
    "birth_date": NO_BIRTH_DATE}
# A value for each field that can be read, as it is read.
FIELDS: dict[str, Any] = {
    "external_metadata": {"group": "A"}, "external_id": "order 17", "first_name": "Zoë",
    "last_name": "O'Brien \"Bo\" 😀",
    "email": "zoe.o+brien@mail.example.com", "phone_number": "+12125555555", "ssn": "000-00-0000",
    "address": {"city": "New York", "line1": "1 Main St", "line2": "2b", "state": "NY", "country": "US",
                "postal_code": "10001"},
    "birth_date": {"year": 1990, "month": 1, "day": 31}}
INTEGER = "A valid integer is required."
STRING = "Not a valid string."
LONG = "Ensure this field has no more than 255 characters."
EMAIL = "Enter a valid email address."
PHONE = "Enter a valid phone number."


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


def create(sandbox: Sandbox, fields: Any = None) -> str:
    """Creates a user with fields; returns the id."""
    answer = sandbox.send("POST", "/v2/users", None if fields is None else encode(fields))
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


def get(sandbox: Sandbox, user: str) -> Any:
    answer = sandbox.send("GET", f"/v2/users/{user}")
    assert answer.status == 200
    return answer.json


def own_values(user: dict[str, Any]) -> dict[str, Any]:
    """Returns a user without the members that no two users share."""
    return {key: value for key, value in user.items() if key not in ("id", "created_at")}


@pytest.mark.parametrize(
    "body, headers",
    [
        (None, {}),
        (None, {"Content-Type": "application/json"}),
        (b"", {"Content-Type": "application/json"}),
        (b"", {"Content-Type": None}),
        (b"", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"", {"Content-Type": "text/plain"}),
        (b"{}", {}),
        (b" \r\n\t{ } ", {}),
        # What curl sends unless it is told the content type.
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b'{"unknown":1,"First_name":"x","id":"x","created_at":0,"items_connected":["x"]}', {}),
    ],
)
def test_create_without_fields(sandbox: Sandbox, body: bytes | None, headers: dict[str, str | bytes | None]) -> None:
    answer = sandbox.send("POST", "/v2/users", body, headers)
    assert answer.status == 201
    assert list(answer.json) == ["user_token", "id"]
    assert UUID.fullmatch(answer.json["id"])
    user = get(sandbox, answer.json["id"])
    assert list(user) == KEYS
    assert list(user["address"]) == list(NO_ADDRESS)
    assert list(user["birth_date"]) == list(NO_BIRTH_DATE)
    assert own_values(user) == UNSET


def test_every_field(sandbox: Sandbox) -> None:
    user = get(sandbox, create(sandbox, FIELDS))
    assert list(user) == KEYS
    assert own_values(user) == {**UNSET, **FIELDS}
    assert list(user["address"]) == list(NO_ADDRESS)
    assert list(user["birth_date"]) == list(NO_BIRTH_DATE)
    # Also if they are set later, and in a list.
    other = create(sandbox)
    updated = sandbox.send("PATCH", f"/v2/users/{other}", encode(FIELDS))
    assert updated.status == 200
    assert own_values(updated.json) == own_values(user)
    assert list(updated.json) == KEYS
    assert get(sandbox, other) == updated.json
    assert sandbox.send("GET", "/v2/users?limit=1").json["results"] == [updated.json]


def test_times_have_microseconds(sandbox: Sandbox) -> None:
    user = get(sandbox, create(sandbox))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}000Z", user["created_at"])
    in_v1 = sandbox.send("GET", f"/v1/users/{user['id']}").json
    assert user["created_at"] == in_v1["created_at"].replace("Z", "000Z")


@pytest.mark.parametrize("text", EXACT)
def test_metadata_is_kept_exactly(sandbox: Sandbox, text: bytes) -> None:
    body = b'{"external_metadata":' + text + b"}"
    for answer in (sandbox.send("POST", "/v2/users", body),
                   sandbox.send("PATCH", f"/v2/users/{create(sandbox)}", body)):
        assert answer.status in (200, 201)
        shown = sandbox.send("GET", f"/v2/users/{answer.json['id']}").body
        # Only null is not kept: it clears the field.
        kept = b"{}" if text == b"null" else text
        assert b'"external_metadata":' + kept + b',"external_id":null,' in shown


# Both versions


def test_users_are_the_same_in_both_versions(sandbox: Sandbox) -> None:
    user = create(sandbox, FIELDS)
    assert sandbox.send("GET", f"/v1/users/{user}").json == {
        "id": user, "created_at": get(sandbox, user)["created_at"].replace("000Z", "Z"), "employers_connected": [],
        "data_providers_connected": [], "external_metadata": {"group": "A"}}
    # An update in v1 leaves the fields of v2 as they are.
    assert sandbox.send("PATCH", f"/v1/users/{user}", b'{"external_metadata":[1],"first_name":"x"}').status == 200
    assert own_values(get(sandbox, user)) == {**UNSET, **FIELDS, "external_metadata": [1]}
    assert sandbox.send("DELETE", f"/v1/users/{user}").status == 204
    assert sandbox.send("GET", f"/v2/users/{user}").status == 404

    old = sandbox.create(b'{"a":1e400}')
    assert b'"external_metadata":{"a":1e400},' in sandbox.send("GET", f"/v2/users/{old}").body
    assert own_values(sandbox.send("PATCH", f"/v2/users/{old}", b'{"ssn":"1","external_metadata":2}').json) == {
        **UNSET, "ssn": "1", "external_metadata": 2}
    assert sandbox.send("GET", f"/v1/users/{old}").json["external_metadata"] == 2
    assert sandbox.send("DELETE", f"/v2/users/{old}").status == 204
    assert sandbox.send("GET", f"/v1/users/{old}").status == 404


def test_v1_ignores_the_fields_of_v2(sandbox: Sandbox) -> None:
    answer = sandbox.send("POST", "/v1/users", encode({"email": "x", "birth_date": 1, "first_name": "Zoë"}))
    assert answer.status == 201
    assert own_values(get(sandbox, answer.json["id"])) == UNSET


# Updates


def test_an_update_replaces_only_the_given_fields(sandbox: Sandbox) -> None:
    user = create(sandbox, FIELDS)
    before = get(sandbox, user)
    for key, value in {"first_name": "", "external_metadata": 0, "email": "a@b.co", "external_id": "x"}.items():
        answer = sandbox.send("PATCH", f"/v2/users/{user}", encode({key: value}))
        before[key] = value
        assert (answer.status, answer.json) == (200, before)
    # An object is replaced as a whole.
    answer = sandbox.send("PATCH", f"/v2/users/{user}", b'{"address":{"line1":"x","more":1},"birth_date":{"day":2}}')
    before |= {"address": {**NO_ADDRESS, "line1": "x"}, "birth_date": {**NO_BIRTH_DATE, "day": 2}}
    assert (answer.status, answer.json) == (200, before)
    assert get(sandbox, user) == before


@pytest.mark.parametrize("key", FIELDS)
def test_null_clears_a_field(sandbox: Sandbox, key: str) -> None:
    user = create(sandbox, FIELDS)
    answer = sandbox.send("PATCH", f"/v2/users/{user}", encode({key: None}))
    assert answer.status == 200
    assert own_values(answer.json) == {**UNSET, **FIELDS, key: UNSET[key]}
    assert get(sandbox, user) == answer.json
    # In a create, it is like no field.
    assert own_values(get(sandbox, create(sandbox, {key: None}))) == UNSET


@pytest.mark.parametrize("body", [None, b"", b"{}", b'{"other":1}', b'{"open_banking":null}'])
def test_an_update_without_fields_changes_nothing(sandbox: Sandbox, body: bytes | None) -> None:
    user = create(sandbox, FIELDS)
    before = sandbox.send("GET", f"/v2/users/{user}").body
    answer = sandbox.send("PATCH", f"/v2/users/{user}", body)
    assert (answer.status, answer.body) == (200, before)


def test_the_last_of_two_members_counts(sandbox: Sandbox) -> None:
    answer = sandbox.send("POST", "/v2/users", b'{"first_name":"a","first\\u005fname":"b","ssn":{},"ssn":"1"}')
    user = get(sandbox, answer.json["id"])
    assert (user["first_name"], user["ssn"]) == ("b", "1")


def test_delete(sandbox: Sandbox) -> None:
    user = create(sandbox)
    answer = sandbox.send("DELETE", f"/v2/users/{user}")
    assert (answer.status, answer.body) == (204, b"")
    assert "Content-Type" not in answer.headers
    for method in ("DELETE", "GET", "PATCH"):
        again = sandbox.send(method, f"/v2/users/{user}")
        assert (again.status, again.json) == (404, {"detail": "Not found."})


@pytest.mark.parametrize("segment", [UNKNOWN, "x", "%00", "{id}%00", "{id}x", "{id}/x", "..", "a" * 5000])
def test_unknown_users(sandbox: Sandbox, segment: str) -> None:
    path = "/v2/users/" + segment.replace("{id}", create(sandbox))
    # The user comes before the body.
    for method, body in (("GET", None), ("PATCH", b"rubbish"), ("PATCH", b'{"email":"x"}'), ("DELETE", None)):
        answer = sandbox.send(method, path, body)
        assert (answer.status, answer.json) == (404, {"detail": "Not found."})


# Values


def rejected(sandbox: Sandbox, fields: Any) -> Any:
    """Returns the errors for fields, which a create and an update must reject in the same way."""
    user = create(sandbox, FIELDS)
    created = sandbox.send("POST", "/v2/users", encode(fields))
    updated = sandbox.send("PATCH", f"/v2/users/{user}", encode(fields))
    assert (created.status, updated.status) == (400, 400)
    assert created.json == updated.json
    # Nothing of an invalid request is carried out.
    assert own_values(get(sandbox, user)) == {**UNSET, **FIELDS}
    return created.json


@pytest.mark.parametrize(
    "fields, errors",
    [
        ({"email": "x"}, {"email": [EMAIL]}),
        ({"phone_number": "x"}, {"phone_number": [PHONE]}),
        ({"first_name": True}, {"first_name": [STRING]}),
        ({"last_name": []}, {"last_name": [STRING]}),
        ({"ssn": {}}, {"ssn": [STRING]}),
        ({"email": [1]}, {"email": [STRING]}),
        ({"email": 1}, {"email": [EMAIL]}),
        ({"phone_number": False}, {"phone_number": [STRING]}),
        ({"phone_number": 2125555555}, {"phone_number": [PHONE]}),
        ({"external_id": ["x"]}, {"external_id": [STRING]}),
        ({"external_id": "x" * 101}, {"external_id": ["Ensure this field has no more than 100 characters."]}),
        ({"external_id": "😀" * 101}, {"external_id": ["Ensure this field has no more than 100 characters."]}),
        ({"first_name": "a\0"}, {"first_name": ["Null characters are not allowed."]}),
        ({"external_id": "\0" + "x" * 100}, {"external_id": [
            "Null characters are not allowed.", "Ensure this field has no more than 100 characters."]}),
        ({"address": "x"}, {"address": {"non_field_errors": [
            "Invalid data. Expected a dictionary, but got str."]}}),
        ({"birth_date": "1990-01-13"}, {"birth_date": {"non_field_errors": [
            "Invalid data. Expected a dictionary, but got str."]}}),
        ({"birth_date": [1990, 1, 13]}, {"birth_date": {"non_field_errors": [
            "Invalid data. Expected a dictionary, but got list."]}}),
        ({"address": {"city": True, "state": "x", "line2": []}}, {"address": {"city": [STRING], "line2": [STRING]}}),
        ({"birth_date": {"year": 1899, "month": 13, "day": 32}}, {"birth_date": {
            "year": ["Ensure this value is greater than or equal to 1900."],
            "month": ["Ensure this value is less than or equal to 12."],
            "day": ["Ensure this value is less than or equal to 31."]}}),
        ({"birth_date": {"year": 10_000, "month": 0, "day": -1}}, {"birth_date": {
            "year": ["Ensure this value is less than or equal to 9999."],
            "month": ["Ensure this value is greater than or equal to 1."],
            "day": ["Ensure this value is greater than or equal to 1."]}}),
        ({"birth_date": {"year": "x", "month": True, "day": 1.5}}, {"birth_date": {
            "year": [INTEGER], "month": [INTEGER], "day": [INTEGER]}}),
        ({"birth_date": {"year": "", "month": [], "day": {}}}, {"birth_date": {
            "year": [INTEGER], "month": [INTEGER], "day": [INTEGER]}}),
        ({"birth_date": {"day": 10 ** 400}}, {"birth_date": {
            "day": ["Ensure this value is less than or equal to 31."]}}),
        ({"ssn": "x" * 256, "first_name": 10 ** 255, "address": {"city": "😀" * 256}}, {
            "first_name": [LONG], "ssn": [LONG], "address": {"city": [LONG]}}),
        ({"open_banking": 1}, {"open_banking": {"non_field_errors": [
            "Invalid data. Expected a dictionary, but got int."]}}),
        ({"open_banking": {"end_user": {"zip": []}}}, {"open_banking": {"end_user": {"zip": [STRING]}}}),
        # All fields are checked, in their order.
        ({"phone_number": "1", "birth_date": {"day": 0}, "email": "@", "external_id": {}, "first_name": "fine"},
         {"external_id": [STRING], "email": [EMAIL], "phone_number": [PHONE],
          "birth_date": {"day": ["Ensure this value is greater than or equal to 1."]}}),
    ],
)
def test_invalid_values(sandbox: Sandbox, fields: Any, errors: Any) -> None:
    found = rejected(sandbox, fields)
    assert found == errors
    assert list(found) == list(errors)


@pytest.mark.parametrize(
    "fields, shown",
    [
        ({"external_id": "x" * 100}, {"external_id": "x" * 100}),
        ({"external_id": "😀" * 100}, {"external_id": "😀" * 100}),
        ({"external_id": ""}, {"external_id": ""}),
        ({"first_name": " \t\n\u0001/\\\"\u2028"}, {"first_name": " \t\n\u0001/\\\"\u2028"}),
        ({"ssn": "x" * 255, "address": {"line1": "😀" * 255}}, {
            "ssn": "x" * 255, "address": {**NO_ADDRESS, "line1": "😀" * 255}}),
        # As in Django REST framework, a number is taken for a text, and digits for an integer.
        ({"external_id": 17, "ssn": -1.5}, {"external_id": "17", "ssn": "-1.5"}),
        ({"birth_date": {"year": "1990", "month": "01", "day": 2.0}}, {
            "birth_date": {"year": 1990, "month": 1, "day": 2}}),
        ({"birth_date": {"year": 1900, "month": 12, "day": 31}}, {
            "birth_date": {"year": 1900, "month": 12, "day": 31}}),
        ({"birth_date": {"year": 9999, "month": None}}, {"birth_date": {"year": 9999, "month": None, "day": None}}),
        ({"address": {}}, {}),
        ({"open_banking": {"end_user": {"name": "Zoë", "address": "x", "city": "x", "state": "x", "zip": 1,
                                        "phone": "x"}}}, {}),
        ({"open_banking": {"more": 1}}, {}),
    ],
)
def test_valid_values(sandbox: Sandbox, fields: Any, shown: Any) -> None:
    assert own_values(get(sandbox, create(sandbox, fields))) == {**UNSET, **shown}


@pytest.mark.parametrize("address", [
    "a@b.co", "A.b-c_d+e@sub.Example-1.COM", "!#$%&'*+/=?^_`{|}~-@example.com", "1@2.33", "x@xn--bcher-kva.example",
    "a" * 64 + "@" + "b" * 63 + ".com", "a@" + ("b" * 63 + ".") * 4 + "c" * 62])
def test_email_addresses(sandbox: Sandbox, address: str) -> None:
    assert get(sandbox, create(sandbox, {"email": address}))["email"] == address


@pytest.mark.parametrize("address", [
    "", " ", "a", "@", "a@", "@b.co", "a@b", "a@b.c", "a@b..co", "a@.co", "a@b.co.", ".a@b.co", "a.@b.co", "a..b@c.de",
    "a@b@c.de", "a b@c.de", "a@b c.de", "a@b.co ", " a@b.co", "a@b.co\n", "a@-b.co", "a@b-.co", "a@b_c.de", "ü@b.co",
    "a@" + "b" * 64 + ".com", "a" * 318 + "@b.co", "<a@b.co>", "a,b@c.de", "a@b.co,c@d.ef", "a@b.c-"])
def test_texts_that_are_no_email_address(sandbox: Sandbox, address: str) -> None:
    answer = sandbox.send("POST", "/v2/users", encode({"email": address}))
    assert (answer.status, answer.json) == (400, {"email": [EMAIL]})


@pytest.mark.parametrize("number, shown", [
    ("+12125555555", "+12125555555"), ("2125555555", "+12125555555"), ("12125555555", "+12125555555"),
    ("(212) 555-5555", "+12125555555"), (" 212.555.5555 ", "+12125555555"), ("+1 (212) 555-5555", "+12125555555"),
    ("+15551231234", "+15551231234"), ("+37060112345", "+37060112345"), ("+370 (601) 12-345", "+37060112345"),
    ("+23456789", "+23456789"), ("+234567890123456", "+234567890123456")])
def test_phone_numbers(sandbox: Sandbox, number: str, shown: str) -> None:
    assert get(sandbox, create(sandbox, {"phone_number": number}))["phone_number"] == shown


@pytest.mark.parametrize("number", [
    "", " ", "+", "1", "+1", "0", "()", "212555555", "21255555555", "1125555555", "0125555555", "+1212555555",
    "+121255555555", "+11125555555", "+2345678", "+2345678901234567", "+0123456789", "++12125555555", "1+2125555555",
    "212555555x", "212-555-5555 x1", "tel:2125555555", "٢١٢٥٥٥٥٥٥٥", "2125555555\n", "212/5555555", "9" * 5000])
def test_texts_that_are_no_phone_number(sandbox: Sandbox, number: str) -> None:
    answer = sandbox.send("POST", "/v2/users", encode({"phone_number": number}))
    assert (answer.status, answer.json) == (400, {"phone_number": [PHONE]})


def test_a_lone_surrogate_is_replaced(sandbox: Sandbox) -> None:
    answer = sandbox.send("POST", "/v2/users", b'{"first_name":"a\\ud800b"}')
    assert get(sandbox, answer.json["id"])["first_name"] == "a\ufffdb"


def test_random_texts_are_kept(sandbox: Sandbox) -> None:
    """Every character, as it is and escaped."""
    texts = [chr(code) for code in (*range(1, 0x300), 0x2028, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF)]
    for start in range(0, len(texts), 200):
        text = "".join(texts[start:start + 200])
        for ascii_only in (True, False):
            body = json.dumps({"first_name": text, "address": {"line1": text}}, ensure_ascii=ascii_only)
            user = get(sandbox, sandbox.send("POST", "/v2/users", body.encode()).json["id"])
            assert (user["first_name"], user["address"]["line1"]) == (text, text)


# Forms


def test_create_by_a_form(sandbox: Sandbox) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = sandbox.send(
        "POST", "/v2/users", b"first_name=Zo%C3%AB+B&external_id=a%26b&external_id=c%3Dd&x=1&&last_name", form)
    assert answer.status == 201
    assert own_values(get(sandbox, answer.json["id"])) == {
        **UNSET, "first_name": "Zoë B", "external_id": "c=d", "last_name": ""}
    answer = sandbox.send("PATCH", f"/v2/users/{answer.json['id']}", b"email=x&address=y", form)
    assert (answer.status, answer.json) == (400, {"email": [EMAIL], "address": {"non_field_errors": [
        "Invalid data. Expected a dictionary, but got str."]}})


@pytest.mark.parametrize("body", [
    b"&" * 1000, b"=", b"%", b"first_name=%FF%00", b"\xff\x00=\x80", b"{", b"a" * 100_000])
def test_odd_forms(sandbox: Sandbox, body: bytes) -> None:
    answer = sandbox.send("POST", "/v2/users", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == (400 if b"first_name" in body else 201)


# Storage


def test_fields_are_stored(start: Starter, tmp_path: Any) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path))
    user = create(sandbox, FIELDS)
    before = get(sandbox, user)
    sandbox.kill()
    assert get(start("--database", str(path)), user) == before


def test_open_banking_is_nowhere(start: Starter, tmp_path: Any) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--database", str(path))
    user = create(sandbox, {"open_banking": {"end_user": {"name": "Canary Bird"}}})
    assert b"Canary" not in sandbox.send("GET", f"/v2/users/{user}").body
    sandbox.stop()
    assert b"Canary" not in path.read_bytes()


def test_personal_data_is_not_logged(start: Starter, tmp_path: Any) -> None:
    log = tmp_path / "log"
    sandbox = start("--log", str(log))
    user = create(sandbox, FIELDS)
    sandbox.send("PATCH", f"/v2/users/{user}", encode({"email": "canary"}))
    assert get_by_id(sandbox, "order 17").status == 200
    sandbox.stop()
    text = log.read_text()
    # None of them can be part of a hexadecimal id or of a time.
    for word in ("Zo", "Brien", "example", "2125555555", "000-00-0000", "New York", "Main", "birth", "1990-01-31",
                 "order", "canary"):
        assert word not in text
    # Others can, but only ids, times and durations are left for them.
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/v2/users", 201), ("PATCH", f"/v2/users/{user}", 400), ("GET", "/v2/users", 200)]
    for line in lines:
        assert list(line) == ["time", "method", "path", "status", "duration_us", "trace_id"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", line["time"]) and UUID.fullmatch(line["trace_id"])
        assert isinstance(line["duration_us"], int)


def get_by_id(sandbox: Sandbox, external_id: str) -> Answer:
    return sandbox.send("GET", f"/v2/users?external_id={external_id.replace(' ', '%20')}")
