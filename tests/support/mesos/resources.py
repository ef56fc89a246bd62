"""Resources of agents, offers and tasks: sums of scalars and sets of ports (occ-executor-mesos.md 6.3, 6.5)."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mesos.terms import Json

Range = tuple[int, int]

OFFER_ORDER = ("ports", "cpus", "mem", "disk")
AGENT_ORDER = ("cpus", "mem", "ports", "disk")


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of resources. Scalars count in thousandths, as Mesos counts them, so sums are exact."""

    scalars: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, tuple[Range, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Resources:
        """Read the agent's option: ``cpus:4;mem:4096;ports:[31000-32000,33000-33010]``."""
        scalars: dict[str, int] = {}
        ranges: dict[str, list[Range]] = {}
        for part in filter(None, text.split(";")):
            name, _, amount = part.partition(":")
            if amount.startswith("["):
                pairs = re.findall(r"(\d+)-(\d+)", amount)
                ranges[name] = [(int(begin), int(end)) for begin, end in pairs]
            else:
                scalars[name] = round(float(amount) * 1000)
        return cls(scalars, {name: _merged(pairs) for name, pairs in ranges.items()})

    @classmethod
    def from_json(cls, resources: Iterable[Json]) -> Resources:
        """Add up the resources of a message."""
        scalars: dict[str, int] = {}
        ranges: dict[str, list[Range]] = {}
        for resource in resources:
            name = resource["name"]
            if "ranges" in resource:
                pairs = [(int(pair["begin"]), int(pair["end"])) for pair in resource["ranges"].get("range", [])]
                ranges.setdefault(name, []).extend(pairs)
            else:
                scalars[name] = scalars.get(name, 0) + round(float(resource["scalar"]["value"]) * 1000)
        return cls(scalars, {name: _merged(pairs) for name, pairs in ranges.items()})

    def __add__(self, other: Resources) -> Resources:
        scalars = dict(self.scalars)
        for name, amount in other.scalars.items():
            scalars[name] = scalars.get(name, 0) + amount
        ranges = dict(self.ranges)
        for name, pairs in other.ranges.items():
            for pair in pairs:
                ranges[name] = _with(ranges.get(name, ()), pair)
        return Resources(scalars, ranges)

    def __sub__(self, other: Resources) -> Resources:
        scalars = {name: max(0, amount - other.scalars.get(name, 0)) for name, amount in self.scalars.items()}
        ranges = {name: _without(pairs, other.ranges.get(name, ())) for name, pairs in self.ranges.items()}
        return Resources(scalars, ranges)

    def contains(self, other: Resources) -> bool:
        """Tell whether ``other`` is a part of this."""
        return all(self.scalars.get(name, 0) >= amount for name, amount in other.scalars.items()) and all(
            all(_covers(self.ranges.get(name, ()), pair) for pair in pairs) for name, pairs in other.ranges.items()
        )

    @property
    def is_empty(self) -> bool:
        return not any(self.scalars.values()) and not any(self.ranges.values())

    @property
    def is_worth_offering(self) -> bool:
        """Tell whether a master would offer this: 0.01 of a processor or 32 MB."""
        return self.scalars.get("cpus", 0) >= 10 or self.scalars.get("mem", 0) >= 32_000

    def to_json(self, order: tuple[str, ...] = OFFER_ORDER, **extra: object) -> list[Json]:
        """Return the resources of a message, each with ``extra``."""
        names = [name for name, amount in {**self.scalars, **self.ranges}.items() if amount]
        names.sort(key=lambda name: (order.index(name) if name in order else len(order), name))
        return [{**self._one(name), **extra} for name in names]

    def text(self, role: str) -> str:
        """Return this as Mesos writes it into its messages."""
        parts = []
        for resource in self.to_json(OFFER_ORDER if self.ranges else AGENT_ORDER):
            name = resource["name"]
            amount = (
                "[" + ", ".join(f"{begin}-{end}" for begin, end in self.ranges[name]) + "]"
                if name in self.ranges
                else f"{self.scalars[name] / 1000:.12g}"
            )
            parts.append(f"{name}(allocated: {role}):{amount}")
        return "; ".join(parts)

    def as_option(self) -> str:
        """Return this in the syntax of the agent's option."""
        amounts = [f"{name}:{amount / 1000:.12g}" for name, amount in self.scalars.items()]
        for name, pairs in self.ranges.items():
            amounts.append(f"{name}:[" + ",".join(f"{begin}-{end}" for begin, end in pairs) + "]")
        return ";".join(amounts)

    def summary(self) -> Json:
        """Return this as pages for people show it."""
        amounts: Json = {name: self.scalars.get(name, 0) / 1000 for name in ("disk", "mem", "gpus", "cpus")}
        for name, pairs in self.ranges.items():
            amounts[name] = "[" + ", ".join(f"{begin}-{end}" for begin, end in pairs) + "]"
        return amounts

    def _one(self, name: str) -> Json:
        if name in self.ranges:
            pairs = [{"begin": begin, "end": end} for begin, end in self.ranges[name]]
            return {"name": name, "type": "RANGES", "ranges": {"range": pairs}}
        return {"name": name, "type": "SCALAR", "scalar": {"value": self.scalars[name] / 1000}}


# Ranges are kept sorted and apart, so what is added or taken touches few of them: an agent may have thousands.


def _merged(pairs: Iterable[Range]) -> tuple[Range, ...]:
    merged: tuple[Range, ...] = ()
    for pair in pairs:
        merged = _with(merged, pair)
    return merged


def _with(pairs: tuple[Range, ...], added: Range) -> tuple[Range, ...]:
    begin, end = added
    low, high = _touched(pairs, begin - 1, end + 1)
    if low < high:
        begin, end = min(begin, pairs[low][0]), max(end, pairs[high - 1][1])
    return (*pairs[:low], (begin, end), *pairs[high:])


def _without(pairs: tuple[Range, ...], taken: Iterable[Range]) -> tuple[Range, ...]:
    for begin, end in taken:
        low, high = _touched(pairs, begin, end)
        if low < high:
            first, last = pairs[low][0], pairs[high - 1][1]
            left = [(first, begin - 1)] if first < begin else []
            right = [(end + 1, last)] if last > end else []
            pairs = (*pairs[:low], *left, *right, *pairs[high:])
    return pairs


def _touched(pairs: tuple[Range, ...], begin: int, end: int) -> tuple[int, int]:
    """Return from where to where ``pairs`` have something between ``begin`` and ``end``."""
    return bisect_left(pairs, begin, key=lambda pair: pair[1]), bisect_right(pairs, end, key=lambda pair: pair[0])


def _covers(pairs: tuple[Range, ...], wanted: Range) -> bool:
    low, high = _touched(pairs, *wanted)
    return high - low == 1 and pairs[low][0] <= wanted[0] and wanted[1] <= pairs[low][1]
