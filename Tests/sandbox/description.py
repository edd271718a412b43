"""The OpenAPI description, and how requests and responses violate it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema

PATH = Path(__file__).resolve().parents[2] / "Sources" / "ArgyleSandbox" / "OpenAPI" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(PATH.read_text())
FORMATS = jsonschema.FormatChecker(formats=["uuid"])


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    parts = urlsplit(value) if isinstance(value, str) else None
    return parts is None or bool(parts.scheme and parts.netloc)


def resolve(node: Any) -> Any:
    """Follows a reference within the document."""
    while "$ref" in node:
        target: Any = DOCUMENT
        for key in node["$ref"].split("/")[1:]:
            target = target[key]
        node = target
    return node


@cache
def validator(schema: str) -> jsonschema.Draft202012Validator:
    # With the components beside it, a schema's references resolve as in the document.
    whole = {**json.loads(schema), "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(whole, format_checker=FORMATS)


def violations(schema: Any, value: object) -> Iterator[str]:
    try:
        for error in validator(json.dumps(schema, sort_keys=True)).iter_errors(value):
            yield f"{error.json_path}: {error.message[:500]}"
    except RecursionError:
        # Metadata may be nested more deeply than Python supports; other tests compare it byte by byte.
        return


@dataclass(frozen=True)
class Operation:
    """An operation of the description, with the path parameters of one request."""

    definition: Mapping[str, Any]
    parameters: list[Mapping[str, Any]]
    path_values: Mapping[str, str]


def find(method: str, target: str) -> Operation | None:
    """Returns the operation of a request; HEAD is GET without a body."""
    segments = [unquote(part) for part in target.split("?")[0].split("/")]
    # A trailing slash is allowed everywhere; the description says so only once.
    if len(segments) > 2 and segments[-1] == "":
        segments.pop()
    for template, item in DOCUMENT["paths"].items():
        names = template.split("/")
        if len(names) != len(segments):
            continue
        values = {
            name[1:-1]: value for name, value in zip(names, segments) if name.startswith("{")
        }
        if all(name.startswith("{") or name == value for name, value in zip(names, segments)):
            # HTTP methods are case-sensitive: "get" is not GET.
            key = "get" if method == "HEAD" else method.lower()
            definition = item.get(key) if method.isupper() else None
            if definition is None:
                return None
            parameters = [*item.get("parameters", []), *definition.get("parameters", [])]
            return Operation(definition, parameters, values)
    return None


def check_answer(
    method: str, target: str, status: int, headers: Message, body: bytes
) -> Iterator[str]:
    """Yields how a response violates the description."""
    operation = find(method, target)
    if operation is None:
        return
    response = operation.definition["responses"].get(str(status))
    if response is None:
        yield f"the status {status} is not described"
        return
    response = resolve(response)
    for name, header in response.get("headers", {}).items():
        header = resolve(header)
        if name in headers:
            yield from violations(header["schema"], headers[name])
        elif header.get("required"):
            yield f"the header {name} is missing"
    content = response.get("content")
    if content is None:
        if body or "Content-Type" in headers:
            yield "a body is not described"
        return
    if headers.get("Content-Type") not in content:
        yield f"the content type {headers.get('Content-Type')} is not described"
        return
    if method != "HEAD":
        yield from check_json(content[headers["Content-Type"]]["schema"], body)


def check_request(
    method: str, target: str, headers: Message, body: bytes
) -> Iterator[str]:
    """Yields how a request that should be valid violates the description."""
    operation = find(method, target)
    if operation is None:
        yield "the operation is not described"
        return
    if not headers.get("Authorization", "").startswith("Basic "):
        yield "the credentials are missing"
    query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True, strict_parsing=bool(
        urlsplit(target).query)))
    for parameter in operation.parameters:
        values = operation.path_values if parameter["in"] == "path" else query
        text = values.get(parameter["name"])
        if text is None:
            if parameter.get("required"):
                yield f"the parameter {parameter['name']} is missing"
            continue
        is_number = parameter["schema"]["type"] == "integer" and text.isdecimal()
        yield from violations(parameter["schema"], int(text) if is_number else text)
    described = {parameter["name"] for parameter in operation.parameters}
    yield from (f"the parameter {name} is not described" for name in set(query) - described)

    expected = operation.definition.get("requestBody")
    if not body:
        if expected and expected.get("required"):
            yield "the body is missing"
    elif expected is None:
        yield "a body is not described"
    else:
        content_type = headers.get("Content-Type", "").split(";")[0]
        if content_type not in expected["content"]:
            yield f"the content type {headers.get('Content-Type')} is not described"
        elif content_type == "application/x-www-form-urlencoded":
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            yield from violations(expected["content"][content_type]["schema"], form)
        else:
            yield from check_json(expected["content"][content_type]["schema"], body)


def check_json(schema: Any, body: bytes) -> Iterator[str]:
    try:
        value = json.loads(body)
    except RecursionError:
        return
    except ValueError as error:
        yield f"the body is not JSON: {error}"
        return
    yield from violations(schema, value)
