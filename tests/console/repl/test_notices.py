"""What happens meanwhile is told by severity, in few writes, and never more than a person can read."""

from __future__ import annotations

import asyncio

import pytest

from console.repl.notices import LINES_AT_ONCE, Notices
from console.session import Session
from console.store import Link
from server.api.client import Client, Deadlines
from server.api.model import Batch, Change, EnvironmentEvent, Event, Fault, Part, TaskEvent

GOOD = TaskEvent(at_ms=1, name="sink", task_id="t", state="RUNNING", environment_id="2ab")
BAD = TaskEvent(at_ms=1, name="sink", task_id="t", state="ERROR", environment_id="2ab")
AFTER = EnvironmentEvent(at_ms=1, environment_id="2ab", state="ERROR", transition="DESTROY", message="releasing tasks")
FAULT = Fault(environment_id="2ab", at_ms=1, what="sink died")


class Told:
    def __init__(self, level: str = "error") -> None:
        self.level = level
        self.texts: list[str] = []
        self.notices = Notices(lambda: self.level, self.texts.append)

    def take(self, *values: Event | Fault, part: Part = Part.NONE) -> list[str]:
        self.notices.take(Batch("e", 1, part, tuple(Change(value) for value in values), 1))
        self.notices.flush()
        lines = "".join(self.texts).splitlines()
        self.texts.clear()
        return lines


@pytest.mark.parametrize(("level", "count"), [("error", 2), ("all", 4), ("none", 0)])
async def test_the_level_says_what_is_told(level: str, count: int) -> None:
    assert len(Told(level).take(GOOD, BAD, AFTER, FAULT)) == count


async def test_what_comes_with_a_new_picture_is_no_news() -> None:
    assert Told("all").take(BAD, FAULT, part=Part.BEGIN) == []


async def test_of_a_flood_the_last_lines_are_told_and_how_many_more_there_were() -> None:
    told = Told("all").take(*[GOOD] * 1000)
    assert told[0] == f"({1000 - LINES_AT_ONCE} more; events shows the last ones)"
    assert len(told) == LINES_AT_ONCE + 1


async def test_lines_are_written_together_after_a_moment() -> None:
    told = Told("all")
    for _ in range(3):
        told.notices.take(Batch("e", 1, Part.NONE, (Change(GOOD),), 1))
    assert told.texts == []
    written = asyncio.Event()
    told.notices._write = lambda text: (told.texts.append(text), written.set())  # type: ignore[assignment,func-returns-value]
    await asyncio.wait_for(written.wait(), 60)
    assert len(told.texts) == 1 and told.texts[0].count("\n") == 3


async def test_a_lost_link_and_its_return_are_told() -> None:
    told = Told()
    session = Session(Client("127.0.0.1:1", deadlines=Deadlines()))
    told.notices.follow(session)
    for link, problem in ((Link.LIVE, ""), (Link.LOST, "it broke"), (Link.LIVE, "")):
        session.store.set_link(link, problem)
        told.notices.look()
        told.notices.look()
    assert told.take() == ["link to 127.0.0.1:1 lost: it broke", "link to 127.0.0.1:1 live"]
    await session.close()


async def test_control_characters_do_not_get_through() -> None:
    (line,) = Told().take(EnvironmentEvent(at_ms=1, environment_id="2ab", error="bad\x1b[2J\nnews"))
    assert "bad [2J news" in line and "\x1b" not in line
