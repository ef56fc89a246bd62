"""A container as the posix launcher makes it: a sandbox, what is fetched into it, and a process in its own session (6.5)."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import uuid
from pathlib import Path
from urllib.parse import unquote, urlparse

import psutil

from mesos.terms import Json

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class LaunchError(Exception):
    """A container that could not be made; the text is for the scheduler."""


class Container:
    """One run of an executor or a command.

    Args:
        folder: of the executor; the sandbox is made in its ``runs``.
    """

    def __init__(self, folder: Path) -> None:
        self.id = str(uuid.uuid4())
        self.sandbox = folder / "runs" / self.id
        self.process: asyncio.subprocess.Process | None = None
        self.is_started = asyncio.Event()
        self.is_over = asyncio.Event()
        self._is_doomed = False

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    async def run(self, command: Json, environment: dict[str, str], user: str) -> None:
        """Make the sandbox, fetch and start; raise LaunchError where that fails."""
        self.sandbox.mkdir(parents=True, exist_ok=True)
        latest = self.sandbox.parent / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(self.sandbox.name)
        account = _account(user)
        for uri in command.get("uris", []):
            self._fetch(uri)
        if account is not None:
            os.chown(self.sandbox, account.pw_uid, account.pw_gid)
        argv = _argv(command)
        variables = command.get("environment", {}).get("variables", [])
        environment = {"PATH": PATH, **environment, **{each["name"]: each.get("value", "") for each in variables}}
        with (self.sandbox / "stdout").open("ab") as stdout, (self.sandbox / "stderr").open("ab") as stderr:
            self.process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=self.sandbox,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                user=account.pw_uid if account is not None else None,
                group=account.pw_gid if account is not None else None,
                extra_groups=os.getgrouplist(user, account.pw_gid) if account is not None else None,
            )
        self.is_started.set()
        if self._is_doomed:
            self.destroy()

    async def wait(self) -> int:
        """Return the raw wait status, when the process is over and the rest of its session is killed."""
        assert self.process is not None
        code = await self.process.wait()
        for process in self._rest():
            _kill(process)
        self.is_over.set()
        return -code if code < 0 else code << 8

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    def destroy(self) -> None:
        """Kill the process, what descends from it and what is in its session, at once or when it starts."""
        self._is_doomed = True
        if self.process is not None:
            for process in self._rest():
                _kill(process)

    def _rest(self) -> list[psutil.Process]:
        assert self.process is not None
        pid = self.process.pid
        found: dict[int, psutil.Process] = {}
        if self.process.returncode is None:
            try:
                leader = psutil.Process(pid)
                found = {process.pid: process for process in (leader, *leader.children(recursive=True))}
            except psutil.NoSuchProcess:
                found = {}
        for other in psutil.pids():
            try:
                if os.getsid(other) == pid:
                    found[other] = psutil.Process(other)
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return list(found.values())

    def _fetch(self, uri: Json) -> None:
        parsed = urlparse(uri["value"])
        source = Path(unquote(parsed.path))
        if parsed.scheme not in ("", "file") or not source.is_file():
            raise LaunchError(
                "Failed to launch container: Failed to fetch all URIs for container"
                f" '{self.id}': exited with status 1: {uri['value']}"
            )
        target = self.sandbox / uri.get("output_file", source.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if uri.get("executable"):
            target.chmod(0o755)


def kill_leftovers(folder: Path) -> None:
    """Kill what still runs with a sandbox below ``folder`` in its environment: it was started by what ran there."""
    for process in psutil.process_iter():
        try:
            if Path(process.environ().get("MESOS_SANDBOX", "/")).is_relative_to(folder):
                process.kill()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _argv(command: Json) -> list[str]:
    if command.get("shell", True):
        return ["/bin/sh", "-c", command.get("value", "")]
    program = command["value"]
    return [program, *command.get("arguments", [program])[1:]]


def _account(user: str) -> pwd.struct_passwd | None:
    """Return the account to switch to; None where that is not possible or not needed."""
    if os.geteuid() != 0 or not user or pwd.getpwuid(os.geteuid()).pw_name == user:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise LaunchError(f"Failed to launch container: Failed to get user information for '{user}'") from error


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
