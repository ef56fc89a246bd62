"""FairMQ's states and transitions, and what they are in terms of OCC (occ-executor-mesos.md 2). Standard library only.

Drives devices by these tables: executor/fairmq.py. Is such a device: occ/samples/fairmq/.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from occ.states import TaskEvent, TaskState


class DeviceState(StrEnum):
    """State of a FairMQ device, as its plugin spells it."""

    IDLE = "IDLE"
    INITIALIZING_DEVICE = "INITIALIZING DEVICE"
    INITIALIZED = "INITIALIZED"
    BINDING = "BINDING"
    BOUND = "BOUND"
    CONNECTING = "CONNECTING"
    DEVICE_READY = "DEVICE READY"
    INITIALIZING_TASK = "INITIALIZING TASK"
    READY = "READY"
    RUNNING = "RUNNING"
    RESETTING_TASK = "RESETTING TASK"
    RESETTING_DEVICE = "RESETTING DEVICE"
    EXITING = "EXITING"
    ERROR = "ERROR"

    @property
    def is_intermediate(self) -> bool:
        """Whether the device leaves this state by itself; INITIALIZING DEVICE does not: COMPLETE INIT follows."""
        return self in _INTERMEDIATE


class DeviceTransition(StrEnum):
    """What a FairMQ device can be asked for."""

    INIT_DEVICE = "INIT DEVICE"
    COMPLETE_INIT = "COMPLETE INIT"
    BIND = "BIND"
    CONNECT = "CONNECT"
    INIT_TASK = "INIT TASK"
    RUN = "RUN"
    STOP = "STOP"
    RESET_TASK = "RESET TASK"
    RESET_DEVICE = "RESET DEVICE"
    END = "END"
    ERROR_FOUND = "ERROR FOUND"


_S, _T = DeviceState, DeviceTransition
_INTERMEDIATE = {
    _S.BINDING, _S.CONNECTING, _S.INITIALIZING_TASK, _S.RESETTING_TASK, _S.RESETTING_DEVICE,
}  # fmt: skip

MOVES: dict[tuple[DeviceState, DeviceTransition], DeviceState] = {
    (_S.IDLE, _T.INIT_DEVICE): _S.INITIALIZING_DEVICE,
    (_S.IDLE, _T.END): _S.EXITING,
    (_S.INITIALIZING_DEVICE, _T.COMPLETE_INIT): _S.INITIALIZED,
    (_S.INITIALIZED, _T.BIND): _S.BINDING,
    (_S.INITIALIZED, _T.RESET_DEVICE): _S.RESETTING_DEVICE,
    (_S.BOUND, _T.CONNECT): _S.CONNECTING,
    (_S.BOUND, _T.RESET_DEVICE): _S.RESETTING_DEVICE,
    (_S.DEVICE_READY, _T.INIT_TASK): _S.INITIALIZING_TASK,
    (_S.DEVICE_READY, _T.RESET_DEVICE): _S.RESETTING_DEVICE,
    (_S.READY, _T.RUN): _S.RUNNING,
    (_S.READY, _T.RESET_TASK): _S.RESETTING_TASK,
    (_S.RUNNING, _T.STOP): _S.READY,
}
"""Where a transition leads to at first; ERROR FOUND leads to ERROR from everywhere."""

AUTOMATIC: dict[DeviceState, DeviceState] = {
    _S.BINDING: _S.BOUND,
    _S.CONNECTING: _S.DEVICE_READY,
    _S.INITIALIZING_TASK: _S.READY,
    _S.RESETTING_TASK: _S.DEVICE_READY,
    _S.RESETTING_DEVICE: _S.IDLE,
}
"""Where an intermediate state leads to by itself."""

EXPECTED: dict[DeviceTransition, DeviceState] = {
    _T.INIT_DEVICE: _S.INITIALIZING_DEVICE,
    _T.COMPLETE_INIT: _S.INITIALIZED,
    _T.BIND: _S.BOUND,
    _T.CONNECT: _S.DEVICE_READY,
    _T.INIT_TASK: _S.READY,
    _T.RUN: _S.RUNNING,
    _T.STOP: _S.READY,
    _T.RESET_TASK: _S.DEVICE_READY,
    _T.RESET_DEVICE: _S.IDLE,
    _T.END: _S.EXITING,
    _T.ERROR_FOUND: _S.ERROR,
}
"""The state that makes the answer to a transition a success."""

_TASK_STATES = {
    _S.IDLE: TaskState.STANDBY,
    _S.READY: TaskState.CONFIGURED,
    _S.RUNNING: TaskState.RUNNING,
    _S.ERROR: TaskState.ERROR,
    _S.EXITING: TaskState.DONE,
}


def task_state(native: str) -> TaskState | None:
    """Return what a device state is in terms of OCC; None for the states in between."""
    return _TASK_STATES.get(native)  # type: ignore[call-overload, no-any-return]  # a StrEnum equals its text


@dataclass(frozen=True, slots=True)
class Step:
    """One transition of a device within an OCC event."""

    transition: DeviceTransition
    source: DeviceState
    takes_arguments: bool = False
    undo: DeviceTransition | None = None
    """Sent if the step failed and left the device where it was."""

    @property
    def target(self) -> DeviceState:
        return EXPECTED[self.transition]


_CONFIGURE = (
    Step(_T.INIT_DEVICE, _S.IDLE, takes_arguments=True),
    Step(_T.COMPLETE_INIT, _S.INITIALIZING_DEVICE),
    Step(_T.BIND, _S.INITIALIZED, undo=_T.RESET_DEVICE),
    Step(_T.CONNECT, _S.BOUND, undo=_T.RESET_DEVICE),
    Step(_T.INIT_TASK, _S.DEVICE_READY, undo=_T.RESET_DEVICE),
)
_RESET = (
    Step(_T.RESET_TASK, _S.READY),
    Step(_T.RESET_DEVICE, _S.DEVICE_READY, takes_arguments=True, undo=_T.INIT_TASK),
)
_END = Step(_T.END, _S.IDLE, takes_arguments=True)

SEQUENCES: dict[tuple[TaskEvent, TaskState], tuple[Step, ...]] = {
    (TaskEvent.CONFIGURE, TaskState.STANDBY): _CONFIGURE,
    (TaskEvent.RESET, TaskState.CONFIGURED): _RESET,
    (TaskEvent.START, TaskState.CONFIGURED): (Step(_T.RUN, _S.READY, takes_arguments=True),),
    (TaskEvent.STOP, TaskState.RUNNING): (Step(_T.STOP, _S.RUNNING, takes_arguments=True),),
    (TaskEvent.EXIT, TaskState.STANDBY): (_END,),
    (TaskEvent.EXIT, TaskState.CONFIGURED): (*_RESET, _END),
}
"""(event, source): the steps of an OCC event, with the roll-backs of occ-executor-mesos.md 2.3. What is not here, a FairMQ
device cannot do: END in ERROR, for one, would never be answered."""
