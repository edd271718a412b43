"""An import neither duplicates nor loses users if it is killed, or its file is corrected or renamed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import (
    CLI_KEY_ID,
    CLI_KEY_SECRET,
    COMMAND,
    FOREVER_MS,
    PATIENCE,
    Runner,
    Server,
    environment,
    metadata_lines,
    numbers,
    wait_until,
)

pytest.importorskip("click")
pytest.importorskip("rich")


def line(value: Any) -> str:
    return json.dumps({"external_metadata": value}) + "\n"


def entries(journal: Path) -> "list[Any]":
    return [json.loads(text) for text in journal.read_text().splitlines()]


def states(journal: Path) -> "dict[int, str]":
    """Return the last state of each line in the journal."""
    found = {}
    for text in journal.read_text().splitlines() if journal.exists() else []:
        with contextlib.suppress(ValueError):
            entry = json.loads(text)
            if "line" in entry:
                found[entry["line"]] = entry["state"]
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.jsonl"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "users.jsonl.done"


# ---------------------------------------------------------------- Another account


def test_the_journal_records_its_account(run: Runner, server: Server, file: Path, journal: Path) -> None:
    file.write_text(metadata_lines(3))
    assert run("users", "import", str(file)).code == 0
    header = entries(journal)[0]
    assert (header["server"], header["api"], header["key_id"]) == (server.url, "v1", CLI_KEY_ID)
    assert CLI_KEY_SECRET not in journal.read_text()


@pytest.mark.parametrize(
    "changes",
    [{"ARGYLE_KEY_ID": "another-key"}, {"ARGYLE_BASE_URL": "http://127.0.0.1:9"}, {"ARGYLE_BASE_URL": None}],
)
def test_a_journal_of_another_server_or_key_is_rejected(
    run: Runner, server: Server, file: Path, journal: Path, changes: "dict[str, Any]"
) -> None:
    file.write_text(metadata_lines(3))
    assert run("users", "import", str(file)).code == 0
    before, requests = journal.read_bytes(), server.requests
    result = run("users", "import", str(file), **changes)
    assert (result.code, result.out) == (1, "")
    assert str(journal) in result.err
    assert server.url in result.err if "ARGYLE_BASE_URL" in changes else CLI_KEY_ID in result.err
    assert "--journal" in result.err
    assert (journal.read_bytes(), server.requests) == (before, requests)


def test_spellings_of_a_server_are_equivalent(run: Runner, server: Server, file: Path) -> None:
    file.write_text(metadata_lines(3))
    assert run("users", "import", str(file)).code == 0
    again = run("users", "import", str(file), ARGYLE_BASE_URL=server.url.replace("http", "HTTP") + "/")
    assert (again.code, again.out) == (0, "")


def test_a_journal_without_an_account_is_rejected_with_the_missing_line(
    run: Runner, server: Server, file: Path, journal: Path
) -> None:
    """Older releases wrote such journals."""
    file.write_text(metadata_lines(3))
    assert run("users", "import", str(file)).code == 0
    old = "".join(json.dumps(entry) + "\n" for entry in entries(journal) if "line" in entry)
    journal.write_text(old)
    file.write_text(metadata_lines(4))
    refused = run("users", "import", str(file))
    assert (refused.code, refused.out, server.count) == (1, "", 3)
    assert journal.read_text() == old
    told = re.search(r"\{.*\}", refused.err)
    assert told
    journal.write_text(told[0] + "\n" + old)
    assert [user["line"] for user in run("users", "import", str(file)).lines()] == [4]
    assert numbers(run) == [0, 1, 2, 3]


# ---------------------------------------------------------------- Corrected


def refuse_lines(server: Server, run: Runner, file: Path, *refused: int) -> None:
    """Import a file while the server rejects some lines."""
    lines = file.read_text()
    broken = lines.splitlines(keepends=True)
    for number in refused:
        broken[number - 1] = "not JSON\n"
    file.write_text("".join(broken))
    assert run("users", "import", str(file)).code == 3
    file.write_text(lines)


def test_a_corrected_line_is_retried_in_its_new_form(run: Runner, server: Server, file: Path, journal: Path) -> None:
    file.write_text(line("bad") + metadata_lines(3))
    server.fault(kind="error", status=422, method="POST", count=1)
    assert run("users", "import", str(file), "--in-flight", "1").code == 3
    assert states(journal)[1] == "failed"
    file.write_text(line({"n": 9}) + metadata_lines(3))
    again = run("users", "import", str(file))
    assert (again.code, [user["line"] for user in again.lines()]) == (0, [1])
    assert numbers(run) == [0, 1, 2, 9]
    assert run("users", "import", str(file)).lines() == []


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Removing a failed line moves the lines after it.
        ([0, None, 2, 3], [0, 2, 3]),
        ([0, None, 2], [0, 2]),
        ([0, None, 2], [0, 2, 3]),
        ([None, 1], [1]),
        ([0, None, 2, 3], [0, 8, 9, 2, 3]),
        # Created lines must not be changed, moved or removed.
        ([0, 1, 2], [0, 9, 2]),
        ([0, 1, 2], [0, 1]),
        ([0, 1, 2], []),
        ([0, 1, 2], [1, 0, 2]),
    ],
)
def test_a_file_with_moved_created_lines_is_rejected_before_the_first_request(
    run: Runner, server: Server, file: Path, journal: Path, old: "list[Any]", new: "list[Any]", kind: str
) -> None:
    """None stands for a line that fails."""
    for index, value in enumerate(old):
        # One at a time, so that the right ones fail.
        with file.open("a") as text:
            text.write(line({"n": -1 if value is None else value}))
        if value is None:
            server.fault(kind="error", status=422, method="POST", count=1)
        run("users", "import", str(file))
        assert states(journal)[index + 1] == ("failed" if value is None else "created")
    before, requests = numbers(run), server.requests
    lines = "".join(line({"n": value}) for value in new)
    if kind == "file":
        file.write_text(lines)
        result = run("users", "import", str(file))
    else:
        result = run("users", "import", "-", "--journal", str(journal), stdin=lines)
    assert (result.code, result.out) == (1, "")
    name = file if kind == "file" else "standard input"
    assert re.match(rf"argyle: {name}: line \d (is missing|has changed)", result.err)
    assert server.requests == requests
    assert numbers(run) == before


@pytest.mark.parametrize("kind", ["present", "old"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_correction_may_move_the_lines_after_it(
    run: Runner, server: Server, tmp_path: Path, ending: str, kind: str
) -> None:
    """A row may span several lines, and lines may be empty."""
    file, journal = tmp_path / f"users.{ending}", tmp_path / f"users.{ending}.done"
    if ending == "csv":
        broken, good = 'external_metadata\n"{\n"\n2\n3\n', "external_metadata\n1\n2\n3\n"
        before, first, is_broken = [4, 5], 2, False
    else:
        broken, good = "{\n\n" + line(2) + line(3), line(1) + line(2) + line(3)
        before, first, is_broken = [3, 4], 1, False
    file.write_text(broken)
    result = run("users", "import", str(file))
    assert (result.code, sorted(user["line"] for user in result.lines())) == (3, before)
    if kind == "old":
        kept = [{name: entry[name] for name in entry if name != "record"} for entry in entries(journal)]
        old = "".join(json.dumps(entry) + "\n" for entry in kept if "line" in entry)
        journal.write_text(old)
        told = re.search(r"\{.*\}", run("users", "import", str(file)).err)
        assert told
        journal.write_text(told[0] + "\n" + old)
        # A journal that has only lines.
        good, first, is_broken = broken, 0, True
    file.write_text(good)
    result = run("users", "import", str(file))
    assert [user["line"] for user in result.lines()] == ([first] if first else [])
    assert result.code == (3 if is_broken else 0)
    assert server.count == (2 if is_broken else 3)


@pytest.mark.parametrize("retry", [[], ["--retry-unknown"]])
def test_a_changed_line_with_an_unknown_result_is_rejected(
    run: Runner, server: Server, file: Path, journal: Path, retry: "list[str]"
) -> None:
    file.write_text(metadata_lines(3))
    server.fault(kind="close", when="after", method="POST", count=1)
    assert run("users", "import", str(file), "--in-flight", "1").code == 3
    assert states(journal)[1] == "unknown"
    file.write_text(line({"n": 9}) + metadata_lines(3).split("\n", 1)[1])
    assert run("users", "import", str(file), *retry).code == 1
    assert numbers(run) == [0, 1, 2]


def test_a_line_changed_after_its_import_was_killed_is_rejected(
    run: Runner, server: Server, file: Path, journal: Path
) -> None:
    file.write_text(metadata_lines(1))
    server.fault(kind="delay", milliseconds=FOREVER_MS, method="POST")
    with subprocess.Popen(
        [*COMMAND, "users", "import", str(file)], stdout=subprocess.DEVNULL, env=environment(server)
    ) as process:
        wait_until(lambda: server.count == 1)
        process.kill()
    server.clear_faults()
    assert states(journal) == {1: "begun"}
    file.write_text(line({"n": 9}))
    assert run("users", "import", str(file)).code == 1
    assert numbers(run) == [0]


def test_a_file_saved_by_an_editor_is_the_same_file(run: Runner, server: Server, file: Path) -> None:
    """Editors write a new file and rename it."""
    file.write_text(metadata_lines(2))
    assert run("users", "import", str(file)).code == 0
    other = file.with_name("temporary")
    other.write_text(metadata_lines(3))
    other.replace(file)
    assert [user["line"] for user in run("users", "import", str(file)).lines()] == [3]
    # After a rename it is recognised by its new inode.
    file.rename(file.with_name("renamed.jsonl"))
    assert run("users", "import", str(file.with_name("renamed.jsonl"))).code == 1
    assert server.count == 3


# ---------------------------------------------------------------- Renamed


def test_a_link_has_the_journal_of_its_file(run: Runner, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text(metadata_lines(3))
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.jsonl"
    link.symlink_to(file)
    for name in (link, file, link):
        assert run("users", "import", str(name)).code == 0
    assert server.count == 3
    assert [path.name for path in link.parent.iterdir()] == [link.name]


def test_a_journal_next_to_a_link_is_not_ignored(run: Runner, server: Server, tmp_path: Path, file: Path) -> None:
    """Older releases wrote it there."""
    file.write_text(metadata_lines(3))
    link = tmp_path / "link.jsonl"
    link.symlink_to(file)
    assert run("users", "import", str(file), "--journal", f"{link}.done").code == 0
    result = run("users", "import", str(link))
    assert result.code == 1
    assert f"{link}.done" in result.err
    assert "--journal" in result.err
    assert run("users", "import", str(link), "--journal", f"{link}.done").code == 0
    assert server.count == 3


def test_hard_links_have_one_journal(run: Runner, server: Server, tmp_path: Path, file: Path) -> None:
    file.write_text(metadata_lines(3))
    assert run("users", "import", str(file)).code == 0
    other = tmp_path / "other.jsonl"
    os.link(file, other)
    assert run("users", "import", str(other)).code == 0
    assert not (tmp_path / "other.jsonl.done").exists()
    assert server.count == 3
    # The journal may be next to another name in an unknown folder.
    (tmp_path / "elsewhere").mkdir()
    third = tmp_path / "elsewhere" / "users.jsonl"
    os.link(file, third)
    result = run("users", "import", str(third))
    assert result.code == 1
    assert "--journal" in result.err
    assert run("users", "import", str(third), "--journal", str(tmp_path / "users.jsonl.done")).code == 0
    assert server.count == 3


def test_a_renamed_file_is_not_imported_again(
    run: Runner, server: Server, tmp_path: Path, file: Path, journal: Path
) -> None:
    file.write_text(metadata_lines(3))
    assert run("users", "import", str(file)).code == 0
    renamed = file.rename(tmp_path / "renamed.jsonl")
    result = run("users", "import", str(renamed))
    assert (result.code, server.count) == (1, 3)
    assert str(journal) in result.err
    # The solution in the message.
    assert run("users", "import", str(renamed), "--journal", str(journal)).code == 0
    journal.rename(tmp_path / "renamed.jsonl.done")
    assert run("users", "import", str(renamed)).code == 0
    assert server.count == 3


@pytest.mark.parametrize("kind", ["present", "old"])
def test_a_corrected_and_renamed_file_is_not_imported_again(
    run: Runner, server: Server, tmp_path: Path, file: Path, journal: Path, kind: str
) -> None:
    """Editors create a new inode, and older releases recorded none."""
    file.write_text(metadata_lines(5))
    refuse_lines(server, run, file, 3)
    if kind == "old":
        journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries(journal) if "line" in entry))
    renamed = tmp_path / "renamed.jsonl"
    renamed.write_text(file.read_text())
    file.unlink()
    requests = server.requests
    result = run("users", "import", str(renamed))
    assert (result.code, server.requests) == (1, requests)
    assert str(journal) in result.err
    # The solutions in the message.
    kept = journal.rename(tmp_path / "renamed.jsonl.done")
    result = run("users", "import", str(renamed))
    if kind == "old":
        told = re.search(r"\{.*\}", result.err)
        assert told
        kept.write_text(told[0] + "\n" + kept.read_text())
        result = run("users", "import", str(renamed))
    assert (result.code, [user["line"] for user in result.lines()]) == (0, [3])
    assert numbers(run) == list(range(5))


def test_a_copy_and_another_file_are_imported(run: Runner, server: Server, tmp_path: Path, file: Path) -> None:
    file.write_text(metadata_lines(2))
    assert run("users", "import", str(file)).code == 0
    copy = tmp_path / "copy.jsonl"
    copy.write_text(file.read_text())
    assert run("users", "import", str(copy)).code == 0
    file.unlink()
    other = tmp_path / "other.jsonl"
    other.write_text(line({"n": 5}))
    assert run("users", "import", str(other)).code == 0
    # A file with a line of one that no longer exists is imported with an explicit journal.
    third = tmp_path / "third.jsonl"
    third.write_text(line({"n": 0}))
    refused = run("users", "import", str(third))
    assert refused.code == 1
    told = re.search(r"--journal (\S+)", refused.err)
    assert told
    for name in (["--journal", told[1]], []):
        assert run("users", "import", str(third), *name).code == 0
    assert numbers(run) == [0, 0, 0, 1, 1, 5]


def test_other_files_named_like_journals_are_ignored(run: Runner, server: Server, tmp_path: Path, file: Path) -> None:
    (tmp_path / "a.done").write_bytes(b"\xff\x00 no journal")
    (tmp_path / "b.done").mkdir()
    os.mkfifo(tmp_path / "c.done")
    other = tmp_path / "other.jsonl"
    other.write_text(metadata_lines(2))
    assert run("users", "import", str(other)).code == 0
    file.write_text(metadata_lines(2))
    assert run("users", "import", str(file)).code == 0
    assert server.count == 4


# ---------------------------------------------------------------- Interrupted


class Importing:
    """An import whose requests wait for the server."""

    def __init__(self, server: Server, file: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "users", "import", str(file), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(server),
        )
        self.err = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self.err += text

    def __enter__(self) -> "Importing":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        code = self.process.wait(PATIENCE)
        self._reader.join()
        assert "Traceback" not in self.err
        return code


@contextlib.contextmanager
def interrupted(server: Server, file: Path) -> "Iterator[Importing]":
    """An import of ten lines, interrupted once with four delayed creations in flight."""
    file.write_text(metadata_lines(10))
    server.fault(kind="delay", milliseconds=FOREVER_MS, method="POST")
    with Importing(server, file, "--in-flight", "4") as importing:
        wait_until(lambda: server.count == 4)
        importing.interrupt()
        wait_until(lambda: "4 creations" in importing.err)
        yield importing


def test_the_first_interrupt_lets_requests_in_flight_finish(run: Runner, server: Server, file: Path) -> None:
    with interrupted(server, file) as importing:
        assert "Ctrl-C" in importing.err
        server.clear_faults()
        assert importing.end() == 130
        assert "4 created, the rest was not attempted" in importing.err
        assert "unknown" not in importing.err
    assert server.count == 4
    assert [user["line"] for user in sorted(run("users", "import", str(file)).lines(), key=lambda u: u["line"])] == [
        *range(5, 11)
    ]
    assert numbers(run) == list(range(10))


def test_the_second_interrupt_aborts_and_names_the_unknown_lines(run: Runner, server: Server, file: Path) -> None:
    with interrupted(server, file) as importing:
        importing.interrupt()
        # Long before the delay ends.
        assert importing.end() == 130
        assert "4 unknown (lines 1 to 4)" in importing.err
    server.clear_faults()
    assert len(run("users", "import", str(file)).lines()) == 6
    assert server.count == 10


def test_an_interrupt_ends_the_wait_for_input(server: Server, tmp_path: Path, journal: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with Importing(server, pipe, "--journal", str(journal), "--in-flight", "1") as importing, pipe.open("w") as writer:
        writer.write(metadata_lines(2))
        writer.flush()
        wait_until(lambda: server.count == 2)
        importing.interrupt()
        assert importing.end() == 130
        assert "2 created" in importing.err
        assert "unknown" not in importing.err
    assert states(journal) == {1: "created", 2: "created"}


# ---------------------------------------------------------------- Ended early


def imported(server: Server, file: Path, *options: str, **streams: Any) -> "subprocess.CompletedProcess[str]":
    """Import a file with given streams."""
    result = subprocess.run(
        [*COMMAND, "users", "import", str(file), *options],
        **{"stdout": subprocess.PIPE, **streams},
        stderr=subprocess.PIPE,
        text=True,
        env=environment(server),
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in result.stderr
    assert "unknown" not in result.stderr
    return result


@pytest.mark.parametrize("kind", ["full", "no reader"])
def test_failures_that_cannot_be_written_end_an_import_after_requests_in_flight(
    run: Runner, server: Server, file: Path, journal: Path, kind: str
) -> None:
    file.write_text(metadata_lines(10) + "not JSON\n" + metadata_lines(30))
    ours, theirs = os.pipe()
    os.close(ours)
    failures = "/dev/full" if kind == "full" else f"/dev/fd/{theirs}"
    result = imported(server, file, "--failures", failures, pass_fds=[theirs])
    os.close(theirs)
    assert result.returncode == 1
    told = result.stderr.splitlines()
    assert told[0].startswith("argyle: line 11: this is not JSON")
    assert told[1:] == [
        "argyle: 10 created, 1 failed, the rest was not attempted",
        f"argyle: {failures}: " + ("No space left on device" if kind == "full" else "Broken pipe"),
    ]
    assert states(journal) == dict.fromkeys(range(1, 11), "created")


def test_output_that_cannot_be_written_ends_an_import_after_requests_in_flight(
    run: Runner, server: Server, file: Path, journal: Path
) -> None:
    file.write_text(metadata_lines(100))
    with Path("/dev/full").open("w") as full:
        result = imported(server, file, "--in-flight", "20", stdout=full)
    assert result.returncode == 1
    told = re.fullmatch(
        r"argyle: (\d+) created, the rest was not attempted\nargyle: standard output: No space left on device\n",
        result.stderr,
    )
    assert told
    assert 1 <= int(told[1]) <= 40
    assert list(states(journal).values()) == ["created"] * int(told[1])
    assert server.count == int(told[1])


@pytest.mark.parametrize("name", ["utf-16-le", "utf-32-le"])
def test_input_that_cannot_be_decoded_ends_the_reading_only(
    run: Runner, server: Server, file: Path, journal: Path, name: str
) -> None:
    lines = "".join(line({"n": number, "text": "x" * 5000}) for number in range(20))
    file.write_bytes(lines.encode(name) + b"\0\0\0\xd8{}"[:-1])
    result = imported(server, file, "--in-flight", "50")
    assert result.returncode == 1
    told, failure = result.stderr.splitlines()
    assert re.fullmatch(r"argyle: \d+ created, the rest was not attempted", told)
    assert re.fullmatch(rf"argyle: {file}: after line \d+ this is not {name.upper()}", failure)
    assert server.count > 0
    assert list(states(journal).values()) == ["created"] * server.count


def test_a_line_that_changes_meanwhile_ends_an_import_after_requests_in_flight(
    run: Runner, server: Server, file: Path, journal: Path
) -> None:
    # More than one read returns.
    lines = [line({"n": number, "text": "x" * 10_000}) for number in range(20)]
    file.write_text("not JSON\n" * 19 + lines[19])
    assert run("users", "import", str(file)).code == 3
    file.write_text("".join(lines))
    server.fault(kind="delay", milliseconds=FOREVER_MS, method="POST")
    with Importing(server, file, "--in-flight", "4") as importing:
        wait_until(lambda: server.count == 5)
        file.write_text("".join([*lines[:19], line({"n": 7, "text": "x" * 10_000})]))
        server.clear_faults()
        assert importing.end() == 1
    told, failure = importing.err.splitlines()
    assert told == "argyle: 19 created, the rest was not attempted"
    assert "line 20 has changed" in failure
    assert str(file) in failure
    assert set(states(journal).values()) == {"created"}
    assert numbers(run) == list(range(20))


@pytest.mark.parametrize(
    "command",
    ["users.jsonl >> users.jsonl", "- < users.jsonl >> users.jsonl", "users.jsonl --journal out > out"],
)
def test_standard_output_must_not_be_the_input(run: Runner, server: Server, file: Path, command: str) -> None:
    file.write_text(metadata_lines(3))
    requests = server.requests
    result = subprocess.run(
        ["bash", "-c", f"ulimit -f 100; {shlex.join(COMMAND)} users import {command}"],
        cwd=file.parent,
        capture_output=True,
        text=True,
        env=environment(server),
        timeout=PATIENCE,
        check=False,
    )
    assert (result.returncode, server.requests) == (2, requests)
    assert "different files" in result.stderr
    assert file.read_text() == metadata_lines(3)


# ---------------------------------------------------------------- Reports


def test_equal_failures_are_grouped(run: Runner, file: Path) -> None:
    good, bad, other = metadata_lines(1), "not JSON\n", "[]\n"
    file.write_text(bad + good + bad + bad + other + good + bad + other)
    result = run("users", "import", str(file))
    assert result.code == 3
    told = result.err.splitlines()
    assert len(told) == 3
    assert told[0].startswith("argyle: lines 1, 3 to 4, 7: this is not JSON")
    assert told[1] == "argyle: lines 5, 8: this is not a JSON object"


def test_failures_that_differ_only_in_trace_ids_are_grouped(run: Runner, server: Server, file: Path) -> None:
    file.write_text(metadata_lines(30))
    server.fault(kind="error", status=422, method="POST")
    failures = file.with_name("failures")
    result = run("users", "import", str(file), "--failures", str(failures))
    assert result.code == 3
    told, _ = result.err.splitlines()
    assert told.startswith("argyle: lines 1 to 30: ")
    ids = [json.loads(text)["trace_id"] for text in failures.read_text().splitlines()]
    assert len(set(ids)) == 30
    shown = [trace_id for trace_id in ids if trace_id in told]
    assert 0 < len(shown) < 30
    assert f"and {30 - len(shown)} more" in told


def test_all_unknown_lines_are_named(run: Runner, server: Server, file: Path, journal: Path) -> None:
    file.write_text(metadata_lines(9))
    assert run("users", "import", str(file)).code == 0
    kept = entries(journal)
    for entry in kept:
        if entry.get("line") in (2, 3, 7):
            entry["state"] = "begun"
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in kept))
    result = run("users", "import", str(file))
    assert "3 unknown (lines 2 to 3, 7)" in result.err


# ---------------------------------------------------------------- The journal's own file


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_a_journal_is_a_regular_file(run: Runner, server: Server, tmp_path: Path, file: Path, kind: str) -> None:
    file.write_text(metadata_lines(2))
    other = Path("/dev/null")
    if kind == "fifo":
        other = tmp_path / "pipe"
        os.mkfifo(other)
    result = run("users", "import", str(file), "--journal", str(other))
    assert result.code == 2
    assert "--journal" in result.err
    assert server.count == 0


def test_a_journal_that_cannot_be_created_is_reported_with_a_solution(run: Runner, server: Server, file: Path) -> None:
    file.write_text(metadata_lines(2))
    file.with_name("users.jsonl.done").mkdir()
    result = run("users", "import", str(file))
    assert (result.code, server.count) == (1, 0)
    assert "--journal" in result.err
    assert run("users", "import", str(file), "--journal", str(file.with_name("journal"))).code == 0


def test_a_truncated_header_is_rewritten(run: Runner, server: Server, file: Path, journal: Path) -> None:
    file.write_text(metadata_lines(2))
    assert run("users", "import", str(file)).code == 0
    header = journal.read_bytes().split(b"\n")[0]
    server.control("DELETE", "/users")
    journal.write_bytes(header[:30])
    assert run("users", "import", str(file)).code == 0
    assert journal.read_bytes().split(b"\n")[0] == header
    assert numbers(run) == [0, 1]


@pytest.mark.parametrize("state", ["begun", "created"])
def test_a_last_entry_without_a_newline_is_kept(
    run: Runner, server: Server, file: Path, journal: Path, state: str
) -> None:
    file.write_text(metadata_lines(1))
    assert run("users", "import", str(file)).code == 0
    kept = entries(journal)
    last = max(index for index, entry in enumerate(kept) if entry.get("state") == state)
    texts = [json.dumps(entry, separators=(",", ":")) for entry in kept[: last + 1]]
    journal.write_text("\n".join(texts))
    again = run("users", "import", str(file))
    assert again.lines() == []
    assert states(journal) == {1: state}
    assert journal.read_text().startswith("\n".join(texts) + "\n")
    assert ("1 unknown (line 1)" in again.err) == (state == "begun")


def test_a_full_disk_ends_an_import_and_loses_nothing(run: Runner, server: Server, file: Path, journal: Path) -> None:
    file.write_text(metadata_lines(30))
    # The journal may use one kilobyte, which ends at the end of an entry only by chance.
    command = f'ulimit -f 1; exec {shlex.join(COMMAND)} users import "$0" --in-flight 4'
    result = subprocess.run(
        ["bash", "-c", command, str(file)],
        capture_output=True,
        text=True,
        env=environment(server),
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f"argyle: {journal}: File too large"
    assert "Traceback" not in result.stderr
    assert journal.read_bytes().endswith(b"\n")
    unknown = {number for number, state in states(journal).items() if state == "begun"}
    assert unknown
    assert f"{len(unknown)} unknown" in result.stderr
    created = {user["line"] for user in map(json.loads, result.stdout.splitlines())}
    assert created == {number for number, state in states(journal).items() if state == "created"}
    again = run("users", "import", str(file))
    assert {user["line"] for user in again.lines()} == set(range(1, 31)) - created - unknown
    assert len(numbers(run)) == len(set(numbers(run)))
