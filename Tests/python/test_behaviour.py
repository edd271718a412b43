"""Threads, processes, signals and interpreter exit, mostly in separate programs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Callable

import pytest

import argyle
from conftest import FOREVER_MS, KEY_ID, KEY_SECRET, PATIENCE, Sandbox, wait_until

# The sandbox's delays are much longer than the program may take: a call that is not ended hangs.
PRELUDE = """
import json, os, signal, sys, threading, time, urllib.request
import argyle
url = sys.argv[1]
client = argyle.Client("test-key", "canary-secret-5f2c", base_url=url, max_retries=0, timeout_ms=600_000)
def faults(method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url + "/_sandbox/faults", method=method)) as answer:
        return json.loads(answer.read() or "null")
def wait_for_strikes(left=0):
    "Wait until the faults are to strike so often still: what they have struck waits."
    while sum(fault["count"] for fault in faults()) > left:
        time.sleep(0.01)
def later(number=signal.SIGINT, left=0):
    "Send a signal then."
    def send():
        wait_for_strikes(left)
        os.kill(os.getpid(), number)
    threading.Thread(target=send).start()
def raises(kind, call):
    try:
        call()
    except kind:
        return
    raise SystemExit(f"{kind} did not come")
"""

Run = Callable[[str], str]


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    """Run a program against the sandbox; it must exit with 0 and print nothing on standard error."""

    def run(program: str) -> str:
        result = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", PRELUDE + program, sandbox.url],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, ""), result.stdout
        return result.stdout

    return run


def test_other_threads_run_during_a_call(sandbox: Sandbox, client: argyle.Client) -> None:
    """A blocking call releases the GIL."""
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS, count=1)
    pages: list[argyle.UserPage] = []
    thread = threading.Thread(target=lambda: pages.append(client.users.list()))
    thread.start()
    wait_until(lambda: not sandbox.faults())
    sandbox.clear_faults()
    thread.join(PATIENCE)
    assert len(pages) == 1


def test_a_client_is_shared_by_threads(client: argyle.Client) -> None:
    """Eight threads use one client, and each gets its own responses."""
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
        thread.join(PATIENCE)
    assert wrong == []
    assert client.users.list(limit=1).count == 160


def test_close_during_a_call(sandbox: Sandbox) -> None:
    """A call continues when another thread closes its client."""
    client = argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url)
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS, count=1)
    pages: list[argyle.UserPage] = []
    thread = threading.Thread(target=lambda: pages.append(client.users.list()))
    thread.start()
    wait_until(lambda: not sandbox.faults())
    client.close()
    sandbox.clear_faults()
    thread.join(PATIENCE)
    assert len(pages) == 1
    with pytest.raises(argyle.ArgumentError):
        client.users.list()


def test_fork(run: Run) -> None:
    """In a forked child the client raises ForkedError; a new one works, and releasing the old one is harmless."""
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
    """Workers of each start method can create clients."""
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
    result = subprocess.run([sys.executable, program, sandbox.url], capture_output=True, text=True, timeout=PATIENCE)
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
    """Ctrl-C ends a blocking call, and the client stays usable."""
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS, count=1)
    run(f"""
{logged}
later()
raises(KeyboardInterrupt, lambda: {call})
client.users.list()
""")


@pytest.mark.parametrize("call", STALLED)
def test_a_signal_handler_that_raises(sandbox: Sandbox, run: Run, call: str) -> None:
    """An exception raised by a signal handler, such as for an alarm, ends a blocking call."""
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS, count=1)
    run(f"""
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring)
later(signal.SIGALRM)
raises(Alarm, lambda: {call})
client.users.list()
""")


def test_a_signal_handler_that_does_not_raise(sandbox: Sandbox, run: Run) -> None:
    """A call continues after a signal handler that runs during the call, without which it would not end here."""
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS, count=1)
    run("""
rung = []
signal.signal(signal.SIGALRM, lambda *_: rung.append(faults("DELETE")))
later(signal.SIGALRM)
assert client.users.list().count == 0
assert len(rung) == 1
""")


def test_a_signal_handler_that_makes_a_call(sandbox: Sandbox, run: Run) -> None:
    """A signal handler may use the client of the blocking call, and its own call can be interrupted too."""
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS, count=1, method="GET")
    run("""
made = []
def ring(*_):
    made.append(client.users.create())
    faults("DELETE")
signal.signal(signal.SIGALRM, ring)
later(signal.SIGALRM)
assert client.users.list().count is not None
assert len(made) == 1
""")
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS, count=2)
    run("""
signal.signal(signal.SIGALRM, lambda *_: client.users.create())
later(signal.SIGALRM, left=1)
later()
raises(KeyboardInterrupt, client.users.list)
client.users.list()
""")


@pytest.mark.parametrize("logged", ["", "import logging; logging.basicConfig(filename='/dev/null', level=0)\n"])
def test_no_interrupt_is_lost(sandbox: Sandbox, run: Run, logged: str) -> None:
    """Signals may arrive at any time: each one raises its exception, and nothing is printed."""
    run(f"""
{logged}
import random
# Not an Exception, which logging would swallow inside a handler.
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


