"""The table of legal moves of one task as a state machine. No I/O, no callbacks; who calls it: control.py."""

from __future__ import annotations

from transitions import Machine

from occ.errors import RefusedError
from occ.states import MOVES, TaskEvent, TaskState

_STATES = (
    TaskState.STANDBY,
    TaskState.CONFIGURED,
    TaskState.RUNNING,
    TaskState.PAUSED,
    TaskState.ERROR,
    TaskState.DONE,
)
_FAIL = "FAIL"
"""Trigger of a failed callback or a spontaneous error. GO_ERROR is no move: no device accepts it."""


class TaskMachine:
    """State of one task; moves only along ``occ.states.MOVES``, or to ERROR by ``fail``."""

    state: TaskState

    def __init__(self, initial: TaskState = TaskState.STANDBY) -> None:
        table = [{"trigger": event.value, "source": source, "dest": target} for event, source, target in MOVES]
        table += [
            {"trigger": _FAIL, "source": state, "dest": TaskState.ERROR}
            for state in _STATES
            if state is not TaskState.DONE
        ]
        self._machine = Machine(self, states=list(_STATES), transitions=table, initial=initial, auto_transitions=False)
        self._targets = {(event, source): target for event, source, target in MOVES}

    def target(self, event: TaskEvent) -> TaskState | None:
        """Return the state that ``event`` leads to from here, None if it is not accepted here."""
        return self._targets.get((event, self.state))

    def fire(self, event: TaskEvent) -> TaskState:
        """Make the move and return the new state.

        Raises:
            RefusedError: the event is not accepted in this state; the state is unchanged.
        """
        if self.target(event) is None:
            raise RefusedError(f"{event.value} is not accepted in {self.state.value}")
        self._trigger(event.value)
        return self.state

    def fail(self) -> TaskState:
        """Go to ERROR, from every state but DONE, which is final, and return the new state."""
        if self.state is not TaskState.DONE:
            self._trigger(_FAIL)
        return self.state

    def _trigger(self, name: str) -> None:
        self._machine.events[name].trigger(self)
