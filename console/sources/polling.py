"""Batches from a core that only answers questions: it is asked again and again, and what has changed is told.

When to ask is decided here; what follows from a reply in sightings.py. Such a picture is advisory: ``notice`` says why.
Subscribe is never called: a stock core loops without end for an id that it does not know (clients.md 1.4).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from console.sources.sightings import Sightings
from console.sources.source import Source
from server.api.client import Client
from server.api.errors import CoreError, DeadlineError, LinkError
from server.api.model import Batch, Change, Part
from server.api.outline import EnvironmentOutline, OutlineReader

_T = TypeVar("_T")

CHANGES_AT_ONCE = 1000
"""In a batch, so that the screen can paint between two."""

ADVISORY = (
    "no first fault of the core: it is taken to be the first critical task seen in ERROR",
    "no locks, no counts and no steps of a transition",
    "history and times only since this console follows the core",
)
"""What a picture made by polling cannot show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a core is asked, in seconds; a slow one less often."""

    environments_s: float = 1.0
    focused_s: float = 1.0
    others_s: float = 5.0
    """Between two environments whose roles nobody looks at."""
    tasks_s: float = 5.0
    tasks_moving_s: float = 1.0
    """While a transition is in progress."""
    services_s: float = 10.0
    framework_s: float = 10.0
    rest: float = 4.0
    """A question rests for so many times as long as its answer took."""
    roles_rest: float = 20.0
    """So do the roles of an environment, which may be very many."""
    reply_s: float = 10.0
    """Deadline of an answer."""
    tries: int = 3
    """After so many questions without an answer the link counts as broken."""


@dataclass(slots=True, eq=False)
class _Question:
    """Something that is asked again and again, never twice at a time."""

    method: str
    ask: Callable[[], Awaitable[None]]
    interval_s: Callable[[], float]
    is_vital: bool = False
    """Without its answer there is no picture."""
    pause_s: float = 0.0
    """Before it is asked next."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Polling(Source):
    """Asks a core through a client, which it does not own.

    Args:
        clock: gives Unix time in seconds.
    """

    is_advisory = True

    def __init__(self, client: Client, *, pace: Pace | None = None, clock: Callable[[], float] = time.time) -> None:
        self.name = client.endpoint
        self._client = client
        self._pace = pace = pace or Pace()
        self._clock = clock
        self._reader = OutlineReader(client)
        self._sightings = Sightings()
        self._applying = asyncio.Lock()
        self._epoch = f"polled-{secrets.token_hex(4)}"
        self._seq = 0
        self._focus = ""
        self._round: deque[str] = deque()
        self._lacking: set[str] = set()
        """Methods that this core does not have."""
        self._roles_due: dict[str, float] = {}
        """When they are asked for next, monotonic, by environment id."""
        self._answered_at = 0.0
        self._grown = asyncio.Event()
        self._environments = _Question(
            "GetEnvironments", self._ask_environments, lambda: pace.environments_s, is_vital=True
        )
        self._focused = _Question("GetEnvironment", self._ask_focused, lambda: pace.focused_s)
        self._tasks = _Question("GetTasks", self._ask_tasks, self._tasks_interval_s)
        self._questions = (
            self._environments,
            self._focused,
            _Question("GetEnvironment", self._ask_other, lambda: pace.others_s),
            self._tasks,
            _Question("GetIntegratedServices", self._ask_services, lambda: pace.services_s),
            _Question("GetFrameworkInfo", self._ask_framework, lambda: pace.framework_s),
        )

    @property
    def notice(self) -> str:
        """Say in words what is only advisory."""
        states = max(self._environments.pause_s, self._pace.environments_s)
        tasks = max(self._tasks.pause_s, self._tasks_interval_s())
        lines = [
            f"this core does not tell what happens: states are seen by polling every {states:.0f} s, tasks every {tasks:.0f} s"
        ]
        lines += ADVISORY
        if self._lacking:
            lines.append(f"it lacks {', '.join(sorted(self._lacking))}")
        return "; ".join(lines)

    def now(self) -> float:
        """Return the time of this machine: the picture is of this moment, but for its age."""
        return self._clock()

    def focus(self, environment_id: str) -> None:
        """Look closely at one environment, "" for none."""
        if environment_id != self._focus:
            self._focus = environment_id
            self._focused.woken.set()

    def wake(self) -> None:
        """Ask at once: something was changed."""
        for question in (self._environments, self._focused, self._tasks):
            question.woken.set()

    async def batches(self, epoch: str, since: int) -> AsyncIterator[Batch]:
        """Yield what is seen, at least a batch without changes for each list of environments that the core gives.

        Raises:
            LinkError: the link broke, or the core gives no answer any more.
            CoreError: the core does not even list its environments.
        """
        await self._client.ready(patient=True)
        if (epoch, since) != (self._epoch, self._seq) or not epoch:
            try:
                await self._look()
            except (CoreError, DeadlineError) as error:
                raise self._lost(error) from error
            self._sightings.take()
            for batch in self._snapshot():
                yield batch
                await asyncio.sleep(0)
        asking = [asyncio.ensure_future(self._repeat(question)) for question in self._questions]
        try:
            while True:
                await self._news(asking)
                for batch in self._changes():
                    yield batch
                    await asyncio.sleep(0)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    # ---- telling -----------------------------------------------------------------------------

    async def _news(self, asking: Sequence[asyncio.Task[None]]) -> None:
        """Return when there is something to tell.

        Raises:
            AliecsError: a question that must be answered was not.
        """
        grown = asyncio.create_task(self._grown.wait())
        open_ends: list[asyncio.Task[Any]] = [task for task in asking if not (task.done() and not task.exception())]
        try:
            done, _ = await asyncio.wait([grown, *open_ends], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            grown.cancel()
        self._grown.clear()

    def _snapshot(self) -> Iterator[Batch]:
        self._seq += 1
        part = Part.BEGIN
        for changes in _parts(self._sightings.everything()):
            yield self._batch(part, changes)
            part = Part.MORE
        yield self._batch(Part.END, ())

    def _changes(self) -> Iterator[Batch]:
        changes = self._sightings.take()
        for part in _parts(changes):
            self._seq += bool(changes)
            yield self._batch(Part.NONE, part)

    def _batch(self, part: Part, changes: tuple[Change, ...]) -> Batch:
        return Batch(self._epoch, self._seq, part, changes, timestamp_ms=self._now_ms())

    def _tell(self, *, is_answer: bool = False) -> None:
        """Draw conclusions and let them be told; but no sign of life while the list of environments is overdue.

        Args:
            is_answer: the list has just come.
        """
        self._sightings.conclude(self._now_ms())
        if is_answer:
            self._answered_at = time.monotonic()
        if time.monotonic() - self._answered_at < 2 * self._pace.environments_s:
            self._grown.set()

    def _now_ms(self) -> int:
        return int(1000 * self._clock())

    # ---- asking ------------------------------------------------------------------------------

    async def _repeat(self, question: _Question) -> None:
        """Ask for ever, or until it turns out that the core does not know the question.

        Raises:
            LinkError: the link broke, or there was no answer several times.
            CoreError: the core does not know a vital question.
        """
        failures = 0
        while question.method not in self._lacking:
            question.woken.clear()
            question.pause_s = question.interval_s()
            started = time.monotonic()
            try:
                await question.ask()
                failures = 0
                question.pause_s = max(question.pause_s, self._pace.rest * (time.monotonic() - started))
            except (CoreError, DeadlineError) as error:
                failures += 1
                if question.is_vital and failures >= self._pace.tries:
                    raise self._lost(error) from error
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(question.woken.wait(), question.pause_s)

    def _lost(self, error: CoreError | DeadlineError) -> CoreError | LinkError:
        """Return what a vital question without answer means."""
        if isinstance(error, CoreError) and error.code == "UNIMPLEMENTED":
            return error
        return LinkError(f"no picture of {self.name}: {error.message}", hint=error.hint)

    async def _in_time(self, method: str, reply: Awaitable[_T]) -> _T:
        """Return a reply; DeadlineError if it does not come in time."""
        try:
            async with asyncio.timeout(self._pace.reply_s):
                return await reply
        except TimeoutError:
            raise DeadlineError(f"{method}: no answer within {self._pace.reply_s:g} s") from None

    async def _if_known(self, method: str, reply: Awaitable[_T]) -> _T | None:
        """Return a reply, None if the core does not know the method, or no longer knows what it was asked about."""
        try:
            return await self._in_time(method, reply)
        except CoreError as error:
            if error.code == "UNIMPLEMENTED":
                self._lacking.add(method)
            elif error.code != "NOT_FOUND":
                raise
            return None

    async def _look(self) -> None:
        """Look once at everything but the roles.

        Raises:
            AliecsError: the core does not list its environments.
        """
        outlines = await self._in_time("GetEnvironments", self._reader.environments())
        async with self._applying:
            self._sightings.environments([outline.info for outline in outlines], self._now_ms())
            for outline in outlines:
                if outline.info.tasks_total and not outline.tasks:
                    await self._look_closer([outline.info.id], self._pace.reply_s)  # it does not send them in a list
                else:
                    await _in_turns(self._sightings.details(outline, self._now_ms()))
        for ask in (self._ask_tasks, self._ask_services, self._ask_framework):
            with contextlib.suppress(CoreError, DeadlineError):  # it will be asked again
                await ask()
        self._sightings.conclude(self._now_ms())

    async def _ask_environments(self) -> None:
        infos = await self._in_time("GetEnvironments", self._client.environments())
        async with self._applying:  # to the end: what went to ERROR is shown together with the reason
            moved = self._sightings.environments(infos, self._now_ms())
            if moved:
                self._tasks.woken.set()
            await self._look_closer(moved, self._pace.environments_s)
            self._reader.keep(self._sightings.environment_ids)
            self._tell(is_answer=True)

    async def _look_closer(self, environment_ids: list[str], deadline_s: float) -> None:
        """Look at the tasks of environments, as far as there is time."""
        outlines: list[EnvironmentOutline | None] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                for one in environment_ids:
                    with contextlib.suppress(CoreError, DeadlineError):
                        outlines.append(await self._details(one, workflow=False))
        for outline in filter(None, outlines):
            await _in_turns(self._sightings.details(outline, self._now_ms()))

    async def _ask_focused(self) -> None:
        if self._focus:
            await self._ask_roles(self._focus)

    async def _ask_other(self) -> None:
        known = self._sightings.environment_ids
        self._round = deque(dict.fromkeys([*(one for one in self._round if one in known), *known]))
        others = [one for one in self._round if one != self._focus]
        if others:
            chosen = next(filter(self._sightings.lacks_roles, others), others[0])
            self._round.remove(chosen)
            self._round.append(chosen)
            await self._ask_roles(chosen)

    async def _ask_roles(self, environment_id: str) -> None:
        """Look at one environment; at its roles less often if there are many, for their states follow from the tasks."""
        started = time.monotonic()
        workflow = self._sightings.lacks_roles(environment_id) or started >= self._roles_due.get(environment_id, 0.0)
        outline = await self._details(environment_id, workflow=workflow)
        if workflow:
            now = time.monotonic()
            self._roles_due[environment_id] = now + self._pace.roles_rest * (now - started)
        if outline is not None:
            async with self._applying:
                await _in_turns(self._sightings.details(outline, self._now_ms()))
            self._tell()

    async def _details(self, environment_id: str, *, workflow: bool) -> EnvironmentOutline | None:
        return await self._if_known("GetEnvironment", self._reader.environment(environment_id, workflow=workflow))

    async def _ask_tasks(self) -> None:
        tasks = await self._if_known("GetTasks", self._reader.tasks())
        if tasks is not None:
            async with self._applying:
                await _in_turns(self._sightings.roster(tasks, self._now_ms()))
            self._tell()

    async def _ask_services(self) -> None:
        services = await self._if_known("GetIntegratedServices", self._client.services())
        if services is not None:
            async with self._applying:  # no conclusions from tasks that are half taken in
                self._sightings.services(services)
            self._tell()

    async def _ask_framework(self) -> None:
        framework = await self._if_known("GetFrameworkInfo", self._client.framework())
        if framework is not None:
            active = await self._if_known("GetActiveDetectors", self._client.active_detectors())
            async with self._applying:
                self._sightings.framework(framework, framework.active_detectors if active is None else active)
            self._tell()

    def _tasks_interval_s(self) -> float:
        return self._pace.tasks_moving_s if self._sightings.is_moving else self._pace.tasks_s


def _parts(changes: list[Change]) -> Iterator[tuple[Change, ...]]:
    """Yield changes in parts; one empty part if there are none."""
    for start in range(0, len(changes) or 1, CHANGES_AT_ONCE):
        yield tuple(changes[start : start + CHANGES_AT_ONCE])


async def _in_turns(work: Iterator[None]) -> None:
    """Let the event loop turn between pieces of work."""
    for _ in work:
        await asyncio.sleep(0)