RUNS_THAT_MOVE = {
    "bulk": """
def begin():
    # The first is rejected immediately, while the other is in flight.
    results = client.bulk([argyle.calls.get_user(""), argyle.calls.list_users()])
    next(results)
    return lambda: list(results)
""",
    "loop": """
import asyncio
def begin():
    one = argyle.AsyncClient("test-key", "canary-secret-5f2c", base_url=url, max_retries=0)
    loop = asyncio.new_event_loop()
    task = loop.create_task(one.users.list())
    loop.run_until_complete(asyncio.sleep(0))
    def go_on():
        loop.run_until_complete(task)
        loop.run_until_complete(one.aclose())
        loop.close()
    return go_on
""",
}


@pytest.mark.parametrize("kind", RUNS_THAT_MOVE)
def test_objects_used_by_another_thread_do_not_affect_the_main_thread(sandbox: Sandbox, run: Run, kind: str) -> None:
    """While another thread uses an object of the main thread, the main thread's call continues and is logged."""
    sandbox.fault(kind="delay", method="POST", count=1, milliseconds=FOREVER_MS)
    run(f"""
import logging
{RUNS_THAT_MOVE[kind]}
asked = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: asked.set())
records = []
class Handler(logging.Handler):
    def emit(self, record):
        records.append(threading.current_thread())
        if other is threading.current_thread() and not asked.is_set():
            # The main thread's call lets Python's signal handlers run.
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            asked.wait(10)
            faults("DELETE")
logging.getLogger("argyle").addHandler(Handler())
logging.getLogger("argyle").setLevel(logging.DEBUG)
other = None
go_on = begin()
def follow():
    wait_for_strikes()
    go_on()
other = threading.Thread(target=follow)
other.start()
records.clear()
client.users.create()
assert asked.is_set()
other.join()
assert records.count(threading.main_thread()) == 1, records
""")


BELL = """
import asyncio, ctypes, gc, weakref
class Alarm(BaseException): pass
rung = caught = 0
def ring(*_):
    global rung
    rung += 1
    raise Alarm
signal.signal(signal.SIGUSR1, ring)
class Bell(weakref.ref):
    "Sends a signal when an object ends, in C, and before all else that happens then."
    _as_parameter_ = int(signal.SIGUSR1)
strike = getattr(ctypes.CDLL(None), "raise")
strike.argtypes = [ctypes.c_int]
def drop(make):
    global caught
    one = make()
    bell = Bell(one, strike)
    try:
        del one
        # The handler runs here at the latest.
        for _ in range(3):
            pass
    except Alarm:
        caught += 1
    assert bell() is None
def drop_cycle(make):
    global caught
    cycle = [make()]
    cycle.append(cycle)
    bell = Bell(cycle[0], strike)
    try:
        del cycle
        gc.collect()
        for _ in range(3):
            pass
    except Alarm:
        caught += 1
    assert bell() is None
def drop_each(*makes):
    gc.collect()
    gc.disable()
    for make in makes:
        for way in (drop, drop_cycle):
            for _ in range(3):
                before = caught
                way(make)
                assert caught == rung == before + 1, (make, way, caught, rung)
    gc.enable()
"""


@pytest.mark.parametrize("logged", ["", "import logging; logging.basicConfig(filename='/dev/null', level=0)\n"])
def test_no_interrupt_is_lost_in_a_finalizer(sandbox: Sandbox, run: Run, logged: str) -> None:
    """The exception of a signal that arrives during a release is raised where the program continues."""
    sandbox.seed(300)
    run(f"""
{logged}
{BELL}
def new():
    return argyle.Client("test-key", "canary-secret-5f2c", base_url=url)
def used():
    one = new()
    one.with_options(max_retries=0).users.list()
    one.users.list()
    return one
def begun(iterator):
    next(iterator)
    return iterator
users = client.users
lists = [argyle.calls.list_users()] * 5
drop_each(
    new,
    used,
    lambda: used().with_options(timeout_ms=1000),
    lambda: used().users,
    users.pages,
    lambda: begun(users.pages()),
    users.iterate,
    lambda: begun(users.iterate()),
    lambda: client.bulk(lists),
    lambda: begun(client.bulk(lists, in_flight=2)),
    lambda: begun(used().bulk(lists)),
    argyle.Sandbox,
)
client.users.list()
""")


def test_no_interrupt_is_lost_in_a_finalizer_of_an_event_loop(run: Run) -> None:
    """The same for an asynchronous client, without effects on its event loop."""
    run(f"""
{BELL}
def new():
    return argyle.AsyncClient("test-key", "canary-secret-5f2c", base_url=url)
async def main():
    used = [new() for _ in range(24)]
    changed = [one.with_options(max_retries=0) for one in used[12:]]
    for one in used:
        await one.users.list()
    for one in changed:
        await one.users.list()
    await asyncio.sleep(0)
    one = new()
    async def step(pages):
        return await pages.__anext__()
    def amid(coroutine):
        coroutine.send(None)
        return coroutine
    drop_each(new, used.pop, changed.pop, lambda: new().users)
    # Older Pythons run signal handlers wherever an exception is caught, such as in a coroutine that is being released.
    if sys.version_info >= (3, 11):
        drop_each(lambda: amid(one.users.list()), lambda: amid(step(one.users.pages())))
    await one.users.list()
asyncio.run(main())
""")


