"""How a task is ended: ask for its state, walk it down to DONE, then signals; each step is cut short by its exit.

occ-executor-mesos.md 3.9, with timers where the original sleeps. Pure, like the Agent that calls it; the exit itself
is handled in agent.py.
"""

from __future__ import annotations

from signal import SIGINT, SIGKILL, SIGTERM

from executor.api.messages import ControlMode
from executor.desk import Desk
from executor.stimuli import Signal
from executor.task import Rung, Stage, Task
from occ.states import EXPECTED_FINAL

_DOWN = {"RUNNING": "STOP", "PAUSED": "STOP", "CONFIGURED": "RESET", "STANDBY": "EXIT", "ERROR": "EXIT"}


def begin(task: Task, desk: Desk) -> None:
    """Start to end a task that has a process. A task that is being ended already goes on as it does."""
    if task.rung is not None:
        return
    if task.stage is Stage.SPAWNING:
        task.rung = Rung.WAIT_SPAWN
    elif not task.is_remote:
        task.override = "TASK_KILLED"
        kill(task, desk)
    elif task.stage is Stage.UP:
        task.rung = Rung.QUERY
        desk.query(task, desk.settings.ladder_call_s)
    else:
        terminate(task, desk)


def answered(task: Task, event: str, state: str, error: str, lost: bool, desk: Desk) -> None:
    """Take the answer to a call of the ladder; event "" is the question for the state."""
    if task.rung not in (Rung.QUERY, Rung.WALK):
        return
    if state == "DONE" or (lost and event == "EXIT"):
        task.done = state == "DONE"
        task.rung = Rung.DONE
        desk.close_occ(task)
        desk.start_timer(_timer(task), desk.settings.done_s)
        return
    step = _DOWN.get(state)
    if state == "ERROR" and task.spec.mode is ControlMode.FAIRMQ:
        step = None  # a FairMQ device takes no END there, and its plugin would never answer
    if error or step is None or step == event:
        terminate(task, desk)
        return
    task.rung = Rung.WALK
    task.exit_asked = task.exit_asked or step == "EXIT"
    desk.call(task, "", state, step, EXPECTED_FINAL[step].value, desk.settings.ladder_call_s, {})


def spawned(task: Task, desk: Desk) -> None:
    """The process of a task that is to be ended has just come up."""
    if task.is_remote and not task.at_once:
        terminate(task, desk)
    else:
        task.override = "TASK_KILLED"
        kill(task, desk)


def terminate(task: Task, desk: Desk) -> None:
    """SIGTERM; the rest follows by timer."""
    desk.close_occ(task)
    _signal(task, Rung.TERM, SIGTERM, desk.settings.sigterm_s, desk)


def kill(task: Task, desk: Desk) -> None:
    """SIGKILL to the process group, and to the controlled process if that has left it."""
    desk.close_occ(task)
    _signal(task, Rung.KILL, SIGKILL, desk.settings.sigkill_s, desk)


def timer_fired(task: Task, desk: Desk) -> None:
    """The time of a step is up; after SIGKILL the task is STUCK."""
    if task.rung is Rung.DONE:
        terminate(task, desk)
    elif task.rung is Rung.TERM:
        _signal(task, Rung.INT, SIGINT, desk.settings.sigint_s, desk)
    elif task.rung is Rung.INT:
        kill(task, desk)
    elif task.rung is Rung.KILL:
        task.rung = Rung.STUCK


def stop(task: Task, desk: Desk) -> None:
    """The process is gone."""
    desk.stop_timer(_timer(task))


def _timer(task: Task) -> str:
    return f"ladder:{task.spec.task_id}"


def _signal(task: Task, rung: Rung, signal: int, then_s: float, desk: Desk) -> None:
    task.rung = rung
    desk.put(Signal(task.spec.task_id, int(signal), task.occ_pid))
    desk.start_timer(_timer(task), then_s)
