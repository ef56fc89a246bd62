"""One call of ``advance``: the instructions that it collects, and the small acts that every step shares."""

from __future__ import annotations

from occ.states import TaskState
from server.api.model import CallEvent, EnvironmentEvent, Fault, OpStatus, RunEvent, TemplateReference, Traits, User
from server.api.states import EnvironmentState
from server.environment.environment import Environment
from server.environment.instructions import Answered, AnyInstruction, Publish, StartTimer, StopTimer
from server.environment.stimuli import Requester
from server.environment.tree import Role


class Turn:
    """What one stimulus does to one environment.

    Attributes:
        now_ms: time of the stimulus, Unix milliseconds; there is no other clock.
        instructions: in the order in which they must be carried out.
    """

    def __init__(self, environment: Environment, now_ms: int) -> None:
        self.environment = environment
        self.now_ms = now_ms
        self.instructions: list[AnyInstruction] = []

    # ---- instructions ------------------------------------------------------------------------

    def do(self, instruction: AnyInstruction) -> None:
        self.instructions.append(instruction)

    def ask(self, instruction: Answered) -> str:
        """Issue an instruction that will be answered; return its token."""
        self.environment.outstanding[instruction.token] = instruction
        self.instructions.append(instruction)
        return instruction.token

    def token(self, kind: str) -> str:
        """Return a new token, the same in every replay."""
        self.environment.serial += 1
        return f"{self.environment.id}.{self.environment.serial}.{kind}"

    def start_timer(self, name: str, seconds: float) -> None:
        """Start or restart the timer of that name."""
        timer = StartTimer(timer=name, at_ms=self.now_ms + int(seconds * 1000))
        self.environment.timers[name] = timer
        self.do(timer)

    def stop_timer(self, name: str) -> None:
        if self.environment.timers.pop(name, None):
            self.do(StopTimer(timer=name))

    # ---- events ------------------------------------------------------------------------------

    def publish(
        self,
        message: str,
        *,
        state: EnvironmentState | None = None,
        transition: str = "",
        step: str = "",
        status: OpStatus = OpStatus.NULL,
        error: str = "",
        with_vars: bool = False,
        with_run: bool = True,
    ) -> None:
        """Publish an environment event; the literal messages are matched by AliECS's GUI (core.md 4.4)."""
        environment = self.environment
        tree = environment.tree
        event = EnvironmentEvent(
            at_ms=self.now_ms,
            environment_id=environment.id,
            state=(state or environment.state).value,
            run_number=environment.run_number if with_run else 0,
            error=error,
            message=message,
            transition=transition,
            transition_step=step,
            transition_status=status,
            vars=tree.stack(tree.root) if with_vars else {},
            last_request_user=named_user(environment.requester),
            workflow_template=template_reference(environment),
        )
        self.do(Publish(event=event))

    def publish_transition(
        self, message: str, status: OpStatus, *, error: str = "", state: EnvironmentState | None = None
    ) -> None:
        """Publish an event of the transition or teardown in progress."""
        environment = self.environment
        name = environment.transition.value if environment.transition else ""
        self.publish(message, state=state, transition=name, step=environment.step, status=status, error=error)

    def publish_run(
        self, status: OpStatus, at_ms: int, *, error: str = "", transition: str = "", with_user: bool = True
    ) -> None:
        """Publish a run event (core.md 4.4)."""
        environment = self.environment
        name = transition or (environment.transition.value if environment.transition else "")
        event = RunEvent(
            at_ms=at_ms,
            environment_id=environment.id,
            run_number=environment.run_number,
            state=environment.state.value,
            error=error,
            transition=name,
            transition_status=status,
            last_request_user=named_user(environment.requester) if with_user else None,
        )
        self.do(Publish(event=event))

    def publish_call(self, role: Role, status: OpStatus, *, output: str = "", error: str = "") -> None:
        traits = role.traits
        event = CallEvent(
            at_ms=self.now_ms,
            environment_id=self.environment.id,
            path=role.path,
            func=role.loaded.func,
            call_status=status,
            return_name=role.loaded.return_var,
            traits=Traits(
                trigger=traits.trigger, await_=traits.await_, timeout=traits.timeout, critical=traits.critical
            ),
            output=output,
            error=error,
        )
        self.do(Publish(event=event))

    # ---- variables ---------------------------------------------------------------------------

    def root_variable(self, key: str) -> str | None:
        """Return a runtime variable of the root role, None if it was never set."""
        return self.environment.tree.root.user_vars.get(key)

    def set_root_variable(self, key: str, value: str) -> None:
        self.environment.tree.root.user_vars[key] = value

    # ---- failures ----------------------------------------------------------------------------

    def watch(self) -> None:
        """Start the clock to GO_ERROR when a critical ERROR has reached the root, once (core.md 2.13)."""
        environment = self.environment
        if not environment.is_watched or environment.tree.root.state is not TaskState.ERROR:
            return
        environment.is_watched = False
        self.start_timer("go_error", environment.created.timings.go_error_delay_s)

    def record_fault(
        self,
        what: str,
        *,
        role: Role | None = None,
        task_id: str = "",
        cause: str = "",
        hint: str = "",
        during: str = "",
    ) -> None:
        """Keep the first critical failure of the environment; later ones are consequences until shown otherwise."""
        environment = self.environment
        if environment.fault is not None:
            return
        entry = environment.tasks.get(task_id)
        environment.fault = Fault(
            environment_id=environment.id,
            at_ms=self.now_ms,
            what=what,
            role=role.path if role else "",
            task_id=task_id,
            task=entry.class_name if entry else "",
            host=entry.host if entry else "",
            during=during or environment.busy_with or environment.state.value,
            cause=cause,
            hint=hint or (f"aliecs task show {task_id}" if task_id else f"aliecs env show {environment.id}"),
        )


def to_user(requester: Requester) -> User:
    """Return the requester as clients see it."""
    return User(name=requester.name, external_id=requester.external_id, id=requester.id)


def named_user(requester: Requester) -> User | None:
    """Return the requester as events name one, None where a request named nobody."""
    return None if requester == Requester() else to_user(requester)


def template_reference(environment: Environment) -> TemplateReference:
    """Return the template as events name it."""
    template = environment.created.workflow.template
    return TemplateReference(
        name=template.name, description=template.description, path=template.expression, public=template.public
    )


def describe_task(environment: Environment, task_id: str) -> str:
    """Name a task for people: class, id, role path and host."""
    entry = environment.tasks.get(task_id)
    if entry is None:
        return f"task {task_id}"
    return f"task {entry.class_name} ({task_id}, role {environment.tree[entry.role].path}) on {entry.host}"


def failed_leaves(environment: Environment) -> list[Role]:
    """Return the critical leaves that are in ERROR."""
    return [role for role in environment.tree.leaves() if role.critical and role.state is TaskState.ERROR]
