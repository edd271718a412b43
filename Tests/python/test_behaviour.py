"""Threads, processes, signals and the end of the interpreter, mostly in programs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Callable

import pytest

import argyle
from conftest import KEY_ID, KEY_SECRET, Sandbox

PRELUDE = """
import os, signal, sys, threading, time
import argyle
url = sys.argv[1]
client = argyle.Client("test-key", "canary-secret-5f2c", base_url=url, max_retries=0)
def later(seconds, number=signal.SIGINT):
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()
def raises(kind, call):
    begin = time.monotonic()
    try:
        call()
    except kind:
        assert time.monotonic() - begin < 30, "it was not ended"
        return
    raise SystemExit(f"{kind} did not come")
"""

Run = Callable[[str], str]


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    """Run a program against the sandbox; it ends by itself, well, and with nothing on its standard error."""

    def run(program: str) -> str:
        result = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", PRELUDE + program, sandbox.url],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, ""), result.stdout
        return result.stdout

    return run


def test_other_threads_run_during_a_call(sandbox: Sandbox, client: argyle.Client) -> None:
    """Python's lock is let go while a call waits."""
    sandbox.fault(kind="delay", milliseconds=500)
    thread = threading.Thread(target=client.users.list)
    thread.start()
    count = 0
    while thread.is_alive():
        count += 1
        time.sleep(0.001)
    assert count > 10


def test_a_client_is_shared_by_threads(client: argyle.Client) -> None:
    """Eight threads use one client, and each gets its own answers."""
    wrong: list[object] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                metadata = {"thread": number, "turn": turn}
                user = client.users.create(external_metadata=metadata)
                if client.users.get(user.id).external_metadata != metadata:
                    wrong.append(metadata)
        except BaseException as exception:
            wrong.append(exception)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == []
    assert client.users.list(limit=1).count == 160


def test_close_during_a_call(sandbox: Sandbox) -> None:
    """A call goes on when another thread closes its client."""
    client = argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url)
    sandbox.fault(kind="delay", milliseconds=500)
    pages: list[argyle.UserPage] = []
    thread = threading.Thread(target=lambda: pages.append(client.users.list()))
    thread.start()
    time.sleep(0.2)
    client.close()
    thread.join(60)
    assert len(pages) == 1
    with pytest.raises(argyle.ArgumentError):
        client.users.list()


