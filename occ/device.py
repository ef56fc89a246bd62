"""What the author of a controllable task subclasses. How its callbacks are run: control.py; how it is served: process.py.

The methods are those of AliECS's RuntimeControlledObject (occ-executor-mesos.md 1.4), in Python's manner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol

from occ.events import Iteration, Metric
from occ.properties import Properties
from occ.states import TaskState

if TYPE_CHECKING:
    import argparse

END = Iteration.END
CONTINUE = Iteration.CONTINUE

Result = int | None | Awaitable[int | None]
"""What a callback returns: None or 0 if all is well, another number for an error; the same from an ``async def``."""


class Reporter(Protocol):
    """Runs a device and takes what it reports by itself, from any thread."""

    @property
    def state(self) -> TaskState: ...

    def report_failure(self, reason: str) -> None:
        """Put the device into ERROR."""

    def report_end_of_stream(self) -> None:
        """Tell that this run has no more data."""


class Device:
    """A controllable task: override what you need, then ``Device.main()``.

    Callbacks are plain functions, which run one after the other in one worker thread, or ``async def`` functions, which run
    on the event loop; in both cases none begins before the one before it has ended. A callback fails by raising or by
    returning a number other than 0: the device goes to ERROR. One exception: ``occ.errors.RefusedError`` means that
    nothing has been done; the transition is refused and the state stays.
    """

    iterate_pause_s: float = 0.001
    """Pause between two calls of ``iterate_running``, so that commands come in between."""

    check_period_s: float = 0.1
    """Pause between two calls of ``iterate_check`` while nothing else happens; a change of state calls it at once."""

    metrics_period_s: float = 0.5
    """Time between two calls of ``metrics`` while somebody watches."""

    def __init__(self, name: str = "") -> None:
        self.name = name or type(self).__name__
        """Appears in log lines."""
        self.role = "default-role"
        """Where the task stands in its workflow; from ``--o2-role`` or ``O2_ROLE``."""
        self.run_number = 0
        """Of the run that is going on or was the last; 0 before the first."""
        self.properties = Properties()
        """As given to the last ``configure``."""
        self.arguments = Properties()
        """Arguments of the event that is being processed: the parameters of the run, in ``start``."""
        self.preset = Properties()
        """Used by every CONFIGURE in the place of what is pushed, unless empty (``setConfig`` of the original)."""
        self._reporter: Reporter | None = None

    # ---- to be overridden --------------------------------------------------------------------

    def configure(self, properties: Properties) -> Result:
        """STANDBY to CONFIGURED: take the configuration, open channels."""
        return None

    def reset(self) -> Result:
        """CONFIGURED to STANDBY: give back what ``configure`` took."""
        return None

    def start(self) -> Result:
        """CONFIGURED to RUNNING; ``run_number`` is that of the new run."""
        return None

    def stop(self) -> Result:
        """RUNNING or PAUSED to CONFIGURED; ``run_number`` still is that of the run."""
        return None

    def pause(self) -> Result:
        """RUNNING to PAUSED; cannot be asked for over OCC, only by the program itself: ``Instance.request``."""
        return None

    def resume(self) -> Result:
        """PAUSED to RUNNING; cannot be asked for over OCC either."""
        return None

    def recover(self) -> Result:
        """ERROR to STANDBY: make a new ``configure`` possible."""
        return None

    def exit(self) -> Result:
        """STANDBY, CONFIGURED or ERROR to DONE; the process ends afterwards with code 0."""
        return None

    def iterate_running(self) -> Result:
        """Called again and again in RUNNING; commands wait for its end. Returns CONTINUE (or None), or END."""
        return None

    def iterate_check(self) -> Result:
        """Called again and again in every state but ERROR and DONE; an error is reported as by the other callbacks."""
        return None

    def metrics(self) -> Iterable[Metric]:
        """Return the task's numbers. Called in a thread of its own beside the other callbacks: only read what they count."""
        return ()

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        """Add options of this task to the command line; their values are in ``take_options``."""

    def take_options(self, options: argparse.Namespace) -> None:
        """Receive the parsed command line, before the control port is opened."""

    # ---- to be called ------------------------------------------------------------------------

    @property
    def state(self) -> TaskState:
        """The state at this moment, which during a callback is the one before the move; UNKNOWN while nobody runs it."""
        return TaskState.UNKNOWN if self._reporter is None else self._reporter.state

    def fail(self, reason: str) -> None:
        """Put the device into ERROR, for ``reason``; from any thread, also from one that the task started itself."""
        reporter = self._reporter  # which another thread may take away
        if reporter is not None:
            reporter.report_failure(reason)

    def end_of_stream(self) -> None:
        """Report that this run has no more data; from any thread. The state stays RUNNING until somebody sends STOP."""
        reporter = self._reporter
        if reporter is not None:
            reporter.report_end_of_stream()

    def attach(self, reporter: Reporter | None) -> None:
        """Have ``fail`` and ``end_of_stream`` go to ``reporter``; called by the controller that runs this device."""
        self._reporter = reporter

    @classmethod
    def main(cls, argv: Sequence[str] | None = None) -> NoReturn:
        """Serve an object of this class until EXIT, then end the process; ``occ.run`` returns instead."""
        from occ.process import leave, run  # deferred: loads asyncio and more, which tests of a device do without

        leave(run(cls(), argv))
