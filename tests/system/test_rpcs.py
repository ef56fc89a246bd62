"""Every rpc of o2control.Control on a real core: what it answers, what it refuses, and what it did, seen through others."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from facility import Facility, error_info
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from server.api import events_pb2, live_pb2
from server.api import o2control_pb2 as pb

UNKNOWN_ID = "2oDvieFrVTi"
CALLED: set[str] = set()


class Rpcs:
    """Calls rpcs by name and keeps which were called."""

    def __init__(self, facility: Facility) -> None:
        self._control: Any = facility.control

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        CALLED.add(name)
        method = getattr(self._control, name)
        return lambda request, timeout=60: method(request, timeout=timeout)


async def refused(work: Awaitable[Any]) -> tuple[str, str, Any]:
    """Return (code, details, ErrorInfo) of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await work
    return caught.value.code().name, caught.value.details() or "", error_info(caught.value)


async def test_reading_a_core_without_environments(facility: Facility) -> None:
    rpc = Rpcs(facility)
    info = await rpc.GetFrameworkInfo(pb.GetFrameworkInfoRequest())
    assert info.frameworkId == f"local-{facility.instance}"
    assert (info.state, info.environmentsCount, info.tasksCount, info.hostsCount) == ("CONNECTED", 0, 0, 0)
    assert list(info.detectorsInInstance) == list(info.availableDetectors) == ["ITS", "TPC", "TOF", "TST"]
    assert info.version.productName == "AliECS" and info.configurationEndpoint.startswith("file:///")
    assert not (await rpc.GetEnvironments(pb.GetEnvironmentsRequest())).environments
    assert not (await rpc.GetTasks(pb.GetTasksRequest())).tasks
    assert not (await rpc.GetActiveDetectors(pb.Empty())).detectors
    assert list((await rpc.GetAvailableDetectors(pb.Empty())).detectors) == ["ITS", "TPC", "TOF", "TST"]
    services = (await rpc.GetIntegratedServices(pb.Empty())).services
    assert set(services) == {"bookkeeping", "ccdb", "dcs", "ddsched", "kafka", "lhc", "odc", "testplugin", "trg"}
    assert services["testplugin"].enabled and services["testplugin"].connectionState == "READY"
    assert services["dcs"] == pb.IntegratedServiceInfo()


async def test_the_reserved_rpcs_are_not_implemented(facility: Facility) -> None:
    rpc = Rpcs(facility)
    for work in (rpc.Teardown(pb.TeardownRequest()), rpc.ModifyEnvironment(pb.ModifyEnvironmentRequest())):
        code, details, info = await refused(work)
        assert (code, details, info.reason) == ("UNIMPLEMENTED", "not implemented", "RESERVED")


@pytest.mark.parametrize("wrong", ["", "0OIl", "é€", UNKNOWN_ID])
async def test_wrong_environment_ids_are_refused_by_every_rpc_that_takes_one(facility: Facility, wrong: str) -> None:
    rpc = Rpcs(facility)
    start = pb.ControlEnvironmentRequest.START_ACTIVITY
    for work in (
        rpc.GetEnvironment(pb.GetEnvironmentRequest(id=wrong)),
        rpc.ControlEnvironment(pb.ControlEnvironmentRequest(id=wrong, type=start)),
        rpc.DestroyEnvironment(pb.DestroyEnvironmentRequest(id=wrong)),
        rpc.GetRoles(pb.GetRolesRequest(envId=wrong, pathSpec="**")),
    ):
        code, details, info = await refused(work)
        if wrong == UNKNOWN_ID:
            assert (code, info.reason) == ("NOT_FOUND", "ENVIRONMENT_NOT_FOUND")
            assert details.startswith("environment not found: ") and info.metadata["environment"] == wrong
        else:
            expected = "received bad environment id" if wrong else "received nil request"
            assert (code, info.reason) == ("INVALID_ARGUMENT", "BAD_ID") and details.startswith(expected)
    code, details, info = await refused(rpc.GetTask(pb.GetTaskRequest(taskId=wrong)))
    assert (code, details, info.reason) == ("NOT_FOUND", "task not found", "TASK_NOT_FOUND")


