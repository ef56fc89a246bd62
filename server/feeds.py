"""What Subscribe sends: everything, or the feed of one automatic environment under the id that its client chose (core.md 4.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from server.api.errors import CoreError, Reason
from server.api.model import EnvironmentEvent, Event, RoleEvent, TaskEvent

MAX_EVENTS = 20_000
"""Kept per feed, so that a client that subscribes after its environment began misses nothing; then the oldest go."""


class Feed:
    """The events of one automatic environment, kept until the environment is gone."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._dropped = 0
        self._is_closed = False
        self._grown = asyncio.Event()

    def add(self, event: Event) -> None:
        """Append what a subscriber of this environment is told of an event; most events have another form here."""
        self._events += _as_told(event)
        if len(self._events) > MAX_EVENTS:
            half = MAX_EVENTS // 2
            del self._events[:half]
            self._dropped += half
        self._wake()

    def close(self) -> None:
        """End the feed: subscribers get the rest and then the end of their stream."""
        self._is_closed = True
        self._wake()

    async def read(self) -> AsyncIterator[Event]:
        """Yield all events from the first that is kept to the end; every subscriber gets all of them."""
        at = self._dropped
        while True:
            grown = self._grown
            at = max(at, self._dropped)
            while at - self._dropped < len(self._events):
                at += 1
                yield self._events[at - 1 - self._dropped]
            if self._is_closed:
                return
            await grown.wait()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()


class Feeds:
    """The feeds of this core by the id that the client chose."""

    def __init__(self) -> None:
        self._by_key: dict[str, Feed] = {}
        self._by_environment: dict[str, Feed] = {}
        self._came = asyncio.Event()

    def open(self, key: str, environment_id: str) -> None:
        """Make the feed of a new automatic environment; the same key again replaces the old feed."""
        feed = Feed()
        self._by_key[key] = self._by_environment[environment_id] = feed
        self._came.set()
        self._came = asyncio.Event()

    def close(self, environment_id: str) -> None:
        """End the feed of an environment that is gone; its key is forgotten."""
        feed = self._by_environment.pop(environment_id, None)
        if feed:
            feed.close()
            self._by_key = {key: one for key, one in self._by_key.items() if one is not feed}

    def tell(self, event: Event) -> None:
        """Put an event into the feed of its environment, if that has one."""
        feed = self._by_environment.get(getattr(event, "environment_id", ""))
        if feed:
            feed.add(event)

    async def wait_for(self, key: str, timeout_s: float) -> Feed:
        """Return the feed of that key. AliECS's own client subscribes just before it creates, so it is waited for a little.

        Raises:
            CoreError: no automatic environment came under this id.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while key not in self._by_key:
                    await self._came.wait()
        except TimeoutError:
            raise CoreError(
                Reason.SUBSCRIPTION_NOT_FOUND,
                f"no automatic environment with the subscription id {key!r}",
                hint='use the id given to NewAutoEnvironment, or "" for the events of all environments',
            ) from None
        return self._by_key[key]


def _as_told(event: Event) -> list[Event]:
    match event:
        case EnvironmentEvent():
            return [
                EnvironmentEvent(
                    at_ms=event.at_ms, environment_id=event.environment_id, state=state, run_number=event.run_number,
                    error=event.error, message=message,
                )
                for state, message in _told_states(event)
            ]  # fmt: skip
        case RoleEvent():
            return [
                RoleEvent(at_ms=event.at_ms, name=event.name, path=event.path, state=event.state, status=event.status)
            ]
        case TaskEvent():
            return [
                TaskEvent(
                    at_ms=event.at_ms, name=event.name, task_id=event.task_id, state=event.state, status=event.status,
                    host=event.host, class_name=event.class_name,
                )
            ]  # fmt: skip
    return []


def _told_states(event: EnvironmentEvent) -> list[tuple[str, str]]:
    """Return (state, message) pairs of the feed for one event of the environment."""
    if event.message == "transition step finished" and event.transition_step == f"tasks_{event.transition}":
        if event.error or event.transition == "GO_ERROR":
            return []
        return [("RESET" if event.transition == "RESET" else event.state, "")]
    if event.message == "environment teardown complete":
        return [("DONE", "teardown complete"), ("DONE", event.message)]
    if event.message.startswith("a critical error occurred"):
        return [(event.state, f"environment is in {event.state}, handling ERROR")]
    if event.transition == "CREATE" and event.error:
        return [("ERROR", "cannot load workflow" if event.state == "PENDING" else "cannot create new environment")]
    return []
