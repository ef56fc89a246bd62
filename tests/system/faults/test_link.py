"""The network between a core and its cluster is cut without a word: for some seconds, or on request for a whole minute."""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from deploy_stages import PACE, TIMING
from faults.cut_off import CutOff, why_not
from faults.stage import MARGIN_S, SLOW_S, TRANSITION_S, Stage, staged
from faults.table import Row, note
from faults.trial import BYSTANDER, CROWDED, HELD, REACHED_NEXT, Phase, Trial
from free_ports import free_slices
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent

from console.store import Store

IS_LONG = os.environ.get("ALIECS_FAULTS") == "all"
CUT_S = 60.0 if IS_LONG else TRANSITION_S + MARGIN_S + 2.0
"""Longer than any answer is waited for."""
KILL_S = 15.0
PHASES = (Phase.CONFIGURED, Phase.START, Phase.RUNNING, Phase.RESET, Phase.DEPLOYED)
LONG = (Phase.CONFIGURE, Phase.STOP)
"""Phases whose answers take several deadlines, one after the other."""
REASON = why_not()

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(REASON), reason=REASON),
]


def agents() -> list[VirtualAgent]:
    """Return the agents of both hosts, with ports of their own: they share this machine."""
    made = []
    for host, (data, control) in zip((BYSTANDER, CROWDED), free_slices(2, data=100, control=20), strict=True):
        ports = f"ports:[{data[0]}-{data[1]},{control[0]}-{control[1]}]"
        made.append(VirtualAgent(host, {"machine_id": host}, f"cpus:16;mem:16384;{ports}"))
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CutOff]:
    async with (
        MesosDouble(agents(), tmp_path_factory.mktemp("agents"), pace=PACE, timing=TIMING) as mesos,
        CutOff(mesos.address) as one,
    ):
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, network: CutOff) -> AsyncIterator[Stage]:
    settings = {
        "bindAddress": network.core_address,
        "mesos": network.cluster_address,
        "mesosFrameworkUser": getpass.getuser(),
    }
    settings["killTimeout"] = f"{KILL_S:g}s"
    folder = tmp_path_factory.mktemp("link")
    async with staged(folder, prefix=network.prefix, **settings) as one:
        yield one


STAYS = (Phase.CONFIGURED, Phase.RUNNING, Phase.DEPLOYED)
"""Phases in which nobody asks for anything while the link is cut."""


async def test_a_link_that_is_cut_ends_no_task_and_all_that_is_shown_is_true_when_it_is_back(
    stage: Stage, network: CutOff
) -> None:
    trials = [stage.trial(phase) for phase in (*PHASES, *(LONG if IS_LONG else ()))]
    await stage.reach(trials)
    before = {trial.phase: set(trial.processes()) for trial in trials}
    network.cut()
    try:
        began_s = time.monotonic()
        for trial in trials:
            trial.release()
        await asyncio.gather(*(cut(trial) for trial in trials))
        await trials[0].seen(lambda store: states_of_executors(store) == {"SILENT"})
        await trials[0].waits(began_s + CUT_S)
    finally:
        network.mend()
    await trials[0].seen(lambda store: states_of_executors(store) == {"ATTACHED"})
    await asyncio.gather(*(back(trial, before[trial.phase]) for trial in trials))


async def cut(trial: Trial) -> None:
    """Take the answer of a command that cannot be carried out."""
    if trial.phase not in HELD:
        return
    began_s = time.monotonic()
    answer = await trial.answer()
    limit_s = 2 * (TRANSITION_S + MARGIN_S) + (KILL_S if trial.phase is Phase.CONFIGURE else 0.0)
    assert answer.text == "ERROR" or "no answer from host" in answer.text, f"{trial.phase}: {answer}"
    assert time.monotonic() - began_s < limit_s + MARGIN_S + SLOW_S
    trial.heard = f"{answer.text}, after {time.monotonic() - began_s:.0f} s"


async def back(trial: Trial, before: set[int]) -> None:
    await trial.is_true()
    store = await trial.seen()
    state, fault = trial.state(store), trial.fault(store)
    if trial.phase in STAYS:
        assert set(trial.processes()) == before and not fault, "the tasks have gone on"
        trial.ask_next()
        assert (await trial.answer()).text == REACHED_NEXT[trial.phase]
    after = "goes on" if trial.phase in STAYS else "true states"
    if state != "gone":
        assert (await trial.destroy()).text == "2 tasks ended"
    await trial.leaves_nothing()
    note(
        Row(f"link of the core cut for {CUT_S:g} s", trial.phase, trial.heard, f"hosts silent; {state}. {fault}", after)
    )


def states_of_executors(store: Store) -> set[str]:
    return {host.executor_state for host in store.hosts.values() if host.executor_id}
