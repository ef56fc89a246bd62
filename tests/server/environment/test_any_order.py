"""Whatever happens to an environment, in whatever order: requests are answered once, it comes to rest, nothing is left."""

from __future__ import annotations

from collections import Counter
from typing import Any

from environment_world import OPERATOR, World, call, group, task
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server.api.model import EnvironmentEvent, OpStatus, RunEvent
from server.environment import instructions as do
from server.environment.advance import advance
from server.environment.environment import Environment
from server.environment.stimuli import (
    AnyStimulus,
    DestroyRequested,
    DeviceReported,
    Requested,
    TasksKilled,
    decode,
    encode,
)

EVENTS = ["CONFIGURE", "START_ACTIVITY", "STOP_ACTIVITY", "RESET", "DEPLOY"]
CRITICAL = st.booleans()


def demo(critical_hook: bool, critical_call: bool) -> Any:
    return group(
        "demo",
        task("source"),
        task("sink"),
        task("monitor", critical=False),
        task("hook", trigger="before_START_ACTIVITY+5", critical=critical_hook),
        task("bye", trigger="DESTROY", critical=False),
        call("early", "before_CONFIGURE-1", await_="after_CONFIGURE", func="p.early()", critical=critical_call),
        call("run", "enter_RUNNING", await_="after_STOP_ACTIVITY", func="p.run()", critical=critical_call),
        call("error", "before_GO_ERROR", func="p.error()", critical=critical_call),
        call("end", "DESTROY-5", func="p.end()"),
    )


