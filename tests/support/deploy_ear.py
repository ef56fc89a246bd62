"""A listener of a backend that remembers what it was told, and a task that backends are tried with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from executor.api.messages import CommandReply, Hello, Phase, Report, TaskReport, TaskReports

DEVICE = """
import sys
from occ import Device

class Quiet(Device):
    pass

print("here", flush=True)
sys.exit(Quiet.main())
"""
DEADLINE_S = 60.0


class Ear:
    """A listener that remembers, and wakes who waits."""

    def __init__(self) -> None:
        self.hellos: list[Hello] = []
        self.lost: list[tuple[str, str, str]] = []
        self.silent: list[str] = []
        self.back: list[str] = []
        self.tasks: dict[str, TaskReport] = {}
        self.replies: list[CommandReply] = []
        self.heard: Callable[[Report], object] = lambda report: None
        """Called with each report."""
        self._changed = asyncio.Event()

    def executor_attached(self, host: str, hello: Hello, launching: Collection[str]) -> None:
        self.hellos.append(hello)
        self.tasks.update({task.task_id: task for task in hello.tasks})
        self._changed.set()

    def executor_lost(self, host: str, executor_id: str, reason: str) -> None:
        self.lost.append((host, executor_id, reason))
        self._changed.set()

    def executor_silent(self, host: str, executor_id: str) -> None:
        self.silent.append(host)
        self._changed.set()

    def executor_back(self, host: str, executor_id: str) -> None:
        self.back.append(host)
        self._changed.set()

    def reported(self, host: str, report: Report) -> None:
        self.heard(report)
        if isinstance(report, TaskReports):
            self.tasks.update({task.task_id: task for task in report.tasks})
        elif isinstance(report, CommandReply):
            self.replies.append(report)
        self._changed.set()

    async def until(self, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def is_active(self, task_id: str) -> bool:
        return task_id in self.tasks and self.tasks[task_id].phase is Phase.ACTIVE

    def has_ended(self, task_id: str) -> bool:
        return task_id in self.tasks and self.tasks[task_id].phase is Phase.ENDED
