"""Input and output of the command line: encodings, line endings and formats."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from conftest import Runner, Server, metadata_lines

pytest.importorskip("click")
pytest.importorskip("rich")

BOM = b"\xef\xbb\xbf"
VALUES: "list[Any]" = [{"n": 1}, "Zoë", "😀", None, ["a", "\u2028", "\r\n"], {}]
ENDS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}
ENCODINGS = {
    "UTF-8": ("utf-8", b""),
    "UTF-8 with BOM": ("utf-8", BOM),
    "UTF-16LE with BOM": ("utf-16-le", b"\xff\xfe"),
    "UTF-16BE with BOM": ("utf-16-be", b"\xfe\xff"),
    "UTF-16LE": ("utf-16-le", b""),
    "UTF-16BE": ("utf-16-be", b""),
    "UTF-32 with BOM": ("utf-32-le", b"\xff\xfe\0\0"),
}


def encoded(text: str, encoding: str) -> bytes:
    name, bom = ENCODINGS[encoding]
    return bom + text.encode(name)


def imported(run: Runner) -> "list[Any]":
    return [user["external_metadata"] for user in run("users", "list", "--ordering", "created_at").lines()]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_lines_come_in_many_forms(run: Runner, tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "users.jsonl"
    lines = [json.dumps({"external_metadata": value}, ensure_ascii=False) for value in VALUES]
    # The last line has no line ending.
    file.write_bytes(encoded(ENDS[end].join(lines), encoding))
    result = run("users", "import", str(file), "--in-flight", "1")
    assert (result.code, [user["line"] for user in result.lines()]) == (0, [1, 2, 3, 4, 5, 6])
    assert imported(run) == VALUES
    # In another encoding, they are the same lines.
    file.write_bytes(encoded("\n".join(lines) + "\n", "UTF-8"))
    assert run("users", "import", str(file)).lines() == []


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-8 with BOM", "UTF-16LE with BOM"])
def test_csv_comes_in_many_forms(run: Runner, tmp_path: Path, encoding: str, end: str) -> None:
    text = io.StringIO()
    rows = csv.writer(text, delimiter=";", lineterminator=ENDS[end])
    rows.writerows([["id", "external_metadata"], *(["x", json.dumps(value)] for value in VALUES)])
    file = tmp_path / "users.csv"
    file.write_bytes(encoded(text.getvalue(), encoding))
    assert run("users", "import", str(file), "--in-flight", "1").code == 0
    assert imported(run) == VALUES


@pytest.mark.parametrize(
    ("delimiter", "is_told"),
    [(delimiter, is_told) for delimiter in ",;\t" for is_told in (False, True)] + [("|", True)],
)
def test_csv_as_spreadsheets_write_it(run: Runner, tmp_path: Path, delimiter: str, is_told: bool) -> None:
    text = io.StringIO()
    rows = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    rows.writerow(["external_metadata", "name, first; last"])
    rows.writerows([json.dumps(value, indent=1), "a,b;c"] for value in VALUES)
    told = f"sep={delimiter}\r\n" if is_told else ""
    file = tmp_path / "users.csv"
    file.write_bytes(encoded(told + text.getvalue(), "UTF-8 with BOM"))
    result = run("users", "import", str(file), "--in-flight", "1")
    assert result.code == 0
    assert imported(run) == VALUES
    assert result.lines()[0]["line"] == (3 if is_told else 2)


@pytest.mark.parametrize("delimiter", [",", ";", "|"])
@pytest.mark.parametrize("begin", ["\n", "\r\n\r\n", "DD\n", '""D""\n', " \n"])
def test_empty_lines_before_the_header_of_a_csv_are_skipped(
    run: Runner, tmp_path: Path, begin: str, delimiter: str
) -> None:
    told = "sep=|\n" if delimiter == "|" else ""
    file = tmp_path / "users.csv"
    # Before the header, "|" is not known to be the delimiter.
    texts = [told + begin, *([begin + told] if told and "D" not in begin else [])]
    for text in (text.replace("D", delimiter) for text in texts):
        file.write_text(f'{text}id{delimiter}external_metadata\nx{delimiter}"{{""n"": 1}}"\n')
        result = run("users", "import", str(file), "--journal", str(tmp_path / "journal"))
        assert (result.code, [user["line"] for user in result.lines()]) == (0, [text.count("\n") + 2])
        assert imported(run) == [{"n": 1}]
        (tmp_path / "journal").unlink()
        run("users", "delete", run("users", "list").json()["id"], "--yes")


def test_blanks_around_the_names_of_columns_do_not_matter(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id, external_metadata \nx,1\n")
    assert run("users", "import", str(file)).code == 0
    assert imported(run) == [1]


def test_line_endings_may_span_reads(run: Runner, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    lines = [json.dumps({"external_metadata": {"n": number, "text": "ä" * (number % 7)}}) for number in range(3000)]
    file.write_bytes("\r\n".join(lines).encode())
    result = run("users", "import", str(file), "--in-flight", "100")
    assert sorted(user["line"] for user in result.lines()) == list(range(1, 3001))
    file.write_bytes("\r".join(lines).encode())
    assert run("users", "import", str(file)).lines() == []


FOREIGN = {
    "gzip": gzip.compress(metadata_lines(3).encode()),
    "zip": b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0",
    "Parquet": b"PAR1\x15\x04\x15\x10\x15\x14\x4c\x15",
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("chosen", ["jsonl", "csv"])
def test_a_file_of_another_format_is_one_line(
    run: Runner, server: Server, tmp_path: Path, kind: str, chosen: str
) -> None:
    file = tmp_path / f"users.{chosen}"
    file.write_bytes(FOREIGN[kind])
    result = run("users", "import", str(file))
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert str(file) in result.err
    assert kind in result.err
    assert run("users", "import", "-", "--format", chosen, stdin=FOREIGN[kind]).code == 1
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    created = run("users", "create", "--metadata", f"@{file}")
    assert (created.code, created.err.count("\n")) == (2, 1)
    assert kind in created.err
    assert server.count == 0


GARBAGE = {
    "NUL": b"\0" * 100,
    "bytes": bytes(range(256)) * 4,
    "half a UTF-16 unit": b"\xff\xfe{\0}",
    "lone surrogates": "\ud800\ud800\n".encode("utf-16-le", "surrogatepass"),
    "UTF-32": b"\xff\xfe\0\0\xff\xff\xff\xff",
    "BOM": BOM,
    "half a BOM": BOM[:2],
    "one byte": b"{",
    "quote": b'external_metadata\n"',
    "NUL in CSV": b"external_metadata\n\0\n",
    "NUL in the header": b"external\0_metadata,external_metadata\n1,1\n",
    "CR": b"external_metadata\r\r\r1\r\n\r\n",
    "Latin-1": 'external_metadata\n"""Zoë"""\n'.encode("latin-1"),
    "sep": b"sep=",
    "sep of two": b"sep=;;\nexternal_metadata\n1\n",
}


@pytest.mark.parametrize("chosen", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("name", GARBAGE)
def test_no_input_causes_a_traceback(run: Runner, tmp_path: Path, name: str, chosen: str) -> None:
    if chosen == "parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / "users"
    file.write_bytes(GARBAGE[name])
    result = run("users", "import", "--format", chosen, str(file))
    assert result.code in (0, 1, 2, 3)
    assert result.err


def test_damaged_parquet_is_one_line(run: Runner, server: Server, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    server.seed(250)
    file = tmp_path / "users.parquet"
    assert run("users", "export", "--output", str(file)).code == 0
    data = bytearray(file.read_bytes())
    data[4 : len(data) * 3 // 4] = bytes(len(data) * 3 // 4 - 4)
    file.write_bytes(data)
    result = run("users", "import", str(file))
    assert result.code == 1
    assert "Parquet" in result.err


def test_text_that_is_not_utf_8_is_reported_by_line(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_bytes(b'{"external_metadata":"Zo\xeb"}\n{"external_metadata":1}\n')
    result = run("users", "import", str(file))
    assert (result.code, len(result.lines())) == (3, 1)
    assert "line 1: this is not UTF-8" in result.err


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_metadata_comes_in_many_forms(run: Runner, tmp_path: Path, encoding: str) -> None:
    data = encoded('{"name": "Zoë 😀"}\r\n', encoding)
    file = tmp_path / "metadata"
    file.write_bytes(data)
    assert run("users", "create", "--metadata", f"@{file}").code == 0
    assert run("users", "create", "--metadata", "-", stdin=data).code == 0
    assert imported(run) == [{"name": "Zoë 😀"}] * 2


def test_an_argument_is_utf_8_if_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the locale says, which may be wrong if it was forwarded from another machine."""
    import click

    from argyle.cli._context import document

    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("latin-1"))
    context, option = click.Context(click.Command("x")), click.Option(["--metadata"])
    assert document(context, option, '"Zo\xc3\xab"') == "Zoë"
    assert document(context, option, '"Zo\xeb"') == "Zoë"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252:strict"])
