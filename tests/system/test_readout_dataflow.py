"""The production workflow readout-dataflow with its own task classes: readout, StfBuilder and StfSender on every host,
and a static DPL workflow between them.

Its programs are stand-ins that start devices of our samples. Off are what needs other services (DCS, trigger, EPN, remote QC) and
the clean-up hooks, which call programs of the hosts.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from facility import CONFIGURATION, HOSTS, Facility

pytestmark = pytest.mark.reference

ON = ["flp002", "flp003"]
DEVICE = 'exec python -m occ.samples.fairmq relay "$@"'
IN_A_PIPE = f'case " $* " in *" -P "*) {DEVICE};; esac'
"""Programs of DPL stand in pipes; all but the last tell their configuration and end."""
PROGRAMS = {
    "o2-readout-exe": 'echo "readout with $@"; exec aliecs-occ sample source',
    "numactl": 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"',
    "source": "",  # a program of that name, to a shell that has no such word
    "StfBuilder": DEVICE,
    "StfSender": DEVICE,
    "o2-dpl-raw-proxy": IN_A_PIPE,
    "o2-dpl-output-proxy": IN_A_PIPE,
}
Workflow = Callable[..., AbstractAsyncContextManager[tuple[Facility, str]]]
OFF = {"fmq_initial_shm_cleanup_enabled": "false", "fmq_cleanup_enabled": "false"}


@pytest.fixture
def workflow(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    """Return what runs a facility with production's templates, what they find in the store, and stand-ins for O2, and creates
    the environment."""
    programs = tmp_path / "o2" / "bin"
    path = (str(programs), str(Path(sys.executable).parent), os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    programs.mkdir(parents=True)
    for name, body in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    defaults = {"consul_endpoint": "localhost:8500", "modulepath": "", "infologger_mode": ""}
    text = CONFIGURATION.replace("defaults: {}", f"defaults: {defaults!r}")
    text += "".join(f"      {detector}: {{flps: {{{host}: {{cards: '{{}}'}}}}}}\n" for host, detector in HOSTS.items())
    entries = ", ".join(f"readout-stfb-{host}: '[readout]'" for host in HOSTS)
    text += f"  components:\n    readout: {{ANY: {{any: {{{entries}}}}}}}\n"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "configuration.yaml").write_text(text)

    @asynccontextmanager
    async def created(
        templates: str, plugin: str, hosts: list[str], **variables: str
    ) -> AsyncIterator[tuple[Facility, str]]:
        shutil.copytree(reference / "corpus" / templates, tmp_path / "repository")
        async with Facility(tmp_path, tmp_path / "repository", fmqPlugin=plugin) as facility:
            user = pwd.getpwuid(os.geteuid()).pw_name
            variables = OFF | {"o2_install_path": str(programs.parent), "user": user} | variables
            environment = await facility.create("readout-dataflow", hosts, **variables)
            assert environment.state == "CONFIGURED"
            yield facility, environment.id

    return created


async def take_data(facility: Facility, environment_id: str) -> list[str]:
    """Take data in two runs, destroy the environment and return the classes of its tasks."""
    tasks = await facility.tasks()
    key = ("environment", environment_id)
    for _ in range(2):
        assert (await facility.ask(environment_id, "START_ACTIVITY")).state == "RUNNING"
        before = (await facility.watch_until(lambda seen: key in seen))[key].bytes_moved
        await facility.watch_until(lambda seen, before=before: seen[key].bytes_moved > before + 100_000)  # type: ignore[misc]
        assert (await facility.ask(environment_id, "STOP_ACTIVITY")).state == "CONFIGURED"
    assert (await facility.ask(environment_id, "RESET")).state == "DEPLOYED"
    await facility.destroy(environment_id)
    assert await facility.tasks() == []
    return sorted(task.className.rpartition("/")[2].partition("@")[0] for task in tasks)


@pytest.mark.parametrize("plugin", ["OCClite", "OCC"])
async def test_readout_and_data_distribution_take_data_on_two_hosts(workflow: Workflow, plugin: str) -> None:
    async with workflow("ControlWorkflows-2026", plugin, ON) as (facility, environment_id):
        classes = await take_data(facility, environment_id)
    assert classes == sorted(["readout", "stfbuilder-senderoutput", "stfsender"] * 2)


async def test_a_builder_that_dies_in_a_run_is_told_and_all_the_others_are_ended_in_order(workflow: Workflow) -> None:
    async with workflow("ControlWorkflows-2026", "OCClite", ON) as (facility, environment_id):
        assert (await facility.ask(environment_id, "START_ACTIVITY")).state == "RUNNING"
        builder = await facility.task("stfbuilder-senderoutput", "flp003")
        os.kill(int(builder.pid), signal.SIGKILL)
        key = ("environment", environment_id)
        seen = await facility.watch_until(lambda seen: key in seen and seen[key].state == "ERROR")
        fault = seen["fault", environment_id]
        assert (fault.task_id, fault.host) == (builder.taskId, "flp003")
        assert "killed by signal 9" in fault.cause or "exit code 137" in fault.cause, fault.cause
        left = [int(task.pid) for task in await facility.tasks() if task.taskId != builder.taskId]
        assert len(left) == 5
        await facility.destroy(environment_id)
        assert await facility.tasks() == []
        assert not set(left) & set(facility.processes())


@pytest.mark.skipif(
    "dash" not in os.path.realpath("/bin/sh"), reason="this shell would read files of the host by `source`"
)
async def test_dpl_devices_in_pipes_take_data_between_builder_and_sender(
    workflow: Workflow,
) -> None:
    async with workflow(
        "ControlWorkflows-2023", "OCClite", ["flp003"],
        flp_workflows_jit_enabled="false", tof_dpl_workflow="minimal-dpl", extra_env_vars="",
    ) as (facility, environment_id):  # fmt: skip
        classes = await take_data(facility, environment_id)
    assert classes == [
        "minimal-dpl-dpl-output-proxy", "minimal-dpl-internal-dpl-clock", "minimal-dpl-readout-proxy", "readout", "stfbuilder",
        "stfsender",
    ]  # fmt: skip
