"""The configuration service as a server: health, and what it says when its store is away, hangs or is broken."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import grpc
from configuration_service import Served, fill, path, refused, serving
from consul_agent import ConsulAgent
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from server.api import apricot_pb2 as pb
from server.config.consul_kv import ConsulKv
from server.config.file import FileStore
from server.config.open import open_store_configuration
from server.config.stored import StoreConfiguration

Code = grpc.StatusCode


async def test_keys_of_folders_in_consul_are_folders(consul_agent: ConsulAgent) -> None:
    kv = ConsulKv("127.0.0.1", consul_agent.port, deadline_s=60)
    for key in (
        "o2/components/",
        "o2/components/empty/",
        "o2/hardware/detectors/",
        "o2/hardware/detectors/ITS/flps/flp5/",
    ):
        await asyncio.to_thread(kv.put, key, "")
    kv.close()
    configuration = await open_store_configuration(consul_agent.uri, deadline_s=60)
    async with serving(configuration) as served:
        assert list((await served.stub.ListComponents(pb.Empty())).payload) == ["empty"]
        assert list((await served.stub.ListDetectors(pb.DetectorsRequest())).detectors) == ["ITS"]
        assert (await served.stub.GetDetectorForHost(pb.HostRequest(hostname="flp5"))).payload == "ITS"
    await configuration.close()


async def test_health_and_reflection_tell_of_the_service(served: Served) -> None:
    async with grpc.aio.insecure_channel(served.endpoint) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "apricot.Apricot"):
            reply = await health.Check(health_pb2.HealthCheckRequest(service=name))  # type: ignore[misc]
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        async for answer in reflection.ServerReflectionInfo(asked):
            assert "apricot.Apricot" in {one.name for one in answer.list_services_response.service}


async def test_a_store_that_does_not_answer_is_unavailable_within_its_deadline(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "configuration.yaml")
    store.prepare()
    configuration = StoreConfiguration(store, deadline_s=1.0)
    async with serving(configuration) as served:
        lock = os.open(tmp_path / "configuration.yaml.lock", os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            call = served.stub.NewRunNumber(pb.Empty(), timeout=60)
            await refused(call, Code.INTERNAL, "configuration backend unavailable: configuration file://")
        finally:
            os.close(lock)
        configuration._deadline_s = 60
        await served.stub.GetVars(pb.Empty(), timeout=60)


async def test_a_file_that_is_broken_is_named_in_every_answer_until_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "configuration.yaml"
    file.write_text("o2: [\n")
    async with serving(StoreConfiguration(FileStore(file), deadline_s=60)) as served:
        await refused(served.stub.GetVars(pb.Empty()), Code.UNKNOWN, "configuration.yaml:2:1")
        file.write_text("o2: {runtime: {aliecs: {vars: {a: b}}}}\n")
        assert (await served.stub.GetVars(pb.Empty())).stringMap == {"a": "b"}


async def test_a_consul_that_goes_away_is_unavailable_at_once_and_used_again_when_it_is_back(
    own_consul: ConsulAgent,
) -> None:
    configuration = await open_store_configuration(own_consul.uri, deadline_s=60)
    await asyncio.to_thread(fill, configuration.store)
    greeting = path("qc/ANY/any/greeting", process=True, who="you", what="me")
    async with serving(configuration) as served:
        assert (await served.stub.GetComponentConfiguration(greeting)).payload == "you & me"
        await asyncio.to_thread(own_consul.kill)
        for call in (
            served.stub.GetVars(pb.Empty(), timeout=60),
            served.stub.NewRunNumber(pb.Empty(), timeout=60),
            served.stub.GetComponentConfiguration(greeting, timeout=60),
            served.stub.GetDetectorsInventory(pb.Empty(), timeout=60),
        ):
            await refused(call, Code.INTERNAL, f"configuration backend unavailable: {own_consul.uri}")
        await asyncio.to_thread(own_consul.start)
        assert (await served.stub.NewRunNumber(pb.Empty(), timeout=60)).runNumber == 1
        assert (await served.stub.GetComponentConfiguration(greeting, timeout=60)).payload == "you & me"
    await configuration.close()
