"""The gRPC face of a core: Control, Live, health and reflection on one port."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from occ.errors import LinkError
from server.api import live_pb2, o2control_pb2_grpc
from server.core import Core
from server.live import SERVICE as LIVE
from server.live import LiveService
from server.service import ControlService

CONTROL = "o2control.Control"

OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 100 * 1024 * 1024),
    ("grpc.max_send_message_length", 100 * 1024 * 1024),
    # Without these a burst of more than a thousand calls is refused at random by the C core.
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 30_000),
)


class ControlServer:
    """Serves one core on one port.

    Attributes:
        port: that it listens on, once started.
    """

    def __init__(self, core: Core, address: str, port: int) -> None:
        self.port = port
        self._address = address
        self._server = grpc.aio.server(options=OPTIONS)
        self._health = health.HealthServicer()
        o2control_pb2_grpc.add_ControlServicer_to_server(ControlService(core), self._server)
        LiveService(core.display.picture).add_to(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        assert live_pb2.DESCRIPTOR.services_by_name["Live"].full_name == LIVE
        names = (CONTROL, LIVE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), self._server)

    async def start(self) -> None:
        """Open the port.

        Raises:
            LinkError: it is taken.
        """
        try:
            self.port = self._server.add_insecure_port(f"{self._address}:{self.port}")
        except RuntimeError:
            raise LinkError(
                f"port {self.port} on {self._address} is taken",
                hint="give another one with --controlPort, or 0 for any free one",
            ) from None
        await self._server.start()
        for name in ("", CONTROL, LIVE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_s: float) -> None:
        """Take no more calls; those in progress have ``grace_s`` seconds."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
