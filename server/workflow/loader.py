"""The core's side of the loader: a process that loads workflows, so that two hundred hosts never stall the core's loop.

One process, kept warm; one request at a time. A request past its deadline costs the process its life, not the core.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from server.workflow.register import Repositories
from server.workflow.repos import RepositorySet, Source, Wanted, unknown_repository
from server.workflow.worker import (
    REPLIES,
    Failure,
    ForgetRequest,
    Listed,
    ListRequest,
    Loaded,
    LoadRequest,
    Reply,
    Request,
    to_error,
    to_failure,
)

log = logging.getLogger(__name__)

MAX_ADDED = 8
"""Repositories that one load may add."""
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
        repositories: give the files of what a load does not have at hand; None: there is nothing else.
    """

    def __init__(
        self, *, configuration: str, instance: str, deadline_s: float, generation: GenerationSettings | None = None,
        repositories: Repositories | None = None,
    ) -> None:  # fmt: skip
        self._repositories = repositories
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

    async def forget_generated(self) -> None:
        """Forget what DPL commands have written; they are run anew when they are named again.

        Raises:
            CoreError: a load that goes on took too long.
        """
        await self._ask(ForgetRequest(), "forgetting what was generated")

    async def _load(self, request: LoadRequest) -> Loaded:
        for _ in range(MAX_ADDED):
            try:
                reply = await self._ask(request, f"loading {request.expression}")
            except _ToBeAdded as missing:
                await self._add(missing)
                continue
            assert isinstance(reply, Loaded)
            return reply
        message = f"loading {request.expression} wants more than {MAX_ADDED} repositories added"
        raise CoreError(Reason.REPOSITORY, message)

    async def declarations(
        self, *, folder: str = "", texts: Mapping[str, tuple[str, str]] | None = None
    ) -> tuple[Sequence[TemplateListing], Mapping[str, TemplateListing]]:
        """Return what the templates of a folder declare, and those of further texts (name and text) by their keys.

        Raises:
            CoreError: it took too long.
        """
        reply = await self._ask(ListRequest(folder=folder, texts=dict(texts or {})), "listing templates")
        assert isinstance(reply, Listed)
        return reply.templates, reply.texts

    async def _add(self, missing: _ToBeAdded) -> None:
        assert self._repositories is not None
        try:
            await self._repositories.ensure(missing.repo)
        except CoreError as error:
            where = missing.failure
            message = f"{where.message}, and it cannot be added: {error.message}"
            raise CoreError(error.reason, message, hint=error.hint, code=error.code, **where.where) from error

    async def _ask(self, request: Request, what: str) -> Reply:
        async with self._turn:
            if self._process is None or self._process.returncode is not None:
                await self.start()
            try:
                reply = await self._talk(request)
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
            except _ToBeAdded:
                raise
            except BaseException:
                await self.close()  # its answer would be taken for that of the next request
                raise
        if isinstance(reply, Failure):
            raise to_error(reply)
        return reply

    async def _talk(self, request: Request) -> Reply:
        """Return the reply; what the loader asks for in between is fetched, with deadlines of its own."""
        loop = asyncio.get_running_loop()
        adds = isinstance(request, LoadRequest) and not request.rehearsal
        missing = ""
        with self._repositories.lease() if self._repositories else contextlib.nullcontext(_nothing) as fetch:
            async with asyncio.timeout(self.deadline_s) as clock:
                reply = REPLIES.decode(await self._exchange(msgspec.json.encode(request)))
                while isinstance(reply, Wanted):
                    left = (clock.when() or 0.0) - loop.time()
                    clock.reschedule(None)
                    found: Source | Failure
                    try:
                        found = await fetch(reply.repo, reply.revision)
                    except CoreError as error:
                        if adds and reply.may_add and self._repositories and self._repositories.is_addable(reply.repo):
                            missing = reply.repo
                        found = to_failure(error)
                    clock.reschedule(loop.time() + left)
                    reply = REPLIES.decode(await self._exchange(msgspec.json.encode(found)))
        if missing and isinstance(reply, Failure):
            raise _ToBeAdded(missing, reply)
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


class _ToBeAdded(Exception):
    """A load needs a repository that is not known; it is added while no load is held up by that."""

    def __init__(self, repo: str, failure: Failure) -> None:
        super().__init__(repo)
        self.repo = repo
        self.failure = failure


async def _nothing(repo: str, revision: str) -> Source:
    raise unknown_repository(repo, [])
