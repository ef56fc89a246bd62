"""The picture that a fake core keeps and shows over aliecs.live.v1.Live: environments, their tasks, one little state machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import fake_picture

from server.api import live_pb2, live_pb2_grpc
from server.api.convert import to_batch
from server.api.model import (
    Batch,
    Change,
    Core,
    Environment,
    Event,
    Fault,
    History,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Service,
    Task,
    Thing,
    TransitionProgress,
    User,
    Variables,
)
from server.api.states import EnvironmentEvent, EnvironmentState, destination

Context = Any
_TASK_STATES = {"DEPLOYED": "STANDBY", "CONFIGURED": "CONFIGURED", "RUNNING": "RUNNING", "ERROR": "ERROR"}


def now_ms() -> int:
    return int(time.time() * 1000)


class FakeLive(live_pb2_grpc.LiveServicer):
    """Sends each change to the watchers. Everything a test may want to see or bend is an attribute."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """Names of the methods called, in order."""
        self.environments: dict[str, Environment] = {}
        self.tasks: dict[str, Task] = {}
        self.roles: dict[str, list[Role]] = {}
        """By environment, in pre-order; follow from the tasks."""
        self.faults: dict[str, Fault] = {}
        self.histories: dict[str, History] = {}
        self.variables_of: dict[str, Variables] = {}
        self.usual_ms = 0
        self.things: list[Thing] = [
            Core(
                instance="fake", version="1.2.3", framework_id="local-fake", detectors=("ITS", "TPC"), state="CONNECTED"
            ),
            *(Host(name=f"flp{n:03}", address="127.0.0.1", detector="ITS", executor_state="ATTACHED") for n in (1, 2)),
            Service(id="dcs", name="DCS", enabled=True, endpoint="dcs:1", connection_state="READY"),
        ]
        self.break_on: dict[str, str] = {}
        """Event to the host whose task breaks in it: the reply is OK and the state ERROR."""
        self.hold = asyncio.Event()
        """Transitions wait for it."""
        self.hold.set()
        self.beaten = asyncio.Event()
        """Set when a heartbeat was sent."""
        self.is_mute = False
        """No heartbeats: as a core that hangs while its connection stands."""
        self.held = asyncio.Event()
        """Set when one waits."""
        self.watching = asyncio.Event()
        """Set when somebody follows the picture."""
        self.hosts = 2
        self.tasks_per_host = 2
        self.epoch = "epoch-1"
        self._seq = self._revision = 0
        self._events: list[Change] = []
        self._log: list[live_pb2.Batch] = []
        self._grown = asyncio.Event()
        self._serial = 0
        self._run = 100

    def publish(self, *values: Thing | Removal | Event) -> None:
        """Send changes to the watchers as one batch."""
        self._seq += 1
        changes = tuple(Change(value, self._revision + number) for number, value in enumerate(values, start=1))
        self._revision += len(changes)
        self._events += [change for change in changes if isinstance(change.value, Event)]
        self._log.append(to_batch(Batch(self.epoch, self._seq, Part.NONE, changes, now_ms())))
        self._wake()

    def show(self, environment: Environment) -> None:
        """Keep and publish an environment."""
        self.environments[environment.id] = environment
        self.publish(environment)

    def add(self, name: str = "readout-demo", *, user: str = "", state: str = "STANDBY", **more: Any) -> Environment:
        """Make an environment and its tasks without any call."""
        self._serial += 1
        environment = Environment(
            id=f"2ab{self._serial}CDEFgh", template=name, state=state, created_ms=now_ms() + self._serial, owner=User(user),
            state_since_ms=now_ms(), hosts=self.hosts, tasks_total=self.hosts * self.tasks_per_host, detectors=("ITS",),
            **more,
        )  # fmt: skip
        self.environments[environment.id] = environment
        tasks: list[Task] = []
        for host in range(1, self.hosts + 1):
            for number, kind in enumerate(("readout", "sink")[: self.tasks_per_host]):
                task_id = f"task{self._serial}{host:03}{number}"
                task = self.tasks[task_id] = Task(
                    task_id=task_id, name=kind, class_name=f"repo/tasks/{kind}@abc", environment_id=environment.id,
                    path=f"{name}.host-flp{host:03}.{kind}", host=f"flp{host:03}", state="STANDBY", status="ACTIVE",
                    critical=True, pid=4000 + host, locked=True,
                )  # fmt: skip
                tasks.append(task)
        self.publish(environment, *tasks, *self._changed_roles(environment.id))
        return environment

    def _changed_roles(self, environment_id: str) -> list[Role]:
        """Renew the roles, which follow from the tasks, and return those that differ."""
        tasks = [task for task in self.tasks.values() if task.environment_id == environment_id]
        before = {role.order: role for role in self.roles.get(environment_id, [])}
        roles = fake_picture.role_tree(environment_id, self.environments[environment_id].template, tasks)
        self.roles[environment_id] = roles
        return [role for role in roles if before.get(role.order) != role]

    def variables(self, environment_id: str, **layers: dict[str, str]) -> None:
        """Give an environment variables: ``defaults``, ``vars``, ``user_vars``."""
        self.variables_of[environment_id] = Variables(environment_id=environment_id, **layers)
        self.publish(self.variables_of[environment_id])

    def fault(self, environment_id: str, host: str, during: str) -> None:
        """Break the sink of a host: its task and the environment go to ERROR."""
        task = next(
            it for it in self.tasks.values() if (it.host, it.name, it.environment_id) == (host, "sink", environment_id)
        )
        self.tasks[task.task_id] = replace(task, state="ERROR", error="exit code 3", exit_code=3)
        self.faults[environment_id] = Fault(
            environment_id=environment_id, at_ms=now_ms(), what="critical task sink ended with exit code 3",
            role=task.path, task_id=task.task_id, task="sink", host=host, during=during, cause="exit code 3",
            hint=f"aliecs task show {task.task_id}",
        )  # fmt: skip
        environment = self.environments[environment_id]
        failed = replace(environment, state="ERROR", transition=None, tasks_error=1, run_number=0, bytes_per_s=0.0)
        self.environments[environment_id] = failed
        roles = self._changed_roles(environment_id)
        self.publish(self.tasks[task.task_id], *roles, self.faults[environment_id], failed)

    def drop(self, environment_id: str) -> None:
        """Forget an environment and its tasks."""
        del self.environments[environment_id]
        for kind in (self.roles, self.variables_of, self.histories):
            kind.pop(environment_id, None)
        gone = [task_id for task_id, task in self.tasks.items() if task.environment_id == environment_id]
        for task_id in gone:
            del self.tasks[task_id]
        self.publish(Removal(Kind.ENVIRONMENT, environment_id), *(Removal(Kind.TASK, one) for one in gone))

    async def move(self, environment_id: str, event: EnvironmentEvent, user: str) -> Environment:
        """Run a transition: progress, wait while held, arrive or break."""
        environment = self.environments[environment_id]
        total = environment.tasks_total
        source = EnvironmentState(environment.state)
        to = destination(event, source)
        assert to is not None
        at_ms = now_ms()
        progress = TransitionProgress(
            event=event.value, step=f"tasks_{event.value}", tasks_total=total, user=user, started_ms=at_ms,
            steps=fake_picture.steps(event, source, to, at_ms=at_ms, tasks=total, is_over=False),
            usual_ms=self.usual_ms, budget_ms=90_000,
        )  # fmt: skip
        self.show(replace(environment, transition=progress))
        self.held.set()
        await self.hold.wait()
        self.show(replace(environment, transition=replace(progress, tasks_done=total)))
        broken = self.break_on.get(event.value, "")
        is_running = to is EnvironmentState.RUNNING
        self._run += is_running and not broken
        self.histories[environment_id] = fake_picture.longer(
            self.histories.get(environment_id, History(environment_id=environment_id)), progress, source, to,
            ended_ms=max(now_ms(), at_ms + 5), error="exit code 3" if broken else "", run_number=self._run,
        )  # fmt: skip
        self.publish(self.histories[environment_id])
        if broken:
            self.fault(environment_id, broken, event.value)
            return self.environments[environment_id]
        for task in self.tasks.values():
            if task.environment_id == environment_id:
                self.tasks[task.task_id] = replace(task, state=_TASK_STATES[to.value])
                self.publish(self.tasks[task.task_id])
        self.publish(*self._changed_roles(environment_id))
        self.show(
            replace(
                environment, state=to.value, transition=None, tasks_ok=total, tasks_active=total,
                run_number=self._run if is_running else 0,
                last_run_number=self._run if is_running else environment.last_run_number,
                bytes_moved=123_456_789.0 if is_running else environment.bytes_moved,
                bytes_per_s=25e6 if is_running else 0.0,
            )
        )  # fmt: skip
        return self.environments[environment_id]

    async def Watch(self, request: live_pb2.WatchRequest, context: Context) -> AsyncIterator[live_pb2.Batch]:
        self.calls.append(f"Watch({request.epoch},{request.since})")
        self.watching.set()
        at = request.since
        if request.epoch != self.epoch:
            known: list[Thing] = [
                *self.things,
                *self.environments.values(),
                *self.tasks.values(),
                *(role for roles in self.roles.values() for role in roles),
                *(one for kind in (self.faults, self.variables_of, self.histories) for one in kind.values()),
            ]
            changes = (*(Change(thing, self._revision) for thing in known), *self._events[-200:])
            at = self._seq
            yield to_batch(Batch(self.epoch, at, Part.BEGIN, changes, now_ms()))
            yield to_batch(Batch(self.epoch, at, Part.END, (), now_ms()))
        while True:
            grown = self._grown
            for batch in [one for one in self._log if one.seq > at]:
                at = batch.seq
                yield batch
            try:
                async with asyncio.timeout(max(0.1, request.heartbeat_ms / 1000) if request.heartbeat_ms else None):
                    await grown.wait()
            except TimeoutError:
                if not self.is_mute:
                    self.beaten.set()
                    yield to_batch(Batch(self.epoch, at, Part.NONE, (), now_ms()))

    def forget(self) -> None:
        """Become another life of the core: watchers get a snapshot again."""
        self.epoch = f"epoch-{int(self.epoch.split('-')[1]) + 1}"
        self._log.clear()
        self._events.clear()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()
