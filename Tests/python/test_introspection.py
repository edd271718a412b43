"""Introspection of the package: types at run time, completion, copies, subclasses, and mocks."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, Literal
from unittest import mock

import pytest

import argyle
from argyle import calls, errors
from conftest import KEY_ID, KEY_SECRET, copies

# ---------------------------------------------------------------- Types at run time


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public functions of a class, including those of properties and class methods."""
    for base in kind.__mro__:
        if not base.__module__.startswith("argyle"):
            continue
        for name, value in vars(base).items():
            function = getattr(value, "fget", getattr(value, "__func__", value))
            if isinstance(function, FunctionType) and (not name.startswith("_") or name.endswith("__")):
                yield f"{kind.__name__}.{name}", function


def public() -> Iterator[tuple[str, Any]]:
    """Yield all public classes and functions of the package."""
    for name in argyle.__all__:
        value = getattr(argyle, name)
        if isinstance(value, type):
            yield name, value
            yield from members(value)
    for name, function in vars(calls).items():
        if isinstance(function, FunctionType) and name in calls.__all__:
            yield f"calls.{name}", function


PUBLIC = dict(public())


def is_resolved(annotation: Any) -> bool:
    """Whether an annotation contains no unresolved name."""
    if isinstance(annotation, (str, typing.ForwardRef)):
        return False
    if typing.get_origin(annotation) is Literal:
        return True
    arguments = annotation if isinstance(annotation, list) else typing.get_args(annotation)
    return all(map(is_resolved, arguments))


def test_all_are_seen() -> None:
    assert {"Client", "Client.__init__", "AsyncClient.bulk", "User.created_at", "calls.get_user"} < set(PUBLIC)
    assert {"UserPage.from_document", "Error.body", "Sandbox.set_faults", "Options"} < set(PUBLIC)
    assert {"Address", "User.birth_date", "UserFields"} < set(PUBLIC)
    assert len(PUBLIC) > 120


def test_type_hints() -> None:
    """Everything has type annotations that can be evaluated at run time."""
    for name, value in PUBLIC.items():
        hints = typing.get_type_hints(value, include_extras=True)
        assert all(map(is_resolved, hints.values())), (name, hints)
        if not isinstance(value, type) and not is_generated(value):
            assert hints.keys() - {"self"} == inspect.signature(value).parameters.keys() - {"self", "cls"} | {
                "return"
            }, name


def is_generated(function: FunctionType) -> bool:
    """Whether dataclass generated the function."""
    return not Path(function.__code__.co_filename).is_relative_to(Path(argyle.__file__).parent)


if sys.version_info >= (3, 10):

    def test_signatures() -> None:
        """Signatures have types, too."""
        for name, value in PUBLIC.items():
            # A TypedDict has dict's constructor.
            if isinstance(value, type) and issubclass(value, dict):
                continue
            signature = inspect.signature(value, eval_str=True)
            annotations = [signature.return_annotation, *(each.annotation for each in signature.parameters.values())]
            assert all(map(is_resolved, annotations)), (name, signature)


def test_closed_sets() -> None:
    """An option with a closed set of values has a Literal type."""
    options = typing.get_type_hints(argyle.Options)
    assert options["environment"] == Literal["production", "sandbox"]
    assert options["api_version"] == Literal[1, 2]
    fault = typing.get_type_hints(argyle.Fault)
    assert fault["kind"] == Literal["rate_limit", "error", "body", "delay", "close"]
    assert fault["body"] == Literal["json", "not_json", "html", "empty", "cut", "array"]
    assert fault["when"] == Literal["before", "after"]
    assert fault["method"] == Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    paths = Literal["/v1/users", "/v1/users/{id}", "/v1/user-tokens", "/v2/users", "/v2/users/{id}", "/v2/user-tokens"]
    assert fault["path"] == paths
    ordering = Literal["created_at", "-created_at"]
    for kind in (argyle.Users, argyle.AsyncUsers):
        for function in (kind.list, kind.pages, kind.iterate):
            assert typing.get_type_hints(function)["ordering"] == typing.Optional[ordering]
    assert typing.get_type_hints(calls.list_users)["ordering"] == typing.Optional[ordering]


