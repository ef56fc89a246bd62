"""What the runner makes of faults: its own and those of what it works with."""

from __future__ import annotations

from pathlib import Path

from executor.api.messages import CommandReply, ControlMode, Kill, Launch, Report, TaskReports, TaskSpec
from executor.runner import Runner
from executor.settings import Identity, Settings

IDENTITY = Identity(executor_id="x", agent_id="a", host="h", pid=1, instance="i", version="0")


class FaultyLink:
    """Cannot send the reports of tasks."""

    def __init__(self) -> None:
        self.sent: list[Report] = []

    def send(self, report: Report) -> None:
        if isinstance(report, TaskReports):
            raise ZeroDivisionError
        self.sent.append(report)

    async def run(self) -> None: ...

    async def close(self) -> None: ...


async def test_an_instruction_that_cannot_be_carried_out_keeps_none_from_following(tmp_path: Path, caplog) -> None:
    link = FaultyLink()
    runner = Runner(IDENTITY, Settings(), lambda runner: link, tmp_path)
    hook = TaskSpec(task_id="h1", environment_id="e", class_name="c", mode=ControlMode.HOOK, value="true")
    runner.on_command(Launch(command_id="l", tasks=(hook,)))
    runner.on_command(Kill(command_id="k", task_ids=("h1",)))
    assert [report.command_id for report in link.sent if isinstance(report, CommandReply)] == ["k"]
    assert caplog.text.count("was not carried out") == 2
    runner.terminate()
    assert await runner.run() == 0
