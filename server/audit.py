"""Who did what below environments, when, and what came of it: a line in the log ``server.audit`` and an event to watchers.

The journal has no record for it: it keeps what a core must know after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from occ.errors import AliecsError
from server.api import model
from server.clock import now_ms
from server.environment.stimuli import Requester
from server.task.task import Task

log = logging.getLogger(__name__)

NAME = "expert"
"""Of the service that the events are about."""


class Audit:
    """Tells what experts do.

    Args:
        publish: gets the events.
    """

    @dataclass(slots=True)
    class Told:
        """What is told of an act when it is over."""

        state: str = ""
        """That what it was about is in now."""

    def __init__(self, publish: Callable[[model.Event], None]) -> None:
        self._publish = publish

    @contextmanager
    def act(self, what: str, requester: Requester, task: Task | None, **asked: object) -> Iterator[Audit.Told]:
        """Tell that something is asked for, and at the end what came of it; refusals too.

        Args:
            task: that it is about, if there is one.
            asked: the request.
        """
        about: dict[str, object] = {"who": requester.name or "unknown"} | asked
        if task:
            about |= {"class": task.class_name, "host": task.host, "env": task.environment_id, "was": task.state.value}
        log.info("asked what=%s %s", what, _json(about))
        told, error = Audit.Told(), "interrupted, the outcome is unknown"
        try:
            yield told
            error = ""
        except AliecsError as failure:
            error = failure.message
            raise
        finally:
            level = logging.WARNING if error else logging.INFO
            about |= {"state": told.state, "error": error}
            log.log(level, "over what=%s %s", what, _json(about))
            self._publish(
                model.IntegratedServiceEvent(
                    at_ms=now_ms(),
                    name=NAME,
                    environment_id=task.environment_id if task else "",
                    operation_name=what,
                    operation_status=model.OpStatus.DONE_ERROR if error else model.OpStatus.DONE_OK,
                    payload=_json(about),
                    error=error,
                )
            )


def _json(about: dict[str, object]) -> str:
    """Return one line, whatever a request had in it."""
    return msgspec.json.encode(about).decode()
