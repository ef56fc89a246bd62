"""The master: frameworks come and go, tasks are launched on offers, and their states are passed on (6.2 to 6.4).

What it hears over HTTP is in ``scheduler_door``; who is offered what, in ``allocator``; its agents in ``membership``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import count

from mesos.allocator import Allocator, offer_message
from mesos.clock import Clock, Timer
from mesos.courier import Courier, Parcel
from mesos.ledger import AgentRecord, Framework, Ledger, Task, master_status
from mesos.membership import Membership
from mesos.resources import Resources
from mesos.streams import EventStream
from mesos.task_desk import TaskDesk
from mesos.terms import LOOPBACK, LOOPBACK_NUMBER, VERSION, Json, Timing, value
from mesos.validation import Circumstances, allocated, need, why_not

FRAMEWORK_DEFAULTS: Json = {"failover_timeout": 0.0, "checkpoint": False}


class Master:
    """One life of a leading master: it ends with ``stop``, and the next knows nothing of it."""

    def __init__(self, clock: Clock, timing: Timing, courier: Courier, port: int) -> None:
        self.id = str(uuid.uuid4())
        self.ledger = Ledger()
        self.port = port
        self._clock = clock
        self._timing = timing
        self._courier = courier
        self._allocator = Allocator(self.id, clock, timing)
        self._framework_numbers = count()
        self.tasks = TaskDesk(self.ledger, courier)
        self.membership = Membership(self.id, self.ledger, clock, timing, self.rescind, self.allocate)
        self._tick: Timer = clock.later(timing.allocation_interval_s, self._allocation_tick)
        self._calls: dict[str, Callable[[Framework, Json], None]] = {
            "TEARDOWN": lambda framework, call: self.remove_framework(framework),
            "ACCEPT": lambda framework, call: self._accept(framework, call["accept"]),
            "DECLINE": lambda framework, call: self._decline(framework, call["decline"]),
            "REVIVE": lambda framework, call: self._revive(framework, call.get("revive", {})),
            "SUPPRESS": lambda framework, call: self._suppress(framework, call.get("suppress", {})),
            "KILL": lambda framework, call: self.tasks.kill(framework, call["kill"]["task_id"]["value"]),
            "SHUTDOWN": lambda framework, call: self.tasks.shutdown(framework, call["shutdown"]),
            "ACKNOWLEDGE": lambda framework, call: self.tasks.acknowledge(framework, call["acknowledge"]),
            "RECONCILE": lambda framework, call: self.tasks.reconcile(framework, call["reconcile"]),
            "MESSAGE": lambda framework, call: self.tasks.message(framework, call["message"]),
        }

    @property
    def info(self) -> Json:
        """Return what frameworks are told of their master."""
        return {
            "id": self.id,
            "ip": LOOPBACK_NUMBER,
            "port": self.port,
            "pid": f"master@{LOOPBACK}:{self.port}",
            "hostname": LOOPBACK,
            "version": VERSION,
            "address": {"hostname": LOOPBACK, "ip": LOOPBACK, "port": self.port},
            "capabilities": [{"type": "AGENT_UPDATE"}, {"type": "AGENT_DRAINING"}, {"type": "QUOTA_V2"}],
        }

    def stop(self) -> None:
        """Die: nothing happens any more by itself."""
        self._tick.cancel()
        for framework in self.ledger.frameworks.values():
            _still(framework)
        for record in self.ledger.agents.values():
            if record.removal is not None:
                record.removal.cancel()

    # ---- frameworks ----------------------------------------------------------------------------

    def subscribe(self, subscription: Json, stream: EventStream) -> None:
        """Take a framework, new or come back; one that cannot be is told so and sent away."""
        info = subscription["framework_info"]
        framework_id = info.get("id", {}).get("value") or f"{self.id}-{next(self._framework_numbers):04d}"
        if (refusal := self._why_no_framework(info, framework_id)) is not None:
            stream.send({"type": "ERROR", "error": {"message": refusal}})
            stream.close()
            return
        framework = self.ledger.frameworks.get(framework_id)
        is_new = framework is None
        was_connected = framework is not None and framework.is_connected
        if framework is None:
            framework = Framework(framework_id, {**info, "id": value(framework_id)})
            self.ledger.frameworks[framework_id] = framework
        elif framework.stream is not None:
            framework.send({"type": "ERROR", "error": {"message": "Framework failed over"}})
            framework.stream.close()
        self._discard_offers(framework)
        _still(framework)
        # User and checkpointing stay what they were at the first subscription.
        kept: Json = {name: framework.info[name] for name in ("user", "checkpoint") if name in framework.info}
        framework.info = {**FRAMEWORK_DEFAULTS, **info, **kept, "id": value(framework_id)}
        framework.stream = stream
        framework.suppressed = framework.role in subscription.get("suppressed_roles", [])
        interval_s = self._clock.real_s(self._timing.heartbeat_s)
        subscribed = {
            "framework_id": value(framework_id),
            "heartbeat_interval_seconds": interval_s,
            "master_info": self.info,
        }
        stream.send({"type": "SUBSCRIBED", "subscribed": subscribed})
        self._heartbeat(framework)
        if not is_new:
            for record in self._active_agents():
                record.agent.framework_is_back(framework_id)
        if not was_connected:
            self.allocate()

    def disconnected(self, framework: Framework, stream: EventStream) -> None:
        """Take note that a subscriber is gone, unless another took its place."""
        if framework.stream is not stream or framework.id not in self.ledger.frameworks:
            return
        framework.stream = None
        framework.filters.clear()
        _still(framework)
        self._discard_offers(framework)
        timeout_s = float(framework.info.get("failover_timeout", 0.0))
        framework.failover = self._clock.later(timeout_s, lambda: self.remove_framework(framework))

    def remove_framework(self, framework: Framework) -> None:
        """End a framework for good, and its executors with it."""
        if self.ledger.frameworks.pop(framework.id, None) is None:
            return
        self.ledger.completed.add(framework.id)
        _still(framework)
        if framework.stream is not None:
            framework.stream.close()
        self._discard_offers(framework)
        for record in self.ledger.agents.values():
            for task in framework.tasks.values():
                if task.agent_id == record.id:
                    self.ledger.return_task(record, task)
            for key in [key for key in record.executors if key[0] == framework.id]:
                record.free += Resources.from_json(record.executors.pop(key).get("resources", []))
            if record.is_active:
                record.agent.shutdown_framework(framework.id)

    def call(self, framework: Framework, call: Json) -> None:
        """Carry out one call of a subscribed framework; those not known here are accepted and ignored."""
        if (action := self._calls.get(call["type"])) is not None:
            action(framework, call)

    def _why_no_framework(self, info: Json, framework_id: str) -> str | None:
        is_multi_role = {"type": "MULTI_ROLE"} in info.get("capabilities", [])
        if "roles" in info and not is_multi_role:
            return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"
        if "role" in info and is_multi_role:
            return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
        return "Framework has been removed" if framework_id in self.ledger.completed else None

    def _heartbeat(self, framework: Framework) -> None:
        framework.send({"type": "HEARTBEAT"})
        framework.heartbeat = self._clock.later(self._timing.heartbeat_s, lambda: self._heartbeat(framework))

    # ---- offers --------------------------------------------------------------------------------

    def allocate(self) -> None:
        """Offer what is free now."""
        made = self._allocator.allocate(self._active_agents(), list(self.ledger.frameworks.values()))
        for framework_id, offers in made.items():
            framework = self.ledger.frameworks[framework_id]
            messages = [offer_message(offer, self.ledger.agents[offer.agent_id], framework) for offer in offers]
            framework.send({"type": "OFFERS", "offers": {"offers": messages}})

    def rescind(self, agent_id: str) -> int:
        """Take back what is offered of an agent; return how many offers that were."""
        offers = self._allocator.of_agent(agent_id)
        for offer in offers:
            self._withdraw(offer.id)
            self.ledger.frameworks[offer.framework_id].send(
                {"type": "RESCIND", "rescind": {"offer_id": value(offer.id)}}
            )
        return len(offers)

    def _allocation_tick(self) -> None:
        self._tick = self._clock.later(self._timing.allocation_interval_s, self._allocation_tick)
        self.allocate()

    def _active_agents(self) -> list[AgentRecord]:
        return [record for record in self.ledger.agents.values() if record.is_active]

    def _withdraw(self, offer_id: str) -> tuple[str, Resources]:
        offer = self._allocator.offers.pop(offer_id)
        self.ledger.agents[offer.agent_id].free += offer.resources
        return offer.agent_id, offer.resources

    def _discard_offers(self, framework: Framework) -> None:
        for offer in self._allocator.of_framework(framework.id):
            self._withdraw(offer.id)

    def _decline(self, framework: Framework, decline: Json) -> None:
        for offer_id in _values(decline.get("offer_ids", [])):
            offer = self._allocator.offers.get(offer_id)
            if offer is not None and offer.framework_id == framework.id:
                self._withdraw(offer_id)
                self._allocator.refuse(framework, offer.agent_id, offer.resources, decline.get("filters"))

    def _revive(self, framework: Framework, revive: Json) -> None:
        if not revive.get("roles") or framework.role in revive["roles"]:
            framework.filters.clear()
            framework.suppressed = False
            self.allocate()

    def _suppress(self, framework: Framework, suppress: Json) -> None:
        if not suppress.get("roles") or framework.role in suppress["roles"]:
            framework.suppressed = True

    def _accept(self, framework: Framework, accept: Json) -> None:
        offer_ids = _values(accept.get("offer_ids", []))
        launches = [each["launch"] for each in accept.get("operations", []) if each.get("type") == "LAUNCH"]
        tasks = [task for launch in launches for task in launch.get("task_infos", [])]
        invalid = self._allocator.why_invalid(offer_ids, framework.id)
        if invalid is not None:
            for offer_id in offer_ids:
                if offer_id in self._allocator.offers and self._allocator.offers[offer_id].framework_id == framework.id:
                    self._withdraw(offer_id)
            state = "TASK_DROPPED" if framework.can("PARTITION_AWARE") else "TASK_LOST"
            message = f"Task launched with invalid offers: {invalid}"
            for task in tasks:
                self._tell(framework, task, state, message, "REASON_INVALID_OFFERS")
            return
        left = Resources()
        record = self.ledger.agents[self._allocator.offers[offer_ids[0]].agent_id]
        for offer_id in offer_ids:
            _, resources = self._withdraw(offer_id)
            left += resources
        record.free -= left
        for task in tasks:
            left = self._launch(framework, record, allocated(task, value(framework.id), framework.role), left)
        record.free += left
        if not left.is_empty:
            self._allocator.refuse(framework, record.id, left, accept.get("filters"))

    def _launch(self, framework: Framework, record: AgentRecord, task: Json, left: Resources) -> Resources:
        """Launch one task, or say why not; return what is left of the offers."""
        executor_id = task.get("executor", {}).get("executor_id", {}).get("value")
        key = (framework.id, executor_id)
        existing = record.executors.get(key)
        namesake = framework.tasks.get(task["task_id"]["value"])
        is_taken = namesake is not None and not namesake.is_over
        takes_limits = "TASK_RESOURCE_LIMITS" in record.agent.capabilities
        circumstances = Circumstances(record.id, framework.role, left, is_taken, existing, takes_limits)
        if (refusal := why_not(task, circumstances)) is not None:
            self._tell(framework, task, "TASK_ERROR", refusal, "REASON_TASK_INVALID")
            return left
        required = need(task, existing)
        if executor_id is not None:
            record.executors[key] = task["executor"]
        task_id = task["task_id"]["value"]
        framework.tasks[task_id] = Task(task_id, record.id, executor_id, Resources.from_json(task["resources"]))
        self._courier.carry(Parcel.LAUNCH, lambda: record.agent.launch(framework.info, task))
        return left - required

    def _tell(self, framework: Framework, task: Json, state: str, message: str, reason: str) -> None:
        task_id = task["task_id"]["value"]
        status = master_status(task_id, state, message, reason, agent_id=task["agent_id"])
        framework.send({"type": "UPDATE", "update": {"status": status}})


def _still(framework: Framework) -> None:
    for timer in (framework.failover, framework.heartbeat):
        if timer is not None:
            timer.cancel()
    framework.failover = framework.heartbeat = None


def _values(identifiers: list[Json]) -> list[str]:
    return [identifier["value"] for identifier in identifiers]
