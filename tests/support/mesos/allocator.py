"""Who is offered what: everything free on an agent goes to the framework that has least (occ-executor-mesos.md 6.4, 7.4)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from mesos.clock import Clock
from mesos.ledger import AgentRecord, Filter, Framework, Offer
from mesos.resources import Resources
from mesos.terms import LOOPBACK, Json, Timing, value


class Allocator:
    """Makes offers and takes them back; tells nobody. What is offered is not free."""

    def __init__(self, master_id: str, clock: Clock, timing: Timing) -> None:
        self.offers: dict[str, Offer] = {}
        self._master_id = master_id
        self._clock = clock
        self._timing = timing
        self._numbers = count()

    def allocate(self, agents: Iterable[AgentRecord], frameworks: list[Framework]) -> dict[str, list[Offer]]:
        """Return new offers by framework."""
        made: dict[str, list[Offer]] = {}
        for record in agents:
            if not record.is_active or not record.free.is_worth_offering:
                continue
            willing = [
                framework
                for framework in frameworks
                if framework.is_connected
                and not framework.suppressed
                and not framework.refuses(record.id, record.free, self._clock)
            ]
            if willing:
                poorest = min(willing, key=lambda framework: len(framework.tasks))
                made.setdefault(poorest.id, []).append(self._offer(record, poorest))
        return made

    def refuse(self, framework: Framework, agent_id: str, resources: Resources, filters: Json | None) -> None:
        """Remember that ``framework`` wants nothing of that, for as long as its filters say."""
        refusal_s = float((filters or {}).get("refuse_seconds", self._timing.default_refusal_s))
        if refusal_s > 0:
            until_s = self._clock.now() + max(refusal_s, self._timing.allocation_interval_s)
            framework.filters.append(Filter(agent_id, resources, until_s))

    def of_framework(self, framework_id: str) -> list[Offer]:
        return [offer for offer in self.offers.values() if offer.framework_id == framework_id]

    def of_agent(self, agent_id: str) -> list[Offer]:
        return [offer for offer in self.offers.values() if offer.agent_id == agent_id]

    def why_invalid(self, offer_ids: list[str], framework_id: str) -> str | None:
        """Return why these offers cannot be accepted together; None where they can."""
        if not offer_ids:
            return "No offers specified"
        seen: set[str] = set()
        agents: set[str] = set()
        for offer_id in offer_ids:
            if offer_id in seen:
                return f"Duplicate offer {offer_id} in offer list"
            seen.add(offer_id)
            offer = self.offers.get(offer_id)
            if offer is None:
                return f"Offer {offer_id} is no longer valid"
            if offer.framework_id != framework_id:
                return f"Offer {offer_id} has invalid framework {offer.framework_id} while framework {framework_id} is expected"
            agents.add(offer.agent_id)
            if len(agents) > 1:
                return (
                    f"Aggregated offers must belong to one single agent. Offer {offer_id} uses agent {offer.agent_id}"
                )
        return None

    def _offer(self, record: AgentRecord, framework: Framework) -> Offer:
        offer_id = f"{self._master_id}-O{next(self._numbers)}"
        promised = record.free + record.overcommitment
        offer = Offer(offer_id, framework.id, record.id, record.free, promised)
        record.free, record.overcommitment = Resources(), Resources()
        self.offers[offer_id] = offer
        return offer


def offer_message(offer: Offer, record: AgentRecord, framework: Framework) -> Json:
    """Return an offer as its scheduler reads it; roles are for those that know several."""
    agent = record.agent
    allocation: Json = {"allocation_info": {"role": framework.role}} if framework.can("MULTI_ROLE") else {}
    executors = [value(executor_id) for owner, executor_id in record.executors if owner == framework.id]
    return {
        "id": value(offer.id),
        "framework_id": value(offer.framework_id),
        "agent_id": value(offer.agent_id),
        "hostname": agent.hostname,
        "url": {
            "scheme": "http",
            "address": {"hostname": agent.hostname, "ip": LOOPBACK, "port": agent.door.port},
            "path": "/slave(1)",
        },
        "resources": offer.promised.to_json(role="*", **allocation),
        **({"attributes": agent.attributes} if agent.attributes else {}),
        **({"executor_ids": executors} if executors else {}),
        **allocation,
    }
