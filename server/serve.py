"""The gRPC face of a core: Control, Live, Ops, health and reflection on one port; its configuration service on others."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from server.api import live_pb2, o2control_pb2_grpc, ops_pb2, ops_pb2_grpc
from server.config.serve import ConfigurationServer
from server.config.stored import StoreConfiguration
from server.core import Core
from server.listening import asking_after_clients, open_port
from server.live import SERVICE as LIVE
from server.live import LiveService
from server.ops import SERVICE as OPS
from server.ops import OpsService
from server.service import ControlService

CONTROL = "o2control.Control"


class ControlServer:
    """Serves one core on one port.

    Attributes:
        port: that it listens on, once started.
    """

    def __init__(self, core: Core, address: str, port: int) -> None:
        self.port = port
        self._address = address
        settings = core.settings
        options = asking_after_clients(settings.client_quiet_s, settings.client_answer_s)
        self._server = grpc.aio.server(options=options)
        self._health = health.HealthServicer()
        o2control_pb2_grpc.add_ControlServicer_to_server(ControlService(core), self._server)
        LiveService(core.display.picture).add_to(self._server)
        ops_pb2_grpc.add_OpsServicer_to_server(OpsService(core), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        assert live_pb2.DESCRIPTOR.services_by_name["Live"].full_name == LIVE
        assert ops_pb2.DESCRIPTOR.services_by_name["Ops"].full_name == OPS
        names = (CONTROL, LIVE, OPS, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), self._server)

    async def start(self) -> None:
        """Open the port.

        Raises:
            LinkError: it is taken.
        """
        self.port = open_port(self._server, self._address, self.port, setting="controlPort")
        await self._server.start()
        for name in ("", CONTROL, LIVE, OPS):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_s: float) -> None:
        """Take no more calls; those in progress have ``grace_s`` seconds."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


def configuration_servers(core: Core) -> list[ConfigurationServer]:
    """Return the configuration service of a core; none where its configuration is itself that of a service."""
    if not isinstance(core.configuration, StoreConfiguration):
        return []
    settings = core.settings
    return [
        ConfigurationServer(
            core.configuration,
            address=settings.bind_address,
            port=settings.config_service_port,
            http_port=settings.config_service_http_port,
            settings=("configServicePort", "configServiceHttpPort"),
        )
    ]
