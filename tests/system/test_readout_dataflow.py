"""The production workflow readout-dataflow with its own task classes: readout, StfBuilder and StfSender on every host.

Its programs are stand-ins that start devices of our samples. Off are what needs other services (DCS, trigger, EPN, remote QC,
DPL) and the clean-up hooks, which call programs of the hosts.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from facility import CONFIGURATION, HOSTS, Facility

pytestmark = pytest.mark.reference

ON = ["flp002", "flp003"]
PROGRAMS = {
    "o2-readout-exe": 'echo "readout with $@"; exec aliecs-occ sample source',
    "numactl": 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"',
    "StfBuilder": 'exec python -m occ.samples.fairmq relay "$@"',
    "StfSender": 'exec python -m occ.samples.fairmq relay "$@"',
}


@pytest.fixture(params=["OCClite", "OCC"])
async def facility(
    request: pytest.FixtureRequest, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Facility]:
    """Return a facility with production's templates, what they find in the store, and stand-ins for O2."""
    programs = tmp_path / "o2" / "bin"
    path = (str(programs), str(Path(sys.executable).parent), os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    repository = tmp_path / "repository"
    shutil.copytree(reference / "corpus" / "ControlWorkflows-2026", repository)
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
    async with Facility(tmp_path, repository, fmqPlugin=request.param) as one:
        yield one


async def test_production_readout_and_data_distribution_take_data_in_two_runs(facility: Facility) -> None:
    environment = await facility.create(
        "readout-dataflow", ON,
        o2_install_path=str(facility.folder / "o2"), user=pwd.getpwuid(os.geteuid()).pw_name,
        fmq_initial_shm_cleanup_enabled="false", fmq_cleanup_enabled="false",
    )  # fmt: skip
    assert environment.state == "CONFIGURED"
    tasks = await facility.tasks()
    classes = sorted(task.className.rpartition("/")[2].partition("@")[0] for task in tasks)
    assert classes == sorted(["readout", "stfbuilder-senderoutput", "stfsender"] * len(ON))
    key = ("environment", environment.id)
    for _ in range(2):
        assert (await facility.ask(environment.id, "START_ACTIVITY")).state == "RUNNING"
        before = (await facility.watch_until(lambda seen: key in seen))[key].bytes_moved
        await facility.watch_until(lambda seen, before=before: seen[key].bytes_moved > before + 100_000)  # type: ignore[misc]
        assert (await facility.ask(environment.id, "STOP_ACTIVITY")).state == "CONFIGURED"
    assert (await facility.ask(environment.id, "RESET")).state == "DEPLOYED"
    await facility.destroy(environment.id)
    assert await facility.tasks() == []
