"""An HTTP/2 server that sends the frames that a test specifies, in any order."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, PingAckReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, RstStreamFrame

TIMEOUT = 60


@dataclass
class Request:
    """A request, or the part of it that was read before the server responded."""

    # The connection's number, from 0, and the HTTP/2 stream's.
    connection: int
    stream: int
    method: str = ""
    body: bytes = b""


class Closed(Exception):
    """The client has closed the connection, or the server is about to close it."""


@dataclass
class Connection:
    """A connection, served by its own thread."""

    server: Http2Server
    socket: ssl.SSLSocket
    number: int
    events: deque[Event] = field(default_factory=deque)
    requests: dict[int, Request] = field(default_factory=dict)
    # Bytes to be sent by the next flush.
    output: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False))

    def send(self, frame: Frame) -> None:
        """Queues a frame for the next flush."""
        self.output += frame.serialize()

    def flush(self) -> None:
        """Sends the queued bytes in one piece."""
        output, self.output = bytes(self.output), bytearray()
        self.socket.sendall(output)

    def receive(self) -> None:
        """Reads from the socket; waits if nothing has been received."""
        data = self.socket.recv(65536)
        if not data:
            raise Closed
        try:
            self.events += self.h2.receive_data(data)
        except ProtocolError:
            # The rest of a request that the server responded to early.
            if self.server.responds_early:
                raise Closed from None
            raise
        self.output += self.h2.data_to_send()

    def synchronize(self) -> None:
        """Waits until the client has read everything, by a ping."""
        self.h2.ping(struct.pack(">q", len(self.requests)))
        self.output += self.h2.data_to_send()
        self.flush()
        while not any(isinstance(event, PingAckReceived) for event in self.events):
            self.receive()
        self.events = deque(event for event in self.events if not isinstance(event, PingAckReceived))

    def serve(self) -> None:
        """Serves requests until the connection is closed."""
        self.h2.initiate_connection()
        self.output += self.h2.data_to_send()
        self.flush()
        while True:
            while self.events:
                self.handle(self.events.popleft())
            self.flush()
            self.receive()

    def handle(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            request = Request(self.number, event.stream_id, dict(event.headers)[b":method"].decode())
            self.requests[event.stream_id] = request
            if self.server.responds_early:
                self.server.respond(self, request)
        elif isinstance(event, DataReceived):
            self.requests[event.stream_id].body += event.data
            if not self.server.responds_early:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.output += self.h2.data_to_send()
        elif isinstance(event, StreamEnded) and not self.server.responds_early:
            self.server.respond(self, self.requests[event.stream_id])


# A step of a response.
Action = Callable[[Connection, Request], None]


def headers(status: int = 200, *fields: tuple[str, str], end: bool = False) -> Action:
    """Sends the headers of a response."""

    def act(connection: Connection, request: Request) -> None:
        frame = HeadersFrame(request.stream)
        frame.data = connection.h2.encoder.encode([(":status", str(status)), *fields])
        frame.flags.add("END_HEADERS")
        if end:
            frame.flags.add("END_STREAM")
        connection.send(frame)

    return act


def data(text: str, end: bool = False) -> Action:
    """Sends a part of the body."""

    def act(connection: Connection, request: Request) -> None:
        frame = DataFrame(request.stream, text.encode())
        if end:
            frame.flags.add("END_STREAM")
        connection.send(frame)

    return act


def reset(code: int) -> Action:
    """Sends RST_STREAM."""
    return lambda connection, request: connection.send(RstStreamFrame(request.stream, error_code=code))


def go_away(last_stream: Callable[[Request], int], code: int = 0) -> Action:
    """Sends GOAWAY. `last_stream` computes the last accepted stream from the request."""
    return lambda connection, request: connection.send(
        GoAwayFrame(0, last_stream_id=last_stream(request), error_code=code)
    )


def synchronize(connection: Connection, request: Request) -> None:
    """Waits until the client has read everything that was sent."""
    connection.synchronize()


def close(connection: Connection, request: Request) -> None:
    """Closes the connection gracefully: reads until the client closes it, because unread bytes would cause a reset."""
    connection.flush()
    connection.socket.shutdown(socket.SHUT_WR)
    while connection.socket.recv(65536):
        pass
    raise Closed


def reset_connection(connection: Connection, request: Request) -> None:
    """Resets the connection."""
    connection.flush()
    # With a linger time of 0, closing the socket sends RST.
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Closed


def send(frame: Callable[[Request], bytes]) -> Action:
    """Sends raw bytes."""

    def act(connection: Connection, request: Request) -> None:
        connection.output += frame(request)

    return act


class Http2Server:
    """A server on a free port. Each request gets the next response; the last response is repeated."""

    def __init__(
        self,
        folder: Path,
        responses: Sequence[Sequence[Action]],
        *,
        responds_early: bool = False,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> None:
        self.responses = deque(list(response) for response in responses)
        # Whether the server responds when it has read the request's headers.
        self.responds_early = responds_early
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self.lock = threading.Lock()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        self.context.minimum_version = self.context.maximum_version = version
        self.context.set_alpn_protocols(["h2"])
        self.certificate = folder / "certificate.pem"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets: list[socket.socket] = []
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def __enter__(self) -> Http2Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.threads[0].join(TIMEOUT)
        self.listener.close()
        for client in self.sockets:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(TIMEOUT)
            assert not thread.is_alive()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.settimeout(TIMEOUT)
            self.sockets.append(client)
            thread = threading.Thread(target=self.serve, args=(client, len(self.threads) - 1))
            self.threads.append(thread)
            thread.start()

    def serve(self, client: socket.socket, number: int) -> None:
        try:
            with self.context.wrap_socket(client, server_side=True) as secured:
                self.sockets[number] = secured
                Connection(self, secured, number).serve()
        except (Closed, OSError):
            pass
        except BaseException as failure:
            self.failures.append(failure)
            raise
        finally:
            client.close()

    def respond(self, connection: Connection, request: Request) -> None:
        with self.lock:
            self.requests.append(request)
            actions = self.responses.popleft() if len(self.responses) > 1 else self.responses[0]
        for action in actions:
            action(connection, request)


class Proxy:
    """A proxy on a free port. It responds to CONNECT with these bytes, then forwards everything."""

    def __init__(self, response: bytes) -> None:
        self.response = response
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(TIMEOUT)
            assert not thread.is_alive()
        self.listener.close()

    def start(self, function: Callable[..., None], *arguments: object) -> None:
        """Runs a function on a new thread."""
        self.threads.append(threading.Thread(target=function, args=arguments))
        self.threads[-1].start()

    def accept(self) -> None:
        """Accepts connections until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.start(self.serve, client)

    def serve(self, client: socket.socket) -> None:
        """Serves a connection."""
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += client.recv(1)
        host, _, port = request.split()[1].decode().rpartition(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(self.response)
        self.start(self.forward, client, server)
        self.forward(server, client)

    @staticmethod
    def forward(source: socket.socket, target: socket.socket) -> None:
        """Forwards bytes, and the end of the stream."""
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
