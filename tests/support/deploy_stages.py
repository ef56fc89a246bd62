"""Places where backends are tried: this machine, and a cluster with the Mesos double or with a real master.

All have two hosts and any number of lives of a core; what one life noted is known to the next. ``processes`` finds
what belongs to the instance by its environment, so agents of a real cluster must run on this machine.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

import pytest
from deploy_ear import DEADLINE_S, DEVICE, Ear
from free_ports import free_slices, instance_id
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent
from mesos.terms import Timing

from executor.api.messages import ControlMode, TaskSpec
from executor.api.options import ExecutorOptions
from occ.errors import LinkError
from server.deploy.backend import Backend, Demand, HostInfo, KnownExecutor
from server.deploy.executors import LocalParts, LocalSettings
from server.deploy.local import LocalBackend
from server.deploy.mesos import MesosBackend, MesosParts, MesosSettings
from server.deploy.mesos_executors import MesosTimes
from server.deploy.mesos_info import ExecutorSettings
from server.deploy.mesos_scheduler import MesosMaster
from server.ids import new_id

PACE = 20.0
TIMING = Timing(registration_s=60 * PACE, heartbeat_s=60 * PACE)
"""Executors have true time to start, and nobody is missed too soon: this machine may have much else to do."""
PORTS = free_slices(2, data=100, control=40)
"""Of the double's two agents, which share this machine."""
EXECUTOR = str(Path(sys.executable).with_name("aliecs-executor"))


@dataclass(frozen=True)
class Entry:
    """A host of the inventory."""

    name: str
    address: str = "127.0.0.1"
    detector: str = "TST"
    attributes: dict[str, str] = field(default_factory=dict)
    cpus: float = 4.0
    memory_mb: float = 4096.0


B = TypeVar("B", bound=Backend)


class Stage(Generic[B]):
    """What all stages have in common.

    Attributes:
        hosts: names of two hosts.
        known: what the core recorded of executors.
        times: of the backend, in seconds; those that are not here are its defaults.
        occupied: what tasks hold, told to each next life of the core.
    """

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        self.instance = instance_id()
        self.folder = folder
        self.hosts = list(hosts)
        self.known: dict[str, KnownExecutor] = {}
        self.times: dict[str, float] = {}
        self.backends: list[B] = []
        self.occupied: list[tuple[str, str, Demand, tuple[int, ...]]] = []
        self.device = folder / "device.py"
        self.device.write_text(DEVICE)

    def make(self) -> B:
        """Return a backend for another life of the core."""
        raise NotImplementedError

    async def start(self, **times: float) -> tuple[B, Ear]:
        """Begin a life of the core."""
        self.times |= times
        backend, ear = self.make(), Ear()
        self.backends.append(backend)
        await backend.start(ear, list(self.known.values()))
        for host, task_id, demand, ports in self.occupied:
            backend.occupy(host, task_id, demand, ports)
        return backend, ear

    def spec(
        self, backend: B, host: str, task_id: str, demand: Demand | None = None, mode: ControlMode = ControlMode.DIRECT
    ) -> TaskSpec:
        """Reserve for a task, and return it."""
        demand = demand or Demand(control=mode is ControlMode.DIRECT, channels=1, cpus=0.1, memory_mb=32)
        given = backend.reserve(host, task_id, demand)
        self.occupied.append((host, task_id, demand, (*given.data_ports, given.control_port)))
        return TaskSpec(
            task_id=task_id, environment_id="2env", class_name="quiet", mode=mode, value=sys.executable,
            arguments=("-P", str(self.device)), control_port=given.control_port, stdout="all",
            environment=(f"OCC_CONTROL_PORT={given.control_port}",),
        )  # fmt: skip

    async def launch(self, backend: B, ear: Ear, *task_ids: str, host: str = "") -> None:
        """Launch tasks and wait until they are up."""
        host = host or self.hosts[0]
        await backend.offers()
        specs = [self.spec(backend, host, task_id) for task_id in task_ids]
        await backend.launch(host, "o1", specs, new_id(), timeout_s=DEADLINE_S)
        await ear.until(lambda: all(ear.is_active(one) or ear.has_ended(one) for one in task_ids))
        failed = [ear.tasks[one] for one in task_ids if not ear.is_active(one)]
        assert not failed, failed

    def info(self, backend: B, host: str = "") -> HostInfo:
        """Return what the backend tells of a host, the first one if none is named."""
        return next(one for one in backend.hosts() if one.name == (host or self.hosts[0]))

    def processes(self) -> list[int]:
        """Return all processes with our instance id in their environment."""
        mark = f"ALIECS_INSTANCE={self.instance}".encode()
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                environment = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in environment and int(name) != os.getpid():
                found.append(int(name))
        return found

    async def empty(self) -> None:
        """Wait until no process of this instance is left."""
        await settled(lambda: not self.processes())

    async def _inventory(self) -> Sequence[Entry]:
        return [Entry(name, attributes={"machine_id": name}) for name in self.hosts]

    async def _record(self, known: KnownExecutor) -> None:
        self.known[known.executor_id] = known

    def _forget(self, executor_id: str) -> None:
        self.known.pop(executor_id, None)


