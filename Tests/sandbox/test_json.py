"""Invalid and unusual JSON bodies."""

from __future__ import annotations

import json
import random
from typing import NoReturn

import pytest
from conftest import Answer, Sandbox

BAD = [
    b" ", b"\n", b"x", b"{", b"}", b"[", b"]", b'"', b"'a'", b"{]", b"[}", b"{}}", b"{} x", b"{}{}",
    b"{} \x00", b"\x00", b"\x00{}", b"{}\x00", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"{\x00}\x00",
    b"{,}", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{"a" 1}', b'{"a":1 "b":2}', b"{a:1}", b"{1:1}",
    b'{"a":1,,"b":2}', b'{"a"::1}', b"[1,]", b"[,1]", b"[1 2]", b"[1,,2]", b"//x\n{}", b"{}//x",
    b"/**/{}", b"{'a':1}", b"undefined", b"nul", b"nulll", b"True", b"NULL", b"tru", b"falsey",
    b"\xa0{}", b"\x0b{}", b"\x0c{}", "\u2028{}".encode(), "\u3000{}".encode(),
]
BAD_VALUES = [
    b"NaN", b"Infinity", b"-Infinity", b"-NaN", b"+1", b"01", b"-01", b"00", b"1.", b".1", b"-.1",
    b"-", b"--1", b"1e", b"1e+", b"1.e1", b"1.5.5", b"0x1", b"1_000", b"1f", b"1e1.5", b"-a",
    "١".encode(), b'"\x00"', b'"\x1f"', b'"\n"', b'"\t"', b'"\\x41"', b'"\\u12"', b'"\\u12G4"',
    b'"\\U00000041"', b'"\\a"', b'"\\0"', b'"\\', b'"\\"', b'"a', b'"\\u', b'"\\u"', b'"\x80"',
    b'"\xbf"', b'"\xc0\x80"', b'"\xc1\xbf"', b'"\xc2"', b'"\xc2 "', b'"\xe0\x9f\xbf"', b'"\xe2\x82"',
    b'"\xed\xa0\x80"', b'"\xed\xbf\xbf"', b'"\xf0\x8f\xbf\xbf"', b'"\xf4\x90\x80\x80"',
    b'"\xf5\x80\x80\x80"', b'"\xf8\x88\x80\x80\x80"', b'"\xff"', b'"\xfe"', b'"\xf0\x9f\x98"',
]


def assert_parse_error(answer: Answer) -> None:
    assert answer.status == 400
    assert list(answer.json) == ["detail"]
    assert answer.json["detail"].startswith("JSON parse error - ")


@pytest.mark.parametrize("body", BAD + [b'{"external_metadata":' + value + b"}" for value in BAD_VALUES]
                         + [b'{"other":[' + value + b"]}" for value in BAD_VALUES])
def test_bad_json(sandbox: Sandbox, body: bytes) -> None:
    count = sandbox.send("GET", "/v1/users?limit=1").json["count"]
    user = sandbox.create(b'"kept"')
    assert_parse_error(sandbox.send("POST", "/v1/users", body))
    assert_parse_error(sandbox.send("POST", "/v1/user-tokens", body))
    assert_parse_error(sandbox.send("PATCH", f"/v1/users/{user}", body))
    assert sandbox.send("GET", f"/v1/users/{user}").json["external_metadata"] == "kept"
    assert sandbox.send("GET", "/v1/users?limit=1").json["count"] == count + 1


@pytest.mark.parametrize(
    "body, message",
    [
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"a":NaN}', "Expecting value: line 1 column 6 (char 5)"),
        (b'{\n "a": 1,\n "b" 2}', "Expecting ':' delimiter: line 3 column 6 (char 16)"),
        (b"{} {}", "Extra data: line 1 column 4 (char 3)"),
        ('{"é": "ü\n"}'.encode(), "Invalid control character at: line 1 column 9 (char 8)"),
        (b'{"a": "b', "Unterminated string starting at: line 1 column 7 (char 6)"),
        (b'{"a": 1 2}', "Expecting ',' delimiter: line 1 column 9 (char 8)"),
        (b'{"a": "\xff"}', "Invalid UTF-8: line 1 column 8 (char 7)"),
    ],
)
def test_errors_name_the_position(sandbox: Sandbox, body: bytes, message: str) -> None:
    answer = sandbox.send("POST", "/v1/users", body)
    assert (answer.status, answer.json) == (400, {"detail": f"JSON parse error - {message}"})


