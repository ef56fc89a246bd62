"""The state of one task and its legal moves, by the table of occ/states.py. No I/O, no callbacks; who calls it: control.py.

A look into the table and no library, unlike the machine of environments: a move by one is 90 calls of functions, more than
all else that a task does for it.
"""

from __future__ import annotations

from occ.errors import RefusedError
from occ.states import MOVES, TaskEvent, TaskState

_TARGETS = {(event, source): target for event, source, target in MOVES}


class TaskMachine:
    """State of one task; moves only along ``occ.states.MOVES``, or to ERROR by ``fail``."""

    def __init__(self, initial: TaskState = TaskState.STANDBY) -> None:
        self._state = initial

    @property
    def state(self) -> TaskState:
        return self._state

    def target(self, event: TaskEvent) -> TaskState | None:
        """Return the state that ``event`` leads to from here, None if it is not accepted here."""
        return _TARGETS.get((event, self._state))

    def fire(self, event: TaskEvent) -> TaskState:
        """Make the move and return the new state.

        Raises:
            RefusedError: the event is not accepted in this state; the state is unchanged.
        """
        target = self.target(event)
        if target is None:
            raise RefusedError(f"{event.value} is not accepted in {self._state.value}")
        self._state = target
        return target

    def fail(self) -> TaskState:
        """Go to ERROR, from every state but DONE, which is final, and return the new state."""
        if self._state is not TaskState.DONE:
            self._state = TaskState.ERROR
        return self._state
