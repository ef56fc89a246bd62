"""The life of tasks from launch to end: what events from processes and OCC lead to. What the core asks for: commands.py.

Pure part of the Agent (agent.py).
"""

from __future__ import annotations

from signal import SIGKILL

from msgspec.structs import replace

from executor import ladder
from executor.api.messages import CommandReply, DeviceEvent, TaskResult, TaskSpec, Termination
from executor.desk import Call, Desk
from executor.orders import Orders
from executor.stimuli import (
    ConnectOcc,
    Exited,
    OccEvent,
    OccReplied,
    PortOpened,
    Ready,
    Signal,
    Spawn,
    Spawned,
    SpawnFailed,
    StateSeen,
    Unready,
)
from executor.task import ECHOES, Rung, Stage, Task, describe_exit
from occ.states import TaskState

_BASIC_TASK_TERMINATED = 2
"""occ_pb.DeviceEventType; the agent imports no protobuf."""
_ERROR = TaskState.ERROR.value
_STANDBY = TaskState.STANDBY.value


class Life:
    """All tasks of one executor and what happens to them."""

    def __init__(self, desk: Desk, orders: Orders) -> None:
        self.tasks: dict[str, Task] = {}
        self.desk = desk
        self.orders = orders
        self.now_ms = 0

    # ---- start -------------------------------------------------------------------------------

    def launch(self, spec: TaskSpec, refusal: str = "") -> None:
        """Take a new task; one that is known is reported again and not started twice."""
        known = self.tasks.get(spec.task_id)
        if known is not None:
            self.desk.report(known, self.now_ms)
            return
        task = self.tasks[spec.task_id] = Task(spec, Stage.IDLE)
        if task.is_remote and not 0 < spec.control_port < 65536:
            given = f"{spec.control_port} is none" if spec.control_port else "none was given"
            refusal = refusal or f"a task in control mode {spec.mode.value} needs a control port, {given}"
        if refusal:
            self.ended(task, "TASK_FAILED", refusal)
        elif task.is_remote:
            self.spawn(task)
        else:
            task.state = _STANDBY
            self.desk.report(task, self.now_ms)

    def spawn(self, task: Task) -> None:
        task.stage = Stage.SPAWNING
        self.desk.put(Spawn(task.spec))

    def on_spawned(self, event: Spawned) -> None:
        task = self.tasks[event.task_id]
        spec, desk = task.spec, self.desk
        task.pid, task.limits = event.pid, event.limits
        task.exit_code = task.signal = None
        task.stage = Stage.PORT if task.is_remote else Stage.UP
        if not task.is_remote:
            if task.running == "START":
                task.state = TaskState.RUNNING.value
            self._answer_running(task)
            desk.report(task, self.now_ms)
            if spec.timeout_s > 0:
                desk.start_timer(f"run:{spec.task_id}", spec.timeout_s)
        if task.rung is Rung.WAIT_SPAWN:
            ladder.spawned(task, desk)
        elif task.is_remote:
            task.connected = True
            desk.put(ConnectOcc(spec.task_id, spec.control_port))
            desk.start_timer(f"ready:{spec.task_id}", desk.settings.port_open_s)

    def on_spawn_failed(self, event: SpawnFailed) -> None:
        task = self.tasks[event.task_id]
        task.stage = Stage.IDLE
        self._answer_running(task, event.error)
        if task.is_remote:
            self.ended(task, "TASK_FAILED", event.error)
        elif task.rung is not None:
            self.ended(task, "TASK_FINISHED")

    def on_port_opened(self, event: PortOpened) -> None:
        task = self.tasks[event.task_id]
        if task.stage is Stage.PORT and task.rung is None:
            task.stage = Stage.STANDBY
            self.desk.start_timer(f"ready:{event.task_id}", self.desk.settings.standby_s)

    def on_ready(self, event: Ready) -> None:
        task = self.tasks[event.task_id]
        if task.stage not in (Stage.PORT, Stage.STANDBY) or task.rung is not None:
            return
        self.desk.stop_timer(f"ready:{event.task_id}")
        task.occ_pid, task.state = event.pid, event.state
        if event.error:
            self._fail_start(task, event.error)
        elif event.state == _STANDBY:
            task.stage = Stage.UP
            self.desk.report(task, self.now_ms)
        else:
            self._fail_start(task, f"started in state {event.state}, expected STANDBY")

    def on_unready(self, event: Unready) -> None:
        self.tasks[event.task_id].trouble = event.why

    def on_ready_timeout(self, task: Task) -> None:
        settings, port = self.desk.settings, task.spec.control_port
        if task.stage is Stage.PORT:
            why = f"still alive but did not open its control port {port} within {settings.port_open_s:g} s"
        else:
            why = f"opened its control port {port} but was not in STANDBY after {settings.standby_s:g} s"
            why += f"; last answer: {task.trouble}" if task.trouble else ""
        self._fail_start(task, why)

    def _fail_start(self, task: Task, why: str) -> None:
        task.failure = why
        ladder.terminate(task, self.desk)

    # ---- end ---------------------------------------------------------------------------------

    def end(self, task: Task, *, at_once: bool = False) -> None:
        """Begin to end a task; ``at_once`` without asking it. TASK_FINISHED if it has no process."""
        task.at_once = task.at_once or at_once
        if task.stage is Stage.IDLE:
            self.ended(task, "TASK_FINISHED")
        elif at_once and task.stage not in (Stage.SPAWNING, Stage.ENDED):
            if task.rung not in (Rung.KILL, Rung.STUCK):
                task.override = "TASK_KILLED"
                ladder.kill(task, self.desk)
        elif task.has_process:
            ladder.begin(task, self.desk)
        self.desk.stop_timer(f"ready:{task.spec.task_id}")

    def stop_process(self, task: Task) -> None:
        """End the process of a basic task, not the task; state CONFIGURED follows its exit."""
        task.override = "TASK_KILLED"
        self.desk.put(Signal(task.spec.task_id, int(SIGKILL)))

    def on_run_timeout(self, task: Task) -> None:
        """The process of a hook or basic task took too long (occ-executor-mesos.md 3.9)."""
        task.timed_out = True
        self.desk.put(Signal(task.spec.task_id, int(SIGKILL)))

    def on_ladder_timeout(self, task: Task) -> None:
        ladder.timer_fired(task, self.desk)
        if task.rung is Rung.STUCK:
            for command_id in task.kills:
                self.answer(command_id, task, f"process {task.pid} is still there after SIGKILL")
            task.kills.clear()

    def on_exited(self, event: Exited) -> None:
        task = self.tasks[event.task_id]
        for timer in ("ready", "run"):
            self.desk.stop_timer(f"{timer}:{event.task_id}")
        ladder.stop(task, self.desk)
        self.desk.close_occ(task)
        task.exit_code, task.signal = event.exit_code, event.signal
        if event.out_of_memory:
            task.limits += f"; a process was killed by {event.out_of_memory}"
        if task.is_remote:
            self._remote_exited(task, event)
        else:
            self._local_exited(task, event)

    def _remote_exited(self, task: Task, event: Exited) -> None:
        how = describe_exit(event.exit_code, event.signal, event.stderr, event.out_of_memory)
        clean = event.exit_code == 0
        if task.failure:
            status, error = "TASK_FAILED", task.failure
        elif task.done or (task.exit_asked and clean):
            status, error = "TASK_FINISHED", ""
        elif task.rung is not None:
            status, error = "TASK_KILLED", ""
        elif task.stage is not Stage.UP:
            status, error = "TASK_FAILED", f"ended before its control port {task.spec.control_port} was ready: {how}"
        else:
            status, error = ("TASK_FINISHED", "") if clean else ("TASK_FAILED", how)
        calls = self.desk.calls
        for call_id in [number for number, call in calls.items() if call.task_id == event.task_id]:
            call = calls.pop(call_id)
            self.desk.stop_timer(f"lost:{call_id}")
            if call.command_id:
                task.running = ""
                self.answer(call.command_id, task, f"ended during {call.event}: {how}")
        self.ended(task, status, error)

    def _local_exited(self, task: Task, event: Exited) -> None:
        status = task.override or ("TASK_FINISHED" if event.exit_code == 0 else "TASK_FAILED")
        stderr = event.stderr
        if task.timed_out:
            stderr += f"\n[executor] killed after its timeout of {task.spec.timeout_s:g} s\n"
        if event.out_of_memory:
            stderr += f"\n[executor] {describe_exit(event.exit_code, event.signal, '', event.out_of_memory)}\n"
        end = Termination(
            exit_code=-1 if event.exit_code is None else event.exit_code,
            stdout=event.stdout,
            stderr=stderr,
            voluntary=not task.override,
            final_status=status,
        )
        was_ended = task.rung is not None
        task.stage, task.pid, task.override, task.timed_out = Stage.IDLE, 0, "", False
        if task.running == "STOP":
            task.state = TaskState.CONFIGURED.value
        self._answer_running(task)
        if not was_ended:
            self.desk.report(task, self.now_ms)
        self.desk.send_event(
            DeviceEvent(
                task_id=task.spec.task_id,
                environment_id=task.spec.environment_id,
                type=_BASIC_TASK_TERMINATED,
                termination=end,
                timestamp_ms=self.now_ms,
            )
        )
        if was_ended:
            self.ended(task, "TASK_KILLED")

    def ended(self, task: Task, status: str, error: str = "") -> None:
        """Close the record of a task without a process; whoever waited for its end is told."""
        task.stage, task.final_status, task.error, task.rung = Stage.ENDED, status, error, None
        task.pid = task.occ_pid = 0
        task.running = task.command_id = ""
        task.state = {"TASK_FINISHED": TaskState.DONE.value, "TASK_FAILED": _ERROR}.get(status, "")
        self.desk.report(task, self.now_ms)
        for command_id in task.kills:
            self.answer(command_id, task)
        task.kills.clear()

    # ---- OCC ---------------------------------------------------------------------------------

    def on_occ_replied(self, event: OccReplied) -> None:
        call = self.desk.calls.get(event.call_id)
        if call is None:
            return
        task = self.tasks[call.task_id]
        if not call.command_id:
            del self.desk.calls[event.call_id]
            task.occ_pid = event.pid or task.occ_pid
            task.state = event.state or task.state
            ladder.answered(task, call.event, event.state, event.error, event.lost, self.desk)
        elif event.lost:
            self.desk.calls[event.call_id] = Call(call.task_id, call.event, call.command_id, event.error)
            self.desk.start_timer(f"lost:{event.call_id}", self.desk.settings.lost_s)
        else:
            self._called(event.call_id, call, event.state, event.error)

    def on_lost_timeout(self, call_id: int) -> None:
        """The connection broke, the process lives on."""
        call = self.desk.calls[call_id]
        self._called(call_id, call, "", call.error)

    def _called(self, call_id: int, call: Call, state: str, error: str) -> None:
        del self.desk.calls[call_id]
        task = self.tasks[call.task_id]
        task.running = ""
        if task.seen and (not state or state in task.seen):
            # The stream tells every state: who gave no answer is where it says, who did may have moved on since.
            state = task.seen[-1]
        elif task.tells_states and state not in ("", task.state):
            task.echoes = [*task.echoes[-ECHOES + 1 :], state]
        if state:
            task.state = state
            task.done = task.done or (call.event == "EXIT" and state == TaskState.DONE.value)
        if self.orders.is_open(call.command_id):
            self.answer(call.command_id, task, error)
        else:  # its time was up before
            self.desk.report(task, self.now_ms)

    def on_state_seen(self, event: StateSeen) -> None:
        """A state of the stream is the repetition of a reply, part of what runs, or a move by the task itself."""
        task = self.tasks[event.task_id]
        if event.state in task.echoes:
            del task.echoes[: task.echoes.index(event.state) + 1]
            return
        if not task.has_process:
            return
        task.seen = [*(state for state in task.seen if state != event.state), event.state]
        if event.state != task.state and (event.state == _ERROR or not (task.running or task.rung)):
            task.state = event.state
            self.desk.report(task, self.now_ms)

    def on_occ_event(self, event: OccEvent) -> None:
        task = self.tasks[event.task_id]
        self.desk.send_event(
            DeviceEvent(
                task_id=event.task_id,
                environment_id=task.spec.environment_id,
                type=event.type,
                timestamp_ms=self.now_ms,
            )
        )

    # ---- answers -----------------------------------------------------------------------------

    def answer(self, command_id: str, task: Task, error: str = "") -> None:
        """Answer a command for one target, with the state that is known best."""
        task_id = task.spec.task_id
        self.reply(self.orders.answer(command_id, TaskResult(task_id=task_id, state=task.state, error=error)))

    def reply(self, reply: CommandReply | None) -> None:
        """Send a reply if there is one, with the states of this moment: tasks that answered first may have moved on."""
        if reply is not None:
            self.desk.send_reply(replace(reply, results=tuple([self._as_of_now(result) for result in reply.results])))

    def _as_of_now(self, result: TaskResult) -> TaskResult:
        task = self.tasks.get(result.task_id)
        return result if task is None or task.state == result.state else replace(result, state=task.state)

    def _answer_running(self, task: Task, error: str = "") -> None:
        """Answer whoever waits for the process of a basic or hook task to come or go."""
        command_id, task.command_id, task.running = task.command_id, "", ""
        if command_id:
            self.answer(command_id, task, error)