def test_fork(run: Run) -> None:
    """A child is told that the client is its parent's; a new one works, and to let go of the old one harms nobody."""
    run("""
client.users.list()
pages = client.users.pages()
child = os.fork()
if child == 0:
    status = 1
    try:
        raises(argyle.ForkedError, client.users.list)
        raises(argyle.ForkedError, lambda: next(pages))
        raises(argyle.ForkedError, lambda: client.with_options(timeout_ms=1))
        new = argyle.Client("test-key", "canary-secret-5f2c", base_url=url)
        assert new.users.list().count == 0
        client.close()
        del client, pages
        import gc
        gc.collect()
        status = 0
    finally:
        os._exit(status)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert client.users.list().count == 0
""")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(sandbox: Sandbox, method: str, tmp_path: os.PathLike[str]) -> None:
    """Workers of each kind make clients of their own."""
    program = os.path.join(tmp_path, "program.py")
    with open(program, "w") as file:
        file.write(f"""
import argyle, multiprocessing, sys
def work(url):
    with argyle.Client({KEY_ID!r}, {KEY_SECRET!r}, base_url=url) as client:
        return client.users.create().id
if __name__ == "__main__":
    client = argyle.Client({KEY_ID!r}, {KEY_SECRET!r}, base_url=sys.argv[1])
    client.users.list()
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        ids = pool.map(work, [sys.argv[1]] * 6)
    assert sorted(ids) == sorted(user.id for user in client.users)
    assert len(ids) == 6
""")
    result = subprocess.run([sys.executable, program, sandbox.url], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")


STALLED = [
    "client.users.list()",
    "client.users.create()",
    "next(client.users.pages())",
    "list(client.users)",
]


@pytest.mark.parametrize("logged", ["", "import logging; logging.basicConfig(filename='/dev/null', level=0)\n"])
@pytest.mark.parametrize("call", STALLED)
def test_keyboard_interrupt(sandbox: Sandbox, run: Run, call: str, logged: str) -> None:
    """Ctrl-C ends what waits, and the client goes on."""
    sandbox.fault(kind="delay", milliseconds=60000, count=1)
    run(f"""
{logged}
later(0.5)
raises(KeyboardInterrupt, lambda: {call})
client.users.list()
""")


@pytest.mark.parametrize("call", STALLED)
def test_a_signal_handler_that_raises(sandbox: Sandbox, run: Run, call: str) -> None:
    """What a signal handler raises ends what waits, as an alarm does."""
    sandbox.fault(kind="delay", milliseconds=60000, count=1)
    run(f"""
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.5)
raises(Alarm, lambda: {call})
client.users.list()
""")


def test_a_signal_handler_that_does_not_raise(sandbox: Sandbox, run: Run) -> None:
    """A call goes on after a signal handler."""
    sandbox.fault(kind="delay", milliseconds=1500, count=1)
    run("""
rung = []
signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
signal.setitimer(signal.ITIMER_REAL, 0.3)
assert client.users.list().count == 0
assert len(rung) == 1 and time.monotonic() - rung[0] > 0.5, "it ran after the call only"
""")


def test_a_signal_handler_that_makes_a_call(sandbox: Sandbox, run: Run) -> None:
    """A signal handler may use the client that waits, and its call can be interrupted too."""
    sandbox.fault(kind="delay", milliseconds=2000, count=1, method="GET")
    run("""
made = []
signal.signal(signal.SIGALRM, lambda *_: made.append(client.users.create()))
signal.setitimer(signal.ITIMER_REAL, 0.3)
assert client.users.list().count is not None
assert len(made) == 1
""")
    sandbox.fault(kind="delay", milliseconds=60000, count=2)
    run("""
signal.signal(signal.SIGALRM, lambda *_: client.users.create())
signal.setitimer(signal.ITIMER_REAL, 0.3)
later(1)
raises(KeyboardInterrupt, client.users.list)
client.users.list()
""")


@pytest.mark.parametrize("logged", ["", "import logging; logging.basicConfig(filename='/dev/null', level=0)\n"])
def test_no_interrupt_is_lost(sandbox: Sandbox, run: Run, logged: str) -> None:
    """Of signals that come at any moment each one is raised, and nothing is printed."""
    run(f"""
{logged}
import random
# No Exception, which logging would swallow where it comes amid its own work.
class Alarm(BaseException): pass
rung = 0
def ring(*_):
    global rung
    rung += 1
    raise Alarm
signal.signal(signal.SIGALRM, ring)
client.users.list()
caught = 0
chance = random.Random(7)
for _ in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.004))
        for _ in range(5000):
            client.users.list()
    except Alarm:
        caught += 1
assert caught == rung == 200, (caught, rung)
client.users.list()
""")


@pytest.mark.parametrize("logged", ["", "import logging; logging.basicConfig(filename='/dev/null', level=0)\n"])
def test_exit_with_calls_under_way(sandbox: Sandbox, run: Run, logged: str) -> None:
    """The interpreter ends while daemon threads wait, or are in the midst of calls."""
    run(f"""
{logged}
def work():
    while True:
        client.users.list()
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.5)
""")
    sandbox.fault(kind="delay", milliseconds=60000)
    run(f"""
{logged}
for _ in range(4):
    threading.Thread(target=client.users.list, daemon=True).start()
time.sleep(0.5)
""")


def test_exit_with_everything_open(sandbox: Sandbox, run: Run) -> None:
    """What is not closed is no matter at the end, nor in a cycle."""
    sandbox.seed(300)
    run("""
pages = client.users.pages()
next(pages)
import builtins
builtins.kept = [client, pages]
builtins.kept.append(builtins.kept)
""")


def test_sub_interpreters_are_refused(run: Run) -> None:
    """A sub-interpreter gets one clear error, and the main one goes on."""
    output = run("""
try:
    import _interpreters as interpreters
    other = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    other = interpreters.create()
# orjson by itself makes Python 3.9 crash at its end, once it was imported in another interpreter.
interpreters.run_string(other, '''
import sys
sys.modules["orjson"] = None
import argyle
try:
    argyle.Client("a", "b")
except argyle.LibraryError as error:
    print(error)
''')
interpreters.destroy(other)
client.users.list()
""")
    assert "main interpreter" in output


def test_no_finalizer_methods() -> None:
    """Nothing has a __del__, which could run at any time in any thread."""
    from argyle import _abi, client, models

    for module in (_abi, client, models):
        assert not [value for value in vars(module).values() if hasattr(value, "__del__")]
