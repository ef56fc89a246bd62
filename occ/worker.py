"""One thread that calls functions one after the other, for an event loop that waits for what they return."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from occ.errors import TaskError

_T = TypeVar("_T")


class Worker:
    """Made on the loop it serves. Its thread begins with the first call, and is a daemon: a program that ends does not wait
    for a function that hangs, as it would for those of ``concurrent.futures``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def call(self, function: Callable[[], _T]) -> _T:
        """Call it in the thread and return what it returns. Cancelled, it is not called any more if it has not begun.

        Raises:
            TaskError: it raised something that asyncio takes for its own; else what it raised.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        answer: asyncio.Future[_T] = self._loop.create_future()
        self._calls.put((function, answer))
        return await answer

    def close(self) -> None:
        """End the thread once it has nothing to call; does not wait for it."""
        self._calls.put(None)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            function, answer = call
            if answer.cancelled():
                continue
            result, error = _outcome(function)
            try:
                self._loop.call_soon_threadsafe(_settle, answer, result, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more


def _outcome(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return function(), None
    except (StopIteration, asyncio.CancelledError, concurrent.futures.CancelledError) as error:
        failure = TaskError(f"{type(error).__name__} {error}".strip())
        failure.__cause__ = error
        return None, failure
    except BaseException as error:
        return None, error


def _settle(answer: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if answer.done():  # cancelled meanwhile
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