def test_no_interrupt_is_lost_while_objects_are_released(sandbox: Sandbox, run: Run) -> None:
    """Signals may arrive at any time while clients, iterators and bulk runs are created and released."""
    sandbox.seed(3)
    run(f"""
{BELL}
import random
signal.signal(signal.SIGALRM, ring)
chance = random.Random(7)
lists = [argyle.calls.list_users()] * 3
def use():
    argyle.Client("test-key", "canary-secret-5f2c", base_url=url)
    next(client.users.pages())
    next(client.users.iterate())
    next(client.bulk(lists))
use()
for _ in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.003))
        for _ in range(5000):
            use()
    except Alarm:
        caught += 1
assert caught == rung == 300, (caught, rung)
client.users.list()
""")


def test_nothing_leaks_when_a_signal_comes_right_after_c(sandbox: Sandbox, run: Run) -> None:
    """An object that C has just created is released if a signal's exception arrives before Python owns it."""
    run(f"""
{BELL}
import logging
from argyle import _abi
library, sandbox_library = _abi.library(), _abi.sandbox_library()
is_armed = False
freed = []
bells = []
class Last:
    "Sends a signal as a function of C's ends that it is the last argument of."
    @classmethod
    def from_param(cls, error):
        argument = ctypes.pointer(getattr(error, "_obj", error))
        if is_armed:
            bells.append(Bell(argument, strike))
        return argument
def free_by(name, function):
    def free(pointer):
        freed.append(name)
        function(pointer)
    return free
for functions in (library, sandbox_library):
    for name, function in vars(functions).items():
        if name in ("client_free", "cursor_free", "queue_free", "free"):
            setattr(functions, name, free_by(name, function))
def new():
    return argyle.Client("test-key", "canary-secret-5f2c", base_url=url)
one = new()
logged = new()
gc.disable()
for functions, maker, make, freer, count in (
    (library, "client_new_text", new, "client_free", 1),
    (library, "client_with_text", lambda: one.with_options(max_retries=0), "client_free", 1),
    (library, "client_with_interrupt", one.users.list, "client_free", 1),
    # It is created from one that can be interrupted.
    (library, "client_with_log", logged.users.list, "client_free", 2),
    (library, "cursor_new_text", one.users.pages, "cursor_free", 1),
    (library, "queue_new_text", lambda: one.bulk([]), "queue_free", 1),
    (sandbox_library, "start", argyle.Sandbox, "free", 1),
):
    function = getattr(functions, maker)
    types = function.argtypes
    function.argtypes = (*types[:-1], Last)
    if maker == "client_with_log":
        logging.basicConfig(filename="/dev/null", level=0)
    freed.clear()
    is_armed = True
    try:
        make()
    except Alarm:
        caught += 1
    is_armed = False
    function.argtypes = types
    assert freed.count(freer) == count, (maker, freed)
    make()
assert caught == rung == 7
""")


@pytest.mark.parametrize("logged", ["", "import logging; logging.basicConfig(filename='/dev/null', level=0)\n"])
def test_exit_with_calls_in_flight(sandbox: Sandbox, run: Run, logged: str) -> None:
    """The interpreter exits while daemon threads wait or make calls."""
    run(f"""
{logged}
made = [0] * 4
def work(number):
    while True:
        client.users.list()
        made[number] += 1
for number in range(4):
    threading.Thread(target=work, args=(number,), daemon=True).start()
while min(made) < 3:
    time.sleep(0.001)
""")
    sandbox.fault(kind="delay", milliseconds=FOREVER_MS, count=4)
    run(f"""
{logged}
for _ in range(4):
    threading.Thread(target=client.users.list, daemon=True).start()
wait_for_strikes()
""")


def test_exit_with_everything_open(sandbox: Sandbox, run: Run) -> None:
    """Open objects do no harm at exit, even in reference cycles."""
    sandbox.seed(300)
    run("""
pages = client.users.pages()
next(pages)
import builtins
builtins.kept = [client, pages]
builtins.kept.append(builtins.kept)
""")


def test_subinterpreters_are_rejected(run: Run) -> None:
    """A subinterpreter gets one clear error, and the main interpreter stays usable."""
    output = run("""
try:
    import _interpreters as interpreters
    other = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    other = interpreters.create()
# orjson makes Python 3.9 crash at exit once it was imported in another interpreter.
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
    """No class has a __del__, which could run at any time in any thread."""
    from argyle import client, models

    client.Client("id", "secret", base_url="http://127.0.0.1:1").close()
    modules = [module for name, module in sys.modules.items() if name.startswith("argyle._abi")]
    assert modules
    for module in (*modules, client, models):
        assert not [value for value in vars(module).values() if hasattr(value, "__del__")]