def test_closed_sets_are_checked(argyle_sandbox: argyle.Sandbox) -> None:
    """Invalid values are rejected by type checkers, which report needless ignore comments, and at run time."""
    with pytest.raises(argyle.ArgumentError):
        argyle.Client("id", "secret", environment="moon")  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(argyle.ArgumentError):
        argyle_sandbox.client().users.list(ordering="id")  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(argyle.SandboxError):
        argyle_sandbox.add_fault({"kind": "wrong"})  # type: ignore[typeddict-item]  # pyright: ignore


# ---------------------------------------------------------------- Completion


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("argyle.", {"Client", "AsyncClient", "NotFoundError", "calls"}),
        ("argyle.Client('id', 'secret').", {"bulk", "close", "user_tokens", "users", "with_options"}),
        ("argyle.Client('id', 'secret').users.", {"create", "get", "iterate", "list", "pages"}),
        ("argyle.Client('id', 'secret').users.create().", {"id", "token", "expires_at"}),
        ("argyle.Client('id', 'secret').with_options(timeout_ms=1).users.", {"create"}),
        ("with argyle.Client('id', 'secret') as client:\n    client.", {"users", "with_options"}),
        ("for user in argyle.Client('id', 'secret').users:\n    user.", {"created_at", "external_metadata"}),
        ("for result in argyle.Client('id', 'secret').bulk([]):\n    result.", {"call", "error", "value"}),
        ("async def main():\n    async with argyle.AsyncClient('id', 'secret') as client:\n        client.", {"users"}),
        ("argyle.Sandbox().client().users.", {"create"}),
        ("argyle.calls.", {"create_user", "list_users"}),
        ("argyle.Client('id', 'secret').users.get('id').", {"birth_date", "external_id", "items_connected"}),
        ("argyle.Client('id', 'secret').users.get('id').address.", {"city", "postal_code"}),
        (
            "class Mine(argyle.Client):\n    def mine(self): ...\nwith Mine('id', 'secret') as client:\n    client.",
            {"users"},
        ),
    ],
)
def test_completion(code: str, expected: set[str]) -> None:
    """An editor completes names without running the package."""
    jedi = pytest.importorskip("jedi")
    # In a separate process, because pytest hooks into imports here.
    environment = jedi.create_environment(sys.prefix, safe=False)
    script = jedi.Script(f"import argyle\n{code}", environment=environment)
    assert expected <= {completion.name for completion in script.complete()}


# ---------------------------------------------------------------- Values


def failure(name: str) -> argyle.Error:
    """Create an error with all attributes."""
    error: argyle.Error = getattr(errors, name)(f"a message of {name}")
    error.status, error.trace_id, error.body_bytes, error.attempts = 400, "trace", b'{"a": 1}', 3
    error.retry_after, error.is_retryable, error.outcome_unknown = 1.5, True, True
    return error


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_are_copied(name: str) -> None:
    """Copies keep all attributes."""
    error = failure(name)
    assert {error: 1}[error] == 1
    for other in copies(error):
        assert type(other) is type(error) and str(other) == str(error) and other.args == error.args
        assert vars(other) == vars(error) and other.body == {"a": 1}