def test_terminals_of_other_encodings(run: Runner, terminal: Runner, encoding: str) -> None:
    value = {"name": "Zoë €😀"}
    user_id = run("users", "create", "--metadata", json.dumps(value)).json()["id"]
    for arguments in (["list"], ["get", user_id], ["get", user_id, "--json"], ["list", "--json"]):
        result = terminal("users", *arguments, PYTHONIOENCODING=encoding, NO_COLOR="1", decoding=encoding.split(":")[0])
        assert result.code == 0
        assert user_id in result.out
        if "--json" in arguments:
            assert result.json()["external_metadata"] == value
        if encoding in ("utf-8", "latin-1") and "--json" not in arguments:
            assert "Zoë" in result.out
    # In a pipe, JSON is UTF-8.
    assert run("users", "get", user_id, PYTHONIOENCODING=encoding).json()["external_metadata"] == value
    assert "Zoë €😀" in run("users", "get", user_id, PYTHONIOENCODING=encoding).out


@pytest.mark.parametrize(
    "changes", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "en_US"}]
)
def test_messages_in_other_encodings(run: Runner, tmp_path: Path, changes: "dict[str, str]") -> None:
    file = tmp_path / "Zoë 😀.jsonl"
    assert run("users", "import", str(file), **changes).code == 1
    file.write_text('{"external_metadata": "Zoë"}\nnot JSON: Zoë\n')
    assert run("users", "import", str(file), **changes).code == 3
    assert run("users", "export", "--output", str(file.with_suffix(".csv")), **changes).code == 0
    # An argument that is not UTF-8 is not a valid id.
    assert run("users", "get", "Zoë", **changes).code in (2, 4)
    assert imported(run) == ["Zoë"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'"Zo\xeb"', "this is not UTF-8"),
        (b'\xff\xfe"\0\0', "this is not UTF-16"),
        (gzip.compress(b"{}"), "this is compressed with gzip, not text"),
        (b"1" * 6000, "this has an integer of too many digits"),
    ],
    ids=["UTF-8", "UTF-16", "gzip", "digits"],
)
def test_unreadable_metadata_has_a_clear_message(run: Runner, tmp_path: Path, data: bytes, told: str) -> None:
    file = tmp_path / "m"
    file.write_bytes(data)
    for value, stdin in ((f"@{file}", b""), ("-", data)):
        result = run("users", "create", "--metadata", value, stdin=stdin)
        assert (result.code, result.out) == (2, "")
        assert f": {told} (see " in result.err
    lines = tmp_path / "users.jsonl"
    lines.write_bytes(b'{"external_metadata": ' + b"1" * 6000 + b"}\n")
    assert "line 1: this has an integer of too many digits" in run("users", "import", str(lines)).err


def test_a_metadata_file_must_be_named(run: Runner) -> None:
    result = run("users", "create", "--metadata", "@")
    assert result.code == 2
    assert "a file name is required after @" in result.err
