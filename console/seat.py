"""The place of somebody who sits at the console: what verbs about the console itself read and change.

The prompt has one (repl/shell.py); single commands and scripts have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from console.safety import Arming


class Setting(NamedTuple):
    """One setting that can be changed while the console runs."""

    value: str
    choices: tuple[str, ...]
    help: str


class Job(NamedTuple):
    """A line that goes on in the background."""

    number: int
    line: str
    started_s: float
    """Monotonic."""


class Seat(Protocol):
    """What there is at such a place."""

    @property
    def in_use(self) -> str:
        """Id of the environment in use, "" for none."""
        ...

    @property
    def arming(self) -> Arming: ...

    @property
    def last_error(self) -> str:
        """The last message about something that went wrong, "" if nothing did."""
        ...

    def use(self, environment_id: str) -> None:
        """Make verbs without an environment be about this one; "" for none."""
        ...

    def settings(self) -> Mapping[str, Setting]:
        """Return the settings by name."""
        ...

    def set(self, name: str, value: str) -> None:
        """Change a setting.

        Raises:
            ExitError: USAGE: no such setting or value.
        """
        ...

    def lines(self) -> Sequence[str]:
        """Return the lines that were typed, the last one last."""
        ...

    def jobs(self) -> Sequence[Job]: ...

    async def connect(self, endpoint: str) -> None:
        """Leave this core for another one.

        Raises:
            LinkError: nothing answers there; the seat stays where it was.
        """
        ...

    async def source(self, path: str, variables: Sequence[str], *, yes: bool, confirm: str, reason: str) -> int:
        """Run a script and return its exit code.

        Raises:
            ExitError: it cannot be read, or it changes something and nobody is armed.
        """
        ...

    def quit(self) -> None:
        """End when the line is done."""
        ...
