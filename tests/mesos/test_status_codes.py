"""What the double answers to calls good and bad, against what a real master and agent answered (golden/mesos 04, 06, 11)."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from mesos.client import SchedulerClient
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent
from mesos.likeness import Names, differences
from mesos.played import PlayedExecutor, executor_info, task_info
from mesos.scheduler_door import Mood
from mesos.terms import Json, RecordReader
from mesos.transcript import Probe, read_probes

pytestmark = pytest.mark.reference

FRAMEWORK = "a9d2eb9f-cf49-447c-821a-54b924fd58b0-0001"
STREAM = "803b3a77-6fea-426b-a43b-0f8b949ca0f8"
TORN_DOWN = "never-seen-0000"
PAGES = ("state", "slaves", "frameworks", "tasks", "roles", "flags", "metrics/snapshot", "state-summary", "containers")
"""Pages for people, which the double does not have or has with less in them."""
COMPARED = ("Content-Type", "Content-Length", "Allow", "Transfer-Encoding", "Server")

RECORDED_AGENT = VirtualAgent("127.0.0.1", {"machine_id": "flp001", "detector": "TPC"})

Answer = tuple[int, dict[str, str], str]


@pytest_asyncio.fixture
async def recorded_mesos(tmp_path: Path) -> AsyncIterator[MesosDouble]:
    async with MesosDouble([RECORDED_AGENT], tmp_path) as double:
        yield double


async def asked(url: str, method: str, headers: dict[str, str], body: str) -> Answer:
    """Return status, headers and the first that was said."""
    automatic = ("Content-Type", "Accept", "Accept-Encoding", "User-Agent")
    async with (
        aiohttp.ClientSession(skip_auto_headers=automatic) as session,
        session.request(method, url, headers=headers, data=body.encode() or None, allow_redirects=False) as response,
    ):
        if "Transfer-Encoding" in response.headers:
            first = await asyncio.wait_for(response.content.readany(), 60)
            return response.status, dict(response.headers), first.decode()
        return response.status, dict(response.headers), await response.text()


def how_unlike(probe: Probe, answer: Answer, addresses: dict[str, str]) -> list[str]:
    """Return in what an answer differs from the recorded one."""
    status, headers, text = answer
    found = [f"status {probe.status}, ours {status}"] if status != probe.status else []
    recorded_text = probe.answer.replace("\\n", "\n")
    is_page = recorded_text.startswith('{"build_date"')
    if is_page:
        found += differences(json.loads(recorded_text), json.loads(text), Names())
    elif text != recorded_text:
        found.append(f"text {recorded_text!r}, ours {text!r}")
    for name in COMPARED:
        recorded = probe.answer_headers.get(name)
        if headers.get(name, "").lower() != (recorded or "").lower() and not (is_page and name == "Content-Length"):
            found.append(f"{name} {recorded}, ours {headers.get(name)}")
    location = probe.answer_headers.get("Location", "")
    for theirs, ours in addresses.items():
        location = location.replace(theirs, ours)
    if headers.get("Location", "") != location:
        found.append(f"Location {location}, ours {headers.get('Location')}")
    return found


async def test_every_recorded_call_is_answered_as_it_was(reference: Path, recorded_mesos: MesosDouble) -> None:
    mesos = recorded_mesos
    probes = read_probes(reference / "golden" / "mesos" / "04-http-status-codes.txt")
    compared = [
        probe
        for probe in probes
        if probe.path.removeprefix("/master").strip("/") not in PAGES and not probe.title.startswith("operator")
    ]
    ports = {5050: mesos.address, 5051: mesos.agents["127.0.0.1"].door.address}
    unlike: dict[str, list[str]] = {}
    async with SchedulerClient(mesos.address) as gone, SchedulerClient(mesos.address) as scheduler:
        await gone.subscribe(TORN_DOWN, failover_timeout=0)
        await gone.call("TEARDOWN")
        framework = await scheduler.subscribe(failover_timeout=0)
        stream = scheduler.headers["Mesos-Stream-Id"]
        for probe in compared:
            headers = {name: text.replace(STREAM, stream) for name, text in probe.headers.items()}
            body = probe.body.replace(FRAMEWORK, framework)
            answer = await asked(f"http://{ports[probe.port]}{probe.path}", probe.method, headers, body)
            status, answer_headers, text = answer
            answer = (status, answer_headers, text.replace(framework, FRAMEWORK))
            if found := how_unlike(probe, answer, {"127.0.0.1:5050": mesos.address}):
                unlike[probe.title] = found
        await asyncio.wait_for(scheduler.is_over.wait(), 60)
    assert unlike == {}
    assert len(compared) > 45


async def test_each_event_is_one_record_in_one_chunk(reference: Path, recorded_mesos: MesosDouble) -> None:
    recording = (reference / "golden" / "mesos" / "04-http-status-codes.txt").read_text()
    recorded_call = ast.literal_eval(re.search(r"^> ('POST.*')$", recording, re.MULTILINE)[1])  # type: ignore[index]
    recorded = ast.literal_eval(re.search(r"^< (b'HTTP.*')$", recording, re.MULTILINE)[1])  # type: ignore[index]
    host, port = recorded_mesos.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(recorded_call.encode())
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        chunks = []
        while len(chunks) < 3:
            length = int(await reader.readline(), 16)
            chunks.append(await reader.readexactly(length))
            await reader.readexactly(2)
    writer.close()
    their_head, _, body = recorded.partition(b"\r\n\r\n")
    theirs = re.split(rb"\r\n[0-9a-f]+\r\n", b"\r\n" + body.removesuffix(b"\r\n"))[1:]
    names = Names()
    assert differences(_headers(their_head), _headers(head.removesuffix(b"\r\n\r\n")), names) == []
    for recorded_chunk, chunk in zip(theirs, chunks, strict=True):
        (recorded_event,), (event,) = RecordReader().feed(recorded_chunk), RecordReader().feed(chunk)
        assert differences(recorded_event, event, names) == []


async def test_every_recorded_call_of_an_executor_is_answered_as_it_was(
    reference: Path, recorded_mesos: MesosDouble
) -> None:
    mesos = recorded_mesos
    text = (reference / "golden" / "mesos" / "06-executor-api-probes.txt").read_text()
    lines = [line.partition("] ")[2] for line in text.splitlines()]
    framework = re.search(r'"framework_id": {"value": "([^"]+)"}', text)[1]  # type: ignore[index]
    unlike: dict[str, object] = {}
    async with SchedulerClient(mesos.address) as scheduler:
        await scheduler.subscribe()
        waiting = executor_info("stub-8471e3", command="sleep 600")
        await scheduler.launch(await scheduler.offer(), task_info("stub-f9d9fc", waiting))
        url = f"http://{mesos.agents['127.0.0.1'].door.address}/api/v1/executor"
        executor = PlayedExecutor(mesos, "127.0.0.1", scheduler.framework_id, "stub-8471e3")
        title, call = "", ""
        for number, line in enumerate(lines):
            if line.startswith("### "):
                title = line
            elif line.startswith("STREAM b'HTTP/1.1 200"):
                await executor.__aenter__()
            elif line.startswith("> "):
                call = line[2:].replace(framework, scheduler.framework_id)
            elif match := re.match(r"< (\d{3}) ", line):
                is_html = "text/html" in title
                headers = {"Content-Type": "application/json", "Accept": "text/html" if is_html else "application/json"}
                status, _, answer = await asked(url, "POST", headers, call)
                recorded = lines[number + 1].removeprefix("< ").replace(framework, scheduler.framework_id)
                is_stream = status == 200
                if status != int(match[1]) or (answer != recorded and not is_stream):
                    unlike[title] = (match[1], recorded, status, answer)
        # What the recorded executor was confirmed, in its order; its last subscription ended the first stream.
        confirmed = re.findall(r"STREAM b'.*ACKNOWLEDGED.*\"uuid\":\"([^\"]+)\"", text)
        await asyncio.wait_for(executor.is_over.wait(), 60)
        ours = [e["acknowledged"]["uuid"] for e in executor.events if e["type"] == "ACKNOWLEDGED"]
        await executor.close()
    assert unlike == {}
    assert ours == confirmed


def raw_answers(path: Path) -> list[tuple[str, Probe]]:
    """Return title and answer of each section of a recording that has answers as they came."""
    found = []
    for section in re.split(r"^### ", path.read_text(), flags=re.MULTILINE)[1:]:
        title, _, rest = section.partition("\n")
        head, _, body = rest.partition("\n\n")
        headers: dict[str, str] = dict(re.findall(r"^([\w-]+): (.*)$", head, re.MULTILINE))
        asks = re.match(r"(GET|POST) (\S+)", title)
        method, target = (asks[1], asks[2]) if asks else ("POST", "/api/v1/scheduler")
        status = int(head.split()[1])
        found.append((title, Probe(title, method, 0, target, {}, "", status, headers, body.rstrip("\n"))))
    return found


SUBSCRIBE: Json = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "raw"}}}


async def test_without_a_leader_there_is_no_service(reference: Path, recorded_mesos: MesosDouble) -> None:
    recorded_mesos.set_mood(Mood.LEADERLESS)
    unlike = {}
    for title, probe in raw_answers(reference / "golden" / "mesos" / "11-no-leader-503.txt"):
        headers = {"Content-Type": "application/json"}
        answer = await asked(
            f"http://{recorded_mesos.address}{probe.path}", probe.method, headers, json.dumps(SUBSCRIBE)
        )
        if found := how_unlike(probe, answer, {}):
            unlike[title] = found
    assert unlike == {}


async def test_a_standby_sends_everybody_to_the_leader(reference: Path, recorded_mesos: MesosDouble) -> None:
    mesos = recorded_mesos
    standby = await mesos.start_standby()
    addresses = {"127.0.0.1:5060": mesos.address}
    unlike = {}
    recorded = raw_answers(reference / "golden" / "mesos" / "11-two-masters-redirect-and-503.txt")
    for title, probe in recorded:
        address = mesos.address if title.endswith("5060") else standby
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = await asked(f"http://{address}{probe.path}", probe.method, headers, json.dumps(SUBSCRIBE))
        if answer[0] == probe.status == 200 and not probe.answer.startswith('{"build_date"'):
            continue
        if found := how_unlike(probe, answer, addresses):
            unlike[title] = found
    assert unlike == {}
    assert len(recorded) > 20


async def test_a_standby_that_takes_over_redirects_to_the_dead_until_then(
    reference: Path, recorded_mesos: MesosDouble
) -> None:
    statuses = [
        probe.status for _, probe in raw_answers(reference / "golden" / "mesos" / "12-standby-during-failover.txt")
    ]
    ours = []
    recorded_mesos.set_mood(Mood.STANDBY, "127.0.0.1:5060")
    for number, status in enumerate(statuses):
        if status == 200 and 200 not in statuses[:number]:
            recorded_mesos.set_mood(Mood.LEADING)
        headers = {"Content-Type": "application/json"}
        url = f"http://{recorded_mesos.address}/api/v1/scheduler"
        ours.append((await asked(url, "POST", headers, json.dumps(SUBSCRIBE)))[0])
    assert ours == statuses


async def test_a_command_has_the_recorded_environment(reference: Path, recorded_mesos: MesosDouble) -> None:
    recorded = (reference / "golden" / "mesos" / "09-command-task-sandbox-stdout-env.txt").read_text()
    async with SchedulerClient(recorded_mesos.address) as scheduler:
        await scheduler.subscribe()
        variables = {"variables": [{"name": "FOO", "value": "bar"}]}
        command = {"shell": True, "value": "echo $FOO; env", "environment": variables}
        await scheduler.launch(await scheduler.offer(), {**task_info("ports"), "command": command})
        for state in ("TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"):
            await scheduler.acknowledge(await scheduler.update("ports", state))
        run = recorded_mesos.agents["127.0.0.1"].runs[scheduler.framework_id, "ports"]
    ours = (run.container.sandbox / "stdout").read_text()
    assert ours.splitlines()[0] == recorded.splitlines()[0]
    theirs, these = _variables(recorded), _variables(ours)
    assert these.keys() == theirs.keys()
    same = ("FOO", "PATH", "MESOS_CHECKPOINT", "LIBPROCESS_IP", "LIBPROCESS_PORT", "MESOS_ALLOCATION_ROLE")
    assert {name: these[name] for name in same} == {name: theirs[name] for name in same}
    tail = re.compile(r"/slaves/[^/]+/frameworks/[^/]+/executors/[^/]+/runs/[0-9a-f-]{36}$")
    for name in ("MESOS_SANDBOX", "MESOS_DIRECTORY", "PWD"):
        assert tail.search(theirs[name]) and tail.search(these[name])


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("02-custom-executor-sandbox-stdout.txt", {"CAP_AGENT", "CUSTOMVAR", "LC_CTYPE"}),
        ("08-agent-restart-executor-stdout.txt", {"CAP_AGENT", "CUSTOMVAR", "LC_CTYPE"}),
    ],
)
async def test_an_executor_has_the_recorded_environment(
    reference: Path, tmp_path: Path, name: str, added: set[str]
) -> None:
    theirs = _variables((reference / "golden" / "mesos" / name).read_text())
    async with MesosDouble([RECORDED_AGENT], tmp_path) as mesos, SchedulerClient(mesos.address) as scheduler:
        await scheduler.subscribe(checkpoint=theirs["MESOS_CHECKPOINT"] == "1")
        await scheduler.launch(await scheduler.offer(), task_info("t1", executor_info("ex", command="env")))
        await scheduler.next("FAILURE")
        run = mesos.agents["127.0.0.1"].runs[scheduler.framework_id, "ex"]
    these = _variables((run.container.sandbox / "stdout").read_text())
    assert these.keys() == theirs.keys() - added
    momentary = re.compile(r"_(ID|DIRECTORY|SANDBOX|PID|ENDPOINT)$|^PWD$")
    steady = {name for name in these if not momentary.search(name)}
    assert {name: these[name] for name in steady} == {name: theirs[name] for name in steady}


def _variables(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))


def _headers(head: bytes) -> dict[str, str]:
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    headers.pop("Date", None)
    return headers
