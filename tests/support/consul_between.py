"""What stands between a store and Consul in tests: silence, lost answers, other servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from consul_agent import ConsulAgent

from occ.errors import ConfigError
from server.config.consul import ConsulStore

DEADLINE_S = 0.5


def opened(agent: ConsulAgent, *, deadline_s: float = DEADLINE_S, token: str = "") -> ConsulStore:
    return ConsulStore("127.0.0.1", agent.port, deadline_s=deadline_s, token=token)


@contextmanager
def frozen(agent: ConsulAgent) -> Iterator[None]:
    agent.freeze()
    try:
        yield
    finally:
        agent.thaw()


def wait_until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        pause.wait(0.01)


def try_detector(ask: Callable[[str], str]) -> str:
    try:
        return ask("flp99")
    except ConfigError:
        return ""


def is_connected(port: int) -> bool:
    """Tell whether a connection to a port of loopback stands."""
    with open("/proc/net/tcp") as file:
        return any(f":{port:04X} 01" in line.split(maxsplit=2)[2] for line in file.readlines()[1:])


Reply = Callable[[bytes], bytes]


@contextmanager
def answering(reply: Reply) -> Iterator[int]:
    """Serve a port: one request, one reply, and the connection ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):  # the client, or Consul behind, has gone
                if request := whole_request(connection):
                    connection.sendall(reply(request))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def whole_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def passed_on(agent: ConsulAgent, request: bytes) -> bytes:
    """Return Consul's answer to a request."""
    with socket.create_connection(("127.0.0.1", agent.port), timeout=70) as onward:
        onward.sendall(request.replace(b"Connection: keep-alive", b"Connection: close"))
        answer = b""
        while part := onward.recv(65536):
            answer += part
        return answer


@contextmanager
def relaying(agent: ConsulAgent) -> Iterator[tuple[int, list[bytes]]]:
    requests: list[bytes] = []

    def relay(request: bytes) -> bytes:
        requests.append(request)
        return passed_on(agent, request)

    with answering(relay) as port:
        yield port, requests


@contextmanager
def losing(agent: ConsulAgent, is_lost: Callable[[bytes], bool]) -> Iterator[tuple[int, list[bytes]]]:
    """Pass requests on, and lose the answers to some."""
    requests: list[bytes] = []

    def relay(request: bytes) -> bytes:
        requests.append(request)
        answer = passed_on(agent, request)
        return b"" if is_lost(request) else answer

    with answering(relay) as port:
        yield port, requests


@contextmanager
def swallowing(agent: ConsulAgent, is_swallowed: Callable[[bytes], bool]) -> Iterator[int]:
    """Pass requests on, but not some."""
    with answering(lambda request: b"" if is_swallowed(request) else passed_on(agent, request)) as port:
        yield port
