"""A core whose disk is full ends, and says so; what it had goes on, and the next core carries on with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from facility import Facility

ALONE = """\
name: alone
defaults: {sink_exit_on: ""}
roles:
  - name: sink
    constraints: [{attribute: machine_id, value: flp001}]
    bind: [{name: data, type: pull}]
    task: {load: sink}
"""
ROOM = ("prlimit", "--fsize=250000")
"""Bytes of the longest file."""


async def test_a_core_without_room_for_its_journal_ends_and_the_next_one_goes_on(
    tmp_path: Path, repository: Path
) -> None:
    (repository / "workflows" / "alone.yaml").write_text(ALONE)
    async with Facility(tmp_path, repository, records=False, prefix=ROOM) as facility:
        environment = await facility.create("alone")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            for _ in range(50):
                await facility.ask(environment.id, "START_ACTIVITY")
                await facility.ask(environment.id, "STOP_ACTIVITY")
        told = failed.value.code().name
        assert told in ("INTERNAL", "UNAVAILABLE", "CANCELLED"), failed.value.details()
        assert facility.process and await asyncio.wait_for(facility.process.wait(), 60) == 1
        assert "what happens is not recorded" in facility.log()
        (task,) = environment.tasks
        facility.prefix = ()
        await facility.stop(drain=False)
        await facility.start()
        await facility.shows(lambda store: all(one.transition is None for one in store.environments()))
        assert (await facility.state_of(environment.id)) in ("CONFIGURED", "RUNNING")
        assert (await facility.task("sink")).pid == task.pid, "it never noticed"