@pytest.mark.parametrize(
    "body, name",
    [(b"[]", "list"), (b'[{"user":1}]', "list"), (b'"x"', "str"), (b"1", "int"), (b"-0", "int"),
     (b"1.0", "float"), (b"1e5", "float"), (b"true", "bool"), (b"false", "bool")])
@pytest.mark.parametrize("path", ["/v1/users", "/v1/user-tokens"])
def test_json_that_is_not_an_object(sandbox: Sandbox, path: str, body: bytes, name: str) -> None:
    answer = sandbox.send("POST", path, body)
    message = f"Invalid data. Expected a dictionary, but got {name}."
    assert (answer.status, answer.json) == (400, {"non_field_errors": [message]})


def test_null_as_body(sandbox: Sandbox) -> None:
    answer = sandbox.send("POST", "/v1/users", b"null")
    assert (answer.status, answer.json) == (400, {"non_field_errors": ["No data provided"]})


@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth(sandbox: Sandbox, opening: bytes, closing: bytes) -> None:
    text = opening * 2048 + b"1" + closing * 2048
    user = sandbox.create(text)
    assert sandbox.send("GET", f"/v1/users/{user}").body.endswith(
        b'"external_metadata":' + text + b"}")
    sandbox.send("DELETE", f"/v1/users/{user}")
    # The body itself is one level.
    for levels, status in ((4095, 201), (4096, 400), (80_000, 400)):
        body = b'{"external_metadata":' + opening * levels + b"1" + closing * levels + b"}"
        answer = sandbox.send("POST", "/v1/users", body)
        assert answer.status == status
        if status == 201:
            sandbox.send("DELETE", f"/v1/users/{answer.json['id']}")
        else:
            assert answer.json["detail"].startswith("JSON parse error - Nested too deeply: ")
    assert_parse_error(sandbox.send("POST", "/v1/users", opening * 150_000))


def test_many_members(sandbox: Sandbox) -> None:
    body = b'{"external_metadata":1' + b',"a":2' * 150_000 + b"}"
    assert sandbox.send("POST", "/v1/users", body).status == 201


def accepted_by_python(text: bytes) -> bool:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        json.loads(text.decode("utf-8"), parse_constant=refuse)
        return True
    except ValueError:
        return False


def random_text(random: random.Random) -> bytes:
    """Generates JSON text, corrupted in up to three places."""
    def value(depth: int) -> bytes:
        kind = random.randrange(8 if depth else 6)
        if kind < 2:
            return random.choice([b"0", b"-1.5e3", b"12", b"0.5E-7", b"1e+9", b"-0"])
        if kind < 4:
            return random.choice([
                b'""', b'"a"', b'"\\u00e9\\n"', b'"\\ud83d\\ude00"', '"é😀"'.encode(), b'"\\\\"'])
        if kind < 6:
            return random.choice([b"true", b"false", b"null"])
        space = random.choice([b"", b" ", b"\n\t "])
        count = random.randrange(4)
        if kind == 6:
            return b"[" + space + (b"," + space).join(value(depth - 1) for _ in range(count)) + b"]"
        members = (b'"k"' + space + b":" + space + value(depth - 1) for _ in range(count))
        return b"{" + space + (space + b",").join(members) + space + b"}"

    text = bytearray(value(4))
    for _ in range(random.randrange(4)):
        place = random.randrange(len(text) + 1)
        change = random.randrange(3)
        byte = random.choice(b'{}[]",:\\u0123456789.eE+-tfn \n\x00\x1f\x7f\x80\xa0\xc2\xe2\xed\xf0\xff')
        if change == 0:
            text[place:place] = bytes([byte])
        elif change == 1:
            text[place:place + 1] = bytes([byte])
        else:
            del text[place:place + 1]
    return bytes(text)


def test_random_bodies_are_accepted_as_by_python(sandbox: Sandbox) -> None:
    generator = random.Random(20220422)
    user = sandbox.create()
    judged = {True: 0, False: 0}
    for _ in range(4000):
        text = random_text(generator)
        body = b'{"external_metadata":' + text + b"}"
        valid = accepted_by_python(body)
        judged[valid] += 1
        answer = sandbox.send("PATCH", f"/v1/users/{user}", body)
        assert answer.status == (200 if valid else 400), body
        if valid and accepted_by_python(text):
            kept = text.strip(b" \n\t\r")
            assert answer.body.endswith(b'"external_metadata":' + kept + b"}"), body
    assert min(judged.values()) > 500
