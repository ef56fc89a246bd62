"""Lines in the background: begun, counted, given up."""

from __future__ import annotations

import asyncio

from console.repl.jobs import Jobs


async def test_a_line_that_is_given_up_before_it_began_is_over() -> None:
    jobs = Jobs()
    begun: list[bool] = []

    async def work() -> int:
        begun.append(True)
        return 0

    jobs.begin("env ls", work())
    assert [job.line for job in jobs.all()] == ["env ls"]
    jobs.cancel()
    await asyncio.wait_for(jobs.done(), 60)
    assert not jobs.all() and not begun
