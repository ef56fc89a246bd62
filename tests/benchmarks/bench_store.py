"""G7, G15: what 10,000 changes cost between the wire and the store, as ratios to decoding the same bytes with protobuf alone.

Interleaved in one run; medians. ``make bench`` prints.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from console.role_tree import RoleTree
from console.store import Store
from server.api import live_pb2
from server.api.convert import from_batch, to_batch
from server.api.model import Batch, Change, Metric, Part, Role, Task, Thing

CHANGES = 10_000
HOSTS = 250
ROUNDS = 15
ENVIRONMENT = "2oDvieFrVTi"

_T = TypeVar("_T")


def tasks(state: str) -> Iterator[Task]:
    for number in range(CHANGES):
        host = f"flp{number % HOSTS:03}"
        yield Task(
            task_id=f"2oDw{number:07}", name="readout", class_name="github.com/AliceO2Group/workflows/tasks/readout@5fd1a2b",
            environment_id=ENVIRONMENT, path=f"readout-dataflow.host-{host}.readout", host=host, state=state,
            status="ACTIVE", critical=True, pid=1000 + number, locked=True, state_since_ms=1_795_000_000_000 + number,
            metrics=(Metric("data.sink.bytes", 1e9 + number, "B"), Metric("data.sink.rate", 2.5e7, "B/s")),
            sandbox_stdout=f"/var/lib/aliecs/{host}/{number}/stdout", mode="direct",
        )  # fmt: skip


def roles(state: str) -> Iterator[Role]:
    """Yield a root, a role per host, and the tasks below those, in pre-order."""
    yield Role(
        environment_id=ENVIRONMENT, path="readout-dataflow", name="readout-dataflow", kind="aggregator", state=state
    )
    order = 0
    for host in range(HOSTS):
        order += 1
        above, path = order, f"readout-dataflow.host-flp{host:03}"
        yield Role(
            environment_id=ENVIRONMENT, path=path, parent="readout-dataflow", name=f"host-flp{host:03}", kind="aggregator",
            state=state, order=above, parent_order=0,
        )  # fmt: skip
        for number in range(CHANGES // HOSTS):
            order += 1
            yield Role(
                environment_id=ENVIRONMENT, path=f"{path}.readout-{number}", parent=path, name=f"readout-{number}",
                kind="task", state=state, status="ACTIVE", critical=True, task_id=f"2oDw{order:07}", order=order,
                parent_order=above,
            )  # fmt: skip


def spent_ms(work: Callable[..., _T], *arguments: Any) -> tuple[_T, float]:
    gc.collect()
    began = time.perf_counter()
    result = work(*arguments)
    return result, (time.perf_counter() - began) * 1000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("things", [tasks, roles])
def test_changes_from_the_wire_to_the_store(things: Callable[[str], Iterator[Thing]]) -> None:
    store, revision = Store(), 0
    found: dict[str, list[float]] = {"protobuf": [], "from_batch": [], "apply": []}
    for number in range(ROUNDS + 1):
        state = ("CONFIGURED", "RUNNING")[number % 2]
        changes = tuple(Change(thing, revision + at) for at, thing in enumerate(things(state), start=1))
        revision += len(changes)
        data = to_batch(Batch("epoch", number + 1, Part.NONE, changes, 1_795_000_000_000)).SerializeToString()
        del changes
        message, decoding_ms = spent_ms(live_pb2.Batch.FromString, data)
        batch, converting_ms = spent_ms(from_batch, message)
        _, applying_ms = spent_ms(store.apply, batch)
        if number:  # the first round fills the store
            for name, value in zip(found, (decoding_ms, converting_ms, applying_ms), strict=True):
                found[name].append(value)
    floor = statistics.median(found["protobuf"])
    total = sum(statistics.median(values) for values in found.values())
    print(
        f"\n{CHANGES} {things.__name__}: protobuf {floor:.1f} ms, all {total:.1f} ms = {total / floor:.2f} x protobuf"
    )
    for name, values in found.items():
        ratio = statistics.median(one / base for one, base in zip(values, found["protobuf"], strict=True))
        print(
            f"  {name:10s} {statistics.median(values):6.1f} ms  {ratio:5.2f} x protobuf, {min(values):.1f} ms at best"
        )


def test_counting_below_every_role_against_looking_at_all_tasks_anew() -> None:
    tree, ratios, own = RoleTree(), list[float](), list[float]()
    for number in range(ROUNDS + 1):
        now = list(roles(("CONFIGURED", "RUNNING")[number % 2]))
        _, own_ms = spent_ms(lambda now=now: [tree.put(role) for role in now])  # type: ignore[misc]
        _, anew_ms = spent_ms(lambda now=now: Counter([role.state for role in now if role.kind == "task"]))  # type: ignore[misc]
        if number:
            ratios.append(own_ms / len(now) / anew_ms)
            own.append(own_ms / len(now) * 1000)
    print(
        f"\none change of {CHANGES} tasks, counted on all levels: median {statistics.median(own):.2f} us,"
        f" {min(own):.2f} us at best = {statistics.median(ratios):.5f} x counting all tasks once"
    )
