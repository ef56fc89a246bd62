"""What every environment runner needs of the core, and the form of an answer to a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from server.api.errors import CoreError, Reason
from server.api.model import CallEvent, EnvironmentEvent, RunEvent
from server.environment.durations import Durations
from server.environment.instructions import AnyInstruction
from server.environment.stimuli import AnyStimulus
from server.integration.registry import PluginRegistry
from server.journal import Journal
from server.task.acquire import Acquirer
from server.task.commander import Commander
from server.task.roster import Roster
from server.template.vocabulary import vocabulary

if TYPE_CHECKING:
    from server.environment.runner import EnvironmentRunner

Published = EnvironmentEvent | CallEvent | RunEvent


class RunNumbers(Protocol):
    async def new_run_number(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What every runner needs of the core."""

    journal: Journal
    acquirer: Acquirer
    commander: Commander
    roster: Roster
    plugins: PluginRegistry
    run_numbers: RunNumbers
    new_id: Callable[[], str]
    publish: Callable[[Published], None]
    changed: Callable[[EnvironmentRunner], None]
    """Called after every turn; reads ``environment.tree.take_changed()`` and the rest to renew the live picture."""
    record: Callable[[str, AnyStimulus, list[AnyInstruction]], None]
    """Sees every decision; for recordings."""
    durations: Durations
    objects: Mapping[str, object] = field(default_factory=vocabulary)
    """All that expressions in properties and calls may call."""
    call_default_s: float = 30.0
    call_margin_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

    error: str = ""
    reason: str = ""
    killed: tuple[str, ...] = ()

    def check(self, environment_id: str, **where: str) -> Answer:
        """Return itself.

        Raises:
            CoreError: the request failed.
        """
        if self.error:
            reason = Reason(self.reason) if self.reason else Reason.TRANSITION_FAILED
            raise CoreError(reason, self.error, environment=environment_id, **where)
        return self
