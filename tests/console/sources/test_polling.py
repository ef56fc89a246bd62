"""The picture of a core that has AliECS's own surface only, made by asking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

import pytest
from fake_core import FakeCore
from stock_core import StockCore

from console.session import Session, Timings
from console.sources.polling import Pace, Polling
from console.store import Link
from server.api.client import Client, Deadlines
from server.api.states import EnvironmentEvent

QUICK = Timings(snapshot_s=120.0, stale_s=60.0, retry_first_s=0.01, retry_last_s=0.05)
PATIENT = Deadlines(connect_s=60.0, read_s=60.0)
WAIT_S = 120.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.sources.polling.Pace", partial(Pace, reply_s=60.0))


@pytest.fixture
async def stock(core: FakeCore) -> AsyncIterator[StockCore]:
    async with StockCore(core.endpoint) as one:
        yield one


@pytest.fixture
async def session(stock: StockCore) -> AsyncIterator[Session]:
    async with await Session.open(stock.endpoint, deadlines=PATIENT, timings=QUICK) as one:
        yield one


async def shows(session: Session, condition: Callable[[], bool]) -> None:
    assert await session.until(condition, WAIT_S), session.store.problem


async def test_environments_roles_tasks_hosts_and_variables_are_shown(core: FakeCore, session: Session) -> None:
    one = core.add(state="CONFIGURED", user_vars={"dcs_enabled": "true"})
    store = await session.picture()
    session.focus(one.id)
    await shows(session, lambda: len(store.tasks(one.id)) == 4 and len(store.roles(one.id)) == 5)
    shown = store.environment(one.id)
    assert shown is not None
    assert (shown.state, shown.tasks_total, shown.detectors) == ("CONFIGURED", one.tasks_total, one.detectors)
    assert set(store.hosts) == {"flp001", "flp002"}
    variables = store.variables(one.id)
    assert variables is not None and variables.user_vars["dcs_enabled"] == "true"
    root = next(role for role in store.roles(one.id) if role.parent_order is None)
    assert len(store.children(one.id, root.order)) == 4
    assert store.core is not None and store.core.instance == "fake"


async def test_what_is_legal_now_is_computed_here(core: FakeCore, session: Session) -> None:
    one = core.add(state="CONFIGURED")
    store = await session.picture()
    moves = {move.event: move.reason for move in store.environments()[0].moves}
    assert moves["START_ACTIVITY"] == "" and "RUNNING" in moves["STOP_ACTIVITY"]
    core.environments[one.id] = replace(one, state="RUNNING", run_number=7)
    await shows(session, lambda: store.environments()[0].state == "RUNNING")
    assert {move.event for move in store.environments()[0].moves if not move.reason} >= {"STOP_ACTIVITY"}


async def test_a_critical_task_in_error_is_taken_for_the_first_fault_and_said_to_be_advisory(
    core: FakeCore, session: Session
) -> None:
    one = core.add(state="RUNNING")
    store = await session.picture()
    core.fault(one.id, "flp002", "RUNNING")
    await shows(session, lambda: store.fault(one.id) is not None)
    fault = store.fault(one.id)
    assert fault is not None and fault.host == "flp002" and "advisory" in fault.hint


async def test_it_says_that_it_is_advisory_and_why(core: FakeCore, session: Session) -> None:
    core.add(state="CONFIGURED")
    await session.picture()
    assert session.source.is_advisory
    assert "polling" in session.source.notice and "locks" in session.source.notice
    assert session.refusal() == ""


async def test_a_core_that_is_not_stock_is_watched_and_not_polled(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    async with await Session.open(core.endpoint, deadlines=PATIENT, timings=QUICK) as session:
        await session.picture()
        assert not session.source.is_advisory and session.source.notice == ""


async def test_subscribe_is_never_called_and_nothing_is_asked_twice_at_a_time(
    core: FakeCore, stock: StockCore, session: Session
) -> None:
    one = core.add(state="CONFIGURED")
    stock.delays_s["GetTasks"] = 0.3
    store = await session.picture()
    session.focus(one.id)
    await session.client.control(one.id, EnvironmentEvent.START_ACTIVITY)
    await shows(session, lambda: (it := store.environment(one.id)) is not None and it.state == "RUNNING")
    assert "Subscribe" not in stock.calls
    # GetEnvironment is asked for the environment in focus and, in another rhythm, for the others
    assert {name: most for name, most in stock.most_open.items() if most > (2 if name == "GetEnvironment" else 1)} == {}


async def test_a_lost_link_is_told_and_the_same_picture_comes_back(
    core: FakeCore, stock: StockCore, session: Session
) -> None:
    one = core.add(state="RUNNING")
    store = await session.picture()
    await stock.cut()
    await shows(session, lambda: store.link is Link.LOST)
    assert store.environment(one.id) is not None and "link" in session.refusal()
    await stock.start()
    await shows(session, lambda: store.link is Link.LIVE)
    assert store.environment(one.id) is not None and session.source.is_advisory


async def test_a_core_that_answers_slowly_is_asked_less_often_and_its_age_is_honest(
    core: FakeCore, stock: StockCore
) -> None:
    core.add(state="CONFIGURED")
    timings = replace(QUICK, stale_s=2.5)  # it is asked every second
    async with await Session.open(stock.endpoint, deadlines=PATIENT, timings=timings) as session:
        await session.picture()
        stock.flowing.clear()
        await shows(session, lambda: session.is_stale and session.age_s() > 2.5)
        stock.flowing.set()
        await shows(session, lambda: session.age_s() < 1.0)


async def test_nothing_is_concluded_from_tasks_that_are_half_taken_in(core: FakeCore) -> None:
    async with await Client.connect(core.endpoint, deadlines=PATIENT) as client:
        polling = Polling(client)
        async with polling._applying:  # as while tasks are taken in, in turns with all else
            asked = [asyncio.create_task(polling._ask_services()), asyncio.create_task(polling._ask_framework())]
            done, _ = await asyncio.wait(asked, timeout=0.5)
            assert not done
        await asyncio.wait_for(asyncio.gather(*asked), 60)
        assert polling._sightings.take()


async def test_an_older_core_that_lacks_methods_is_shown_without_what_they_tell(
    core: FakeCore, stock: StockCore
) -> None:
    one = core.add(state="CONFIGURED")
    stock.missing |= {"GetIntegratedServices", "GetActiveDetectors"}
    async with await Session.open(stock.endpoint, deadlines=PATIENT, timings=QUICK) as session:
        store = await session.picture()
        assert store.environment(one.id) is not None
        await shows(session, lambda: "GetIntegratedServices" in session.source.notice)


async def test_ten_thousand_tasks_are_taken_in(core: FakeCore, session: Session) -> None:
    core.hosts, core.tasks_per_host = 5000, 2
    one = core.add(state="CONFIGURED")
    store = await session.picture()
    await shows(session, lambda: len(store.tasks(one.id)) == 10_000)
    assert len(store.hosts) == 5000
