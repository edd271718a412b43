"""The options of both clients; the C library validates them."""

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
        """Stand-in that resolves to its argument, so that annotations can be evaluated without typing_extensions."""

        def __class_getitem__(cls, options):
            """Return the argument."""
            return options


__all__ = ["Changes", "Options", "Ordering", "Path", "Unpack", "copy_attributes", "native_options", "native_value"]

Path = Union[str, os.PathLike[str]]

#: By creation time: ascending or descending.
Ordering = Literal["created_at", "-created_at"]


class Options(TypedDict, total=False):
    """The options of a client; argyle.h documents each in full."""

    #: Argyle's hosts: ``"production"`` (default) or ``"sandbox"``.
    environment: Literal["production", "sandbox"]
    #: A server URL instead of an environment; ``http`` for loopback hosts only, unless ``allow_insecure_http``.
    base_url: str
    #: The version of Argyle's API; default 1.
    api_version: Literal[1, 2]
    #: Timeout of one attempt, including connecting, in milliseconds; default 30000.
    timeout_ms: int
    #: Timeout for DNS, connection and TLS handshake, in milliseconds; default 10000.
    connect_timeout_ms: int
    #: Timeout for an attempt that neither sends nor receives a byte, in milliseconds; default: none.
    stall_timeout_ms: int
    #: Deadline of a whole call, including retries and backoff, in milliseconds; default: none.
    deadline_ms: int
    #: Maximum number of retries after a transient failure; default 2.
    max_retries: int
    #: Maximum ``Retry-After`` to wait for, in milliseconds; a longer one fails the call at once. Default 60000.
    max_retry_after_ms: int
    #: Maximum size of a response body after decompression; default 16777216.
    max_response_bytes: int
    #: Maximum number of requests per second; default: unlimited.
    max_requests_per_second: float
    #: A PEM file of certificate authorities to trust instead of the system's, for the server but not for a proxy.
    ca_file: Path
    #: A proxy URL, or ``""`` for no proxy; default: from the environment, but no proxy for a loopback host.
    proxy: str
    #: A PEM file with the client certificate.
    client_certificate_file: Path
    #: A PEM file with the certificate's private key; default: ``client_certificate_file``.
    client_key_file: Path
    #: The private key's password.
    client_key_password: str
    #: Text to append to the User-Agent header.
    application: str
    #: Allow ``http`` to any host, which exposes the API key to the network.
    allow_insecure_http: bool


class Changes(Options, total=False):
    """The options that :meth:`argyle.Client.with_options` can change."""

    #: A different API key.
    key_id: str
    key_secret: str


def native_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Convert options to the C library's form; None means not given."""
    return {name: native_value(value) for name, value in given.items() if value is not None}


def copy_attributes(client: object, other: object) -> None:
    """Copy the attributes of another client of the same class, as copy.copy() does.

    Attributes that shadow a descriptor of the class, such as the value of a cached property, are not copied.
    """
    members: dict[str, Any] = {}
    for kind in reversed(type(client).__mro__):
        members.update(vars(kind))
    for name, value in vars(other).items():
        if not hasattr(members.get(name), "__get__"):
            vars(client)[name] = value
    for name, member in members.items():
        # From __slots__.
        if isinstance(member, MemberDescriptorType) and hasattr(other, name):
            member.__set__(client, member.__get__(other))


def native_value(value: Any) -> Any:
    """Convert a path to str, and clamp an integer to 64 bits, so that the C library can report the valid range."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return min(max(value, -(2**63)), 2**63 - 1) if isinstance(value, int) else value
