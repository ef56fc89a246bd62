"""The controller without gRPC: what a device's author can rely on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator

import pytest
from occ_ear import follow, take

from occ import CONTINUE, END, Device, DeviceEvent, Outcome, Properties, TaskEvent, TaskState, Trigger
from occ.control import Controller, Refusal, RefusalKind
from occ.errors import RefusedError

DEADLINE_S = 60.0


class Diary(Device):
    """Writes down every callback; fails where told to."""

    def __init__(self, failing: dict[str, object] | None = None) -> None:
        super().__init__("diary")
        self.calls: list[str] = []
        self.threads: set[str] = set()
        self.failing = failing or {}
        self.running = threading.Lock()

    def _note(self, call: str) -> int | None:
        assert self.running.acquire(blocking=False), "callbacks overlap"
        try:
            self.calls.append(f"{call}({self.run_number})")
            self.threads.add(threading.current_thread().name)
            result = self.failing.get(call)
            if isinstance(result, Exception):
                raise result
            return result  # type: ignore[return-value]
        finally:
            self.running.release()

    def configure(self, properties: Properties) -> int | None:
        return self._note("configure")

    def start(self) -> int | None:
        return self._note("start")

    def stop(self) -> int | None:
        return self._note("stop")

    def reset(self) -> int | None:
        return self._note("reset")

    def recover(self) -> int | None:
        return self._note("recover")

    def pause(self) -> int | None:
        return self._note("pause")

    def resume(self) -> int | None:
        return self._note("resume")

    def exit(self) -> int | None:
        return self._note("exit")


@pytest.fixture
async def control() -> AsyncIterator[object]:
    made: list[Controller] = []

    def one(device: Device) -> Controller:
        made.append(Controller(device))
        return made[-1]

    yield one
    for controller in made:
        await controller.close()


async def go(controller: Controller, *events: str, **arguments: str) -> list[Outcome | Refusal]:
    async with asyncio.timeout(DEADLINE_S):
        return [await controller.transition(controller.state.value, event, arguments.items()) for event in events]


async def test_a_whole_cycle_calls_each_callback_once_in_one_worker_thread(control) -> None:
    device = Diary()
    controller = control(device)
    outcomes = await go(controller, "CONFIGURE", "START", "STOP", "RESET", "EXIT")
    assert all(outcome.ok and outcome.trigger is Trigger.EXECUTOR for outcome in outcomes)
    assert device.calls == ["configure(0)", "start(0)", "stop(0)", "reset(0)", "exit(0)"]
    assert len(device.threads) == 1 and threading.current_thread().name not in device.threads
    assert controller.done.is_set()


async def test_the_run_number_lasts_until_the_next_start(control) -> None:
    device = Diary()
    controller = control(device)
    await go(controller, "CONFIGURE")
    await go(controller, "START", runNumber="500123")
    await go(controller, "STOP", "RESET", "CONFIGURE", "START")
    assert device.calls == [
        "configure(0)",
        "start(500123)",
        "stop(500123)",
        "reset(500123)",
        "configure(500123)",
        "start(0)",
    ]


FAILURES = [
    ("CONFIGURE", "configure", []),
    ("START", "start", ["CONFIGURE"]),
    ("STOP", "stop", ["CONFIGURE", "START"]),
    ("RESET", "reset", ["CONFIGURE"]),
    ("EXIT", "exit", []),
]


@pytest.mark.parametrize("failure", [1, -1, ValueError("broken")])
@pytest.mark.parametrize(("event", "callback", "way"), FAILURES)
async def test_a_failing_callback_leads_to_error(
    control, event: str, callback: str, way: list[str], failure: object
) -> None:
    controller = control(Diary({callback: failure}))
    await go(controller, *way)
    states = follow(controller.states)
    await asyncio.sleep(0)
    (outcome,) = await go(controller, event)
    assert outcome == Outcome(TaskState.ERROR, event, ok=False, trigger=Trigger.DEVICE_ERROR, native="ERROR")
    assert await take(states, 1) == [TaskState.ERROR]


@pytest.mark.parametrize(
    "failure", [StopIteration(), asyncio.CancelledError(), concurrent.futures.CancelledError()], ids=repr
)
@pytest.mark.parametrize("callback", ["configure", "iterate_check", "iterate_running"])
async def test_exceptions_that_mean_something_to_python_itself_are_failures_like_others(
    control, failure: BaseException, callback: str
) -> None:
    device = Device("odd")

    def fail(*arguments: object) -> None:
        if callback == "configure" or device.state is TaskState.RUNNING:
            raise failure

    setattr(device, callback, fail)
    controller = control(device)
    states = follow(controller.states)
    async with asyncio.timeout(DEADLINE_S):
        await go(controller, "CONFIGURE", *([] if callback == "configure" else ["START"]))
        while await states.get() is not TaskState.ERROR:
            pass
        assert [o.state for o in await go(controller, "RECOVER")] == [TaskState.STANDBY]


async def test_a_coroutine_whose_inner_work_was_cancelled_has_failed(control) -> None:
    class Impatient(Device):
        async def configure(self, properties: Properties) -> None:
            work = asyncio.ensure_future(asyncio.Event().wait())
            work.cancel()
            await work

    async with asyncio.timeout(DEADLINE_S):
        assert [outcome.state for outcome in await go(control(Impatient()), "CONFIGURE")] == [TaskState.ERROR]


@pytest.mark.parametrize(("event", "callback"), [("RECOVER", "recover"), ("EXIT", "exit")])
async def test_a_failure_in_error_publishes_error_again(control, event: str, callback: str) -> None:
    device = Diary({"configure": 1, callback: 1})
    controller = control(device)
    await go(controller, "CONFIGURE")
    states = follow(controller.states)
    await asyncio.sleep(0)
    (outcome,) = await go(controller, event)
    assert (outcome.ok, outcome.trigger, outcome.state) == (False, Trigger.DEVICE_ERROR, TaskState.ERROR)
    assert await take(states, 1) == [TaskState.ERROR]
    del device.failing[callback]
    (outcome,) = await go(controller, event)
    assert outcome.ok


async def test_a_run_can_be_paused_resumed_and_stopped_while_paused_and_is_the_same_run(control) -> None:
    device = Diary()
    controller = control(device)
    states = follow(controller.states)
    await go(controller, "CONFIGURE")
    await go(controller, "START", runNumber="7")
    paused = await controller.request(TaskEvent.PAUSE)
    assert paused == Outcome(TaskState.PAUSED, "PAUSE", ok=True, trigger=Trigger.EXECUTOR, native="PAUSED")
    resumed = await controller.request(TaskEvent.RESUME)
    assert resumed == Outcome(TaskState.RUNNING, "RESUME", ok=True, trigger=Trigger.EXECUTOR, native="RUNNING")
    await controller.request(TaskEvent.PAUSE)
    await go(controller, "STOP")
    assert device.calls[1:] == ["start(7)", "pause(7)", "resume(7)", "pause(7)", "stop(7)"]
    wanted = ["CONFIGURED", "RUNNING", "PAUSED", "RUNNING", "PAUSED", "CONFIGURED"]
    assert await take(states, len(wanted)) == wanted


@pytest.mark.parametrize(("callback", "events"), [("pause", ["PAUSE"]), ("resume", ["PAUSE", "RESUME"])])
async def test_a_failing_pause_or_resume_leads_to_error_and_elsewhere_they_do_nothing(
    control, callback: str, events: list[str]
) -> None:
    controller = control(Diary({callback: 1}))
    for event in (TaskEvent.PAUSE, TaskEvent.RESUME):  # in STANDBY
        outcome = await controller.request(event)
        assert (outcome.ok, outcome.state, outcome.trigger) == (False, TaskState.STANDBY, Trigger.DEVICE_INTENTIONAL)
    await go(controller, "CONFIGURE", "START")
    outcome = [await controller.request(TaskEvent(event)) for event in events][-1]
    assert (outcome.ok, outcome.state, outcome.trigger) == (False, TaskState.ERROR, Trigger.DEVICE_ERROR)


async def test_a_failure_that_is_reported_in_recover_counts_and_one_before_it_does_not(control) -> None:
    class Weak(Device):
        is_mended = False

        def recover(self) -> None:
            if not self.is_mended:
                self.fail("still broken")

    device = Weak()
    controller = control(device)
    states, events = follow(controller.states), follow(controller.events)
    await asyncio.sleep(0)
    device.fail("broken")
    assert await take(states, 1) == [TaskState.ERROR]
    await go(controller, "RECOVER")
    assert await take(states, 2) == [TaskState.STANDBY, TaskState.ERROR]
    device.fail("broken once more, which changes nothing")
    device.is_mended = True
    await go(controller, "RECOVER", "CONFIGURE")
    assert await take(states, 2) == [TaskState.STANDBY, TaskState.CONFIGURED]
    assert await take(events, 2) == [DeviceEvent.TASK_INTERNAL_ERROR] * 2


async def test_a_refusing_callback_leaves_everything_as_it_was(control) -> None:
    device = Diary({"configure": RefusedError("not with these")})
    controller = control(device)
    states = follow(controller.states)
    await asyncio.sleep(0)
    (refusal,) = await go(controller, "CONFIGURE", a="1", runNumber="5")
    assert refusal == Refusal(RefusalKind.UNEXPECTED, "not with these")
    assert (controller.state, device.run_number, device.properties.flat()) == (TaskState.STANDBY, 0, {})
    device.failing.clear()
    assert (await go(controller, "CONFIGURE"))[0].ok
    assert await take(states, 1) == [TaskState.CONFIGURED]


async def test_configure_gets_the_tree_start_sees_its_own_arguments(control) -> None:
    device = Diary()
    controller = control(device)
    await go(controller, "CONFIGURE", **{"chans.in.0.type": "pull"})
    await go(controller, "START", **{"orbit-reset-time": "1"})
    assert device.properties.get("chans.in.0.type") == "pull"
    assert device.arguments.get("orbit-reset-time") == "1"


async def test_a_preset_configuration_wins_over_what_is_pushed(control) -> None:
    device = Diary()
    device.preset.put("mine", "1")
    controller = control(device)
    await go(controller, "CONFIGURE", pushed="1")
    assert device.properties.flat() == {"mine": "1"}


async def test_async_callbacks_run_on_the_loop(control) -> None:
    class Modern(Device):
        where: object = None

        async def start(self) -> None:
            await asyncio.sleep(0)
            self.where = asyncio.get_running_loop()

    device = Modern()
    await go(control(device), "CONFIGURE", "START")
    assert device.where is asyncio.get_running_loop()


async def test_a_busy_iteration_starves_no_command(control) -> None:
    class Busy(Device):
        iterate_pause_s = 0.0
        rounds = 0

        def iterate_running(self) -> int:
            self.rounds += 1
            threading.Event().wait(0.01)
            return CONTINUE

    device = Busy()
    controller = control(device)
    await go(controller, "CONFIGURE", "START")
    for _ in range(5):
        async with asyncio.timeout(20):
            assert await controller.settled_state() is TaskState.RUNNING
    assert device.rounds > 0
    assert (await go(controller, "STOP"))[0].ok


async def test_the_end_of_data_is_reported_once_in_every_run(control) -> None:
    class Finite(Device):
        rounds = 0

        def iterate_running(self) -> int:
            self.rounds += 1
            return END if self.rounds % 3 == 0 else CONTINUE

    device = Finite()
    controller = control(device)
    events = follow(controller.events)
    await go(controller, "CONFIGURE")
    for run in (1, 2):
        await go(controller, "START")
        assert await take(events, 1) == [DeviceEvent.END_OF_STREAM]
        assert controller.state is TaskState.RUNNING
        await go(controller, "STOP")
        assert device.rounds == 3 * run
    assert events.empty()


@pytest.mark.parametrize("failure", [5, RuntimeError("no beam")])
async def test_a_failing_iteration_is_published_as_state_and_as_event(control, failure: object) -> None:
    class Failing(Device):
        def iterate_running(self) -> int:
            if isinstance(failure, Exception):
                raise failure
            return failure  # type: ignore[return-value]

    controller = control(Failing())
    states, events = follow(controller.states), follow(controller.events)
    await go(controller, "CONFIGURE", "START")
    assert await take(states, 3) == [TaskState.CONFIGURED, TaskState.RUNNING, TaskState.ERROR]
    assert await take(events, 1) == [DeviceEvent.TASK_INTERNAL_ERROR]


@pytest.mark.parametrize("way", [[], ["CONFIGURE"], ["CONFIGURE", "START"]])
async def test_a_failing_check_leads_to_error_from_every_state_and_again_after_recover(control, way: list[str]) -> None:
    class Checked(Device):
        check_period_s = 0.01
        bad = 0

        def iterate_check(self) -> int:
            return self.bad

    device = Checked()
    controller = control(device)
    await go(controller, *way)
    states, events = follow(controller.states), follow(controller.events)
    await asyncio.sleep(0)
    device.bad = 3
    assert await take(states, 1) == [TaskState.ERROR]
    assert await take(events, 1) == [DeviceEvent.TASK_INTERNAL_ERROR]
    (outcome,) = await go(controller, "RECOVER")
    assert outcome.ok and outcome.state is TaskState.STANDBY
    assert await take(states, 2) == [TaskState.STANDBY, TaskState.ERROR]
    assert await take(events, 1) == [DeviceEvent.TASK_INTERNAL_ERROR]


async def test_a_thread_of_the_task_can_report_failure_and_end_of_data(control) -> None:
    class Threaded(Device):
        def start(self) -> None:
            threading.Thread(target=self.end_of_stream).start()

        def stop(self) -> None:
            threading.Thread(target=self.fail, args=("broken",)).start()

    device = Threaded()
    controller = control(device)
    states, events = follow(controller.states), follow(controller.events)
    await go(controller, "CONFIGURE", "START")
    assert await take(events, 1) == [DeviceEvent.END_OF_STREAM]
    await go(controller, "STOP")
    assert (await take(states, 4))[-1] is TaskState.ERROR
    assert await take(events, 1) == [DeviceEvent.TASK_INTERNAL_ERROR]


async def test_a_caller_that_gives_up_does_not_stop_the_transition(control) -> None:
    gate = threading.Event()

    class Slow(Device):
        def configure(self, properties: Properties) -> None:
            assert gate.wait(DEADLINE_S)

    controller = control(Slow())
    states = follow(controller.states)
    caller = asyncio.create_task(controller.transition("STANDBY", "CONFIGURE"))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert controller.state is TaskState.STANDBY
    gate.set()
    assert await take(states, 1) == [TaskState.CONFIGURED]
