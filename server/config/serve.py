"""The configuration service on its two ports: gRPC with health and reflection, and HTTP."""

from __future__ import annotations

import logging

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from server.api import apricot_pb2_grpc
from server.config.http import HttpServer
from server.config.service import SERVICE, ConfigurationService
from server.config.stored import StoreConfiguration
from server.listening import OPTIONS, open_port

log = logging.getLogger(__name__)


class ConfigurationServer:
    """Serves one configuration.

    Args:
        configuration: of a store; the server does not close it.
        address: where both ports are.
        port: of gRPC; 0 takes a free one.
        http_port: of HTTP; the same.
        settings: names of the settings that give the ports, for hints.
    """

    def __init__(
        self,
        configuration: StoreConfiguration,
        *,
        address: str,
        port: int,
        http_port: int,
        settings: tuple[str, str] = ("listenPort", "httpListenPort"),
    ) -> None:
        self.port = port
        self._address = address
        self._settings = settings
        self._http = HttpServer(configuration, address=address, port=http_port, setting=settings[1])
        self._health = health.HealthServicer()
        self._server = grpc.aio.server(options=OPTIONS)
        apricot_pb2_grpc.add_ApricotServicer_to_server(ConfigurationService(configuration), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    @property
    def http_port(self) -> int:
        """Port of HTTP, once started."""
        return self._http.port

    async def start(self) -> None:
        """Open both ports.

        Raises:
            LinkError: one is taken; none is open then.
        """
        self.port = open_port(self._server, self._address, self.port, setting=self._settings[0])
        await self._http.start()
        try:
            await self._server.start()
        except BaseException:
            await self._http.stop()
            raise
        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        log.info("configuration served address=%s port=%d http_port=%d", self._address, self.port, self.http_port)

    async def stop(self, grace_s: float) -> None:
        """Take no more calls; those in progress have ``grace_s`` seconds."""
        await self._health.enter_graceful_shutdown()
        await self._http.stop()
        await self._server.stop(grace_s)
