"""The baseline A(N): a plain grpc.aio fan-out of one Transition call to N tasks, in a process of its own.

Ports come as arguments; each line on stdin is one round, answered by its milliseconds. The event is RESET in STANDBY
or STOP in CONFIGURED, which a device answers without a callback: the call, the reply and nothing else, so the
baseline is at its kindest.
"""

from __future__ import annotations

import asyncio
import sys
import time

import grpc

from occ.api import occ_pb2, occ_pb2_grpc

EVENT = {"STANDBY": "RESET", "CONFIGURED": "STOP", "RUNNING": "START"}


async def main(ports: list[str]) -> None:
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}") for port in ports]
    stubs = [occ_pb2_grpc.OccStub(channel) for channel in channels]
    await asyncio.gather(*(stub.GetState(occ_pb2.GetStateRequest()) for stub in stubs))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    while state := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        request = occ_pb2.TransitionRequest(srcState=state, transitionEvent=EVENT[state])
        began = time.perf_counter()
        replies = await asyncio.gather(*(stub.Transition(request) for stub in stubs))
        elapsed = (time.perf_counter() - began) * 1000
        assert all(reply.ok for reply in replies), "a task did not answer as expected"
        sys.stdout.write(f"{elapsed}\n")
        sys.stdout.flush()
    for channel in channels:
        await channel.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
