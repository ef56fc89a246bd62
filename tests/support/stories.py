"""Streams of batches that tell a plausible story, for tests of what plays them; and stores in a form to compare."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from console.recording import Recording
from console.recording_lines import Chain, Header
from console.store import Store
from server.api.batch_json import to_json
from server.api.model import (
    Batch,
    Change,
    Core,
    Environment,
    EnvironmentEvent,
    Event,
    Fault,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Task,
    Thing,
    TransitionProgress,
)

START_MS = 1_790_000_000_000
STARTED = "2026-09-21T14:13:20.000Z"


def story(count: int, *, seed: int = 1) -> Iterator[tuple[float, Batch]]:
    """Yield a snapshot and ``count`` batches of environments that come, move, fail and go, with their times."""
    dice = random.Random(seed)
    revision = 0
    environments: dict[str, Environment] = {}

    def batch(t: float, part: Part, *values: Thing | Removal | Event) -> Batch:
        nonlocal revision
        changes = []
        for value in values:
            revision += 1
            changes.append(Change(value, revision))
        return Batch("epoch-1", revision, part, tuple(changes), START_MS + int(1000 * t))

    hosts = [Host(name=f"flp{n:03}", executor_state="ATTACHED") for n in range(3)]
    yield 0.0, batch(0.0, Part.BEGIN, Core(instance="story", started_ms=START_MS), *hosts)
    yield 0.0, batch(0.0, Part.END)
    t = 0.0
    for number in range(count):
        t = round(t + dice.choice((0.0, 0.1, 0.5, 1.0)), 3)
        at_ms = START_MS + int(1000 * t)
        act = dice.random()
        if act < 0.15 or not environments:
            one = Environment(id=f"2env{number}", template="demo", state="CONFIGURED", created_ms=at_ms)
            environments[one.id] = one
            path = "demo.sink"
            task = Task(task_id=f"task{number}", environment_id=one.id, path=path, state="CONFIGURED", host="flp001")
            yield t, batch(t, Part.NONE, one, task, Role(environment_id=one.id, path=path, task_id=task.task_id))
            continue
        one = environments[dice.choice(sorted(environments))]
        if act < 0.25:
            del environments[one.id]
            yield t, batch(t, Part.NONE, Removal(Kind.ENVIRONMENT, one.id), Removal(Kind.TASK, "task" + one.id[4:]))
            continue
        if act < 0.35:
            yield t, batch(t, Part.NONE, Fault(environment_id=one.id, what=f"task died at {t}", at_ms=at_ms))
            continue
        progress = TransitionProgress(event="START_ACTIVITY") if act < 0.6 else None
        state = dice.choice(("RUNNING", "CONFIGURED", "ERROR"))
        one = Environment(
            id=one.id, template="demo", state=state, created_ms=one.created_ms, transition=progress,
            bytes_per_s=float(dice.choice((0, number))),
        )  # fmt: skip
        environments[one.id] = one
        event = EnvironmentEvent(at_ms=at_ms, environment_id=one.id, state=state, vars={"dcs_password": "hidden"})
        yield t, batch(t, Part.NONE, one, event)


def write(path: Path, moments: Iterator[tuple[float, Batch]], *, marks: dict[float, str] | None = None) -> list[bytes]:
    """Write a recording without pictures in between; return its lines."""
    chain = Chain()
    lines = [chain.header(Header(started=STARTED, endpoint="core:1", instance="story", user="ada@p2"))]
    last = 0.0
    waiting = sorted((marks or {}).items())
    for t, batch in moments:
        while waiting and waiting[0][0] <= t:
            lines.append(chain.entry(waiting[0][0], "mark", waiting.pop(0)[1]))
        lines.append(chain.entry(t, "batch", to_json(batch)))
        last = t
    lines.append(chain.entry(last, "act", {"verb": "env start", "target": "2env0", "level": 2, "outcome": "done"}))
    lines.append(chain.entry(last, "end", "closed"))
    path.write_bytes(b"".join(lines))
    return lines


def played(recording: Recording, start: int = 0, until: float = 1e9, *, is_afresh: bool = True) -> Store:
    """Return what is shown at a moment when a recording is read from an index on."""
    store, index, rates = Store(), start, None
    while index < recording.count:
        moments, index = recording.read(index, 7, is_afresh=is_afresh)
        is_afresh = False
        for moment in moments:
            if moment.t > until:
                return store
            if moment.is_jump:
                store.clear()
                rates = moment.rates
            store.apply(moment.batch)
            if rates is not None and store.is_complete:
                store.recall_rates(rates)
                rates = None
    return store


def seen(store: Store) -> dict[str, Any]:
    """Return all that a store shows, to compare it with another."""
    ids = [one.id for one in store.environments()]
    return {
        "core": store.core,
        "hosts": dict(store.hosts),
        "services": dict(store.services),
        "environments": store.environments(),
        "roles": {one: store.roles(one) for one in ids},
        "tasks": {one: store.tasks(one) for one in [*ids, ""]},
        "all tasks": sorted(store.tasks(), key=lambda it: it.task_id),
        "faults": {one: store.fault(one) for one in ids},
        "ended": store.ended(),
        "variables": {one: store.variables(one) for one in ids},
        "history": {one: store.history(one) for one in ids},
        "rates": {one: list(store.rates(one)) for one in ids},
        "event revision": store.event_revision,
        "events": list(store.events),
        "place": (store.epoch, store.seq, store.changed_ms, store.is_complete),
    }
