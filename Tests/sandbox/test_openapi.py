"""The OpenAPI description: it is served, it is correct, and libargyle conforms to it.

In addition, Sandbox.send() checks every response in all other tests against the description.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import description
import jsonschema
import pytest
from conftest import KEY_ID, KEY_SECRET, PATIENCE, Sandbox, basic
from test_v2_users import FIELDS

ROOT = Path(__file__).resolve().parents[2]
# Tests/run creates these before it runs this file.
SCHEMATHESIS = ROOT / ".build-venv" / "bin" / "schemathesis"
PREFIX = ROOT / ".build-prefix"

# All checks and phases are enabled, with these exceptions.
EXCEPTIONS = """
[checks]
enabled = true

# The description contains all links. Schemathesis would infer one more, from an id to `external_id`, and send its valid
# body where it expects an invalid one to be rejected.
[phases.stateful.inference]
algorithms = []

[[operations]]
include-operation-id = ["listUsers", "listUsersV2"]
# The service ignores an invalid limit, offset or ordering, so "Schema-violating request accepted" is correct.
# test_list.py and test_v2_list.py check the responses.
checks.negative_data_rejection.enabled = false

[[operations]]
include-operation-id = ["createUserToken", "createUserTokenV2"]
# The service responds with 400, not 404, if a body names a user who does not exist. No schema can say which ids
# exist, so a request with a random id is valid but rejected.
checks.positive_data_acceptance.expected-statuses = ["2xx", "400"]

