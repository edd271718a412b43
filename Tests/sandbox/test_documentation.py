"""The commands of the documentation page, run by curl and by Python's requests.

documentation.md contains them as printed on the page. Only the host and the placeholder for an id are replaced. They
contain no credentials; curl and requests read these from the user's .netrc.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY_ID, KEY_SECRET, PATIENCE, Sandbox
from test_user_tokens import assert_access

HOST = "https://api.argyle.com"
# The user on the page, who is in the sandbox from the start.
USER = "018051aa-f7a9-a0db-2f38-6cfa325e9d69"
OBJECT = {
    "id": USER,
    "created_at": "2022-04-22T14:26:40.682Z",
    "employers_connected": [],
    "data_providers_connected": [],
    "external_metadata": {"customer group": "lending"},
}
LANGUAGES = ["bash", "python"]


def snippet(title: str, language: str) -> str:
    text = Path(__file__).with_name("documentation.md").read_text()
    section = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", section, re.M | re.S)
    assert len(blocks) == 1
    return str(blocks[0])


class Reader:
    """A reader who runs the page's commands against a sandbox."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        self.sandbox = sandbox
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
        netrc = home / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login {KEY_ID} password {KEY_SECRET}\n")
        netrc.chmod(0o600)
        # After the body, curl prints the status as the last line.
        (home / ".curlrc").write_text('netrc\nsilent\nwrite-out = "\\n%{http_code}\\n"\n')

    def run(self, code: str, language: str) -> tuple[int, str]:
        """Runs a command; returns the status and the body of the response."""
        code = code.replace(HOST, self.sandbox.url).replace("{id}", USER)
        assert "argyle.com" not in code
        if language == "python":
            code += "\nprint(response.text)\nprint(response.status_code)\n"
            command = [sys.executable, "-c", code]
        else:
            command = ["bash", "-c", code]
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, env=self.environment,
            stdin=subprocess.DEVNULL)
        assert (result.returncode, result.stderr) == (0, "")
        body, status = result.stdout.rstrip("\n").rsplit("\n", 1)
        return int(status), body


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    path = tmp_path / "state.sqlite"
    Sandbox("--port", "0", "--database", str(path)).stop()
    with sqlite3.connect(path) as database:
        database.execute(
            "INSERT INTO users (id, created_at, external_metadata) VALUES (?, ?, ?)",
            (USER, 1_650_637_600_682, json.dumps(OBJECT["external_metadata"])))
    database.close()
    sandbox = Sandbox("--port", "0", "--database", str(path))
    yield Reader(sandbox, tmp_path)
    sandbox.stop()


@pytest.mark.parametrize("language", LANGUAGES)
def test_create(reader: Reader, language: str) -> None:
    status, body = reader.run(snippet("Create a user", language), language)
    assert status == 201
    created = json.loads(body)
    assert list(created) == ["token", "id"]
    assert_access(created["token"], created["id"])
    user = reader.sandbox.send("GET", f"/v1/users/{created['id']}")
    assert user.json["external_metadata"] == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_retrieve(reader: Reader, language: str) -> None:
    status, body = reader.run(snippet("Retrieve a user and their metadata", language), language)
    assert (status, json.loads(body)) == (200, OBJECT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_update(reader: Reader, language: str) -> None:
    status, body = reader.run(snippet("Update a user's metadata", language), language)
    assert (status, json.loads(body)) == (200, {**OBJECT, "external_metadata": {}})


@pytest.mark.parametrize("language", LANGUAGES)
def test_list(reader: Reader, language: str) -> None:
    newer = [reader.sandbox.create() for _ in range(2)]
    status, body = reader.run(snippet("List users", language), language)
    assert status == 200
    page: dict[str, Any] = json.loads(body)
    assert [user["id"] for user in page["results"]] == newer[::-1]
    assert page["count"] == 3
    assert page["next"] == f"{reader.sandbox.url}/v1/users?limit=2&offset=2"
    assert page["previous"] is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_delete(reader: Reader, language: str) -> None:
    assert reader.run(snippet("Delete a user", language), language) == (204, "")
    status, body = reader.run(snippet("Delete a user", language), language)
    assert (status, json.loads(body)) == (404, {"detail": "Not found."})


def assert_tokens(status: int, body: str) -> None:
    assert status == 201
    tokens = json.loads(body)
    assert list(tokens) == ["access", "refresh"]
    assert_access(tokens["access"], USER)


def test_create_a_token_with_python(reader: Reader) -> None:
    assert_tokens(*reader.run(snippet("Create a user token", "python"), "python"))


def test_create_a_token_with_curl(reader: Reader) -> None:
    """Adds the quotes around the body, which are missing on the page only here."""
    code = snippet("Create a user token", "bash")
    quoted = re.sub(r"--data (\{.*\})$", r"--data '\1'", code, flags=re.M)
    assert quoted != code
    assert_tokens(*reader.run(quoted, "bash"))


def test_create_a_token_with_curl_without_quotes(reader: Reader) -> None:
    """As printed, the shell splits the body into two words: `{user:`, and a second URL, which curl rejects."""
    code = snippet("Create a user token", "bash").replace(HOST, reader.sandbox.url)
    result = subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, timeout=PATIENCE,
        env=reader.environment, stdin=subprocess.DEVNULL)
    body, status = result.stdout.split("\n")[:2]
    assert status == "400"
    assert json.loads(body)["detail"].startswith("JSON parse error - ")
    assert result.returncode != 0


def test_wrong_key_is_rejected(reader: Reader) -> None:
    """Shows that the other tests do send their credentials."""
    netrc = Path(reader.environment["HOME"]) / ".netrc"
    netrc.write_text("machine 127.0.0.1 login sandbox-key-id password wrong\n")
    for language in LANGUAGES:
        status, body = reader.run(snippet("List users", language), language)
        assert (status, json.loads(body)) == (401, {"detail": "Invalid username/password."})
