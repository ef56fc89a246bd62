"""An executor without processes: speaks the protocol of executor.proto to the core and answers at once for its tasks.

A core starts it in place of ``aliecs-executor`` (setting ``executor``). Every message on the link is a line on its standard
output, which the core keeps in ``executors/<host>.log``: ``in Transition 250``, ``out CommandReply 250``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc

from executor.api import executor_pb2_grpc
from executor.api.convert import command_from_pb, report_to_pb
from executor.api.messages import (
    Command,
    CommandReply,
    Hello,
    Kill,
    Launch,
    Phase,
    Ping,
    Pong,
    Report,
    Shutdown,
    TaskReport,
    TaskReports,
    TaskResult,
    Transition,
)

_LIMITS = (("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20))


class SimulatedExecutor:
    """What it was told to launch is up at once and does whatever it is asked."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._environments: dict[str, str] = {}

    async def run(self) -> None:
        """Serve until told to shut down or the core is gone."""
        options = self._options
        async with grpc.aio.insecure_channel(options.core, options=_LIMITS) as channel:
            call = executor_pb2_grpc.LinkStub(channel).Attach()
            hello = Hello(
                executor_id=options.executor_id, agent_id=options.agent_id, host=options.host, pid=os.getpid(),
                instance=options.instance, version="simulated", tasks=(), started_ms=0,
            )  # fmt: skip
            await call.write(report_to_pb(hello))
            async for message in call:
                command = command_from_pb(message)
                _note("in", command)
                if isinstance(command, Shutdown):
                    return
                for report in self._answers(command):
                    _note("out", report)
                    await call.write(report_to_pb(report))

    def _answers(self, command: Command) -> Iterator[Report]:
        match command:
            case Launch(tasks=specs):
                self._environments |= {spec.task_id: spec.environment_id for spec in specs}
                yield TaskReports(tasks=tuple([self._report(spec.task_id, Phase.ACTIVE, "STANDBY") for spec in specs]))
            case Transition(targets=targets, destination=state):
                results = tuple([TaskResult(task_id=target.task_id, state=state) for target in targets])
                yield CommandReply(command_id=command.command_id, results=results)
            case Kill(task_ids=task_ids):
                yield TaskReports(tasks=tuple([self._report(one, Phase.ENDED, "", "TASK_KILLED") for one in task_ids]))
                results = tuple([TaskResult(task_id=one, state="") for one in task_ids])
                yield CommandReply(command_id=command.command_id, results=results)
            case Ping(sent_ms=sent_ms):
                yield Pong(sent_ms=sent_ms)

    def _report(self, task_id: str, phase: Phase, state: str, final_status: str = "") -> TaskReport:
        return TaskReport(
            task_id=task_id, environment_id=self._environments.get(task_id, ""), phase=phase, state=state,
            pid=os.getpid(), final_status=final_status,
        )  # fmt: skip


def program_in(folder: Path) -> str:
    """Return the path of a program for the setting ``executor``, which is written into the folder."""
    program = folder / "simulated-executor"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P {Path(__file__).resolve()} "$@"\n')
    program.chmod(0o755)
    return str(program)


def messages_in(state_directory: Path) -> Counter[str]:
    """Return how often each kind of message went over all links of a core until now, heartbeats left out."""
    counts: Counter[str] = Counter()
    for log in (state_directory / "executors").glob("*.log"):
        kinds = re.findall(r"^(?:in|out) (\w+)", log.read_text(), re.MULTILINE)
        counts.update(kind for kind in kinds if kind not in ("Ping", "Pong"))
    return counts


def _note(way: str, message: Command | Report) -> None:
    many = next(
        (getattr(message, one) for one in ("targets", "results", "tasks", "task_ids") if hasattr(message, one)), ()
    )
    sys.stdout.write(f"{way} {type(message).__name__} {len(many)}\n")
    sys.stdout.flush()


def main() -> None:
    """Run one; takes the arguments that the core gives to executors, and passes over what it has no use for."""
    parser = argparse.ArgumentParser()
    for name in ("--core", "--host", "--executor-id", "--agent-id", "--instance"):
        parser.add_argument(name, required=True)
    asyncio.run(SimulatedExecutor(parser.parse_known_args()[0]).run())


if __name__ == "__main__":
    main()
