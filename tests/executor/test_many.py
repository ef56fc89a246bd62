"""Five hundred tasks on one executor."""

from __future__ import annotations

from typing import Any

import psutil

from executor.api.messages import MetricSamples, Phase, TaskReports

COUNT = 500


async def test_five_hundred_processes_are_started_watched_and_ended(core: Any, host: Any, spec: Any) -> None:
    executor = psutil.Process(host.start("--usage-interval", "0.5").pid)
    specs = [spec(f"t{number}", "600", mode="basic", value="sleep") for number in range(COUNT)]
    task_ids = [one.task_id for one in specs]

    def in_phase(phase: Phase) -> bool:
        reports = (report for batch in core.reports if isinstance(batch, TaskReports) for report in batch.tasks)
        return len({report.task_id for report in reports if report.phase is phase}) == COUNT

    await core.launch(*specs)
    await core.until(lambda: in_phase(Phase.ACTIVE))
    for event, source, destination in (
        ("CONFIGURE", "STANDBY", "CONFIGURED"), ("START", "CONFIGURED", "RUNNING"),
    ):  # fmt: skip
        reply = await core.transition(event, source, destination, *task_ids)
        assert {(result.state, result.error) for result in reply.results} == {(destination, "")}
        assert len(reply.results) == COUNT
    assert len(executor.children()) == COUNT

    def measured() -> set[str]:
        batches = (report for report in core.reports if isinstance(report, MetricSamples))
        return {sample.task_id for batch in batches for sample in batch.samples if sample.name == "process.memory"}

    await core.until(lambda: len(measured()) == COUNT)
    killed = await core.kill(*task_ids)
    assert {result.error for result in killed.results} == {""}
    await core.until(lambda: in_phase(Phase.ENDED))
    assert executor.children() == []
    assert executor.num_fds() < 100
