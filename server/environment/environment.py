"""One environment: all that is known of it. Only ``advance`` (transition.py) changes it; it does no I/O and has no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from occ.states import TaskState
from server.api.model import Fault, TransitionRecord
from server.api.states import EnvironmentEvent, EnvironmentState, Status, refusal
from server.environment.instructions import Answered, StartTimer
from server.environment.machine import EnvironmentMachine
from server.environment.plan import Cursor, Job
from server.environment.progress import Progress, lengthened
from server.environment.stimuli import Created, Requester
from server.environment.tree import Role, RoleTree


@dataclass(slots=True)
class TaskEntry:
    """A task of this environment, as far as the environment cares. What it is otherwise: server/task/task.py."""

    task_id: str
    role: int
    """``Role.order``."""
    host: str
    class_name: str
    mode: str
    is_safe_to_stop: bool = False
    """It said that its data has ended (core.md 2.13)."""
    error: str = ""
    """Last error in words."""
    ended: str = ""
    """How its process ended, in words; "" while it lives."""


@dataclass(slots=True)
class PendingCall:
    """A call between its trigger and its await point (core.md 2.8.3)."""

    role: int
    moment: str
    weight: int
    """Where it is awaited."""
    is_done: bool = False
    error: str = ""


@dataclass(slots=True)
class Environment:
    """The record of one environment.

    Invariants (``check``): a job in progress has a cursor or is between stages; every awaited token is outstanding,
    a pending call or a hook; a run number is set only between the start and the end of a run.
    """

    id: str
    created: Created
    machine: EnvironmentMachine
    tree: RoleTree
    requester: Requester
    state_since_ms: int
    latest_ms: int = 0
    """When it was moved on last; it never goes back, though the clock may, from one life of the core to the next."""
    tasks: dict[str, TaskEntry] = field(default_factory=dict)
    task_of_role: dict[int, str] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    """Where its tasks are or were."""
    transition: EnvironmentEvent | None = None
    """In progress now; DESTROY during teardown."""
    step: str = ""
    progress: Progress | None = None
    """Of the transition in progress; there as long as ``transition`` is."""
    history: tuple[TransitionRecord, ...] = ()
    """Finished transitions, oldest first, the last ones only."""
    finished: list[TransitionRecord] = field(default_factory=list)
    """Those that nobody has taken yet (``take_finished``)."""
    run_number: int = 0
    """0: no run in progress."""
    last_run_number: int = 0
    job: Job | None = None
    jobs: deque[Job] = field(default_factory=deque)
    """Waiting their turn: reactions to failures and a destroy that waits; bounded, as each kind waits at most once."""
    cursor: Cursor | None = None
    calls: dict[str, PendingCall] = field(default_factory=dict)
    """By token, from trigger to await."""
    outstanding: dict[str, Answered] = field(default_factory=dict)
    """Instructions without an answer yet, by token."""
    timers: dict[str, StartTimer] = field(default_factory=dict)
    fault: Fault | None = None
    """The first critical failure, kept until the environment is gone."""
    is_watched: bool = False
    """A critical task's ERROR leads to GO_ERROR: from CONFIGURED until it happened once (core.md 2.13)."""
    was_created: bool = False
    """Deployed and configured once."""
    was_started: bool = False
    """Of an automatic environment: its run was asked for."""
    is_gone: bool = False
    serial: int = 0
    """Counter behind the tokens, so that a replay makes the same ones."""

    @classmethod
    def begin(cls, created: Created) -> Environment:
        """Return the environment as it stands before its first job."""
        user_vars = dict(created.user_vars)
        user_vars["environment_id"] = created.environment_id
        user_vars["last_request_user"] = created.requester.to_variable()
        user_vars["enter_state_time_ms"] = str(created.at_ms)
        variables = dict(created.vars) | {"__fmq_cleanup_count": "0"}
        return cls(
            id=created.environment_id,
            created=created,
            machine=EnvironmentMachine(),
            tree=RoleTree(created.workflow.root, dict(created.defaults), variables, user_vars),
            requester=created.requester,
            state_since_ms=created.at_ms,
        )

    @property
    def state(self) -> EnvironmentState:
        return EnvironmentState(self.machine.state)

    @property
    def template_name(self) -> str:
        """Name of the workflow template, as people see it."""
        template = self.created.workflow.template
        return template.name or template.expression

    @property
    def is_idle(self) -> bool:
        return self.job is None and not self.jobs

    @property
    def busy_with(self) -> str:
        """Name of what is in progress, "" when idle."""
        return self.transition.value if self.transition else (self.job.name if self.job else "")

    def refusal(self, event: EnvironmentEvent) -> str:
        """Say why an operator cannot ask for the event now; "" when they can."""
        return refusal(event, self.state, self.busy_with)

    def base_stack(self) -> dict[str, str]:
        """Return the configuration at creation, without user input (core.md 2.1.2)."""
        return self.created.defaults | self.created.vars

    def role_of(self, task_id: str) -> Role:
        return self.tree[self.tasks[task_id].role]

    def begin_transition(
        self, event: EnvironmentEvent, moments: Iterable[str], *, at_ms: int, budget_ms: int = 0
    ) -> None:
        """Note what begins now, for those who watch."""
        self.transition, self.step = event, ""
        self.progress = Progress(
            event,
            self.state,
            user=self.requester.name,
            started_ms=at_ms,
            budget_ms=budget_ms,
            moments=moments,
            hooks=self.tree.hooks,
        )

    def end_transition(self, *, at_ms: int, run_number: int, error: str = "") -> None:
        """Note that the transition in progress is over, and how it ended."""
        assert self.progress is not None, "a transition is in progress"
        self.progress.leave(at_ms, error)
        # GO_ERROR may not fail: the state is set even if its hooks do.
        reached = EnvironmentState.ERROR if self.transition is EnvironmentEvent.GO_ERROR else self.state
        record = self.progress.record(reached, at_ms=at_ms, run_number=run_number, error=error)
        self.history = lengthened(self.history, record)
        self.finished.append(record)
        self.transition, self.step, self.progress = None, "", None

    def take_finished(self) -> list[TransitionRecord]:
        """Return and forget the transitions that ended since the last time."""
        finished, self.finished = self.finished, []
        return finished

    def active_tasks(self) -> tuple[str, ...]:
        """Return the tasks that take part in commands: those whose role is ACTIVE (core.md 3.2)."""
        return tuple(entry.task_id for entry in self.tasks.values() if self.tree[entry.role].status is Status.ACTIVE)

    def is_safe_to_stop(self) -> bool:
        """Tell whether every task has said or does not need to say that its data ended (core.md 2.13)."""
        if not self.tasks:
            return False
        for entry in self.tasks.values():
            role = self.tree[entry.role]
            if role.is_hook:
                continue
            if role.state is not TaskState.RUNNING or (entry.mode == "basic" and not entry.is_safe_to_stop):
                return False
        return True

    def check(self) -> None:
        """Raise AssertionError when an invariant is broken; called by tests after every stimulus."""
        if self.cursor is not None:
            assert self.job is not None, "a cursor without a job"
            known = self.outstanding.keys() | self.calls.keys() | {f"hook:{task}" for task in self.tasks}
            assert self.cursor.awaited <= known, f"awaits what nobody will answer: {self.cursor.awaited - known}"
        assert not self.run_number or self.state in (
            EnvironmentState.CONFIGURED, EnvironmentState.RUNNING, EnvironmentState.ERROR, EnvironmentState.DONE,
        ), f"a run number in {self.state.value}"  # fmt: skip
        assert (self.transition is None) == (self.progress is None), "a transition without its progress"
        assert len(self.jobs) <= MAX_JOBS, "jobs pile up"


MAX_JOBS = 8
"""Kinds of jobs that can wait at once."""