async def test_an_environment_seen_by_every_reading_rpc(facility: Facility) -> None:
    rpc = Rpcs(facility)
    user = pb.NewEnvironmentRequest().requestUser
    user.name, user.externalId = "shifter@desk", 7
    created = await rpc.NewEnvironment(
        pb.NewEnvironmentRequest(workflowTemplate="flow", vars={"hosts": '["flp001"]', "x": "1"}, requestUser=user)
    )
    environment = created.environment
    assert created.public and environment.state == "CONFIGURED" and environment.rootRole == "flow"
    assert environment.description == "A source and a sink on every host"
    assert (
        environment.userVars["x"] == "1"
        and environment.userVars["last_request_user"] == '{"externalId":7,"name":"shifter@desk"}'
    )
    assert (environment.numberOfFlps, environment.numberOfHosts, environment.numberOfTasks) == (1, 1, 4)
    assert environment.integratedServicesData == {"testplugin": f"test_data_{environment.id}"}

    listed = (await rpc.GetEnvironments(pb.GetEnvironmentsRequest(showTaskInfos=True))).environments
    assert [one.id for one in listed] == [environment.id] and len(listed[0].tasks) == 4
    assert listed[0].integratedServicesData == {"testplugin": f"test_short_data_{environment.id}"}

    whole = await rpc.GetEnvironment(pb.GetEnvironmentRequest(id=environment.id, showWorkflowTree=True))
    (host, header, order) = whole.workflow.roles
    assert [host.name, header.name, order.name] == ["host-flp001", "header", "order"]
    assert [role.name for role in host.roles] == ["source", "sink", "monitor"]
    assert (host.state, host.status, order.state) == ("CONFIGURED", "ACTIVE", "UNKNOWN")
    assert not (await rpc.GetEnvironment(pb.GetEnvironmentRequest(id=environment.id))).HasField("workflow")

    roles = (await rpc.GetRoles(pb.GetRolesRequest(envId=environment.id, pathSpec="flow.*.s*"))).roles
    assert [role.fullPath for role in roles] == ["flow.host-flp001.source", "flow.host-flp001.sink"]
    assert roles[0].consolidatedStack["rate_hz"] == "50" and len(roles[0].taskIds) == 1
    assert not (await rpc.GetRoles(pb.GetRolesRequest(envId=environment.id, pathSpec=""))).roles
    code, _, info = await refused(rpc.GetRoles(pb.GetRolesRequest(envId=environment.id, pathSpec="[")))
    assert (code, info.reason) == ("INVALID_ARGUMENT", "BAD_REQUEST")

    sink = await facility.task("sink")
    assert sink.locked and not sink.claimable and sink.critical and int(sink.pid) > 0
    assert sink.name == f"{sink.className}#{sink.taskId}" and sink.deploymentInfo.hostname == "flp001"
    task = (await rpc.GetTask(pb.GetTaskRequest(taskId=sink.taskId))).task
    assert task.taskPath == "flow.host-flp001.sink" and task.envId == environment.id
    assert [(one.name, one.type) for one in task.inboundChannels] == [("data", "pull")]
    assert task.commandInfo.value == "aliecs-occ" and any(
        one.startswith("OCC_CONTROL_PORT=") for one in task.commandInfo.env
    )

    assert list((await rpc.GetActiveDetectors(pb.Empty())).detectors) == ["ITS"]
    assert list((await rpc.GetAvailableDetectors(pb.Empty())).detectors) == ["TPC", "TOF", "TST"]
    info = await rpc.GetFrameworkInfo(pb.GetFrameworkInfoRequest())
    assert (info.environmentsCount, info.tasksCount, info.hostsCount) == (1, 4, 1)


async def test_transitions_and_their_refusals(facility: Facility) -> None:
    rpc = Rpcs(facility)
    environment = await facility.create("flow", ["flp001"])
    kinds = pb.ControlEnvironmentRequest
    for kind in (kinds.NOOP, kinds.GO_ERROR):
        code, details, info = await refused(rpc.ControlEnvironment(kinds(id=environment.id, type=kind)))
        assert (code, info.reason) == ("INVALID_ARGUMENT", "BAD_REQUEST")
        assert details == f"cannot prepare invalid transition {kinds.Optype.Name(kind)}"
    reply = await rpc.ControlEnvironment(kinds(id=environment.id, type=kinds.RESET))
    assert reply.state == "DEPLOYED" and reply.endOfTransition >= reply.startOfTransition > 0
    assert reply.transitionDuration == reply.endOfTransition - reply.startOfTransition
    code, details, info = await refused(rpc.ControlEnvironment(kinds(id=environment.id, type=kinds.START_ACTIVITY)))
    assert (code, info.reason) == ("FAILED_PRECONDITION", "ILLEGAL_TRANSITION") and "needs CONFIGURED" in details
    assert await facility.state_of(environment.id) == "DEPLOYED"
    assert (await rpc.ControlEnvironment(kinds(id=environment.id, type=kinds.CONFIGURE))).state == "CONFIGURED"


