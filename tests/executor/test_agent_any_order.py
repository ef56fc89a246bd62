"""The Agent under any order of events that a correct world can produce: what must hold holds after each of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from executor import stimuli
from executor.agent import Agent
from executor.api.messages import (
    CommandReply,
    ControlMode,
    Forget,
    Kill,
    Launch,
    Phase,
    Ping,
    Target,
    TaskReports,
    TaskSpec,
    Transition,
    TriggerHooks,
)
from executor.settings import Identity, Settings

TASKS = ("t1", "t2", "t3", "t4")
MODES = {"t1": ControlMode.DIRECT, "t2": ControlMode.DIRECT, "t3": ControlMode.BASIC, "t4": ControlMode.HOOK}
STATES = st.sampled_from(["STANDBY", "CONFIGURED", "RUNNING", "ERROR", "DONE", ""])
IDS = st.lists(st.sampled_from([*TASKS, "unknown"]), unique=True, max_size=4).map(tuple)
IDENTITY = Identity(executor_id="x", agent_id="a", host="h", pid=1, instance="i", version="0")


class World(RuleBasedStateMachine):
    """Plays runner and core: does what it is told, in any order, with any outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.agent = Agent(IDENTITY, Settings(remembered_replies=10000))
        self.twin = Agent(IDENTITY, Settings(remembered_replies=10000))
        self.now_ms = 0
        self.last_command = 0
        self.targets: dict[str, tuple[str, ...]] = {}
        self.replies: Counter[str] = Counter()
        self.running: set[str] = set()
        self.spawning: set[str] = set()
        self.connecting: set[str] = set()
        self.calls: dict[int, str] = {}
        self.timers: set[str] = set()
        self.ended: set[str] = set()
        self.exited = False
        self.feed(stimuli.Started)

    def feed(self, kind: type[stimuli.AnyEvent], **fields: Any) -> None:
        self.now_ms += 10
        event = kind(**fields, at_ms=self.now_ms)
        again = msgspec.json.decode(msgspec.json.encode(event), type=stimuli.AnyEvent)
        instructions = self.agent.handle(event)
        assert self.twin.handle(again) == instructions
        for instruction in instructions:
            self.obey(instruction)
        self.agent.validate()

    def obey(self, i: Any) -> None:
        assert not (self.exited and isinstance(i, stimuli.Spawn | stimuli.CallOcc | stimuli.QueryOcc | stimuli.Signal))
        if isinstance(i, stimuli.Spawn):
            assert i.spec.task_id not in self.running | self.spawning | self.ended
            self.spawning.add(i.spec.task_id)
        elif isinstance(i, stimuli.ConnectOcc | stimuli.CallOcc | stimuli.QueryOcc | stimuli.Signal | stimuli.CloseOcc):
            assert i.task_id not in self.ended
            if not isinstance(i, stimuli.CloseOcc):
                assert i.task_id in self.running
            if isinstance(i, stimuli.CallOcc | stimuli.QueryOcc):
                self.calls[i.call_id] = i.task_id
            elif isinstance(i, stimuli.ConnectOcc):
                self.connecting.add(i.task_id)
            elif isinstance(i, stimuli.CloseOcc):
                self.connecting.discard(i.task_id)
        elif isinstance(i, stimuli.StartTimer):
            self.timers.add(i.timer_id)
        elif isinstance(i, stimuli.StopTimer):
            self.timers.discard(i.timer_id)
        elif isinstance(i, stimuli.Exit):
            assert not self.exited and not self.spawning
            self.exited = True
        elif isinstance(i, stimuli.Send):
            self.note(i.report)

    def note(self, report: Any) -> None:
        if isinstance(report, CommandReply):
            self.replies[report.command_id] += 1
            assert tuple(r.task_id for r in report.results) == self.targets[report.command_id]
        elif isinstance(report, TaskReports):
            for task in report.tasks:
                if task.phase is Phase.ENDED:
                    assert task.final_status in ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED")
                    assert task.task_id not in self.running
                    self.ended.add(task.task_id)

    def command(self, task_ids: tuple[str, ...]) -> str:
        self.last_command += 1
        self.targets[f"c{self.last_command}"] = task_ids
        return f"c{self.last_command}"

    # ---- the core ----------------------------------------------------------------------------

    @rule(task_id=st.sampled_from(TASKS))
    def launch(self, task_id: str) -> None:
        spec = TaskSpec(
            task_id=task_id,
            environment_id="e",
            class_name="c",
            mode=MODES[task_id],
            value="v",
            control_port=30000,
            timeout_s=1,
        )
        self.feed(stimuli.Commanded, command=Launch(command_id="l", tasks=(spec,)))

    @rule(ids=IDS, event=st.sampled_from(["CONFIGURE", "START", "STOP", "RESET", "EXIT"]))
    def transition(self, ids: tuple[str, ...], event: str) -> None:
        targets = tuple(Target(task_id=i) for i in ids)
        command = Transition(
            command_id=self.command(ids), environment_id="e", event=event, source="S", destination="D", targets=targets,
            timeout_s=1,
        )  # fmt: skip
        self.feed(stimuli.Commanded, command=command)

    @rule(ids=IDS)
    def trigger(self, ids: tuple[str, ...]) -> None:
        self.feed(
            stimuli.Commanded, command=TriggerHooks(command_id=self.command(ids), environment_id="e", task_ids=ids)
        )

    @rule(ids=IDS)
    def kill(self, ids: tuple[str, ...]) -> None:
        self.feed(stimuli.Commanded, command=Kill(command_id=self.command(ids), task_ids=ids))

    @rule(data=st.data())
    def repeat_a_kill(self, data: st.DataObject) -> None:
        if self.targets:
            command_id = data.draw(st.sampled_from(sorted(self.targets)))
            before = self.replies[command_id]
            self.feed(stimuli.Commanded, command=Kill(command_id=command_id, task_ids=self.targets[command_id]))
            assert self.replies[command_id] <= before + 1
            self.replies[command_id] = min(self.replies[command_id], 1)

    @rule(ids=IDS)
    def forget(self, ids: tuple[str, ...]) -> None:
        self.feed(stimuli.Commanded, command=Forget(task_ids=ids))
        self.ended -= {i for i in ids if i not in self.agent.tasks}

    @rule()
    def ping(self) -> None:
        self.feed(stimuli.Commanded, command=Ping(sent_ms=1))

    @rule()
    def link_up(self) -> None:
        self.feed(stimuli.LinkUp)

    # ---- the host ----------------------------------------------------------------------------

    @rule(data=st.data(), works=st.booleans())
    def spawned(self, data: st.DataObject, works: bool) -> None:
        if self.spawning:
            task_id = data.draw(st.sampled_from(sorted(self.spawning)))
            self.spawning.discard(task_id)
            if works:
                self.running.add(task_id)
                self.feed(stimuli.Spawned, task_id=task_id, pid=100)
            else:
                self.feed(stimuli.SpawnFailed, task_id=task_id, error="no")

    @rule(data=st.data(), state=st.sampled_from(["STANDBY", "STANDBY", "STANDBY", "ERROR", ""]))
    def connected(self, data: st.DataObject, state: str) -> None:
        if self.connecting:
            task_id = data.draw(st.sampled_from(sorted(self.connecting)))
            self.feed(stimuli.PortOpened, task_id=task_id)
            self.feed(stimuli.Unready, task_id=task_id, why="not yet")
            self.feed(stimuli.Ready, task_id=task_id, pid=101, state=state, error="" if state else "a stranger")
            self.connecting.discard(task_id)

    @rule(data=st.data(), exit_code=st.sampled_from([0, 1, None]))
    def exits(self, data: st.DataObject, exit_code: int | None) -> None:
        if self.running:
            task_id = data.draw(st.sampled_from(sorted(self.running)))
            self.running.discard(task_id)
            self.connecting.discard(task_id)
            signal = 9 if exit_code is None else None
            self.feed(stimuli.Exited, task_id=task_id, exit_code=exit_code, signal=signal, stdout="", stderr="")

    @rule(data=st.data(), state=STATES, error=st.sampled_from(["", "", "bad"]), lost=st.booleans())
    def replied(self, data: st.DataObject, state: str, error: str, lost: bool) -> None:
        if self.calls:
            call_id = data.draw(st.sampled_from(sorted(self.calls)))
            task_id = self.calls.pop(call_id)
            self.feed(
                stimuli.OccReplied,
                call_id=call_id,
                task_id=task_id,
                state=state,
                error=error,
                lost=lost and bool(error),
            )

    @rule(task_id=st.sampled_from(TASKS), state=STATES)
    def state_seen(self, task_id: str, state: str) -> None:
        if task_id in self.running and MODES[task_id] is ControlMode.DIRECT:
            self.feed(stimuli.StateSeen, task_id=task_id, state=state)

    @rule(data=st.data())
    def timer(self, data: st.DataObject) -> None:
        if self.timers:
            timer_id = data.draw(st.sampled_from(sorted(self.timers)))
            self.timers.discard(timer_id)
            self.feed(stimuli.TimerFired, timer_id=timer_id)

    @rule(chance=st.integers(0, 9))
    def terminated(self, chance: int) -> None:
        if chance == 0:
            self.feed(stimuli.Terminated)

    # ---- what must hold ----------------------------------------------------------------------

    @invariant()
    def no_command_is_answered_twice(self) -> None:
        assert all(count <= 1 for count in self.replies.values())

    @invariant()
    def only_living_tasks_are_thought_alive(self) -> None:
        alive = {t for t, task in self.agent.tasks.items() if task.has_process}
        assert alive == self.running | self.spawning

    def teardown(self) -> None:
        """Let everything that is under way come to its end: then every command is answered and nothing is left."""
        self.feed(stimuli.Commanded, command=Kill(command_id=self.command(TASKS), task_ids=TASKS))
        for _ in range(200):
            if self.spawning:
                task_id = min(self.spawning)
                self.spawning.discard(task_id)
                self.running.add(task_id)
                self.feed(stimuli.Spawned, task_id=task_id, pid=100)
            elif self.running:
                task_id = min(self.running)
                self.running.discard(task_id)
                self.feed(stimuli.Exited, task_id=task_id, exit_code=None, signal=9, stdout="", stderr="")
        assert set(self.targets) == {c for c, count in self.replies.items() if count}
        assert not self.timers - {"lease"}


World.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyOrder = World.TestCase
