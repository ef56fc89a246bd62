"""What is executed for a task: arguments, environment, user, and what becomes it (occ-executor-mesos.md 3.5).

The process that executes it: process.py.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from executor.api.messages import TaskSpec
from occ.errors import TaskError

OUR_SETPRIV = (sys.executable, "-I", "-S", str(Path(__file__).with_name("become.py")))
"""Takes some 10 ms longer."""
_PROBE_S = 5.0
"""For the one call that finds out whether setpriv knows --pdeathsig."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Who a task is, if not who its executor is."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    def setpriv_options(self) -> list[str]:
        groups = ["--groups", ",".join(map(str, self.groups))] if self.groups else ["--clear-groups"]
        return ["--reuid", str(self.uid), "--regid", str(self.gid), *groups]


@dataclass(frozen=True, slots=True)
class Program:
    """All of it for one process."""

    argv: list[str]
    environment: dict[str, str]
    switch: Switch | None

    def become_by(self, setpriv: Sequence[str]) -> list[str]:
        """Return the command that becomes this program, of its user, to die with whoever starts it.

        No ``preexec_fn`` does that: Python can use vfork (0.6 instead of 1.8 ms each), and a child that runs Python between
        fork and exec beside gRPC's threads dies of it now and then.
        """
        options = self.switch.setpriv_options() if self.switch else []
        return [*setpriv, "--pdeathsig", "KILL", *options, "--", *self.argv]


def program_of(spec: TaskSpec, instance: str, folder: Path) -> Program:
    """Return what to execute for a task; the folder becomes that of its user.

    Args:
        instance: the id that every process of this instance carries.
        folder: where it will run.

    Raises:
        TaskError: there is no such program or user, or this user cannot be had.
        OSError: the folder cannot be given away.
    """
    environment = _environment(spec, instance)
    switch = _switch(spec.user, folder)
    return Program(_argv(spec, environment, folder), environment, switch)


def find_setpriv() -> tuple[str, ...]:
    """Return the command of a setpriv that can set the parent-death signal, () if there is none. Blocks for some ms."""
    path = shutil.which("setpriv")
    if path is None:
        return ()
    try:
        probe = subprocess.run(
            [path, "--pdeathsig", "KILL", "true"], capture_output=True, timeout=_PROBE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return ()
    return (path,) if probe.returncode == 0 else ()


def _environment(spec: TaskSpec, instance: str) -> dict[str, str]:
    environment = dict(os.environ)
    for entry in spec.environment:
        name, separator, value = entry.partition("=")
        if name and separator:
            environment[name] = value
    environment["ALIECS_INSTANCE"] = instance
    environment["ALIECS_TASK_ID"] = spec.task_id
    environment["ALIECS_ENVIRONMENT_ID"] = spec.environment_id
    return environment


def _argv(spec: TaskSpec, environment: Mapping[str, str], folder: Path) -> list[str]:
    if spec.shell:
        return ["/bin/sh", "-c", " ".join((spec.value, *spec.arguments))]
    program = str(folder / spec.value) if "/" in spec.value and not os.path.isabs(spec.value) else spec.value
    found = shutil.which(program, path=environment.get("PATH"))
    if found is None:
        if os.path.exists(program):
            raise TaskError(f"cannot start {spec.value!r}: not an executable file")
        raise TaskError(f"cannot start {spec.value!r}: command not found")
    return [found, *spec.arguments]


def _switch(user: str, folder: Path) -> Switch | None:
    if not user:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise TaskError(f"cannot build the command: no user {user!r} on this host") from None
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise TaskError(
            f"cannot build the command: only root can switch to user {user!r}, this executor is {_own_name()!r}"
        )
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return Switch(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(user, entry.pw_gid)))


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in a container, perhaps
        return f"uid {os.geteuid()}"
