"""Runs the ``git`` program: in its own process group, with a deadline, and with nobody's configuration (dependencies.md 7).

What is asked of it: objects.py and clones.py. A repository is not trusted: no hooks, filters, monitors or prompts run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.api.errors import CoreError, Reason

log = logging.getLogger(__name__)

MAX_OUTPUT = 32 * 1024 * 1024
"""Bytes of one answer."""
END_S = 5.0
"""For a killed process to be gone."""
MAX_TOLD = 500
"""Characters of git's complaint that are told."""
MAX_FILE = 4 * 1024**3
"""Bytes of any file that a transfer writes."""

_INHERITED = (
    "PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY",
    "ALL_PROXY", "KRB5CCNAME", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH",
)  # fmt: skip
_CLEAN = {
    "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "SSH_ASKPASS_REQUIRE": "never",
}  # fmt: skip
_CONFIGURATION = (
    "safe.directory=*", "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=", "core.gitProxy=",
    "core.alternateRefsCommand=true", "credential.helper=", "gc.auto=0", "maintenance.auto=false",
    "submodule.recurse=false", "fetch.recurseSubmodules=false", "protocol.allow=never",
)  # fmt: skip
_TRANSFER = (
    "protocol.https.allow=always", "protocol.ssh.allow=always", "http.lowSpeedLimit=1000", "http.lowSpeedTime=60",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GitSettings:
    """How git is run.

    Attributes:
        timeout_s: for a question to a repository on this machine.
        transfer_timeout_s: for a clone or a fetch.
        ssh_command: program and options, as a shell would read them.
        ssh_key: file of the private key; "": the usual ones of the user.
        check_host_key: refuse hosts that are not in the user's known_hosts.
        configuration: further ``key=value``, stronger than ours.
        instance: marks the processes.
    """

    timeout_s: float = 30.0
    transfer_timeout_s: float = 300.0
    ssh_command: str = "ssh"
    ssh_key: str = ""
    check_host_key: bool = False
    configuration: tuple[str, ...] = ()
    instance: str = ""

    def ssh(self) -> str:
        """Return the command line of ssh (workflows-config.md 8.1)."""
        options = ["-oBatchMode=yes", "-oConnectTimeout=20", "-oServerAliveInterval=15"]
        options += ["-oControlMaster=no", "-oControlPath=none"]  # a shared connection would outlive the transfer
        if self.check_host_key:
            options.append("-oStrictHostKeyChecking=yes")
        else:
            options += ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR"]
        if self.ssh_key:
            options += ["-oIdentitiesOnly=yes", "-i", self.ssh_key]
        return " ".join((self.ssh_command, *map(shlex.quote, options)))


class GitTimeout(CoreError):
    """It took too long, and was ended with all that it had started."""


class Git:
    """Answers questions and makes transfers. All errors are CoreError REPOSITORY."""

    def __init__(self, settings: GitSettings) -> None:
        self._settings = settings
        if settings.ssh_key and not os.access(settings.ssh_key, os.R_OK):
            log.warning("the key of setting reposSshKey cannot be read file=%s", settings.ssh_key)
        kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._environment = {
            **kept, **_CLEAN, "GIT_SSH_COMMAND": settings.ssh(), "GIT_SSH_VARIANT": "ssh",
            "ALIECS_INSTANCE": settings.instance,
        }  # fmt: skip

    async def ask(self, git_dir: Path, *arguments: str, data: bytes = b"", limit: int = MAX_OUTPUT) -> bytes:
        """Return what git says about a repository; it reaches no other machine.

        Args:
            data: for its standard input.
            limit: of bytes that it may say.
        """
        command = ["git", f"--git-dir={git_dir}", "--no-pager", *_options(_CONFIGURATION), *arguments]
        return await self._run(command, arguments[0], str(git_dir), self._settings.timeout_s, data, limit)

    async def transfer(self, git_dir: Path, url: str, *refspecs: str) -> None:
        """Fetch from a URL; what the other end has no more is removed here too."""
        leash = [sys.executable, "-P", "-m", "server.workflow.leash", str(os.getpid()), str(MAX_FILE)]
        options = _options((*_CONFIGURATION, *_TRANSFER, *self._settings.configuration))
        fetch = [
            "fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
            "--upload-pack=git-upload-pack", "--", url, *refspecs,
        ]  # fmt: skip
        command = [*leash, "git", f"--git-dir={git_dir}", "--no-pager", *options, *fetch]
        await self._run(command, "fetch", url, self._settings.transfer_timeout_s, b"", MAX_OUTPUT)

    async def _run(
        self, command: Sequence[str], what: str, where: str, deadline_s: float, data: bytes, limit: int
    ) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, env=self._environment, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise CoreError(
                Reason.REPOSITORY, "git is not installed", hint="install it: repositories are read with it"
            ) from None
        assert process.stdin and process.stdout and process.stderr

        def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        try:
            async with asyncio.timeout(deadline_s):
                said, complaint, _ = await asyncio.gather(
                    _read(process.stdout, limit, end),
                    _read(process.stderr, MAX_OUTPUT, end),
                    _write(process.stdin, data),
                )
                code = await process.wait()
        except TimeoutError:
            raise GitTimeout(
                Reason.REPOSITORY,
                f"git {what} of {where} took longer than {deadline_s:g} s",
                hint="is the network there? reposTimeout and reposFetchTimeout set the deadlines",
            ) from None
        finally:
            if process.returncode is None:
                end()
                # A pipe that nobody reads would keep wait() from returning.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(END_S):
                        await asyncio.gather(
                            _read(process.stdout, 0, end), _read(process.stderr, 0, end), process.wait()
                        )
        if said is None or complaint is None:
            raise CoreError(Reason.REPOSITORY, f"git {what} of {where} said more than {limit} bytes")
        if code:
            raise _failed(what, where, complaint.decode("utf-8", "replace"))
        return said


def _options(configuration: Sequence[str]) -> list[str]:
    return [word for one in configuration for word in ("-c", one)]


async def _read(stream: asyncio.StreamReader, limit: int, end: Callable[[], None]) -> bytes | None:
    """Return all of a stream; None if it is longer than the limit, which ends who writes it."""
    parts: list[bytes] = []
    size = 0
    while part := await stream.read(65536):
        size += len(part)
        if size > limit:
            end()
        else:
            parts.append(part)
    return b"".join(parts) if size <= limit else None


async def _write(stream: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it ended early, and says why
        if data:
            stream.write(data)
            await stream.drain()
        stream.close()
        await stream.wait_closed()


_HINTS = (
    ("could not resolve host", "the name is not known here: is the network there, is the name right?"),
    ("failed to connect", "is the network there?"),
    ("timed out", "is the network there?"),
    ("terminal prompts disabled", "there is no such repository, or it is not public: use host:/path/repo and reposSshKey"),
    ("not found", "there is no such repository, or it is not public"),
    ("permission denied", "the key of setting reposSshKey is not accepted there"),
    ("host key verification failed", "add the host to known_hosts, or switch reposSshCheckHostKey off"),
    ("not allowed", "only https and ssh are"),
)  # fmt: skip


def _failed(what: str, where: str, complaint: str) -> CoreError:
    """Return the error of a git that failed; what the other end says is shown without escapes."""
    lines = (
        "".join(char for char in line if char.isprintable()).strip().removeprefix("fatal: ").removeprefix("error: ")
        for line in complaint.splitlines()
    )
    told = "; ".join(filter(None, lines))[:MAX_TOLD] or "it says nothing"
    hint = next((hint for words, hint in _HINTS if words in told.lower()), "")
    return CoreError(Reason.REPOSITORY, f"git {what} of {where} failed: {told}", hint=hint)
