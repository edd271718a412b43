"""Create, retrieve, update and delete."""

from __future__ import annotations

import datetime
import json
import re

import pytest
from conftest import Sandbox

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UNKNOWN = "018051aa-f7a9-a0db-2f38-6cfa325e9d69"

# JSON texts that are returned byte for byte.
EXACT = [
    b"null", b"true", b"false", b'""', b'"text"', b"{}", b"[]", b"0", b"-0", b"-0.0", b"0.1",
    b"0.10", b"1e400", b"1E+400", b"-1e-400", b"12345678901234567890123456789",
    b"9223372036854775808", b"1.0", b"100e-2", b"3.141592653589793238462643383279502884",
    b'{"z":1,"a":2,"m":3}', b'{"a":1,"a":2}', b'{"":{"":""}}', b'["\\ud800"]', b'"\\udc00\\ud800"',
    b'"\\u0000"', b'"\\ud83d\\ude00"', b'"\\u00e9\\/\\b\\f\\n\\r\\t\\"\\\\"', b'{"\\u0061":1}',
    '"é ü 漢字 😀 \u2028 \U0010ffff \ufeff \x7f"'.encode(), '{"ключ":"значение"}'.encode(),
    b'{"external_metadata":{"user":[]}}', b'[[[[[[]]]]],{"a":[{}]}]', b"[1,[2,{\"a\":[3]}],4]",
]


def metadata_text(body: bytes) -> bytes:
    """Returns the text of the metadata, the last member of a user."""
    return body[body.index(b'"external_metadata":') + len(b'"external_metadata":'):-1]


@pytest.mark.parametrize(
    "body, headers",
    [
        (None, {}),
        (None, {"Content-Type": "application/json"}),
        (b"", {"Content-Type": "application/json"}),
        (b"", {"Content-Type": "text/plain"}),
        (b"{}", {}),
        (b" \r\n\t{ } ", {}),
        (b'{"unknown":1,"external_metadatA":2}', {}),
    ],
)
def test_create_without_metadata(
    sandbox: Sandbox, body: bytes | None, headers: dict[str, str]
) -> None:
    answer = sandbox.send("POST", "/v1/users", body, headers)
    assert answer.status == 201
    assert set(answer.json) == {"token", "id"}
    assert UUID.fullmatch(answer.json["id"])
    user = sandbox.send("GET", f"/v1/users/{answer.json['id']}")
    assert metadata_text(user.body) == b"{}"