async def test_tasks_are_kept_and_cleaned_up(facility: Facility) -> None:
    rpc = Rpcs(facility)
    environment = await facility.create("flow", ["flp001"])
    locked = await facility.task("sink")
    reply = await rpc.CleanupTasks(pb.CleanupTasksRequest(taskIds=[locked.taskId, "unknown"]))
    assert not reply.killedTasks and len(reply.runningTasks) == 4, "a task of an environment is not cleaned up"
    kept = (
        await rpc.DestroyEnvironment(pb.DestroyEnvironmentRequest(id=environment.id, keepTasks=True))
    ).cleanupTasksReply
    assert not kept.killedTasks and len(kept.runningTasks) == 4
    assert all(not one.locked for one in await facility.tasks())
    one = await rpc.CleanupTasks(pb.CleanupTasksRequest(taskIds=[locked.taskId]))
    assert [task.taskId for task in one.killedTasks] == [locked.taskId] and len(one.runningTasks) == 3
    assert len((await rpc.CleanupTasks(pb.CleanupTasksRequest())).killedTasks) == 3
    assert not await facility.tasks()


async def test_creation_in_the_background_is_told_by_events(facility: Facility) -> None:
    rpc = Rpcs(facility)
    await rpc.GetFrameworkInfo(pb.GetFrameworkInfoRequest())  # calls on a link that is there keep their order
    stream = facility.control.Subscribe(pb.SubscribeRequest(), timeout=240)
    CALLED.add("Subscribe")
    reading = asyncio.ensure_future(_until(stream, lambda e: e.environmentEvent.message == "created new environment"))
    await rpc.GetFrameworkInfo(pb.GetFrameworkInfoRequest())  # answered when the core has begun to tell
    reply = await rpc.NewEnvironmentAsync(
        pb.NewEnvironmentRequest(workflowTemplate="flow", vars={"hosts": '["flp001"]'})
    )
    assert reply.environment.state == "PENDING" and reply.environment.userVars == {"hosts": '["flp001"]'}
    events = await reading
    told = [
        (e.environmentEvent.state, e.environmentEvent.transition, e.environmentEvent.message)
        for e in events
        if e.HasField("environmentEvent")
    ]
    assert ("PENDING", "CREATE", "loading workflow") in told and ("STANDBY", "CREATE", "workflow loaded") in told
    assert told[-1] == ("CONFIGURED", "", "created new environment")
    kinds = {event.WhichOneof("Payload") for event in events}
    assert {"environmentEvent", "taskEvent", "roleEvent"} <= kinds


async def test_an_automatic_environment_has_its_own_feed(tmp_path: Path, repository: Path) -> None:
    async with Facility(tmp_path, repository, subscribeWait="15s") as facility:
        await has_its_own_feed(facility)


async def has_its_own_feed(facility: Facility) -> None:
    rpc = Rpcs(facility)
    stream = facility.control.Subscribe(pb.SubscribeRequest(id="mine"), timeout=240)
    reading = asyncio.ensure_future(_until(stream, lambda e: False))
    variables = {"hosts": '["flp001"]', "auto_stop_enabled": "true", "auto_stop_timeout": "500ms"}
    await rpc.NewAutoEnvironment(pb.NewAutoEnvironmentRequest(workflowTemplate="flow", vars=variables, id="mine"))
    told = [e.environmentEvent for e in await reading if e.HasField("environmentEvent")]
    states = [one.state for one in told]
    assert states == ["DEPLOYED", "CONFIGURED", "RUNNING", "CONFIGURED", "RESET", "DONE", "DONE"]
    assert told[2].runNumber == 1 and told[-1].message == "environment teardown complete"
    code, _, info = await refused(
        _until(facility.control.Subscribe(pb.SubscribeRequest(id="other"), timeout=60), lambda e: True)
    )
    assert (code, info.reason) == ("NOT_FOUND", "SUBSCRIPTION_NOT_FOUND")


