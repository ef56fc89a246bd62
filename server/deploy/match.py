"""Which task goes to which host: constraints and resources, pure. Concrete ports come from the backend afterwards.

All constraints must hold, and what one task takes is gone for the next (occ-executor-mesos.md 4.5, 4.6 and 9:
D11 to D14 are the original's errors here).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from server.deploy.backend import Offer
from server.deploy.ports import CONTROL_PORTS, DATA_PORTS
from server.deploy.ranges import Ranges, clip, count, missing, normalise, subtract, to_text
from server.template.model import Constraint

MACHINE_ID = "machine_id"
"""The attribute that names a host."""
SHOWN = 5
"""So many hosts are named in one reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What one task needs."""

    key: int
    """Of the caller."""
    constraints: Sequence[Constraint] = ()
    cpu: float = 0.0
    memory_mb: float = 0.0
    static_ports: Ranges = ()
    channel_count: int = 0
    """Channels that get a data port."""
    needs_control_port: bool = True
    critical: bool = True


@dataclass(frozen=True, slots=True)
class Matched:
    """Every want stands in exactly one of the two."""

    placed: dict[int, Offer] = field(default_factory=dict)
    unplaced: dict[int, str] = field(default_factory=dict)
    """Key to the reason, in words."""


def match(wants: Sequence[Want], offers: Sequence[Offer], closed: Mapping[str, str] = MappingProxyType({})) -> Matched:
    """Place each want on an offer.

    Args:
        closed: hosts on which nothing is placed, with the reason in words.

    Those that name their host go first; the others then take the first host that fits. Within each group a critical
    one goes before one that is not, so that resources are not short for what matters.
    """
    rooms = [_Room(offer, closed.get(offer.host, "")) for offer in offers]
    by_name: dict[str, _Room] = {}
    for room in rooms:
        by_name.setdefault(room.offer.attributes.get(MACHINE_ID, ""), room)
    matched = Matched()
    for want in sorted(wants, key=lambda want: not want.critical):
        if (host := _machine_id(want)) is None:
            continue
        named = by_name.get(host) if host else None
        if named is None:
            known = ", ".join(sorted(name for name in by_name if name)) or "none"
            matched.unplaced[want.key] = f"no host {host} ({MACHINE_ID}) in the inventory: known hosts are {known}"
        elif reason := named.refusal(want):
            matched.unplaced[want.key] = f"host {named.offer.host}: {reason}"
        else:
            named.place(want)
            matched.placed[want.key] = named.offer
    for want in sorted(wants, key=lambda want: not want.critical):
        if _machine_id(want) is None:
            _place_anywhere(want, rooms, matched)
    return matched


def unsatisfied(constraints: Sequence[Constraint], attributes: dict[str, str]) -> str:
    """Say which constraint does not hold; "" if all do. A value with commas is a set of which one is wanted."""
    for constraint in constraints:
        found = attributes.get(constraint.attribute)
        if found is None:
            return f"has no attribute {constraint.attribute}, wanted {constraint.value}"
        if constraint.value != found and constraint.value not in found.split(","):
            return f"{constraint.attribute} is {found}, wanted {constraint.value}"
    return ""


class _Room:
    """What is left of an offer while tasks are placed on it."""

    def __init__(self, offer: Offer, closed: str) -> None:
        self.offer = offer
        self._closed = closed
        self._attributes = dict(offer.attributes)
        self._cpus = offer.cpus
        self._memory_mb = offer.memory_mb
        free = normalise(offer.ports)
        self._static = free
        self._data = count(clip(free, *DATA_PORTS))
        self._control = count(clip(free, *CONTROL_PORTS))
        self._checked: dict[tuple[Constraint, ...], str] = {}

    def refusal(self, want: Want) -> str:
        """Say why the want does not fit; "" if it does."""
        if self._closed:
            return self._closed
        constraints = tuple(want.constraints)
        reason = self._checked.get(constraints)
        if reason is None:
            reason = self._checked[constraints] = unsatisfied(constraints, self._attributes)
        if reason:
            return reason
        if (cpus := want.cpu + self.offer.share_cpus) > self._cpus + _ROUNDING:
            return f"needs {cpus:g} cpus, {self._cpus:g} are left"
        if (memory_mb := want.memory_mb + self.offer.share_memory_mb) > self._memory_mb + _ROUNDING:
            return f"needs {memory_mb:g} MB of memory, {self._memory_mb:g} are left"
        static = normalise(want.static_ports)
        if lacking := missing(static, self._static):
            return f"ports {to_text(lacking)} are not free"
        data = self._data - count(clip(static, *DATA_PORTS))
        if want.channel_count > data:
            return f"needs {want.channel_count} ports for channels, {data} are left"
        if want.needs_control_port and self._control - count(clip(static, *CONTROL_PORTS)) < 1:
            return "no control port is left"
        return ""

    def place(self, want: Want) -> None:
        """Take what the want needs."""
        static = normalise(want.static_ports)
        self._cpus -= want.cpu + self.offer.share_cpus
        self._memory_mb -= want.memory_mb + self.offer.share_memory_mb
        if static:
            self._static = subtract(self._static, static)
        self._data -= want.channel_count + count(clip(static, *DATA_PORTS))
        self._control -= int(want.needs_control_port) + count(clip(static, *CONTROL_PORTS))


_ROUNDING = 1e-6
"""Sums of shares of a core are not exact."""


def _machine_id(want: Want) -> str | None:
    return next((one.value for one in want.constraints if one.attribute == MACHINE_ID), None)


def _place_anywhere(want: Want, rooms: Sequence[_Room], matched: Matched) -> None:
    reasons: list[str] = []
    for room in rooms:
        reason = room.refusal(want)
        if not reason:
            room.place(want)
            matched.placed[want.key] = room.offer
            return
        reasons.append(f"{room.offer.host}: {reason}")
    if not reasons:
        matched.unplaced[want.key] = "there is no host in the inventory"
        return
    more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    matched.unplaced[want.key] = f"no host fits: {'; '.join(reasons[:SHOWN])}{more}"
