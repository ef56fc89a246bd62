"""How our gRPC servers listen: one set of options, and one error for a port that is taken."""

from __future__ import annotations

import grpc

from occ.errors import LinkError

OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 100 * 1024 * 1024),
    ("grpc.max_send_message_length", 100 * 1024 * 1024),
    # Without these a burst of more than a thousand calls is refused at random by the C core.
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 30_000),
    # Who asks whether we are there may do so as often as it likes; the default is to hang up on it.
    ("grpc.http2.max_ping_strikes", 0),
)


def asking_after_clients(quiet_s: float, answer_s: float) -> tuple[tuple[str, int], ...]:
    """Return OPTIONS of a server that hangs up on clients that are gone without a word.

    Args:
        quiet_s: a client with a call in progress that said nothing for so long is asked, by gRPC itself, whether it is there.
        answer_s: for it to answer.
    """
    answer_ms = int(1000 * answer_s)
    return (
        *OPTIONS,
        ("grpc.keepalive_time_ms", int(1000 * quiet_s)),
        ("grpc.keepalive_timeout_ms", answer_ms),
        ("grpc.http2.ping_timeout_ms", answer_ms),  # which alone counts; its default is a minute
    )


def open_port(server: grpc.aio.Server, address: str, port: int, *, setting: str) -> int:
    """Bind a server to a port and return it; 0 takes a free one.

    Args:
        setting: that gives the port, for the hint.

    Raises:
        LinkError: it is taken.
    """
    try:
        return server.add_insecure_port(f"{address}:{port}")
    except RuntimeError:
        raise LinkError(
            f"port {port} on {address} is taken", hint=f"give another one with --{setting}, or 0 for any free one"
        ) from None
