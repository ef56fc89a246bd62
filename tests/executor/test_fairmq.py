"""One OCC event as the steps of a FairMQ device, against a real gRPC server whose answers are scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import grpc
import pytest

from executor.api.messages import ControlMode, TaskSpec
from executor.control import Reply
from executor.fairmq import FairMqControl
from executor.task import speaks_json
from occ.api import occ_pb2, occ_pb2_grpc
from occ.fairmq import EXPECTED, MOVES, SEQUENCES, DeviceState, task_state

CONFIGURE = ["INIT DEVICE", "COMPLETE INIT", "BIND", "CONNECT", "INIT TASK"]
DEADLINE_S = 60.0


@dataclass
class Scripted(occ_pb2_grpc.OccServicer):
    """Does what it is asked for, but for what the script says: a state to end in, a status to refuse with, None to hang."""

    script: dict[str, str | grpc.StatusCode | None] = field(default_factory=dict)
    state: str = "IDLE"
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def GetState(self, request: Any, context: Any) -> occ_pb2.GetStateReply:
        return occ_pb2.GetStateReply(state=self.state, pid=4711)

    async def Transition(self, request: occ_pb2.TransitionRequest, context: Any) -> occ_pb2.TransitionReply:
        event, arguments = request.transitionEvent, {entry.key: entry.value for entry in request.arguments}
        self.asked.append((request.srcState, event, arguments))
        if request.srcState != self.state:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"transition not possible: state mismatch: source: {request.srcState} current: {self.state}",
            )
        ending = self.script.get(event, EXPECTED[event])  # type: ignore[index]
        if ending is None:
            await asyncio.Event().wait()
        if isinstance(ending, grpc.StatusCode):
            await context.abort(ending, "")
        self.state = str(ending)
        ok = ending == EXPECTED[event]  # type: ignore[index]
        trigger = occ_pb2.DEVICE_ERROR if ending == "ERROR" else occ_pb2.EXECUTOR if ok else occ_pb2.DEVICE_INTENTIONAL
        return occ_pb2.TransitionReply(trigger=trigger, state=self.state, transitionEvent=event, ok=ok)


Make = Callable[[Scripted], Awaitable[FairMqControl]]


@pytest.fixture
async def control() -> AsyncIterator[Make]:
    made: list[tuple[grpc.aio.Server, FairMqControl]] = []

    async def make(device: Scripted) -> FairMqControl:
        server = grpc.aio.server()
        occ_pb2_grpc.add_OccServicer_to_server(device, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        made.append((server, FairMqControl("t1", port, 0)))
        return made[-1][1]

    yield make
    for server, one in made:
        await one.close()
        await server.stop(0)


def events(device: Scripted) -> list[str]:
    return [event for _, event, _ in device.asked]


@pytest.mark.parametrize(
    ("source", "event", "destination", "state", "steps", "with_arguments"),
    [
        ("STANDBY", "CONFIGURE", "CONFIGURED", "IDLE", CONFIGURE, "INIT DEVICE"),
        ("CONFIGURED", "RESET", "STANDBY", "READY", ["RESET TASK", "RESET DEVICE"], "RESET DEVICE"),
        ("CONFIGURED", "START", "RUNNING", "READY", ["RUN"], "RUN"),
        ("RUNNING", "STOP", "CONFIGURED", "RUNNING", ["STOP"], "STOP"),
        ("STANDBY", "EXIT", "DONE", "IDLE", ["END"], "END"),
    ],
)
async def test_an_event_is_done_in_its_steps_and_its_arguments_go_with_one(
    control: Make, source: str, event: str, destination: str, state: str, steps: list[str], with_arguments: str
) -> None:
    device = Scripted(state=state)
    reply = await (await control(device)).transition(source, event, destination, {"k": "v"}, DEADLINE_S)
    assert reply == Reply(destination)
    assert events(device) == steps
    assert [event for _, event, arguments in device.asked if arguments == {"k": "v"}] == [with_arguments]


async def test_exit_of_a_configured_device_resets_it_first(control: Make) -> None:
    device = Scripted(state="READY")
    reply = await (await control(device)).transition("CONFIGURED", "EXIT", "DONE", {}, DEADLINE_S)
    assert reply == Reply("DONE") and events(device) == ["RESET TASK", "RESET DEVICE", "END"]


@pytest.mark.parametrize(
    ("step", "stays_in", "then"),
    [("BIND", "INITIALIZED", 3), ("CONNECT", "BOUND", 4), ("INIT TASK", "DEVICE READY", 5)],
)
async def test_a_step_that_leaves_the_device_where_it_was_is_rolled_back_to_standby(
    control: Make, step: str, stays_in: str, then: int
) -> None:
    device = Scripted({step: stays_in})
    reply = await (await control(device)).transition("STANDBY", "CONFIGURE", "CONFIGURED", {}, DEADLINE_S)
    assert reply.state == "STANDBY" and device.state == "IDLE"
    assert events(device) == [*CONFIGURE[:then], "RESET DEVICE"]
    wanted = {"BIND": "BOUND", "CONNECT": "DEVICE READY", "INIT TASK": "READY"}[step]
    assert reply.error == (
        f"CONFIGURE: {step} should have led to {wanted}: ok=false trigger=DEVICE_INTENTIONAL event={step} state={stays_in}"
    )


async def test_a_reset_that_stops_half_way_is_rolled_back_to_configured(control: Make) -> None:
    device = Scripted({"RESET DEVICE": "DEVICE READY"}, state="READY")
    reply = await (await control(device)).transition("CONFIGURED", "RESET", "STANDBY", {}, DEADLINE_S)
    assert events(device) == ["RESET TASK", "RESET DEVICE", "INIT TASK"] and device.state == "READY"
    assert reply.state == "CONFIGURED" and reply.error.startswith(
        "RESET: RESET DEVICE should have led to IDLE: ok=false"
    )


async def test_a_roll_back_that_fails_too_is_told_with_its_reason(control: Make) -> None:
    device = Scripted({"BIND": "INITIALIZED", "RESET DEVICE": "ERROR"})
    reply = await (await control(device)).transition("STANDBY", "CONFIGURE", "CONFIGURED", {}, DEADLINE_S)
    assert reply.state == "ERROR"
    assert (
        "BIND should have led to BOUND" in reply.error and "; then RESET DEVICE should have led to IDLE" in reply.error
    )


@pytest.mark.parametrize("step", CONFIGURE)
async def test_a_step_that_ends_in_error_ends_the_event_there(control: Make, step: str) -> None:
    device = Scripted({step: "ERROR"})
    reply = await (await control(device)).transition("STANDBY", "CONFIGURE", "CONFIGURED", {}, DEADLINE_S)
    assert reply.state == "ERROR" and events(device)[-1] == step
    assert f"{step} should have led to" in reply.error and "trigger=DEVICE_ERROR" in reply.error


@pytest.mark.parametrize("step", CONFIGURE)
async def test_a_step_that_ends_between_two_states_leaves_the_task_unknown(control: Make, step: str) -> None:
    device = Scripted({step: "RESETTING TASK"})
    reply = await (await control(device)).transition("STANDBY", "CONFIGURE", "CONFIGURED", {}, DEADLINE_S)
    assert reply.state == "UNKNOWN" and "state=RESETTING TASK" in reply.error
    assert events(device)[-1] == step, "nothing is known to undo that"


async def test_the_state_is_asked_for_after_a_refusal_which_is_told_in_its_words(control: Make) -> None:
    device = Scripted(state="READY")  # left RUNNING by itself
    reply = await (await control(device)).transition("RUNNING", "STOP", "CONFIGURED", {}, DEADLINE_S)
    assert reply.state == "CONFIGURED"
    assert reply.error.startswith("STOP failed: task at 127.0.0.1:")
    assert reply.error.endswith(
        "INVALID_ARGUMENT: transition not possible: state mismatch: source: RUNNING current: READY"
    )
    refused = Scripted({"CONNECT": grpc.StatusCode.UNKNOWN})
    reply = await (await control(refused)).transition("STANDBY", "CONFIGURE", "CONFIGURED", {}, DEADLINE_S)
    assert (reply.state, events(refused)[-1]) == ("STANDBY", "RESET DEVICE")
    assert reply.error.startswith("CONFIGURE: CONNECT failed: task at") and reply.error.endswith("UNKNOWN")


async def test_a_step_that_hangs_is_named_within_the_time_of_the_event(control: Make) -> None:
    device = Scripted({"CONNECT": None})
    async with asyncio.timeout(DEADLINE_S):
        reply = await (await control(device)).transition("STANDBY", "CONFIGURE", "CONFIGURED", {}, 5.0)
    # The device says that it is still BOUND, but there is no time left to undo anything.
    assert (reply.state, reply.error) == ("UNKNOWN", "CONFIGURE: CONNECT timed out")
    assert events(device)[-1] == "CONNECT"


@dataclass
class Silent(Scripted):
    """Does not say where it is."""

    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def GetState(self, request: Any, context: Any) -> occ_pb2.GetStateReply:
        self.was_asked.set()
        await asyncio.Event().wait()
        raise AssertionError("never")


async def test_closing_the_connection_answers_an_event_whatever_it_waits_for(control: Make) -> None:
    device = Silent({"CONNECT": grpc.StatusCode.UNKNOWN})
    one = await control(device)
    configuring = asyncio.create_task(one.transition("STANDBY", "CONFIGURE", "CONFIGURED", {}, DEADLINE_S))
    async with asyncio.timeout(DEADLINE_S):
        await device.was_asked.wait()
        await one.close()
        reply = await configuring
    assert reply.lost and reply.error == "CONFIGURE: CONNECT failed: the connection was closed"


@pytest.mark.parametrize(
    ("source", "event"),
    [("ERROR", "RECOVER"), ("RUNNING", "GO_ERROR"), ("ERROR", "EXIT"), ("RUNNING", "PAUSE"), ("X", "Y")],
)
async def test_what_fairmq_has_not_is_an_error_and_is_not_sent(control: Make, source: str, event: str) -> None:
    device = Scripted()
    reply = await (await control(device)).transition(source, event, "STANDBY", {}, DEADLINE_S)
    assert reply == Reply(source, f"{event} is not supported by FairMQ devices in {source}")
    assert device.asked == []


@pytest.mark.parametrize("native", list(DeviceState))
async def test_states_in_between_are_no_states_of_a_task(control: Make, native: str) -> None:
    names = {"IDLE": "STANDBY", "READY": "CONFIGURED", "RUNNING": "RUNNING", "ERROR": "ERROR", "EXITING": "DONE"}
    reply = await (await control(Scripted(state=native))).get_state(DEADLINE_S)
    assert (reply.state, reply.pid, reply.error) == (names.get(native, ""), 4711, "")
    assert (task_state(native) or "") == names.get(native, "")


@pytest.mark.parametrize(
    ("value", "arguments", "json"),
    [
        ("dev --id 1 -S /lib -P OCClite --color false", (), True),
        ("dev", ("-b", "-P", "OCClite"), True),
        ("dev -P OCC", (), False),
        ("dev", ("-P", "OCC", "OCClite"), False),
        ("dev", ("--what", "-P OCClite"), True),
    ],
)
def test_the_plugin_in_the_command_tells_the_form(value: str, arguments: tuple[str, ...], json: bool) -> None:
    spec = TaskSpec(
        task_id="t", environment_id="e", class_name="c", mode=ControlMode.FAIRMQ, value=value, arguments=arguments
    )
    assert speaks_json(spec) is json


def test_every_step_is_a_move_of_the_device() -> None:
    for steps in SEQUENCES.values():
        for step, following in pairwise(steps):
            assert step.target == following.source
        for step in steps:
            assert (step.source, step.transition) in MOVES
            assert step.undo is None or (step.source, step.undo) in MOVES