def test_user_object(sandbox: Sandbox) -> None:
    user = sandbox.create(b'{"group":"A"}')
    answer = sandbox.send("GET", f"/v1/users/{user}")
    assert answer.status == 200
    assert list(answer.json) == [
        "id", "created_at", "employers_connected", "data_providers_connected",
        "external_metadata"]
    assert answer.json["id"] == user
    assert answer.json["employers_connected"] == []
    assert answer.json["data_providers_connected"] == []
    assert answer.json["external_metadata"] == {"group": "A"}
    created = answer.json["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created)
    moment = datetime.datetime.fromisoformat(created.replace("Z", "+00:00"))
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    milliseconds = (moment - epoch) // datetime.timedelta(milliseconds=1)
    assert int(user.replace("-", "")[:12], 16) == milliseconds


def test_ids_are_unique(sandbox: Sandbox) -> None:
    users = [sandbox.create() for _ in range(200)]
    assert len(set(users)) == 200


@pytest.mark.parametrize("text", EXACT)
def test_metadata_is_kept_exactly(sandbox: Sandbox, text: bytes) -> None:
    user = sandbox.create(text)
    assert metadata_text(sandbox.send("GET", f"/v1/users/{user}").body) == text
    # Also after an update, and in a list.
    other = sandbox.create()
    answer = sandbox.send("PATCH", f"/v1/users/{other}", b'{"external_metadata":' + text + b"}")
    assert answer.status == 200
    assert metadata_text(answer.body) == text
    assert metadata_text(sandbox.send("GET", f"/v1/users/{other}").body) == text
    listed = sandbox.send("GET", "/v1/users?limit=1").body
    assert listed.endswith(b'"external_metadata":' + text + b"}]}")


def test_large_metadata(sandbox: Sandbox) -> None:
    text = json.dumps({"x" * 1000 + str(n): "é" * 1000 for n in range(140)}).encode()
    user = sandbox.create(text)
    assert metadata_text(sandbox.send("GET", f"/v1/users/{user}").body) == text


@pytest.mark.parametrize(
    "body, expected",
    [
        (b'{"external_metadata":1,"external_metadata":2}', b"2"),
        (b'{"external_metadata":1,"external\\u005fmetadata":2}', b"2"),
        (b'{"\\u0065xternal_metadata":[3]}', b"[3]"),
        (b'{"external_metadata":{"a":1},"other":{"external_metadata":4}}', b'{"a":1}'),
        (b'{"other":["external_metadata"],"external_metadata":5,"more":6}', b"5"),
        (b'{ "external_metadata" : 7 , "more" : { } }', b"7"),
        (b'{"external_metadata\\u0000":8}', b"{}"),
        (b'{"external_metadata":{},"a":[]}', b"{}"),
        (b'{"external_metadata":"a\\u005fb"}', b'"a\\u005fb"'),
    ],
)
def test_which_member_is_the_metadata(sandbox: Sandbox, body: bytes, expected: bytes) -> None:
    answer = sandbox.send("POST", "/v1/users", body)
    assert answer.status == 201
    assert metadata_text(sandbox.send("GET", f"/v1/users/{answer.json['id']}").body) == expected


def test_update_replaces(sandbox: Sandbox) -> None:
    user = sandbox.create(b'{"a":1,"b":2}')
    before = sandbox.send("GET", f"/v1/users/{user}").json
    answer = sandbox.send("PATCH", f"/v1/users/{user}", b'{"external_metadata":{"c":3}}')
    assert answer.status == 200
    assert answer.json == {**before, "external_metadata": {"c": 3}}
    assert sandbox.send("GET", f"/v1/users/{user}").json == answer.json


@pytest.mark.parametrize("body", [None, b"", b"{}", b'{"other":1}'])
def test_update_without_metadata_changes_nothing(sandbox: Sandbox, body: bytes | None) -> None:
    user = sandbox.create(b"[1,2]")
    before = sandbox.send("GET", f"/v1/users/{user}")
    answer = sandbox.send("PATCH", f"/v1/users/{user}", body)
    assert (answer.status, answer.body) == (200, before.body)
    assert sandbox.send("GET", f"/v1/users/{user}").body == before.body


def test_delete(sandbox: Sandbox) -> None:
    user = sandbox.create()
    answer = sandbox.send("DELETE", f"/v1/users/{user}")
    assert (answer.status, answer.body) == (204, b"")
    assert "Content-Type" not in answer.headers
    for method in ("DELETE", "GET", "PATCH"):
        again = sandbox.send(method, f"/v1/users/{user}")
        assert (again.status, again.json) == (404, {"detail": "Not found."})


def test_update_of_an_unknown_user_is_not_found_with_any_body(sandbox: Sandbox) -> None:
    for body in (None, b"{}", b"rubbish", b'{"external_metadata":1}'):
        answer = sandbox.send("PATCH", f"/v1/users/{UNKNOWN}", body)
        assert (answer.status, answer.json) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    "segment",
    [
        UNKNOWN, "none", "0", "%00", "{id}%00", "%00{id}", "%2F", "{id}%2F", "%2F{id}", "{id}%20",
        "%20{id}", "..", ".", "%2E%2E", "%", "%zz", "%4", "%ff%fe", "{id}x", "{bare}", "{braced}",
        "urn:uuid:{id}", "{id};x=1", "{short}", "*", "'%20OR%201=1--", "a" * 5000, "\\",
        "{id}/x", "{id}//", "/{id}", "{id}%3Flimit=1", "{id}%23",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_invalid_ids(sandbox: Sandbox, method: str, segment: str) -> None:
    user = sandbox.create()
    segment = (
        segment.replace("{id}", user).replace("{bare}", user.replace("-", ""))
        .replace("{braced}", "%7B" + user + "%7D").replace("{short}", user[:-1]))
    answer = sandbox.send(method, f"/v1/users/{segment}")
    assert (answer.status, answer.json) == (404, {"detail": "Not found."})
    assert sandbox.send("GET", f"/v1/users/{user}").status == 200


@pytest.mark.parametrize(
    "target", ["{id}", "{id}?", "{id}/", "{id}?a=b&c", "{id}/?x", "{escaped}", "{upper}"])
def test_ids_in_other_spellings(sandbox: Sandbox, target: str) -> None:
    user = sandbox.create()
    target = (
        target.replace("{id}", user).replace("{upper}", user.upper())
        .replace("{escaped}", "".join(f"%{ord(character):02x}" for character in user)))
    answer = sandbox.send("GET", f"/v1/users/{target}")
    assert answer.status == 200
    assert answer.json["id"] == user


def test_unknown_members_are_ignored(sandbox: Sandbox) -> None:
    body = b'{"id":"x","created_at":0,"employers_connected":["x"],"external_metadata":1,"more":[]}'
    user = sandbox.send("POST", "/v1/users", body).json["id"]
    for answer in (sandbox.send("GET", f"/v1/users/{user}"),
                   sandbox.send("PATCH", f"/v1/users/{user}", body)):
        assert answer.status == 200
        assert answer.json["id"] == user
        assert answer.json["employers_connected"] == []
        assert answer.json["external_metadata"] == 1


@pytest.mark.parametrize("end", ["", "/", "?", "/?", "?a=b", "?limit=1&&"])
def test_every_operation_with_other_path_endings(sandbox: Sandbox, end: str) -> None:
    created = sandbox.send("POST", f"/v1/users{end}", b'{"external_metadata":1}')
    assert created.status == 201
    path = f"/v1/users/{created.json['id']}{end}"
    assert sandbox.send("GET", path).json["external_metadata"] == 1
    assert sandbox.send("PATCH", path, b'{"external_metadata":2}').json["external_metadata"] == 2
    body = json.dumps({"user": created.json["id"]}).encode()
    assert sandbox.send("POST", f"/v1/user-tokens{end}", body).status == 201
    assert sandbox.send("DELETE", path).status == 204
    assert sandbox.send("GET", path).status == 404


def test_there_are_no_idempotency_keys(sandbox: Sandbox) -> None:
    key = {"Idempotency-Key": "e3e70682-c209-1cac-a29f-6fbed82c07cd"}
    users = {sandbox.send("POST", "/v1/users", b"{}", key).json["id"] for _ in range(2)}
    assert len(users) == 2
