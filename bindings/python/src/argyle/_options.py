"""The options of both kinds of client, which the C library checks."""

from __future__ import annotations

import os
import sys
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Literal, Mapping, TypedDict, Union

if sys.version_info >= (3, 11):
    from typing import Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack
else:

    class Unpack:
        """Stands for its argument: annotations can be read at run time without typing_extensions too."""

        def __class_getitem__(cls, options):
            """Give the options themselves."""
            return options


__all__ = ["Changes", "Options", "Ordering", "Path", "Unpack", "options", "plain", "take_over"]

Path = Union[str, os.PathLike[str]]

#: The oldest or the newest first.
Ordering = Literal["created_at", "-created_at"]


class Options(TypedDict, total=False):
    """The options of a client; the C library has the defaults, and documents each in argyle.h."""

    #: ``"production"`` (default) or ``"sandbox"``: Argyle's hosts.
    environment: Literal["production", "sandbox"]
    #: The server, in place of an environment: ``http`` for loopback hosts only, unless ``allow_insecure_http``.
    base_url: str
    #: The time of one attempt, connecting included, in milliseconds; default 30000.
    timeout_ms: int
    #: The time to resolve, connect and secure, in milliseconds; default 10000.
    connect_timeout_ms: int
    #: The longest time in which no byte of an attempt comes or goes, in milliseconds; default: none.
    stall_timeout_ms: int
    #: The time of a whole call, across attempts and the waits between them, in milliseconds; default: none.
    deadline_ms: int
    #: How often a call is repeated after a failure that may pass; default 2.
    max_retries: int
    #: Where the service asks for a longer wait, the failure is told at once, in milliseconds; default 60000.
    max_retry_after_ms: int
    #: The largest answer after decompression; default 16777216.
    max_response_bytes: int
    #: How many requests a second are made at the most; default: no limit.
    max_requests_per_second: float
    #: A PEM file of the certificate authorities to trust instead of the system's.
    ca_file: Path
    #: A proxy's URL, ``""`` for none; default: the environment's, but none for a loopback host.
    proxy: str
    #: A PEM file of the certificate to show to the server.
    client_certificate_file: Path
    #: A PEM file of that certificate's key; default: it is in the certificate's file.
    client_key_file: Path
    #: The password of that key.
    client_key_password: str
    #: What is added to the User-Agent header.
    application: str
    #: Allow http to any host, which shows the key to the network.
    allow_insecure_http: bool


class Changes(Options, total=False):
    """The options that :meth:`argyle.Client.with_options` can change."""

    #: Another API key.
    key_id: str
    key_secret: str


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give options as the C library takes them: None stands for one that is not given."""
    return {name: plain(value) for name, value in given.items() if value is not None}


def take_over(client: object, other: object) -> None:
    """Give a client the attributes of another one of its class, as copy.copy() does.

    But for those in place of what the class has, such as the value of a cached property: they belong to the other one.
    """
    members: dict[str, Any] = {}
    for kind in reversed(type(client).__mro__):
        members.update(vars(kind))
    for name, value in vars(other).items():
        if not hasattr(members.get(name), "__get__"):
            vars(client)[name] = value
    for name, member in members.items():
        # Of __slots__.
        if isinstance(member, MemberDescriptorType) and hasattr(other, name):
            member.__set__(client, member.__get__(other))


def plain(value: Any) -> Any:
    """Give a value as JSON has it, and an integer beyond 64 bits as one at the end, whose range the C library tells."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return min(max(value, -(2**63)), 2**63 - 1) if isinstance(value, int) else value