class Patient(World):
    """A world whose answers come when they are let come."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.late: list[list[AnyStimulus]] = []
        self.is_gone = False

    def post(self, stimulus: AnyStimulus) -> None:
        self.stimuli.append(stimulus)
        decided = advance(self.environment, stimulus)
        self.environment.check()
        self.decided += [do.encode(instruction) for instruction in decided]
        for instruction in decided:
            assert not self.is_gone, f"{instruction} after the end"
            self.is_gone = isinstance(instruction, do.Gone)
            if answers := self.answer(instruction):
                self.late.append(answers)

    def deliver(self, which: int) -> None:
        answers = self.late[which]
        one = answers.pop(0)
        if not answers:
            del self.late[which]
        if not self.environment.is_gone:
            self.post(one)


class AnyOrder(RuleBasedStateMachine):
    world: Patient

    @initialize(hook=CRITICAL, of_call=CRITICAL, is_auto=st.integers(0, 4), is_up=st.integers(0, 4))
    def begin(self, hook: bool, of_call: bool, is_auto: int, is_up: int) -> None:
        self.asked: list[str] = ["create"]
        self.world = Patient(demo(hook, of_call), is_auto=not is_auto)
        self.world.post(self.world.created)
        if is_up:
            self.answers(30)

    def alive(self) -> bool:
        return not self.world.environment.is_gone

    # ---- what may happen ---------------------------------------------------------------------

    @precondition(lambda self: self.world.late)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.world.deliver(data.draw(st.integers(0, len(self.world.late) - 1)))

    @rule(count=st.integers(1, 30))
    def answers(self, count: int) -> None:
        while count and self.world.late:
            self.world.deliver(0)
            count -= 1

    @precondition(alive)
    @rule(event=st.sampled_from(EVENTS))
    def ask(self, event: str) -> None:
        self.asked.append(f"r{len(self.asked)}")
        self.world.post(Requested(at_ms=self.world.tick(), event=event, requester=OPERATOR, request_id=self.asked[-1]))

    @precondition(alive)
    @rule()
    def ask_for_the_next(self) -> None:
        nexts = {"DEPLOYED": "CONFIGURE", "CONFIGURED": "START_ACTIVITY", "RUNNING": "STOP_ACTIVITY"}
        self.ask(nexts.get(self.world.state, "RESET"))

    @precondition(lambda self: self.alive() and len(self.world.stimuli) > 25)
    @rule(keep=st.booleans(), running=st.booleans(), force=st.booleans())
    def destroy(self, keep: bool, running: bool, force: bool) -> None:
        self.asked.append(f"r{len(self.asked)}")
        self.world.post(
            DestroyRequested(
                at_ms=self.world.tick(), requester=OPERATOR, request_id=self.asked[-1], keep_tasks=keep,
                allow_running=running, force=force,
            )
        )  # fmt: skip

    @precondition(lambda self: self.alive() and self.world.timers)
    @rule(data=st.data())
    def fire(self, data: st.DataObject) -> None:
        self.world.fire(data.draw(st.sampled_from(sorted(self.world.timers))))

    @precondition(lambda self: self.alive() and self.world.environment.tasks)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        path = self.world.environment.role_of(data.draw(st.sampled_from(sorted(self.world.environment.tasks)))).path
        self.world.kill_task(path)

    @precondition(lambda self: self.alive() and self.world.environment.tasks)
    @rule(data=st.data(), kind=st.sampled_from([1, 3]))
    def say(self, data: st.DataObject, kind: int) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.world.environment.tasks)))
        self.world.post(DeviceReported(at_ms=self.world.tick(), task_id=task_id, type=kind))

    @precondition(lambda self: len(self.world.stimuli) > 15)
    @rule(what=st.sampled_from([
        ("call", "p.early()"), ("call", "p.run()"), ("call", "p.error()"), ("call", "p.end()"), ("run number",),
        ("command", "START", "demo.sink"), ("command", "STOP", "demo.monitor"), ("hook", "demo.hook"),
        ("silent hook", "demo.hook"), ("acquire", "demo.monitor"), ("start", "demo.sink"),
    ]))  # fmt: skip
    def fail_from_now_on(self, what: tuple[str, ...]) -> None:
        self.world.fail.add(what)

    @rule()
    def all_is_well_again(self) -> None:
        self.world.fail.clear()

    # ---- what must hold ----------------------------------------------------------------------

    @invariant()
    def every_request_is_answered_at_most_once(self) -> None:
        counted = Counter(reply.request_id for reply in self.world.replies)
        assert set(counted) <= set(self.asked) and all(count == 1 for count in counted.values())

    @invariant()
    def transitions_are_told_from_their_beginning_to_their_end(self) -> None:
        open_ = ""
        for event in self.world.events:
            if not isinstance(event, EnvironmentEvent) or event.transition in ("", "CREATE", "DESTROY"):
                continue
            if event.message == "transition starting":
                assert not open_, f"{event.transition} begins in {open_}"
                open_ = event.transition
            else:
                assert event.transition == open_, f"{event.message} of {event.transition} in {open_ or 'nothing'}"
            if event.message in ("transition error", "transition completed successfully"):
                open_ = ""
        assert open_ == (
            "" if self.world.environment.transition in (None, "DESTROY") else self.world.environment.transition
        )

    @invariant()
    def runs_have_numbers_of_their_own_and_end_once(self) -> None:
        begun: list[int] = []
        ended: list[int] = []
        for event in self.world.events:
            if isinstance(event, RunEvent):
                is_begin = event.transition == "START_ACTIVITY" and event.transition_status is OpStatus.STARTED
                is_end = (
                    event.transition in ("STOP_ACTIVITY", "GO_ERROR")
                    and event.transition_status is not OpStatus.STARTED
                )
                begun += [event.run_number] * is_begin
                ended += [event.run_number] * is_end
                assert event.run_number, f"{event.transition} {event.transition_status.name} of no run"
        assert len(set(begun)) == len(begun) and len(set(ended)) == len(ended) and set(ended) <= set(begun)

    def teardown(self) -> None:
        """All answers come, all timers fire: then it is at rest, or gone with all that it had."""
        world = self.world
        for _ in range(500):
            if world.late:
                world.deliver(0)
            elif world.timers and not world.environment.is_gone:
                world.fire(min(world.timers, key=lambda name: world.timers[name].at_ms))
            else:
                break
        environment = world.environment
        assert not world.late and (environment.is_gone or not world.timers), "it does not come to rest"
        waiting = set(self.asked) - {reply.request_id for reply in world.replies}
        if environment.is_gone:
            known = set(environment.tasks)
            assert known <= set(world.released), "tasks stay locked"
            for stimulus in world.stimuli:
                if isinstance(stimulus, TasksKilled):
                    known -= set(stimulus.killed)
            keeps = any(isinstance(one, DestroyRequested) and one.keep_tasks for one in world.stimuli)
            assert keeps or not known, f"tasks are left: {known}"
        else:
            assert environment.is_idle and not waiting, f"never answered: {waiting}"
            assert environment.state.value != "RUNNING" or environment.run_number
        self.replay()

    def replay(self) -> None:
        again = Environment.begin(self.world.created)
        decided = [
            do.encode(one) for stimulus in self.world.stimuli for one in advance(again, decode(encode(stimulus)))
        ]
        assert decided == self.world.decided


AnyOrder.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
