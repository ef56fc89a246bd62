"""What passes between master, agents and drivers, and how it gets lost, late, doubled or out of order on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from mesos.clock import Clock, Timer

Delivery = Callable[[], None]


class Parcel(Enum):
    """Kinds of what is carried."""

    UPDATE = "status update, from an agent to a scheduler"
    ACKNOWLEDGEMENT = "acknowledgement of an update, from a scheduler to an agent"
    TO_SCHEDULER = "message of an executor to its scheduler"
    TO_EXECUTOR = "message of a scheduler to an executor"
    LAUNCH = "task, from the master to an agent"
    KILL = "order to kill a task, from the master to an agent"


@dataclass(slots=True)
class _Rule:
    parcel: Parcel
    left: int
    apply: Callable[[Delivery, bool], None]
    """Called with each parcel it is for, and whether that is its last."""


@dataclass(slots=True)
class Courier:
    """Delivers at once, unless a rule says otherwise. A rule holds for the next so many parcels of its kind."""

    clock: Clock
    _rules: list[_Rule] = field(default_factory=list)
    _timers: set[Timer] = field(default_factory=set)

    def carry(self, parcel: Parcel, delivery: Delivery) -> None:
        """Bring ``delivery`` about."""
        rule = next((rule for rule in self._rules if rule.parcel is parcel), None)
        if rule is None:
            delivery()
            return
        rule.left -= 1
        if rule.left == 0:
            self._rules.remove(rule)
        rule.apply(delivery, rule.left == 0)

    def drop(self, parcel: Parcel, count: int = 1) -> None:
        """Lose the next ``count``."""
        self._rules.append(_Rule(parcel, count, lambda delivery, is_last: None))

    def duplicate(self, parcel: Parcel, count: int = 1) -> None:
        """Deliver each of the next ``count`` twice."""

        def twice(delivery: Delivery, is_last: bool) -> None:
            delivery()
            delivery()

        self._rules.append(_Rule(parcel, count, twice))

    def delay(self, parcel: Parcel, delay_s: float, count: int = 1) -> None:
        """Deliver each of the next ``count`` ``delay_s`` late; what follows overtakes them."""

        def late(delivery: Delivery, is_last: bool) -> None:
            self._timers.add(self.clock.later(delay_s, delivery))

        self._rules.append(_Rule(parcel, count, late))

    def reorder(self, parcel: Parcel, count: int = 2) -> None:
        """Hold the next ``count`` back until all are there, then deliver the last first."""
        held: list[Delivery] = []

        def backwards(delivery: Delivery, is_last: bool) -> None:
            held.append(delivery)
            if is_last:
                for waiting in reversed(held):
                    waiting()

        self._rules.append(_Rule(parcel, count, backwards))

    def stop(self) -> None:
        """Deliver nothing any more that is still delayed."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
