"""Facilities on this machine, on a cluster with the Mesos double, and on a real cluster where there is one."""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from deploy_stages import PACE, TIMING
from facility import HOSTS, Facility
from free_ports import free_slices
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent

on_every_backend = pytest.mark.parametrize("facility", ["local", "double", "real"], indirect=True)
"""Mark of tests of what holds for all; without it the fixture is on this machine."""


@asynccontextmanager
async def facility_on(backend: str, folder: Path, repository: Path, **settings: str) -> AsyncIterator[Facility]:
    """Run a facility; the agents of a real cluster run on this machine, with the hosts' names as machine_id.

    Args:
        settings: further ones of the core, by flag name.
    """
    match backend:
        case "local":
            async with Facility(folder, repository, **settings) as facility:
                yield facility
        case "double":
            async with (
                MesosDouble(agents_named(*HOSTS), folder / "agents", pace=PACE, timing=TIMING) as mesos,
                Facility(folder, repository, **settings_for(mesos.address), **settings) as facility,
            ):
                yield facility
        case _:
            address = os.environ.get("ALIECS_TEST_MESOS")
            if not address:
                pytest.skip("no real Mesos: name its master in ALIECS_TEST_MESOS; its agents must run here")
            settings |= settings_for(address) | {"mesosFailoverTimeout": "20s"}
            async with Facility(folder, repository, **settings) as facility:
                yield facility


def settings_for(address: str) -> dict[str, str]:
    """Return settings of a core that drives the cluster of this master."""
    return {"mesos": address, "mesosFrameworkUser": getpass.getuser()}


def agents_named(*hosts: str, resources: str = "cpus:8;mem:16384") -> list[VirtualAgent]:
    """Return agents with ports of their own: all of them share this machine."""
    agents = []
    for host, (data, control) in zip(hosts, free_slices(len(hosts), data=100, control=20), strict=True):
        ports = f"ports:[{data[0]}-{data[1]},{control[0]}-{control[1]}]"
        attributes = {"machine_id": host, "machine_type": "flp"}
        agents.append(VirtualAgent(host, attributes, f"{resources};{ports}"))
    return agents
