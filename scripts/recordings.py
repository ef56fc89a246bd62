"""Make the recordings that are shipped, on a demo facility of their own: real processes on this machine, on loopback.

    scripts/recordings.py [NAME ...]

Each plays one scenario below. What names this machine is replaced before the file goes to recordings/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from console.recorder import Recorder
from console.recording import Recording
from console.recording_lines import SUFFIX, Act, Chain
from console.session import Session
from server.api.client import Client
from server.api.model import Environment, Task
from server.api.states import EnvironmentEvent
from server.demo.facility import prepare
from server.demo.launcher import Launcher, Signals
from server.demo.processes import of_instance
from server.demo.verb import build_parser, plan_of

TARGET = Path(__file__).resolve().parent.parent / "recordings"
USER = "shifter@control"
ENDPOINT = "control:32102"
STATE = "/var/lib/aliecs"
MAX_BYTES = 1_500_000
STEP_S = 90.0
"""For anything to happen that should."""
TEMPLATE = "readout-demo"


class Stage:
    """A facility that is recorded, and what a shifter does with it."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self.session = session
        self.recorder = recorder

    async def create(self, hosts: list[str], **variables: str) -> str:
        """Create an environment and return its id when it is CONFIGURED."""
        said = {"hosts": json.dumps(hosts)} | variables
        self._note("env create", TEMPLATE, 2)
        environment_id = (await self.session.client.create(TEMPLATE, said)).id
        await self.until(environment_id, lambda one: one.state == "CONFIGURED" and one.transition is None)
        return environment_id

    async def control(self, environment_id: str, event: EnvironmentEvent, level: int) -> None:
        self._note(f"env {event.value.partition('_')[0].lower()}", environment_id, level)
        await self.session.client.control(environment_id, event)
        await self.until(environment_id, lambda one: one.transition is None)

    async def destroy(self, environment_id: str) -> None:
        self._note("env destroy", environment_id, 3)
        await self.session.client.destroy(environment_id)
        await self.wait(lambda: self.session.store.environment(environment_id) is None, environment_id)

    async def until(self, environment_id: str, condition: Callable[[Environment], bool]) -> None:
        def holds() -> bool:
            environment = self.session.store.environment(environment_id)
            return environment is not None and condition(environment)

        await self.wait(holds, environment_id)

    async def let_pass(self, seconds: float) -> None:
        await self.session.until(lambda: False, seconds)

    def task(self, environment_id: str, host: str, name: str) -> Task:
        return next(it for it in self.session.store.tasks(environment_id) if (it.host, it.name) == (host, name))

    async def wait(self, condition: Callable[[], bool], what: str) -> None:
        if not await self.session.until(condition, STEP_S):
            raise SystemExit(f"{what}: what should happen did not within {STEP_S:g} s")

    def _note(self, verb: str, target: str, level: int) -> None:
        self.recorder.act(Act(verb=verb, target=target, level=level, outcome="asked"))


async def calm_run(stage: Stage) -> None:
    """Two environments; one takes a run and goes, the other one is left ready."""
    await stage.let_pass(2)
    first = await stage.create(["flp001", "flp002"], run_type="PHYSICS")
    await stage.create(["flp003", "flp004"], qc_enabled="false", run_type="COSMICS")
    await stage.let_pass(2)
    await stage.control(first, EnvironmentEvent.START_ACTIVITY, 2)
    await stage.let_pass(25)
    await stage.control(first, EnvironmentEvent.STOP_ACTIVITY, 3)
    await stage.let_pass(3)
    await stage.control(first, EnvironmentEvent.RESET, 1)
    await stage.let_pass(1)
    await stage.destroy(first)
    await stage.let_pass(3)


async def critical_task_death(stage: Stage) -> None:
    """While two runs are on, a critical task of one is killed; the other one goes on."""
    broken = await stage.create(["flp001", "flp002", "flp003"], run_type="PHYSICS")
    other = await stage.create(["flp004"], qc_enabled="false", run_type="COSMICS")
    for environment_id in (other, broken):
        await stage.control(environment_id, EnvironmentEvent.START_ACTIVITY, 2)
    await stage.let_pass(12)
    victim = stage.task(broken, "flp003", "stfsender")
    if victim.pid not in of_instance(f"ALIECS_INSTANCE={os.environ['ALIECS_INSTANCE']}"):
        raise SystemExit(f"process {victim.pid} is none of ours")
    os.kill(victim.pid, signal.SIGKILL)
    await stage.until(broken, lambda one: one.state == "ERROR" and one.transition is None)
    await stage.wait(lambda: stage.session.store.fault(broken) is not None, "first fault")
    await stage.let_pass(4)


SCENARIOS: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    "calm-run": calm_run,
    "critical-task-death": critical_task_death,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", choices=[*SCENARIOS, []], metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)  # of ourselves, inside the facility
    parser.add_argument("--to", type=Path, default=TARGET, help="folder for the recordings (default recordings/)")
    arguments = parser.parse_args()
    if arguments.endpoint:
        asyncio.run(perform(arguments.names[0], arguments.endpoint, arguments.to))
        return 0
    for name in arguments.names or SCENARIOS:
        if code := make(name, arguments.to):
            return code
    return 0


def make(name: str, target: Path) -> int:
    """Start a facility, perform on it and write the recording."""
    with tempfile.TemporaryDirectory(prefix="aliecs-recording-") as folder, Signals() as signals:
        state, raw = Path(folder, "state"), Path(folder, "raw")
        plan = plan_of(build_parser().parse_args(["--state", str(state), "--headless"]), prepare(state))
        ourselves = (
            sys.executable,
            "-P",
            str(Path(__file__).resolve()),
            name,
            "--endpoint",
            "{endpoint}",
            "--to",
            str(raw),
        )
        code = Launcher(replace(plan, console=ourselves), signals).run()
        if code:
            return code
        file = target / f"{name}{SUFFIX}"
        file.write_bytes(neutral(raw / file.name, state))
    recording = Recording(file)
    problems = [*recording.warnings]
    if recording.size_bytes > MAX_BYTES:
        problems.append(f"{recording.size_bytes} bytes, more than {MAX_BYTES}")
    print(
        f"{file}: {recording.duration_s:.1f} s, {recording.size_bytes} bytes, {len(recording.marks)} marks", *problems
    )
    recording.close()
    return int(bool(problems))


async def perform(name: str, endpoint: str, folder: Path) -> None:
    """Perform a scenario on a facility that runs, and record it."""
    client = await Client.connect(endpoint, user=USER)
    async with Session(client) as session:
        await session.picture()
        async with Recorder(session, folder / f"{name}{SUFFIX}", say=sys.exit) as recorder:
            await SCENARIOS[name](Stage(session, recorder))


def neutral(raw: Path, state: Path) -> bytes:
    """Return the lines of a recording without what names this machine, chained anew."""
    of_machine = {str(state): STATE, sys.prefix: "/opt/aliecs", str(Path.home()): "/home/shifter"}
    host = re.compile(rf"\b{re.escape(os.uname().nodename)}\b")
    chain, lines = Chain(), []
    for line in raw.read_text(encoding="utf-8").splitlines():
        for old, new in of_machine.items():
            line = line.replace(old, new)
        line = host.sub("control", line)
        value = json.loads(line)
        value.pop("prev", None)
        if not lines:
            value["endpoint"] = ENDPOINT
        lines.append(chain.line(value))
    return b"".join(lines)


if __name__ == "__main__":
    sys.exit(main())
