"""An event loop in a thread of its own, for plain code that needs one: instance.py, testing.py."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")
_END_S = 5.0
"""For the thread to end once its loop was told to."""


class Background:
    """A running loop; to be closed by who made it. Its thread is a daemon: a program that ends does not wait for it."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T], timeout_s: float | None = None) -> _T:
        """Run ``work`` on the loop and return its result; blocks the calling thread.

        Raises:
            TimeoutError: it took longer than ``timeout_s`` and was cancelled.
            RuntimeError: the loop was closed meanwhile, by another thread.
        """

        async def limited() -> _T:
            async with asyncio.timeout(timeout_s):
                return await work

        with self._lock:  # what comes to the loop after its stop would wait for ever
            if self._is_closed:
                work.close()
                raise RuntimeError(f"{self._thread.name} is closed")
            result = asyncio.run_coroutine_threadsafe(limited(), self._loop)
        try:
            return result.result()
        except concurrent.futures.CancelledError:
            raise RuntimeError(f"{self._thread.name} was closed meanwhile") from None

    def close(self) -> None:
        """Stop the loop, whoever waits for work on it, and join its thread."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