CALLS: list[argyle.Call[Any]] = [
    calls.create_user(external_metadata={"group": "A"}, context=("row", 1)),
    calls.create_user(),
    calls.get_user("id"),
    calls.update_user("id", external_metadata=[1]),
    calls.create_user(external_id="7", address=argyle.Address(city="Springfield")),
    calls.update_user("id", fields={"later": 1}, birth_date=None),
    calls.list_users(limit=1, offset=2, ordering="created_at"),
    calls.list_users(cursor="c", external_id="7"),
    calls.delete_user("id"),
    calls.create_user_token("id"),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_calls_are_copied(client: argyle.Client, call: argyle.Call[Any]) -> None:
    """A call may be created in one process and made in another; calls compare by identity."""
    assert {call: 1}[call] == 1
    user = client.users.create()
    for other in copies(call):
        assert (other.name, other.user_id, other.context) == (call.name, call.user_id, call.context)
        (mine,), (copied,) = client.bulk([call]), client.bulk([other])
        assert type(mine.value) is type(copied.value) and type(mine.error) is type(copied.error)
    assert client.users.get(user.id).id == user.id


def test_an_invalid_call_is_copied(client: argyle.Client) -> None:
    """The copy is invalid, too."""
    for other in copies(calls.create_user(external_metadata=object())):
        (result,) = client.bulk([other])
        assert isinstance(result.error, argyle.ArgumentError)


def test_results_are_copied(client: argyle.Client) -> None:
    """Copies keep the value or the error."""
    user = client.users.create()
    made = [calls.get_user(user.id), calls.get_user("none"), calls.list_users(), calls.create_user_token(user.id)]
    for result in client.bulk(made):
        assert len({result, result}) == 1
        for other in copies(result):
            assert isinstance(other, argyle.BulkResult) and other.call.name == result.call.name
            assert other.value == result.value and str(other.error) == str(result.error)
            assert hash(other.value) == hash(result.value)


def test_objects_with_connections_are_not_copied(client: argyle.Client) -> None:
    """A copy would close the original's connections."""
    asynchronous = argyle.AsyncClient(KEY_ID, KEY_SECRET)
    for one in (client, asynchronous):
        for make in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot be copied or pickled"):
                make(one)


# ---------------------------------------------------------------- Subclasses and mocks


class Mine(argyle.Client):
    """A client with its own attributes."""

    def __init__(self, url: str) -> None:
        super().__init__(KEY_ID, KEY_SECRET, base_url=url, max_retries=0)
        self.tenant = "acme"

    def count(self) -> int:
        return self.users.list(limit=1).count or 0


class MyUsers(argyle.AsyncUsers):
    """Operations with an additional one."""

    async def count(self) -> int:
        return (await self.list(limit=1)).count or 0


class MyAsync(argyle.AsyncClient):
    """The same for an event loop."""

    def __init__(self, url: str) -> None:
        super().__init__(KEY_ID, KEY_SECRET, base_url=url, max_retries=0)
        self.tenant = "acme"

    @property
    def users(self) -> MyUsers:
        return MyUsers(self)


def test_subclasses(sandbox_url: str, client: argyle.Client) -> None:
    """with_options returns the subclass, with its own attributes."""
    client.users.create()
    with Mine(sandbox_url) as mine:
        mine.tenant = "other"
        changed: Mine = mine.with_options(timeout_ms=10_000)
        assert type(changed) is Mine and changed.tenant == "other" and changed.count() == mine.count() == 1
        with changed.with_options(timeout_ms=1000) as entered:
            assert entered.count() == 1 and entered.users is not changed.users
        assert changed.count() == 1


def test_asynchronous_subclasses(sandbox_url: str, client: argyle.Client) -> None:
    """The same in an event loop."""

    async def main() -> None:
        async with MyAsync(sandbox_url) as mine:
            changed: MyAsync = mine.with_options(timeout_ms=10_000)
            assert type(changed) is MyAsync and changed.tenant == "acme"
            async with changed as entered:
                assert await entered.users.count() == await mine.users.count() == 1

    client.users.create()
    asyncio.run(main())


class _Slotted:
    __slots__ = ("left_out", "region")


class Rich(_Slotted, argyle.Client):
    """A client with every kind of attribute."""

    tenant = "none"

    def __init__(self, url: str) -> None:
        super().__init__(KEY_ID, KEY_SECRET, base_url=url)
        self.tenant = "acme"
        self.region = "north"

    @functools.cached_property
    def directory(self) -> "list[argyle.Client]":
        return [self]


class RichAsync(_Slotted, argyle.AsyncClient):
    """The same for an event loop."""

    tenant = "none"

    def __init__(self, url: str) -> None:
        super().__init__(KEY_ID, KEY_SECRET, base_url=url)
        self.tenant = "acme"
        self.region = "north"

    @functools.cached_property
    def directory(self) -> "list[argyle.AsyncClient]":
        return [self]


@pytest.mark.parametrize("kind", [Rich, RichAsync])
def test_with_options_copies_attributes(sandbox_url: str, kind: Any) -> None:
    """Attributes are copied, except those that shadow the class's own: cached values, replaced methods."""
    first = kind(sandbox_url)
    assert first.directory == [first]
    with mock.patch.object(first, "bulk"), mock.patch.object(first.users, "create"):
        changed = first.with_options(timeout_ms=1000)
    assert (changed.tenant, changed.region, hasattr(changed, "left_out")) == ("acme", "north", False)
    assert changed.directory == [changed] and first.directory == [first]
    assert not isinstance(changed.bulk, mock.Mock) and not isinstance(changed.users.create, mock.Mock)


def test_sandboxes_of_a_subclass() -> None:
    """The with block returns the subclass."""

    class MySandbox(argyle.Sandbox):
        def count(self) -> int:
            return self.client().users.list().count or 0

    with MySandbox() as sandbox:
        assert sandbox.count() == 0


def test_methods_can_be_replaced(sandbox_url: str) -> None:
    """A client's operations are always the same object."""
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url) as client:
        with mock.patch.object(client.users, "create", return_value="made"):
            assert client.users.create() == "made"  # type: ignore[comparison-overlap]
        with mock.patch.object(client.user_tokens, "create", return_value="made"):
            assert client.user_tokens.create("id") == "made"  # type: ignore[comparison-overlap]
        assert isinstance(client.users.create(), argyle.NewUser)
        assert client.users is client.users and client.user_tokens is client.user_tokens
    assert client.users is client.users
    asynchronous = argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=sandbox_url)
    assert asynchronous.users is asynchronous.users and asynchronous.user_tokens is asynchronous.user_tokens
    for kind in (argyle.Client, argyle.AsyncClient):
        assert "users" in dir(mock.create_autospec(kind))


