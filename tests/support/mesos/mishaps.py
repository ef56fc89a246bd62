"""What the recorded cluster was, and what happened to it, read from what its drivers saw."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent
from mesos.resources import Resources
from mesos.terms import Timing
from mesos.transcript import Kind, Side, Step

EARLIER_S = 0.004
"""How much before the recorded ticks ours fall."""
BEFORE_S = 0.05
"""How much before its consequences something is done."""
REGISTRATION_BEFORE_S = 0.5
"""How much before it is offered again an agent is taken to have registered."""
SEEN_WITHIN_S = 2.0
"""In which a master and an executor both see that an agent is gone."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """When the recorded master allocated: its second was a little longer than a second."""

    interval_s: float
    start_s: float
    """From which a master's first tick is one interval away."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that is done to the cluster, and when."""

    time_s: float
    do: Callable[[MesosDouble], Awaitable[None]]


def agents_of(steps: list[Step]) -> dict[str, VirtualAgent]:
    """Return the recorded agents by their ids, as they were first offered."""
    found: dict[str, VirtualAgent] = {}
    for step in steps:
        for offer in step.message.get("offers", {}).get("offers", []) if step.kind is Kind.EVENT else []:
            attributes = {each["name"]: each["text"]["value"] for each in offer.get("attributes", [])}
            total = Resources.from_json(offer["resources"]).as_option()
            found.setdefault(offer["agent_id"]["value"], VirtualAgent(offer["hostname"], attributes, total))
    return found or {"": VirtualAgent()}


def ticks_of(steps: list[Step]) -> Ticks:
    """Return the ticks that explain most of the recorded offers; some came at once, without a tick."""
    offers = _offer_times(steps)
    phase = offers[1] if len(offers) > 1 else 0.0

    def explained(interval_s: float) -> int:
        beats = [(time_s - phase) / interval_s for time_s in offers]
        return sum(abs(beat - round(beat)) * interval_s < EARLIER_S - 0.001 for beat in beats)

    interval_s = max((1.0005 + 0.0001 * n for n in range(20)), key=explained)
    return Ticks(interval_s, phase - (math.ceil(phase / interval_s) + 1) * interval_s - EARLIER_S)


def mishaps_of(steps: list[Step], ticks: Ticks, agents: dict[str, VirtualAgent]) -> list[Mishap]:
    """Return what must have happened, in its order."""
    mishaps = [*_losses_of_agents(steps, agents), *_restarts_of_master(steps, ticks)]
    return sorted(mishaps, key=lambda mishap: mishap.time_s)


def recovery_of(steps: list[Step]) -> float:
    """Return how long a restarted agent took to register: until something of it was offered again."""
    returns = [again for lost in _lost(steps, Side.EXECUTOR) if (again := _next_subscription(steps, lost)) is not None]
    offers = [time_s for time_s in _offer_times(steps) if returns and time_s > returns[0]]
    return offers[0] - returns[0] - REGISTRATION_BEFORE_S if offers else Timing().recovery_s


def _losses_of_agents(steps: list[Step], agents: dict[str, VirtualAgent]) -> Iterator[Mishap]:
    for lost in _lost(steps, Side.EXECUTOR):
        host = _host_of(steps, lost, agents)
        near = [step for step in steps if abs(step.time_s - lost.time_s) < SEEN_WITHIN_S]
        seen_s = min(step.time_s for step in near if step is lost or _tells_of_loss(step))
        yield Mishap(seen_s - BEFORE_S, partial(_lose_agent, host))
        if (again_s := _next_subscription(steps, lost)) is not None:
            yield Mishap(again_s - BEFORE_S, partial(_restart_agent, host))


def _restarts_of_master(steps: list[Step], ticks: Ticks) -> Iterator[Mishap]:
    for lost in _lost(steps, Side.SCHEDULER):
        yield Mishap(lost.time_s - EARLIER_S, MesosDouble.stop_master)
        if (again_s := _next_subscription(steps, lost)) is None:
            continue
        # It starts so that the last recorded offer falls on one of its ticks.
        last_s = max(_offer_times(steps)) - BEFORE_S
        beats = math.ceil((last_s - again_s + BEFORE_S) / ticks.interval_s)
        yield Mishap(last_s - beats * ticks.interval_s, _start_master)
        if back := [step.time_s for step in steps if step.time_s > lost.time_s and _tells_of_return(step)]:
            yield Mishap(back[0] - EARLIER_S, _return_agents)


async def _lose_agent(host: str, mesos: MesosDouble) -> None:
    await mesos.lose_agent(host)


async def _restart_agent(host: str, mesos: MesosDouble) -> None:
    await mesos.restart_agent(host)


async def _start_master(mesos: MesosDouble) -> None:
    await mesos.start_master(agents_return=False)


async def _return_agents(mesos: MesosDouble) -> None:
    mesos.return_agents()


def _offer_times(steps: list[Step]) -> list[float]:
    return [step.time_s for step in steps if step.kind is Kind.EVENT and step.message["type"] == "OFFERS"]


def _lost(steps: list[Step], side: Side) -> list[Step]:
    return [step for step in steps if step.kind is Kind.LOST and step.side is side]


def _next_subscription(steps: list[Step], lost: Step) -> float | None:
    """Return when the one whose stream that was came back."""
    again = (step.time_s for step in steps if step.side is lost.side and step.is_subscription and step.status == 200)
    return next((time_s for time_s in again if time_s > lost.time_s), None)


def _tells_of_loss(step: Step) -> bool:
    status = step.message.get("update", {}).get("status", {})
    is_rescinded = step.message.get("type") == "RESCIND"
    return step.side is Side.SCHEDULER and (is_rescinded or status.get("reason") == "REASON_AGENT_DISCONNECTED")


def _tells_of_return(step: Step) -> bool:
    status = step.message.get("update", {}).get("status", {})
    is_offered = step.kind is Kind.EVENT and step.message["type"] == "OFFERS"
    return step.side is Side.SCHEDULER and (is_offered or status.get("reason") == "REASON_AGENT_REREGISTERED")


def _host_of(steps: list[Step], lost: Step, agents: dict[str, VirtualAgent]) -> str:
    """Return the host of the executor whose stream that was: its agent told it."""
    for step in steps:
        if step.connection == lost.connection and step.side is Side.EXECUTOR and step.kind is Kind.EVENT:
            agent_id = step.message.get("subscribed", {}).get("agent_info", {}).get("id", {}).get("value", "")
            if agent_id in agents:
                return agents[agent_id].hostname
    return next(iter(agents.values())).hostname
