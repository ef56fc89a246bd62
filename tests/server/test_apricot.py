"""``aliecs-server apricot``: the configuration service as a process of its own, and clients in others."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import urllib.request
from pathlib import Path

import grpc
import pytest
from configuration_service import ServiceProcess, fill
from consul_agent import ConsulAgent

from occ.errors import ConfigError
from server.api import apricot_pb2 as pb
from server.api import apricot_pb2_grpc
from server.apricot import ServiceSettings, load_settings
from server.config.file import FileStore
from server.config.open import open_store
from server.config.remote_services import RemoteServices

CLIENT = """
import json, sys, grpc
from server.api import apricot_pb2 as pb, apricot_pb2_grpc
stub = apricot_pb2_grpc.ApricotStub(grpc.insecure_channel(sys.argv[1]))
query = stub.ResolveComponentQuery(
    pb.ComponentQuery(component="qc", runType=pb.PHYSICS, machineRole="flp1", entry="greeting"), timeout=60)
request = pb.ComponentRequest(query=query, processTemplate=True, varStack={"who": "you", "what": "me"})
try:
    stub.GetComponentConfiguration(pb.ComponentRequest(path="no"), timeout=60)
except grpc.RpcError as error:
    refused = [error.code().name, error.details()]
json.dump({
    "payload": stub.GetComponentConfiguration(request, timeout=60).payload,
    "run": stub.NewRunNumber(pb.Empty(), timeout=60).runNumber,
    "vars": dict(stub.GetVars(pb.Empty(), timeout=60).stringMap),
    "refused": refused,
}, sys.stdout)
"""


def test_settings_have_the_names_and_defaults_of_aliecs() -> None:
    settings = load_settings([], {})
    assert settings == ServiceSettings()
    assert (settings.backend_uri, settings.listen_port, settings.http_listen_port, settings.working_dir) == (
        "consul://127.0.0.1:8500", 32101, 32188, "/var/lib/o2/apricot",
    )  # fmt: skip
    assert settings.trim_space_in_vars_from_consul_kv and not settings.verbose
    given = ["--trimSpaceInVarsFromConsulKV=false", "--listenPort", "1", "--verbose"]
    environ = {"APRICOT_LISTENPORT": "2", "APRICOT_HTTPLISTENPORT": "3", "ALIECS_BACKENDURI": "not ours"}
    other = load_settings(given, environ)
    assert (other.listen_port, other.http_listen_port, other.verbose) == (1, 3, True)
    assert not other.trim_space_in_vars_from_consul_kv and other.backend_uri == settings.backend_uri
    with pytest.raises(ConfigError, match=r"httpListenPort.*APRICOT_HTTPLISTENPORT"):
        load_settings([], {"APRICOT_HTTPLISTENPORT": "x"})


@pytest.mark.parametrize(("kind", "number"), [("file", signal.SIGTERM), ("consul", signal.SIGINT)])
async def test_a_client_in_another_process_is_served_until_a_signal_ends_the_service(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    uri = f"file://{tmp_path}/configuration.yaml"
    if kind == "consul":
        agent: ConsulAgent = request.getfixturevalue("consul_agent")
        uri = agent.uri
    fill(open_store(uri))
    async with ServiceProcess(uri, tmp_path) as service:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-c", CLIENT, service.endpoint, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asyncio.wait_for(client.communicate(), 60)
        assert json.loads(said) == {
            "payload": "you & me", "run": 1, "vars": {"v": "1", "blank": "v"},
            "refused": ["INVALID_ARGUMENT", "bad request received"],
        }  # fmt: skip
        url = f"http://127.0.0.1:{service.http_port}/components"
        assert await asyncio.to_thread(_fetch, url) == "aliecs\nqc\nreadoutcard\n"
        code, log = await service.end(number)
        assert code == 0 and "Traceback" not in log
        assert f"serving store={uri}" in log


async def test_blanks_of_vars_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "configuration.yaml")
    store.put("o2/runtime/aliecs/vars/blank", " v ")
    settings = {"trimSpaceInVarsFromConsulKV": "false"}
    async with ServiceProcess(store.uri, tmp_path, **settings) as service:
        services = RemoteServices(service.endpoint, deadline_s=60)
        assert await asyncio.to_thread(services.vars) == {"blank": " v "}
        services.close()


async def test_run_numbers_go_on_from_the_counter_of_aliecs_once(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "configuration.yaml")
    (tmp_path / "runcounter.txt").write_text("4711")
    for expected in ("4712", "4713"):
        async with ServiceProcess(store.uri, tmp_path) as service:
            await asyncio.to_thread(_take_run, service.endpoint)
            await service.end(signal.SIGTERM)
        assert store.get("o2/runtime/run_number") == expected


async def test_what_cannot_be_served_is_told_and_ends_the_process(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        good = f"--backendUri=file://{tmp_path}/c.yaml"
        (tmp_path / "broken.yaml").write_text("a: [\n")
        for flags, words in (
            ([good, f"--listenPort={port}", "--httpListenPort=0"], (f"port {port} on 127.0.0.1", "--listenPort")),
            ([good, "--listenPort=0", f"--httpListenPort={port}"], (f"port {port} on 127.0.0.1", "--httpListenPort")),
            ([f"--backendUri=file://{tmp_path}/broken.yaml"], ("broken.yaml:2:1",)),
            (["--backendUri=apricot://127.0.0.1:1"], ("is a configuration service, not a store",)),
            ([f"--backendUri=consul://127.0.0.1:{port}", "--configTimeout=1s"], (f"consul://127.0.0.1:{port}",)),
            (["--backendUri=etcd://x"], ("etcd://x", "consul://host:port")),
        ):
            process = await asyncio.create_subprocess_exec(
                str(Path(sys.executable).parent / "aliecs-server"), "apricot", "--bindAddress=127.0.0.1",
                f"--workingDir={tmp_path}", *flags, stderr=asyncio.subprocess.PIPE, env=dict(os.environ),
            )  # fmt: skip
            _, said = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 1, flags
            for word in words:
                assert word in said.decode()
            assert "Traceback" not in said.decode()


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as reply:
        text: str = reply.read().decode()
    return text


def _take_run(endpoint: str) -> None:
    with grpc.insecure_channel(endpoint) as channel:
        apricot_pb2_grpc.ApricotStub(channel).NewRunNumber(pb.Empty(), timeout=60)
