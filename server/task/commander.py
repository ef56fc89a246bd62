"""Commands to many tasks: one message per executor, replies merged, every wait with a deadline (core.md 3.8, 3.9).

What executors report without being asked: reception.py, which also tells the commander who comes and goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from executor.api.messages import (
    Command,
    CommandReply,
    Forget,
    Kill,
    Phase,
    Target,
    TaskReport,
    TaskResult,
    Transition,
    TriggerHooks,
)
from server.deploy.backend import Backend, ExecutorState
from server.ids import new_id
from server.task.roster import Roster, TaskChange

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (tasks that answered, tasks asked) after each reply."""

_KILL = "KILL"


class Commander:
    """Sends commands and waits for their results. Commands of different environments never wait for each other.

    Args:
        margin_s: how much longer than the tasks' own deadline an executor's answer is waited for.
    """

    def __init__(self, backend: Backend, roster: Roster, *, margin_s: float = 2.0) -> None:
        self._backend = backend
        self._roster = roster
        self._margin_s = margin_s
        self._asked: dict[str, _Asked] = {}
        self._ends: dict[str, asyncio.Event] = {}
        """Tasks whose end somebody waits for."""
        roster.listen(self._tasks_changed)

    # ---- commands ----------------------------------------------------------------------------

    async def transition(
        self,
        command_id: str,
        environment_id: str,
        event: str,
        source: str,
        destination: str,
        *,
        arguments: Mapping[str, str],
        per_task: Mapping[str, Mapping[str, str]],
        timeout_s: float,
        progress: Progress | None = None,
    ) -> dict[str, TaskResult]:
        """Drive tasks through a task event; returns a result for every one of them, never raises for one.

        Args:
            command_id: the same id is carried out once, however often it is asked.
            arguments: for all targets.
            per_task: the targets, with the arguments that are their own.
            timeout_s: for the tasks; their executors get ``margin_s`` more to answer.
        """
        own = {task_id: dict(values) if values else {} for task_id, values in per_task.items()}
        common = dict(arguments)

        def command(task_ids: Sequence[str]) -> Command:
            return Transition(
                command_id=command_id,
                environment_id=environment_id,
                event=event,
                source=source,
                destination=destination,
                targets=tuple([Target(task_id=task_id, arguments=own[task_id]) for task_id in task_ids]),
                timeout_s=timeout_s,
                arguments=common,
            )

        return await self._ask(command_id, event, own, command, timeout_s + self._margin_s, timeout_s, progress)

    async def trigger_hooks(
        self, command_id: str, environment_id: str, task_ids: Sequence[str], *, timeout_s: float
    ) -> dict[str, str]:
        """Start the processes of hook tasks; returns task id to error, "" where it was started."""

        def command(ids: Sequence[str]) -> Command:
            return TriggerHooks(command_id=command_id, environment_id=environment_id, task_ids=tuple(ids))

        results = await self._ask(
            command_id, "TriggerHook", task_ids, command, timeout_s + self._margin_s, timeout_s, None
        )
        return {task_id: result.error for task_id, result in results.items()}

    async def _ask(
        self,
        command_id: str,
        what: str,
        task_ids: Iterable[str],
        command: Callable[[Sequence[str]], Command],
        deadline_s: float,
        told_s: float,
        progress: Progress | None,
    ) -> dict[str, TaskResult]:
        asked = _Asked(what, command, progress)
        for task_id in task_ids:
            task = self._roster.get(task_id)
            if task is None:
                asked.refuse(task_id, f"{what}: there is no task {task_id}")
            elif task.final_status:
                asked.refuse(task_id, f"{what}: task has ended: {task.error or task.final_status}")
            else:
                asked.add(task.host, task_id)
        if not asked.waiting:
            return asked.results
        self._asked[command_id] = asked
        try:
            for host in list(asked.waiting):
                self._send(host, asked)
            async with asyncio.timeout(deadline_s):
                await asked.done.wait()
        except TimeoutError:
            for host, missing in asked.waiting.items():
                for task_id in missing:
                    asked.refuse(task_id, f"{what} timed out after {told_s:g} s: no answer from host {host}")
        finally:
            self._asked.pop(command_id, None)
        return asked.results

    def _send(self, host: str, asked: _Asked) -> None:
        # Without a link nothing is lost: it is sent when the executor attaches, and executors know the id again.
        if not self._backend.send(host, asked.command(asked.targets(host))):
            log.info("command waits for the executor what=%s host=%s", asked.what, host)

    # ---- ends --------------------------------------------------------------------------------

    async def kill(self, task_ids: Sequence[str], *, timeout_s: float) -> tuple[list[str], list[str]]:
        """End tasks and forget them (core.md 3.8).

        Tasks that an environment has locked are left alone. One that is being killed already is waited for; one that
        has ended is dropped at once.

        Returns:
            The ids that are gone, and those that remain.
        """
        known = {task_id: task for task_id in task_ids if (task := self._roster.get(task_id))}
        victims = [task for task in known.values() if not task.locked]
        alive = [task for task in victims if not task.ended]
        ends = [self._ends.setdefault(task.task_id, asyncio.Event()) for task in alive]
        fresh = _by_host((task.host, task.task_id) for task in alive if not task.killing)
        self._roster.set_killing([task.task_id for task in alive], True)
        asked: dict[str, _Asked] = {}
        for host, ids in fresh.items():
            command_id = f"kill-{new_id()}"
            one = asked[command_id] = self._asked[command_id] = _Asked(_KILL, _kill_command(command_id), None)
            for task_id in ids:
                one.add(host, task_id)
            self._send(host, one)
        try:
            async with asyncio.timeout(timeout_s):
                for end in ends:
                    await end.wait()
        except TimeoutError:
            log.error("tasks did not end in time timeout_s=%g", timeout_s)
        finally:
            for command_id in asked:
                self._asked.pop(command_id, None)
        return self._bury(known.keys())

    async def strike(self, task_id: str, *, timeout_s: float) -> bool:
        """Kill the process of a task at once, whoever has it; for its environment it has died. Returns whether it ended.

        The task stays in the roster.
        """
        task = self._roster.get(task_id)
        if task is None or task.ended:
            return True
        end = self._ends.setdefault(task_id, asyncio.Event())
        command_id = f"kill-{new_id()}"
        asked = self._asked[command_id] = _Asked(_KILL, _kill_command(command_id, at_once=True), None)
        asked.add(task.host, task_id)
        self._send(task.host, asked)
        try:
            async with asyncio.timeout(timeout_s):
                await end.wait()
        except TimeoutError:
            log.error("task did not end in time task=%s timeout_s=%g", task_id, timeout_s)
            return False
        finally:
            self._asked.pop(command_id, None)
        return True

    def _bury(self, task_ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Forget those that have ended and let the others be killed again."""
        gone: list[str] = []
        remaining: list[str] = []
        for task_id in task_ids:
            task = self._roster.get(task_id)
            (gone if task is None or (task.ended and not task.locked) else remaining).append(task_id)
        ended = [task for task_id in gone if (task := self._roster.get(task_id))]
        for host, ids in _by_host((task.host, task.task_id) for task in ended).items():
            self._backend.send(host, Forget(task_ids=tuple(ids)))
        self._roster.set_killing(remaining, False)
        self._roster.remove(gone)
        self._backend.release(gone)
        return gone, remaining

    def within_reach(self, task_ids: Iterable[str]) -> list[str]:
        """Return those tasks whose executor is not silent: whoever waits for the end of another one waits in vain."""
        silent = {host.name for host in self._backend.hosts() if host.state is ExecutorState.SILENT}
        known = ((task_id, self._roster.get(task_id)) for task_id in task_ids)
        return [task_id for task_id, task in known if task and (task.ended or task.host not in silent)]

    def kill_unknown(self, host: str, task_ids: Sequence[str]) -> None:
        """End tasks that stand in no roster; nobody waits for it. Their executor is told to forget them when ended."""
        self._backend.send(host, Kill(command_id=f"kill-{new_id()}", task_ids=tuple(task_ids)))

    # ---- what the reception hears ----------------------------------------------------------------

    def replied(self, host: str, reply: CommandReply) -> None:
        """Take in the answer of one executor."""
        asked = self._asked.get(reply.command_id)
        if asked is None:
            log.info("late or repeated reply host=%s command=%s", host, reply.command_id)
            self._roster.apply_results(reply.results)  # late as it is, it tells where the tasks are now
        elif asked.what == _KILL:
            # No error: it has ended, or the executor never had it. Its last report, if any, came before this reply.
            self._roster.apply(host, [_killed(result.task_id) for result in reply.results if not result.error])
        else:
            # Whoever waits for the command wakes up before whoever is told of the changes, so that an environment takes
            # both in one turn, and its journal in one write.
            asked.take(host, reply.results)
            self._roster.apply_results(reply.results)

    def attached(self, host: str) -> None:
        """An executor can be talked to again: send what it has not answered."""
        for asked in self._asked.values():
            if host in asked.waiting:
                self._send(host, asked)

    def lost(self, host: str, reason: str) -> None:
        """An executor is gone: what it has not answered has failed."""
        for asked in self._asked.values():
            missing = list(asked.waiting.get(host, ()))
            asked.take(host, [TaskResult(task_id=one, state="", error=f"{asked.what}: {reason}") for one in missing])

    def _tasks_changed(self, changes: Sequence[TaskChange]) -> None:
        if not self._ends:
            return
        for before, after, _ in changes:
            task_id = (after or before).task_id  # type: ignore[union-attr]  # one of the two is there
            if (after is None or after.final_status) and (event := self._ends.pop(task_id, None)):
                event.set()


class _Asked:
    """A command under way.

    Attributes:
        waiting: by host, the targets that have not answered, in order.
        done: set when there are none.
    """

    __slots__ = ("_answered", "_progress", "_total", "command", "done", "results", "waiting", "what")

    def __init__(self, what: str, command: Callable[[Sequence[str]], Command], progress: Progress | None) -> None:
        self.what = what
        self.command = command
        self.waiting: dict[str, dict[str, None]] = {}
        self.results: dict[str, TaskResult] = {}
        self.done = asyncio.Event()
        self._progress = progress
        self._total = self._answered = 0

    def add(self, host: str, task_id: str) -> None:
        self.waiting.setdefault(host, {})[task_id] = None
        self._total += 1

    def refuse(self, task_id: str, error: str) -> None:
        self.results[task_id] = TaskResult(task_id=task_id, state="", error=error)

    def targets(self, host: str) -> list[str]:
        return list(self.waiting[host])

    def take(self, host: str, results: Iterable[TaskResult]) -> None:
        """Count results; those that nobody waits for are ignored."""
        missing = self.waiting.get(host)
        if missing is None:
            return
        for result in results:
            if result.task_id in missing:
                del missing[result.task_id]
                self.results[result.task_id] = result
                self._answered += 1
        if not missing:
            del self.waiting[host]
        if self._progress:
            self._progress(self._answered, self._total)
        if not self.waiting:
            self.done.set()


def _kill_command(command_id: str, *, at_once: bool = False) -> Callable[[Sequence[str]], Command]:
    return lambda task_ids: Kill(command_id=command_id, task_ids=tuple(task_ids), at_once=at_once)


def _killed(task_id: str) -> TaskReport:
    return TaskReport(task_id=task_id, environment_id="", phase=Phase.ENDED, final_status="TASK_KILLED")


def _by_host(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for host, task_id in pairs:
        grouped.setdefault(host, []).append(task_id)
    return grouped
