"""The aliecs.live.v1.Live servicer: one snapshot, then what changes, resumable. The picture itself: picture.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from server.api.live_pb2 import WatchRequest
from server.picture import Picture

SERVICE = "aliecs.live.v1.Live"

MIN_HEARTBEAT_S = 0.1


class LiveService:
    """Serves the picture to any number of watchers.

    A slow watcher is never waited for: it holds a place in the ring of batches, and what piled up while its last
    message was on the way reaches it as one. If its place is gone it gets a snapshot.
    A heartbeat is made when it is sent, so none pile up for a watcher that does not read.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    async def watch(self, request: WatchRequest, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
        """Yield serialised batches for as long as the client listens."""
        picture = self._picture
        seq = request.since
        heartbeat_s = max(MIN_HEARTBEAT_S, request.heartbeat_ms / 1000) if request.heartbeat_ms else None
        resumed = picture.can_resume(request.epoch, seq)
        while True:
            if not resumed:
                seq = picture.seq
                for message in picture.snapshot():
                    yield message
                resumed = True
            if not await picture.grown(seq, heartbeat_s):
                yield picture.heartbeat()
                continue
            later = picture.after(seq)
            if later is None:
                resumed = False
                continue
            seq, message = later
            yield message

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register with a gRPC server; messages leave as the bytes they are."""
        handler: grpc.RpcMethodHandler[WatchRequest, bytes] = grpc.unary_stream_rpc_method_handler(
            self.watch, request_deserializer=WatchRequest.FromString
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Watch": handler}),))
