"""What a call of the configuration service costs: a file with 2,000 entries, against a call that asks nothing (health).

Client and server share a process and its loop: what is printed is both of them, without any network.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import yaml
from configuration_service import serving
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.api import apricot_pb2 as pb
from server.config.file import FileStore
from server.config.stored import StoreConfiguration

ENTRIES = 2_000
ROUNDS = 400
PAYLOAD = '{% include "common" %}{% for k in "abc" %}{{ k }}{% endfor %}' + "{{ run_type }} {{ detectors }}\n" * 40


async def test_a_call_of_the_configuration_service(tmp_path: Path) -> None:
    entries: dict[str, str] = {f"entry{number:04}": PAYLOAD for number in range(ENTRIES)}
    tree = {"o2": {"components": {"qc": {"ANY": {"any": entries | {"common": "x = {{ run_type }}\n"}}}}}}
    file = tmp_path / "configuration.yaml"
    file.write_text(yaml.safe_dump(tree))
    configuration = StoreConfiguration(FileStore(file), deadline_s=30)
    raw = pb.ComponentRequest(path="qc/ANY/any/entry1000")
    processed = pb.ComponentRequest(
        path="qc/ANY/any/entry1000", processTemplate=True, varStack={"run_type": "PHYSICS", "detectors": "ITS"}
    )
    query = pb.ComponentQuery(component="qc", runType=pb.PHYSICS, machineRole="flp001", entry="entry1000")
    async with (
        serving(configuration) as served,
        grpc.aio.insecure_channel(served.endpoint) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "health (baseline)": lambda: health.Check(health_pb2.HealthCheckRequest()),  # type: ignore[dict-item, return-value]
            "as it is": lambda: served.stub.GetComponentConfiguration(raw),
            "processed": lambda: served.stub.GetComponentConfiguration(processed),
            "resolve": lambda: served.stub.ResolveComponentQuery(query),
            "defaults": lambda: served.stub.GetDefaults(pb.Empty()),
        }
        medians: dict[str, float] = {}
        for name, call in calls.items():
            await call()
            times = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                await call()
                times.append(time.perf_counter() - began)
            medians[name] = statistics.median(times)
            ratio = medians[name] / medians["health (baseline)"]
            late = statistics.quantiles(times, n=100)[98]
            print(
                f"{name:20} median {medians[name] * 1e6:7.0f} us   p99 {late * 1e6:7.0f} us   {ratio:5.1f} x baseline"
            )
    await configuration.close()