[[operations]]
include-operation-id = ["createUserToken", "createUserTokenV2"]
# When Schemathesis follows a link, it replaces the invalid body that it generated with the link's valid body, but still
# expects it to be rejected. The other phases test these operations with invalid bodies.
phases.stateful.generation.mode = "positive"
"""


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yields all objects in the document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, (dict, list)):
            yield from nodes(child)


@pytest.mark.parametrize("target", ["/openapi.json", "/openapi.json/", "/openapi.json?x=y"])
def test_description_needs_no_key(sandbox: Sandbox, target: str) -> None:
    for authorization in (None, basic(), basic("x", "y")):
        answer = sandbox.send("GET", target, authorization=authorization)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.body == description.PATH.read_bytes()


def test_description_is_read_only(sandbox: Sandbox) -> None:
    head = sandbox.send("HEAD", "/openapi.json", authorization=None)
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(description.PATH.read_bytes())
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = sandbox.send(method, "/openapi.json", authorization=None)
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"
        assert answer.json == {"detail": f'Method "{method}" not allowed.'}
    for path in ("/v1/openapi.json", "/openapi.jso", "/openapi.json/x", "/openapi.json%00"):
        assert sandbox.send("GET", path).status == 404


def test_references_and_links_resolve() -> None:
    document = description.DOCUMENT
    assert document["openapi"] == "3.1.0"
    for node in nodes(document):
        assert description.resolve(node) is not None
    operations = [
        item[method] for item in document["paths"].values()
        for method in ("get", "post", "patch", "delete") if method in item
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names)) == 12
    for node in nodes(document["paths"]):
        for link in node.get("links", {}).values():
            assert link["operationId"] in names


def test_schemas_are_valid_and_match_their_examples() -> None:
    for name, schema in description.DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        for example in schema.get("examples", []):
            assert not list(description.violations(schema, example)), name
    examples = 0
    for node in nodes(description.DOCUMENT["components"]["responses"]):
        for example in [*(each["value"] for each in node.get("examples", {}).values()),
                        *([node["example"]] if "example" in node else [])]:
            assert not list(description.violations(node["schema"], example))
            examples += 1
    assert examples >= 4


def headers(**fields: str) -> Message:
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


USER: dict[str, object] = {
    "id": "018051aa-f7a9-a0db-2f38-6cfa325e9d69", "created_at": "2022-04-22T14:26:40.682Z",
    "employers_connected": [], "data_providers_connected": [], "external_metadata": None,
}
TRACE = "e3e70682-c209-1cac-a29f-6fbed82c07cd"
JSON = {"Content_Type": "application/json", "X_Trace_Id": TRACE}


@pytest.mark.parametrize(
    "status, fields, value, right",
    [
        (200, JSON, USER, True),
        (200, JSON, {**USER, "more": 1}, True),
        (202, JSON, USER, False),
        (200, {"Content_Type": "application/json"}, USER, False),
        (200, {**JSON, "X_Trace_Id": "x"}, USER, False),
        (200, {**JSON, "Content_Type": "text/html"}, USER, False),
        (200, JSON, {**USER, "id": "x"}, False),
        (200, JSON, {**USER, "created_at": "2022-04-22 14:26:40Z"}, False),
        (200, JSON, {**USER, "employers_connected": [1]}, False),
        (200, JSON, {key: USER[key] for key in list(USER)[:-1]}, False),
        (200, JSON, [USER], False),
        (404, JSON, {"detail": "Not found."}, True),
        (404, JSON, {"detail": ["Not found."]}, False),
        (401, JSON, {"detail": "x"}, False),
    ],
)
def test_response_check_finds_violations(
    status: int, fields: dict[str, str], value: object, right: bool
) -> None:
    target = f"/v1/users/{USER['id']}"
    found = list(description.check_answer(
        "GET", target, status, headers(**fields), json.dumps(value).encode()))
    assert (found == []) == right, found


V2 = {
    **JSON, "X_Client_Id": TRACE, "Access_Control_Allow_Origin": "*", "Allow": "GET", "Vary": "Accept-Encoding,Origin",
}
V2_OPERATIONS = [
    (method, path) for path, item in description.DOCUMENT["paths"].items() if path.startswith("/v2/")
    for method in ("get", "post", "patch", "delete") if method in item]


@pytest.mark.parametrize("method, path", V2_OPERATIONS)
def test_response_check_finds_missing_headers_of_v2(method: str, path: str) -> None:
    target = path.replace("{id}", TRACE)
    responses = description.DOCUMENT["paths"][path][method]["responses"]
    for status in map(int, responses):
        fields = {**V2, "WWW_Authenticate": 'Basic realm="api"'} if status == 401 else dict(V2)

        def missing(fields: dict[str, str]) -> list[str]:
            found = description.check_answer(method.upper(), target, status, headers(**fields), b"{}")
            return [problem for problem in found if problem.startswith("the header ")]

        assert missing(fields) == []
        for name in fields.keys() - {"Content_Type"}:
            others = {other: value for other, value in fields.items() if other != name}
            # Errors before authentication do not name the client.
            optional = name == "X_Client_Id" and status in (401, 429)
            assert missing(others) == ([] if optional else [f"the header {name.replace('_', '-')} is missing"]), status


AUTHORIZED = {"Authorization": basic(), "Content_Type": "application/json"}
FORM = {"Authorization": basic(), "Content_Type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    "method, target, fields, body, right",
    [
        ("GET", "/v1/users?limit=2&ordering=created_at", AUTHORIZED, b"", True),
        ("GET", "/v1/users?limit=x", AUTHORIZED, b"", False),
        ("GET", "/v1/users?limit=0", AUTHORIZED, b"", False),
        ("GET", "/v1/users?order=id", AUTHORIZED, b"", False),
        ("GET", "/v1/users/x", AUTHORIZED, b"", False),
        ("GET", "/v1/users", {}, b"", False),
        ("GET", "/v1/users", AUTHORIZED, b"{}", False),
        ("PUT", "/v1/users", AUTHORIZED, b"{}", False),
        ("GET", "/v3/users", AUTHORIZED, b"", False),
        ("POST", "/v1/users", AUTHORIZED, b"", True),
        ("POST", "/v1/users", AUTHORIZED, b"[]", False),
        ("POST", "/v1/users", {"Authorization": basic()}, b"{}", False),
        ("POST", "/v1/user-tokens", AUTHORIZED, b"", False),
        ("POST", "/v1/user-tokens", AUTHORIZED, b'{"user":1}', False),
        ("POST", "/v1/user-tokens", AUTHORIZED, json.dumps({"user": TRACE}).encode(), True),
        ("GET", "/v2/users?limit=2&external_id=x&cursor=y", AUTHORIZED, b"", True),
        ("GET", "/v2/users?offset=2", AUTHORIZED, b"", False),
        ("POST", "/v2/users", AUTHORIZED, json.dumps(FIELDS).encode(), True),
        ("POST", "/v2/users", AUTHORIZED, b'{"email":"x"}', False),
        ("POST", "/v2/users", AUTHORIZED, b'{"phone_number":"123"}', False),
        ("POST", "/v2/users", AUTHORIZED, b'{"birth_date":{"month":13}}', False),
        ("POST", "/v2/users", AUTHORIZED, b'{"birth_date":{"month":"13"}}', False),
        ("POST", "/v2/users", AUTHORIZED, b'{"first_name":"\\u0000"}', False),
        ("POST", "/v2/users", AUTHORIZED, b'{"address":{"city":[]}}', False),
        ("POST", "/v2/users", AUTHORIZED, b'{"external_id":' + b"9" * 100 + b"}", True),
        ("POST", "/v2/users", AUTHORIZED, b'{"external_id":' + b"1" + b"0" * 100 + b"}", False),
        ("POST", "/v2/users", AUTHORIZED, b'{"external_id":-' + b"9" * 99 + b"}", True),
        ("POST", "/v2/users", AUTHORIZED, b'{"external_id":-1' + b"0" * 99 + b"}", False),
        ("POST", "/v2/users", FORM, b"first_name=Zo%C3%AB+B&email=a%40b.co&external_metadata=%7B&x=1", True),
        ("PATCH", f"/v2/users/{TRACE}", FORM, b"external_id=&ssn", True),
        ("PATCH", f"/v2/users/{TRACE}", FORM, b"external_id=" + b"x" * 101, False),
        ("POST", "/v2/users", FORM, b"email=", False),
        ("POST", "/v2/users", FORM, b"email=x", False),
        ("POST", "/v2/users", FORM, b"last_name=%00", False),
        ("POST", "/v2/users", FORM, b"address=x", False),
        ("POST", "/v2/users", FORM, b"birth_date=", False),
        ("POST", "/v2/users", FORM, b"open_banking=1", False),
        ("POST", "/v2/user-tokens", FORM, b"user=" + TRACE.encode(), True),
        ("POST", "/v2/user-tokens", FORM, b"user=1", False),
        ("POST", "/v2/user-tokens", FORM, json.dumps({"user": TRACE}).encode(), False),
        ("POST", "/v1/user-tokens", FORM, b"user=" + TRACE.encode(), False),
    ],
)
def test_request_check_finds_violations(
    method: str, target: str, fields: dict[str, str], body: bytes, right: bool
) -> None:
    found = list(description.check_request(method, target, headers(**fields), body))
    assert (found == []) == right, found


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_schemathesis_finds_nothing(
    fresh: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    """In each version by itself: Schemathesis would not know that a user deleted in one is gone in the other."""
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(EXCEPTIONS)
    result = subprocess.run(
        [
            str(SCHEMATHESIS), "--config-file", str(configuration), "run", f"{fresh.url}/openapi.json",
            "--include-path-regex", f"^/{version}/",
            "--auth", f"{KEY_ID}:{KEY_SECRET}", "--max-examples", "100",
            "--seed", "20220422", "--continue-on-failure", "--no-color",
            # A slow machine is not the sandbox's fault.
            "--request-timeout", str(PATIENCE), "--suppress-health-check", "too_slow",
        ],
        capture_output=True, text=True, timeout=1000, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr
    assert "Operations:       6 selected / 12 total" in result.stdout
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in result.stdout, result.stdout
    cases = re.search(r"(\d+) generated, (\d+) passed", result.stdout)
    assert cases is not None and int(cases[1]) > 1000
    with capsys.disabled():
        print(f"\nSchemathesis, {version}: {cases[0]}")
    assert fresh.send("GET", f"/{version}/users").status == 200


@dataclass(frozen=True)
class Exchange:
    """A request that went through the recorder, and its response."""

    method: str
    target: str
    request_headers: Message
    request_body: bytes
    status: int
    headers: Message
    body: bytes


class Recorder(ThreadingHTTPServer):
    """A proxy in front of a sandbox, which records requests and responses."""

    daemon_threads = True

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(("127.0.0.1", 0), RecorderHandler)
        self.sandbox = sandbox
        self.exchanges: list[Exchange] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class RecorderHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = HTTPConnection("127.0.0.1", self.server.sandbox.port, timeout=PATIENCE)
        # With the client's Host, links lead through the recorder.
        connection.putrequest(
            self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        self.server.exchanges.append(Exchange(
            self.command, self.path, self.headers, body, response.status, response.headers, answer))
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


@pytest.fixture
def recorder(fresh: Sandbox) -> Iterator[Recorder]:
    recorder = Recorder(fresh)
    thread = threading.Thread(target=recorder.serve_forever)
    thread.start()
    yield recorder
    recorder.shutdown()
    thread.join()
    recorder.server_close()


def test_libargyle_conforms_to_the_description(recorder: Recorder, tmp_path: Path) -> None:
    """Runs the C example of all operations, linked with the installed library."""
    # pkg-config escapes spaces in paths with backslashes.
    flags = shlex.split(subprocess.run(
        ["pkg-config", "--cflags", "--libs", "argyle"], check=True, capture_output=True, text=True,
        env={**os.environ, "PKG_CONFIG_PATH": str(PREFIX / "lib" / "pkgconfig")}).stdout)
    program = tmp_path / "users"
    source = ROOT / "bindings" / "c" / "examples" / "users.c"
    subprocess.run(
        ["cc", str(source), *flags, f"-Wl,-rpath,{PREFIX / 'lib'}", "-o", str(program)], check=True)
    environment = {
        "ARGYLE_BASE_URL": recorder.url, "ARGYLE_KEY_ID": KEY_ID, "ARGYLE_KEY_SECRET": KEY_SECRET,
    }
    result = subprocess.run(
        [str(program)], env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert (result.returncode, result.stderr) == (0, "")

    asked = set()
    for exchange in recorder.exchanges:
        problems = description.check_request(
            exchange.method, exchange.target, exchange.request_headers, exchange.request_body)
        assert not list(problems), exchange
        problems = description.check_answer(
            exchange.method, exchange.target, exchange.status, exchange.headers, exchange.body)
        assert not list(problems), exchange
        operation = description.find(exchange.method, exchange.target)
        assert operation is not None
        asked.add((operation.definition["operationId"], exchange.status))
    assert asked == {
        ("createUser", 201), ("retrieveUser", 200), ("retrieveUser", 404), ("updateUser", 200),
        ("listUsers", 200), ("createUserToken", 201), ("deleteUser", 204),
        ("createUserV2", 201), ("listUsersV2", 200), ("updateUserV2", 200),
    }
