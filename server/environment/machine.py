"""The table of legal moves of one environment, as a ``transitions.Machine``; the work of a move is in transition.py."""

from __future__ import annotations

from typing import Any

from transitions import Machine, MachineError

from server.api.states import MOVES, EnvironmentEvent, EnvironmentState


class EnvironmentMachine:
    """Holds the state of one environment and lets it move only along the table.

    Used synchronously and without callbacks: what belongs to a move is explicit data elsewhere.
    """

    state: str
    """Name of the present state; set by the library."""

    def __init__(self, initial: EnvironmentState = EnvironmentState.STANDBY) -> None:
        Machine(
            self,
            states=[state.value for state in EnvironmentState if state is not EnvironmentState.PENDING],
            transitions=_TABLE,
            initial=initial.value,
            auto_transitions=False,
        )

    def may(self, event: EnvironmentEvent) -> bool:
        """Tell whether the event is legal in the present state."""
        may: Any = getattr(self, f"may_{event.value.lower()}", None)
        return bool(may and may())

    def fire(self, event: EnvironmentEvent) -> EnvironmentState:
        """Make the move and return the new state.

        Raises:
            MachineError: the event is not legal in the present state.
        """
        trigger: Any = getattr(self, event.value.lower(), None)
        if trigger is None:
            raise MachineError(f"event {event.value} does not exist")
        trigger()
        return EnvironmentState(self.state)

    def force(self, state: EnvironmentState) -> None:
        """Set a state outside the table: ERROR after a failed GO_ERROR, DONE at the end of a teardown (core.md 2.12, 2.13)."""
        self.state = state.value


_TABLE = [{"trigger": event.value.lower(), "source": source.value, "dest": to.value} for event, source, to in MOVES]
