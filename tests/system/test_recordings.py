"""A run on real processes is recorded through the death of the core, and played again to the same picture."""

from __future__ import annotations

from pathlib import Path

from facility import Facility
from stories import seen

from console.recorder import Recorder
from console.session import Session
from console.store import Link
from server.api.states import EnvironmentEvent


async def test_what_is_played_again_ends_in_the_picture_that_was_live(facility: Facility, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    said: list[str] = []
    async with await Session.open(f"127.0.0.1:{facility.port}") as session:
        store = await session.picture()
        async with Recorder(session, path, say=said.append) as recorder:
            created = await facility.create("flow", ["flp001", "flp002"])
            await facility.ask(created.id, "START_ACTIVITY")
            assert await session.until(lambda: any(one.bytes_moved > 0 for one in store.environments()), 60)
            await facility.kill()
            assert await session.until(lambda: store.link is Link.LOST, 60)
            recorder.mark("the core is gone")
            await facility.start()
            assert await session.until(lambda: not session.is_stale and states(session) == ["RUNNING"], 60)
            for event in (EnvironmentEvent.STOP_ACTIVITY, EnvironmentEvent.RESET):
                await facility.ask(created.id, event.value)
            await facility.destroy(created.id)
            assert await session.until(lambda: not store.environments() and not store.tasks(), 60)
            live = seen(store)  # what comes after it is not recorded
    async with await Session.replaying(path, speed=0) as session:
        replay = session.replay
        assert replay is not None and await session.until(lambda: replay.at_end, 60)
        assert seen(session.store) == live
        marks = [mark.text.removeprefix(f"{created.id} ") for mark in replay.marks]
        assert marks[:2] == ["CONFIGURE: CONFIGURED", "START_ACTIVITY: RUNNING run 1"]
        assert marks[2].startswith("link lost") and marks[3:5] == ["the core is gone", "link live"]
        assert marks[-1] == "gone" and said == []
        replay.pause()
        for mark, state in zip(replay.marks, ("CONFIGURED", "RUNNING"), strict=False):
            replay.seek(mark.t)
            assert await session.until(lambda state=state: states(session) == [state], 60)


def states(session: Session) -> list[str]:
    return [one.state for one in session.store.environments()]
