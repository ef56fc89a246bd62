"""Commands under way and their replies: exactly one reply per command, a result for every target, none computed twice.

What the commands do: agent.py.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from executor.api.messages import CommandReply, TaskResult


@dataclass(slots=True)
class _Order:
    what: str
    results: dict[str, TaskResult | None]
    missing: int


class Orders:
    """The commands that one executor was given.

    Args:
        remembered: how many replies are kept for ids that come again; the oldest go first.
    """

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._open: dict[str, _Order] = {}
        self._replies: OrderedDict[str, CommandReply] = OrderedDict()

    def is_open(self, command_id: str) -> bool:
        return command_id in self._open

    def reply(self, command_id: str) -> CommandReply | None:
        """Return the reply that was given to this id, if it is remembered."""
        return self._replies.get(command_id)

    def begin(self, command_id: str, what: str, task_ids: Iterable[str]) -> CommandReply | None:
        """Open a command; return its reply if it has no target. The id must not be known."""
        results: dict[str, TaskResult | None] = dict.fromkeys(task_ids)
        order = self._open[command_id] = _Order(what, results, len(results))
        return None if order.missing else self._close(command_id, order)

    def answer(self, command_id: str, result: TaskResult) -> CommandReply | None:
        """Note the result of one target; return the reply if it was the last.

        A command that is closed (its time was up) and a target that was answered are left alone.
        """
        order = self._open.get(command_id)
        if order is None or order.results.get(result.task_id, result) is not None:
            return None
        order.results[result.task_id] = result
        order.missing -= 1
        return None if order.missing else self._close(command_id, order)

    def unanswered(self, command_id: str) -> list[str]:
        """Return the targets that are still to be answered."""
        order = self._open.get(command_id)
        return [task_id for task_id, result in order.results.items() if result is None] if order else []

    def open_ids(self) -> list[str]:
        return list(self._open)

    def what(self, command_id: str) -> str:
        """Return what an open command does, in a word."""
        return self._open[command_id].what

    def _close(self, command_id: str, order: _Order) -> CommandReply:
        del self._open[command_id]
        reply = CommandReply(command_id=command_id, results=tuple(r for r in order.results.values() if r is not None))
        self._replies[command_id] = reply
        if len(self._replies) > self._remembered:
            self._replies.popitem(last=False)
        return reply