class LocalStage(Stage[LocalBackend]):
    """This machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ("flp001", "flp002"))
        self.command: Sequence[str] = ()
        """Of executors; () is the real one."""
        self.options = ExecutorOptions()

    def make(self) -> LocalBackend:
        parts = LocalParts(
            instance=self.instance, state_directory=self.folder, core_epoch=new_id(), inventory=self._inventory,
            new_id=new_id, record_executor=self._record, forget_executor=self._forget,
        )  # fmt: skip
        if self.command:
            parts = replace(parts, command=self.command)
        return LocalBackend(parts, LocalSettings(options=self.options, **self.times))  # type: ignore[arg-type]


class ClusterStage(Stage[MesosBackend]):
    """A cluster.

    Attributes:
        framework_id: in the configuration.
        master: whom the next life of the core registers with, and how.
        executor: what it asks of agents.
    """

    def __init__(self, folder: Path, address: str, hosts: Sequence[str] = ("host1", "host2")) -> None:
        super().__init__(folder, hosts)
        self.framework_id = ""
        self.times = {"heartbeat_s": 0.5, "kill_again_s": 2.0, "unknown_pause_s": 0.3, "drain_s": 60.0}
        self.master = MesosMaster(
            address=address, failover_timeout_s=3600.0, call_s=60.0, pause_min_s=0.05, pause_max_s=0.5,
            user=os.environ.get("USER") or "root",
        )  # fmt: skip
        self.executor = ExecutorSettings(path=EXECUTOR)

    def make(self) -> MesosBackend:
        parts = MesosParts(
            instance=self.instance, core_epoch=new_id(), inventory=self._inventory, new_id=new_id,
            record_executor=self._record, forget_executor=self._forget, changed=lambda: None,
            load_framework_id=self._load, store_framework_id=self._store,
        )  # fmt: skip
        settings = MesosSettings(
            master=self.master, executor=self.executor, times=MesosTimes(**self.times), offer_wait_s=DEADLINE_S,
            settle_s=0.2, idle_s=0.3, refuse_s=0.5, subscribe_s=DEADLINE_S, revive_wait_s=0.05,
        )  # fmt: skip
        return MesosBackend(parts, settings)

    async def _load(self) -> str:
        return self.framework_id

    async def _store(self, framework_id: str) -> None:
        self.framework_id = framework_id


class DoubleStage(ClusterStage):
    """A cluster with the double of Mesos."""

    def __init__(self, folder: Path, mesos: MesosDouble) -> None:
        super().__init__(folder, mesos.address)
        self.mesos = mesos


def agent(number: int) -> VirtualAgent:
    """Return an agent of the double with ports of its own."""
    data, control = PORTS[number - 1]
    ports = f"ports:[{data[0]}-{data[1]},{control[0]}-{control[1]}]"
    return VirtualAgent(f"host{number}", {"machine_id": f"host{number}", "rack": "a"}, f"cpus:4;mem:4096;{ports}")


def command_of(pid: int) -> bytes:
    """Return the command line of a process, b"" if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def not_accepted(backend: MesosBackend, seconds: float = 3.0) -> None:
    """Look whether the master does not accept the core for that long; it may have more time afterwards."""
    settings, backend.settings = backend.settings, replace(backend.settings, subscribe_s=seconds)
    with pytest.raises(LinkError, match=f"has not accepted this core within {seconds:g} s"):
        await backend.offers()
    backend.settings = settings


async def settled(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