async def test_repositories_and_templates(facility: Facility) -> None:
    rpc = Rpcs(facility)
    first = str(facility.repository)
    listed = await rpc.ListRepos(pb.ListReposRequest(getRevisions=True))
    assert [(one.name, one.default) for one in listed.repos] == [(first, True)]
    other = facility.folder / "zweites"
    shutil.copytree(facility.repository, other)
    await rpc.AddRepo(pb.AddRepoRequest(name=str(other)))
    assert [one.name for one in (await rpc.ListRepos(pb.ListReposRequest())).repos] == [first, str(other)]
    code, details, info = await refused(rpc.AddRepo(pb.AddRepoRequest(name=str(other))))
    assert (code, info.reason) == ("UNKNOWN", "REPOSITORY") and "already present" in details.lower()
    twice = facility.repository / "workflows" / "twice.yaml"
    twice.write_text("name: !public twice\ndefaults: {a: !public {}}\nvars: {a: !public {}}\n")
    code, details, _ = await refused(rpc.GetWorkflowTemplates(pb.GetWorkflowTemplatesRequest(repoPattern="0")))
    assert code == "INVALID_ARGUMENT" and "workflows/twice.yaml:3" in details
    assert details.startswith("cannot query available workflows for 0@: ")
    twice.unlink()
    templates = (await rpc.GetWorkflowTemplates(pb.GetWorkflowTemplatesRequest(repoPattern="0"))).workflowTemplates
    by_name = {one.template: one for one in templates}
    assert by_name["flow"].description == "A source and a sink on every host"
    assert not {"twice", "bad-yaml", "lonely"} & set(by_name), "neither broken ones nor those that are not public"
    spec = by_name["flow"].varSpecMap["rate_hz"]
    assert (spec.defaultValue, spec.type, spec.label, spec.panel) == (
        "50",
        pb.VarSpecMessage.number,
        "Messages per second",
        "Data",
    )
    await rpc.SetDefaultRepo(pb.SetDefaultRepoRequest(index=1))
    assert [one.default for one in (await rpc.ListRepos(pb.ListReposRequest())).repos] == [False, True]
    code, _, info = await refused(rpc.SetDefaultRepo(pb.SetDefaultRepoRequest(index=1)))
    assert (code, info.reason) == ("UNKNOWN", "REPOSITORY")
    for work in (
        rpc.SetDefaultRepo(pb.SetDefaultRepoRequest(index=7)),
        rpc.RemoveRepo(pb.RemoveRepoRequest(index=7)),
        rpc.RefreshRepos(pb.RefreshReposRequest(index=7)),
    ):
        code, _, info = await refused(work)
        assert (code, info.reason) == ("UNKNOWN", "REPOSITORY")
    code, _, info = await refused(rpc.RemoveRepo(pb.RemoveRepoRequest(index=-1)))
    assert code == "INVALID_ARGUMENT"
    await rpc.RefreshRepos(pb.RefreshReposRequest(index=-1))
    await rpc.SetGlobalDefaultRevision(pb.SetGlobalDefaultRevisionRequest(revision="main"))
    assert (await rpc.ListRepos(pb.ListReposRequest())).globalDefaultRevision == "main"
    answer = await rpc.SetRepoDefaultRevision(pb.SetRepoDefaultRevisionRequest(index=0, revision="no-such-revision"))
    assert "local" in answer.info
    removed = await rpc.RemoveRepo(pb.RemoveRepoRequest(index=1))
    assert removed.newDefaultRepo == first
    code, _, info = await refused(
        rpc.GetWorkflowTemplates(pb.GetWorkflowTemplatesRequest(repoPattern="0", revisionPattern="x", allBranches=True))
    )
    assert code == "INVALID_ARGUMENT"


async def test_health_and_reflection_stand_beside(facility: Facility) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{facility.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "o2control.Control", "aliecs.live.v1.Live"):
            reply = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=60)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        names = [
            one.name
            async for reply in stub.ServerReflectionInfo(asked, timeout=60)
            for one in reply.list_services_response.service
        ]
    assert {"o2control.Control", "aliecs.live.v1.Live", "grpc.health.v1.Health"} <= set(names)


async def test_a_watcher_goes_on_where_it_was(facility: Facility) -> None:
    call = facility.live.Watch(live_pb2.WatchRequest(), timeout=60)
    async for batch in call:
        if batch.part == live_pb2.END:
            break
    call.cancel()
    environment = await facility.create("flow", ["flp001"])
    call = facility.live.Watch(live_pb2.WatchRequest(epoch=batch.epoch, since=batch.seq), timeout=60)
    seen: list[str] = []
    async for later in call:
        assert later.part == live_pb2.NONE, "no snapshot: everything since then is still there"
        assert later.seq > batch.seq
        seen += [change.environment.state for change in later.changes if change.environment.id == environment.id]
        if "CONFIGURED" in seen:
            break
    call.cancel()


def test_every_rpc_was_called() -> None:
    assert CALLED >= {method.name for method in pb.DESCRIPTOR.services_by_name["Control"].methods}


async def _until(stream: Any, last: Callable[[events_pb2.Event], bool]) -> list[events_pb2.Event]:
    events: list[events_pb2.Event] = []
    async for event in stream:
        events.append(event)
        if last(event):
            break
    return events
