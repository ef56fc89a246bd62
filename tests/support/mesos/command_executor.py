"""What Mesos' own executor does for a task that is a plain command: run it, tell of it, and end it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from mesos.clock import Clock
from mesos.container import LaunchError
from mesos.executor_run import ExecutorRun, LaunchedTask, Phase, task_update
from mesos.terms import Timing

if TYPE_CHECKING:
    from mesos.agent import Agent


class CommandExecutor:
    """Plays that executor inside the agent, with the command as its only process."""

    def __init__(self, agent: Agent, clock: Clock, timing: Timing) -> None:
        self._agent = agent
        self._clock = clock
        self._timing = timing

    async def run(self, run: ExecutorRun, task: LaunchedTask) -> None:
        """Run a command from its start to the word of its end."""
        try:
            try:
                await self._agent.start(run, task.info["command"])
            except OSError:
                # Mesos' launcher runs and fails, so the task was running for a moment.
                await self._agent.start(run, {"value": "exit 1"})
        except LaunchError as error:
            self._agent.say(run, task, "TASK_FAILED", str(error), "REASON_CONTAINER_LAUNCH_FAILED")
            return
        self._tell(run, task, "TASK_STARTING")
        self._tell(run, task, "TASK_RUNNING")
        if run.timer is not None:
            # It was to be killed before there was something to kill.
            run.container.signal(signal.SIGTERM)
        status = await run.container.wait()
        is_killed = run.timer is not None
        run.still()
        run.phase = Phase.TERMINATED
        if status & 0x7F:
            message = f"Command terminated with signal {signal.strsignal(status & 0x7F)}"
        else:
            message = f"Command exited with status {status >> 8}"
        ended = "TASK_FINISHED" if status == 0 else "TASK_FAILED"
        self._tell(run, task, "TASK_KILLED" if is_killed else ended, message)

    def kill(self, run: ExecutorRun, task: LaunchedTask) -> None:
        """Ask a command to end, and kill it if it has not ended in time."""
        if {"type": "TASK_KILLING_STATE"} in run.framework.get("capabilities", []):
            self._tell(run, task, "TASK_KILLING")
        run.timer = self._clock.later(self._timing.kill_grace_s, run.container.destroy)
        run.container.signal(signal.SIGTERM)

    def _tell(self, run: ExecutorRun, task: LaunchedTask, state: str, message: str = "") -> None:
        status = task_update(task, state, "SOURCE_EXECUTOR", executor_id=run.id, agent_id=self._agent.id)
        if message:
            status["message"] = message
        self._agent.update(run, status)