def test_internals_are_not_copied(sandbox_url: str) -> None:
    """An object with connections or a server raises an error that says so if it is pickled or copied."""
    client = argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url)
    asynchronous = argyle.AsyncClient(KEY_ID, KEY_SECRET, base_url=sandbox_url)
    with argyle.Sandbox() as sandbox:
        for one in (
            client,
            client.users,
            client.user_tokens,
            client.users.pages(),
            asynchronous,
            asynchronous.users,
            asynchronous.user_tokens,
            asynchronous.users.pages(),
            sandbox,
        ):
            for copying in (copy.deepcopy, pickle.dumps):
                with pytest.raises(TypeError, match="cannot be copied or pickled"):
                    copying(one)


def test_values_of_subclasses_are_copied() -> None:
    """Copies of instances of a subclass are of the subclass."""
    raw = {"id": "1", "token": "t", "access": "a"}
    for kind in (MyUser, MyNewUser, MyToken):
        value: Any = kind(raw)
        for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert type(again) is kind and again == value


class MyUser(argyle.User):
    """A user of a subclass."""


class MyNewUser(argyle.NewUser):
    """The same."""


class MyToken(argyle.UserToken):
    """The same."""


@pytest.mark.parametrize("kind", [argyle.Client, argyle.AsyncClient])
def test_subclass_without_super_init(kind: Any) -> None:
    """A subclass that does not call super().__init__() gets an error that says so."""

    class Forgetful(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

    client: Any = Forgetful()
    for use in (
        client.users.pages,
        lambda: client.bulk([]),
        lambda: client.with_options(timeout_ms=1),
    ):
        with pytest.raises(argyle.ArgumentError, match=r"must call super\(\).__init__\(\)"):
            use()
