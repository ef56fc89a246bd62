"""Client and session against a core on a real port."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest
from fake_core import FakeCore

from console.session import Session, Timings
from console.store import Link
from server.api.client import Client, Deadlines
from server.api.errors import CoreError, DeadlineError, LinkError, Reason, RefusedError
from server.api.model import Kind, Part
from server.api.states import EnvironmentEvent

DEADLINES = Deadlines(connect_s=60.0, read_s=60.0, control_s=60.0, create_s=60.0)
TIMINGS = Timings(snapshot_s=60.0, settle_s=60.0, stale_s=60.0, retry_first_s=0.01, retry_last_s=0.05)


async def test_a_port_where_nobody_listens_is_a_link_error_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(LinkError, match="refuses connections"):
            await Client.connect(f"127.0.0.1:{taken.getsockname()[1]}", deadlines=DEADLINES)


async def test_a_host_that_never_answers_is_a_link_error_after_the_deadline() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        with pytest.raises(LinkError, match=r"no answer within 0\.2 s"):
            await Client.connect(f"127.0.0.1:{silent.getsockname()[1]}", deadlines=replace(DEADLINES, connect_s=0.2))


async def test_an_error_of_the_core_comes_with_reason_place_and_hint(core: FakeCore) -> None:
    core.fail["GetTasks"] = CoreError(Reason.RESOURCES_MISSING, "no room", hint="free some", host="flp001", task="sink")
    async with await Client.connect(core.endpoint, deadlines=DEADLINES) as client:
        with pytest.raises(CoreError) as caught:
            await client.tasks()
    error = caught.value
    assert (error.reason, error.message, error.hint) == (Reason.RESOURCES_MISSING, "no room", "free some")
    assert (error.code, error.where) == ("INTERNAL", {"host": "flp001", "task": "sink"})


async def test_a_client_may_ask_for_heartbeats(core: FakeCore) -> None:
    async with await Client.connect(core.endpoint, deadlines=DEADLINES) as client, asyncio.timeout(60):
        batches = client.watch(heartbeat_s=0.1)
        parts = [(batch.part, len(batch.changes)) for batch in [await anext(batches) for _ in range(5)]]
    assert parts[1:] == [(Part.END, 0), *[(Part.NONE, 0)] * 3]


async def test_a_method_that_the_core_lacks_is_told_by_its_code(core: FakeCore) -> None:
    async with await Client.connect(core.endpoint, deadlines=DEADLINES) as client:
        with pytest.raises(CoreError) as caught:
            await client.teardown("test")
    assert (caught.value.reason, caught.value.code) == (Reason.RESERVED, "UNIMPLEMENTED")


async def test_a_read_only_client_sends_no_write(core: FakeCore) -> None:
    async with await Client.connect(core.endpoint, deadlines=DEADLINES, read_only=True) as client:
        with pytest.raises(RefusedError, match="NewEnvironment would change something"):
            await client.create("x", {})
        assert await client.environments() == ()
    assert core.calls == ["GetEnvironments"]


async def test_a_write_without_an_answer_in_time_has_an_unknown_outcome(core: FakeCore) -> None:
    environment = core.add(state="CONFIGURED")
    core.hold.clear()
    async with await Client.connect(core.endpoint, deadlines=replace(DEADLINES, control_s=0.2)) as client:
        with pytest.raises(DeadlineError, match="the outcome is unknown"):
            await client.control(environment.id, EnvironmentEvent.START_ACTIVITY)
    core.hold.set()


async def test_a_link_that_breaks_during_a_write_leaves_the_outcome_unknown(core: FakeCore) -> None:
    environment = core.add(state="CONFIGURED")
    core.hold.clear()
    async with await Client.connect(core.endpoint, deadlines=DEADLINES) as client:
        asked = asyncio.ensure_future(client.control(environment.id, EnvironmentEvent.START_ACTIVITY))
        await asyncio.wait_for(core.held.wait(), 60)
        await core.stop()
        with pytest.raises(DeadlineError, match="broke after the request was sent"):
            await asked


async def test_the_user_is_told_with_writes(core: FakeCore) -> None:
    async with await Client.connect(core.endpoint, deadlines=DEADLINES, user="ada@p2") as client:
        await client.create("x", {"a": "b"})
    request = core.requests[-1]
    assert (request.requestUser.name, request.workflowTemplate, dict(request.vars)) == ("ada@p2", "x", {"a": "b"})


async def test_the_picture_follows_the_core(core: FakeCore) -> None:
    environment = core.add(state="CONFIGURED")
    async with await Session.open(core.endpoint, deadlines=DEADLINES, timings=TIMINGS) as session:
        store = await session.picture()
        assert store.link is Link.LIVE
        assert store.environment(environment.id) == environment and len(store.tasks(environment.id)) == 4
        heard: list[set[tuple[Kind, str]]] = []
        with session.listening(heard.append):
            core.show(replace(environment, state="RUNNING"))
            assert await session.until(lambda: [one.state for one in store.environments()] == ["RUNNING"], 60)
        assert heard == [{(Kind.ENVIRONMENT, environment.id)}]
        assert not await session.until(lambda: False, 0.05)


async def test_after_a_lost_link_the_picture_goes_on_where_it_was(core: FakeCore) -> None:
    environment = core.add(state="CONFIGURED")
    async with await Session.open(core.endpoint, deadlines=DEADLINES, timings=TIMINGS) as session:
        store = await session.picture()
        seq = store.seq
        port = core.port
        await core.stop()
        assert await session.until(lambda: store.link is Link.LOST, 60)
        assert store.environment(environment.id) == environment
        core.show(replace(environment, state="RUNNING"))
        await core.start(port)
        assert await session.until(lambda: store.link is Link.LIVE and store.seq > seq, 60)
        one = store.environment(environment.id)
        assert one is not None and one.state == "RUNNING"
        assert [call for call in core.calls if call.startswith("Watch")][-1] == f"Watch(epoch-1,{seq})"


async def test_another_life_of_the_core_is_a_new_picture(core: FakeCore) -> None:
    gone = core.add(state="CONFIGURED")
    async with await Session.open(core.endpoint, deadlines=DEADLINES, timings=TIMINGS) as session:
        store = await session.picture()
        port = core.port
        await core.stop()
        core.drop(gone.id)
        other = core.add(state="DEPLOYED")
        core.forget()
        await core.start(port)
        assert await session.until(lambda: store.epoch == "epoch-2" and store.environment(other.id) is not None, 60)
        assert store.environment(gone.id) is None and store.link is Link.LIVE


async def test_who_waits_for_a_picture_that_cannot_come_is_told_why(
    core: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_watch(self: FakeCore, request: object, context: object) -> object:
        await core.refuse(context, CoreError(Reason.INTERNAL, "the picture is broken"))
        yield

    monkeypatch.setattr(FakeCore, "Watch", no_watch)
    other = FakeCore()
    await other.start()
    async with await Session.open(other.endpoint, deadlines=DEADLINES, timings=TIMINGS) as session:
        with pytest.raises(CoreError, match="the picture is broken"):
            await session.picture()
    await other.stop()


async def test_the_store_of_a_session_shows_a_transition_its_steps_and_what_is_left_of_it(core: FakeCore) -> None:
    one = core.add("demo", state="CONFIGURED")
    core.variables(one.id, user_vars={"rate": "5"})
    core.usual_ms = 1500
    core.hold.clear()
    async with await Session.open(core.endpoint, deadlines=DEADLINES, timings=TIMINGS) as session:
        store = await session.picture()
        moving = asyncio.create_task(core.move(one.id, EnvironmentEvent.START_ACTIVITY, "shifter"))
        assert await session.settle(lambda: store.environments()[0].transition is not None)
        progress = store.environments()[0].transition
        assert progress is not None and (progress.usual_ms, progress.steps[2].tasks_total) == (1500, 4)
        assert [step.status.name for step in progress.steps] == ["DONE_OK", "DONE_OK", "ONGOING", "NULL", "NULL"]
        core.hold.set()
        await moving
        assert await session.settle(lambda: store.environments()[0].state == "RUNNING")
        history, variables = store.history(one.id), store.variables(one.id)
        assert history is not None and variables is not None and variables.user_vars == {"rate": "5"}
        (record,) = history.transitions
        assert (record.event, record.reached, record.run_number) == ("START_ACTIVITY", "RUNNING", 101)
        assert [role.name for role in store.children(one.id, 0)] == ["host-flp001", "host-flp002"]
        assert store.counts(one.id).states == {"RUNNING": 4}
        assert [rate for _, rate in store.rates(one.id)] == [25e6]
