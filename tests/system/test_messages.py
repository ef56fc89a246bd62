"""What goes over the links of executors: one message per host, however many tasks there are. The tasks are simulated."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import simulated_executor
from facility import Facility

HERE = Path(__file__).resolve().parent
HOSTS = ["flp001", "flp002", "flp003"]
PER_HOST = 40


async def test_a_transition_is_one_message_per_host_and_one_answer(tmp_path: Path) -> None:
    repository = shutil.copytree(HERE.parent / "benchmarks" / "repository", tmp_path / "repository")
    settings = {"executor": simulated_executor.program_in(tmp_path)}
    async with Facility(tmp_path, repository, **settings) as facility:
        environment = await facility.create("simulated", HOSTS, per_host=str(PER_HOST))
        assert environment.numberOfActiveTasks == PER_HOST * len(HOSTS)
        expected = Counter(Welcome=3, Launch=3, TaskReports=3, Transition=3, CommandReply=3)
        assert simulated_executor.messages_in(facility.state) == expected, "deployed and configured"
        for event, state in (("START_ACTIVITY", "RUNNING"), ("STOP_ACTIVITY", "CONFIGURED"), ("RESET", "DEPLOYED")):
            assert (await facility.ask(environment.id, event)).state == state
            expected += Counter(Transition=3, CommandReply=3)
            assert simulated_executor.messages_in(facility.state) == expected, event
        await facility.destroy(environment.id)
        expected += Counter(Kill=3, TaskReports=3, CommandReply=3, Forget=3)
    # The executors have ended: they have taken all that was sent to them.
    assert simulated_executor.messages_in(facility.state) >= expected
