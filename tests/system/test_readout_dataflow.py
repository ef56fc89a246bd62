"""The production workflow readout-dataflow with its own task classes: readout, StfBuilder and StfSender on every host,
and a static DPL workflow between them.

Its programs are stand-ins that start devices of our samples. Off are what needs other services (DCS, trigger, EPN, remote QC) and
the clean-up hooks, which call programs of the hosts.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
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
OFF = {"fmq_initial_shm_cleanup_enabled": "false", "fmq_cleanup_enabled": "false"}


@pytest.fixture
async def take_data(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[list[str]]]]:
    """Run a facility with production's templates, what they find in the store, and stand-ins for O2.

    What is returned takes data in two runs, and returns the classes of the tasks that did.
    """
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

    async def two_runs(templates: str, plugin: str, hosts: list[str], **variables: str) -> list[str]:
        shutil.copytree(reference / "corpus" / templates, tmp_path / "repository")
        async with Facility(tmp_path, tmp_path / "repository", fmqPlugin=plugin) as facility:
            user = pwd.getpwuid(os.geteuid()).pw_name
            variables = OFF | {"o2_install_path": str(programs.parent), "user": user} | variables
            environment = await facility.create("readout-dataflow", hosts, **variables)
            assert environment.state == "CONFIGURED"
            tasks = await facility.tasks()
            key = ("environment", environment.id)
            for _ in range(2):
                assert (await facility.ask(environment.id, "START_ACTIVITY")).state == "RUNNING"
                before = (await facility.watch_until(lambda seen: key in seen))[key].bytes_moved
                await facility.watch_until(lambda seen, before=before: seen[key].bytes_moved > before + 100_000)  # type: ignore[misc]
                assert (await facility.ask(environment.id, "STOP_ACTIVITY")).state == "CONFIGURED"
            assert (await facility.ask(environment.id, "RESET")).state == "DEPLOYED"
            await facility.destroy(environment.id)
            assert await facility.tasks() == []
            return sorted(task.className.rpartition("/")[2].partition("@")[0] for task in tasks)

    yield two_runs


@pytest.mark.parametrize("plugin", ["OCClite", "OCC"])
async def test_readout_and_data_distribution_take_data_on_two_hosts(
    take_data: Callable[..., Awaitable[list[str]]], plugin: str
) -> None:
    classes = await take_data("ControlWorkflows-2026", plugin, ["flp002", "flp003"])
    assert classes == sorted(["readout", "stfbuilder-senderoutput", "stfsender"] * 2)


@pytest.mark.skipif(
    "dash" not in os.path.realpath("/bin/sh"), reason="this shell would read files of the host by `source`"
)
async def test_dpl_devices_in_pipes_take_data_between_builder_and_sender(
    take_data: Callable[..., Awaitable[list[str]]],
) -> None:
    classes = await take_data(
        "ControlWorkflows-2023", "OCClite", ["flp003"],
        flp_workflows_jit_enabled="false", tof_dpl_workflow="minimal-dpl", extra_env_vars="",
    )  # fmt: skip
    assert classes == [
        "minimal-dpl-dpl-output-proxy", "minimal-dpl-internal-dpl-clock", "minimal-dpl-readout-proxy", "readout", "stfbuilder",
        "stfsender",
    ]  # fmt: skip
