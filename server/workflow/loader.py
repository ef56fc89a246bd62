"""The core's side of the loader: a process that loads workflows, so that two hundred hosts never stall the core's loop.

One process, kept warm; one request at a time. A request past its deadline costs the process its life, not the core.
"""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from server.api.errors import CoreError, Reason
from server.template.model import LoadedWorkflow
from server.workflow.generator import GenerationSettings
from server.workflow.listing import TemplateListing
from server.workflow.repos import LOCAL, RepositorySet
from server.workflow.worker import REPLIES, Failure, Listed, ListRequest, Loaded, LoadRequest, Reply, Request, to_error

log = logging.getLogger(__name__)

MAX_FRAME = 512 * 1024 * 1024
"""Bytes of one reply."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A workflow that is not to be used.

    Attributes:
        errors: where there are any, the workflow is not what it should be.
        disabled: paths of roles that are not enabled.
    """

    workflow: LoadedWorkflow
    errors: Sequence[CoreError]
    disabled: Sequence[str]


class WorkflowLoader:
    """Owns the loader's process. Used from one loop.

    Args:
        configuration: address of the configuration.
        instance: marks the process.
        deadline_s: longest time for one request; may be changed, for the next one.
        generation: how DPL commands become templates; None: they do not.
    """

    def __init__(
        self, *, configuration: str, instance: str, deadline_s: float, generation: GenerationSettings | None = None
    ) -> None:
        self._configuration = configuration
        self._instance = instance
        self.deadline_s = deadline_s
        self._generation = generation
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Of the process; None if there is none."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process, so that the first request finds it warm."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "server.workflow.worker", self._configuration,
            msgspec.json.encode(self._generation),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=dict(os.environ) | {"ALIECS_INSTANCE": self._instance},
        )  # fmt: skip

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process and process.returncode is None:
            process.kill()
            await process.wait()

    async def load(
        self, expression: str, *, user_vars: Mapping[str, str], defaults: Mapping[str, str], vars: Mapping[str, str],
        repos: RepositorySet,
    ) -> LoadedWorkflow:  # fmt: skip
        """Load a workflow.

        Raises:
            CoreError: TEMPLATE_NOT_FOUND, TEMPLATE_BROKEN, VARIABLE_MISSING, REPOSITORY with their places; DEADLINE.
        """
        request = LoadRequest(
            expression=expression,
            user_vars=dict(user_vars),
            defaults=dict(defaults),
            vars=dict(vars),
            repositories=repos,
        )
        return (await self._load(request)).workflow

    async def rehearse(
        self, expression: str, *, user_vars: Mapping[str, str], defaults: Mapping[str, str], vars: Mapping[str, str],
        repos: RepositorySet,
    ) -> Rehearsed:  # fmt: skip
        """Load a workflow without changing anything, and tell all errors at once.

        Raises:
            CoreError: REPOSITORY, TEMPLATE_NOT_FOUND, or so broken that nothing can be said of it; DEADLINE.
        """
        request = LoadRequest(
            expression=expression,
            user_vars=dict(user_vars),
            defaults=dict(defaults),
            vars=dict(vars),
            repositories=repos,
            rehearsal=True,
        )
        loaded = await self._load(request)
        return Rehearsed(loaded.workflow, [to_error(one) for one in loaded.errors], loaded.disabled)

    async def _load(self, request: LoadRequest) -> Loaded:
        reply = await self._ask(request, f"loading {request.expression}")
        assert isinstance(reply, Loaded)
        return reply

    async def templates(
        self, repos: RepositorySet, *, repo_pattern: str, revision_pattern: str, all_branches: bool, all_tags: bool,
        all_workflows: bool, vars: Mapping[str, str],
    ) -> Sequence[TemplateListing]:  # fmt: skip
        """List templates by patterns (workflows-config.md 4.3); ``vars`` replace defaults of variables under ``defaults``.

        Raises:
            CoreError: the patterns contradict each other, or a template is broken.
        """
        if (all_branches or all_tags) and revision_pattern:
            raise CoreError(Reason.BAD_REQUEST, "a revision pattern cannot be given together with all branches or tags")
        names = sorted(repos.hashes)
        chosen = _chosen(names, repo_pattern)
        if revision_pattern and not fnmatch.fnmatchcase(LOCAL, revision_pattern):
            chosen = []
        request = ListRequest(repositories=tuple(chosen), revision=LOCAL, every=all_workflows)
        reply = await self._ask(request, "listing templates")
        assert isinstance(reply, Listed)
        return [_with_vars(listing, vars) for listing in reply.templates]

    async def _ask(self, request: Request, what: str) -> Reply:
        async with self._turn:
            if self._process is None or self._process.returncode is not None:
                await self.start()
            try:
                async with asyncio.timeout(self.deadline_s):
                    reply = REPLIES.decode(await self._exchange(msgspec.json.encode(request)))
            except TimeoutError:
                await self.close()
                raise CoreError(
                    Reason.DEADLINE,
                    f"{what} took longer than {self.deadline_s:g} s",
                    hint="does the template grow without end? What DPL commands have written is kept: ask again if they took it",
                ) from None
            except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError) as error:
                await self.close()
                raise CoreError(Reason.INTERNAL, f"the loader died while {what}: {type(error).__name__}") from error
            except asyncio.CancelledError:
                await self.close()  # its answer would be taken for that of the next request
                raise
        if isinstance(reply, Failure):
            raise to_error(reply)
        return reply

    async def _exchange(self, data: bytes) -> bytes:
        process = self._process
        assert process and process.stdin and process.stdout
        process.stdin.write(len(data).to_bytes(4, "big") + data)
        await process.stdin.drain()
        size = int.from_bytes(await process.stdout.readexactly(4), "big")
        if size > MAX_FRAME:
            raise ConnectionError(f"reply of {size} bytes")
        return await process.stdout.readexactly(size)


def _chosen(names: Sequence[str], pattern: str) -> list[str]:
    if pattern.isdecimal():
        index = int(pattern)
        if index >= len(names):
            raise CoreError(Reason.BAD_REQUEST, f"no repository with index {index}", hint=f"there are {len(names)}")
        return [names[index]]
    return [name for name in names if fnmatch.fnmatchcase(name, pattern or "*")]


def _with_vars(listing: TemplateListing, vars: Mapping[str, str]) -> TemplateListing:
    replaced = {
        name: spec if spec.is_var or name not in vars else msgspec.structs.replace(spec, default=vars[name])
        for name, spec in listing.variables.items()
    }
    return msgspec.structs.replace(listing, variables=replaced)
