"""Lines that ended with ``&``: they go on while others are typed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence

from console.execute import say
from console.exit_codes import usage
from console.seat import Job

AT_MOST = 16


class Jobs:
    """Owns the tasks of the lines in the background."""

    def __init__(self) -> None:
        self._jobs: dict[int, tuple[Job, asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def all(self) -> Sequence[Job]:
        return [job for job, _ in self._jobs.values()]

    def check(self) -> None:
        """Raise ExitError (USAGE) if there are too many to begin another."""
        if len(self._jobs) >= AT_MOST:
            raise usage(f"{len(self._jobs)} lines go on in the background already", hint="jobs shows them")

    def begin(self, line: str, work: Coroutine[None, None, int]) -> None:
        """Run it, and say how it ended."""
        number = max(self._jobs, default=0) + 1
        job = Job(number, line, time.monotonic())
        task = asyncio.create_task(self._run(job, work), name=line)
        self._jobs[number] = (job, task)

        def forget(_: object) -> None:
            self._jobs.pop(number, None)
            work.close()

        task.add_done_callback(forget)  # one that is cancelled before its first step does nothing of its own
        say(f"[{number}] {line}")

    async def done(self) -> None:
        """Return when none is left; each has the deadlines of its verb."""
        while self._jobs:
            await asyncio.wait([task for _, task in self._jobs.values()])

    def cancel(self) -> None:
        """Stop waiting for them; the core goes on."""
        for _, task in self._jobs.values():
            task.cancel()

    async def _run(self, job: Job, work: Coroutine[None, None, int]) -> None:
        try:
            code = await work
        finally:
            del self._jobs[job.number]  # before it is said
        say(f"[{job.number}] {job.line}: {'done' if code == 0 else f'ended with {code}'}")
