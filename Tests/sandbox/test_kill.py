"""SIGKILL in the middle of writes, many times: no acknowledged write is lost."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

import pytest
from conftest import Sandbox, Starter

ROUNDS = 25
WRITERS = 4


class Deleted:
    """The state of a deleted user."""

    def __repr__(self) -> str:
        return "deleted"


DELETED = Deleted()
State = Union[str, Deleted]


@dataclass
class Writer:
    """A client with its own users, which records what was acknowledged about them."""

    random: random.Random
    # The acknowledged state of each user: their metadata, or that they are deleted.
    acknowledged: dict[str, State] = field(default_factory=dict)
    # The user of the unacknowledged last write before the kill, and the state if it was carried out.
    unknown: tuple[str, State] | None = None
    # The metadata of unacknowledged creates, in this and earlier rounds.
    unanswered_creates: set[str] = field(default_factory=set)
    writes: int = 0
    serial: int = 0

    def metadata(self) -> str:
        """Returns unique metadata, in sizes that fill pages unevenly."""
        self.serial += 1
        size = self.random.choice([0, 10, 300, 9000])
        return f"{id(self)}-{self.serial}-" + "x" * size

    def write_until_killed(self, sandbox: Sandbox, limit: int) -> None:
        connection = sandbox.connect()
        try:
            for _ in range(limit):
                self.write(sandbox, connection)
                self.writes += 1
        except (OSError, http.client.HTTPException):
            # The kill came before the response: the write may or may not have been carried out.
            pass
        finally:
            connection.close()

    def write(self, sandbox: Sandbox, connection: http.client.HTTPConnection) -> None:
        living = [user for user, state in self.acknowledged.items() if state is not DELETED]
        kind = self.random.random()
        if kind < 0.5 or not living:
            metadata = self.metadata()
            self.unanswered_creates.add(metadata)
            answer = sandbox.send("POST", "/v1/users", body(metadata), connection=connection)
            assert answer.status == 201
            self.acknowledged[answer.json["id"]] = metadata
            self.unanswered_creates.remove(metadata)
            return
        user = self.random.choice(living)
        state: State = self.metadata() if kind < 0.8 else DELETED
        self.unknown = (user, state)
        if isinstance(state, Deleted):
            answer = sandbox.send("DELETE", f"/v1/users/{user}", connection=connection)
            assert answer.status == 204
        else:
            answer = sandbox.send("PATCH", f"/v1/users/{user}", body(state), connection=connection)
            assert answer.status == 200
        self.acknowledged[user] = state
        self.unknown = None

    def check(self, found: dict[str, str]) -> None:
        """Removes this client's users from those found; fails if one is not as acknowledged."""
        if self.unknown is not None:
            user, state = self.unknown
            if found.get(user, DELETED) == state:
                self.acknowledged[user] = state
            self.unknown = None
        for user, state in self.acknowledged.items():
            assert found.pop(user, DELETED) == state
        for user in [user for user, metadata in found.items() if metadata in self.unanswered_creates]:
            # The user was created despite the missing response, once.
            self.unanswered_creates.remove(found[user])
            self.acknowledged[user] = found.pop(user)


def body(metadata: str) -> bytes:
    return json.dumps({"external_metadata": metadata}).encode()


def all_users(sandbox: Sandbox) -> dict[str, str]:
    users: dict[str, str] = {}
    target = "/v1/users?limit=200&ordering=created_at"
    while target:
        page = sandbox.send("GET", target).json
        users.update((user["id"], user["external_metadata"]) for user in page["results"])
        target = (page["next"] or "")[len(sandbox.url):]
    assert page["count"] == len(users)
    return users


def assert_sound(path: Path, copy: Path) -> None:
    """Checks a copy of the files after the kill: opening the originals would recover them before the sandbox does."""
    copy.mkdir()
    for file in path.parent.glob(path.name + "*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, copy)
    with sqlite3.connect(copy / path.name) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept, = database.execute("SELECT users FROM user_count").fetchone()
        assert database.execute("SELECT count(*) FROM users").fetchone() == (kept,)
    database.close()
    shutil.rmtree(copy)


def test_kill_in_the_middle_of_writes(
    start: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "users.sqlite"
    generator = random.Random(9)
    writers = [Writer(random.Random(seed)) for seed in range(WRITERS)]
    cut = 0
    for _ in range(ROUNDS):
        sandbox = start("--database", str(path))
        threads = [
            threading.Thread(target=writer.write_until_killed, args=(sandbox, 100_000))
            for writer in writers
        ]
        begun = sum(writer.writes for writer in writers)
        for thread in threads:
            thread.start()
        # Killed in the middle: some writes are acknowledged, and all writers are still writing.
        threading.Event().wait(generator.uniform(0.05, 0.4))
        while sum(writer.writes for writer in writers) < begun + WRITERS:
            threading.Event().wait(0.01)
        assert all(thread.is_alive() for thread in threads)
        sandbox.kill()
        for thread in threads:
            thread.join()
        cut += sum(writer.unknown is not None for writer in writers)
        assert_sound(path, tmp_path / "copy")

        sandbox = start("--database", str(path))
        found = all_users(sandbox)
        for writer in writers:
            writer.check(found)
        assert found == {}
        sandbox.stop()

    users = sum(len(writer.acknowledged) for writer in writers)
    deleted = sum(state is DELETED for writer in writers for state in writer.acknowledged.values())
    writes = sum(writer.writes for writer in writers)
    unanswered = cut + sum(len(writer.unanswered_creates) for writer in writers)
    with capsys.disabled():
        print(
            f"\n{ROUNDS} kills, {writes} acknowledged writes ({users} users created, {deleted} deleted), "
            f"none lost; at least {unanswered} writes cut before their answer")
    assert writes > ROUNDS * WRITERS
