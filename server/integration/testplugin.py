"""``testplugin``: a service without a service, for trying workflows and their order (core.md 6.10)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from server.integration.base import CallFailed, CallFunction, EnvironmentPort
from server.template.duration import parse_duration

_TIMES = ("run_start_time_ms", "run_start_completion_time_ms", "run_end_time_ms", "run_end_completion_time_ms")
_TRUE = {"1", "t", "true", "T", "TRUE", "True"}
"""Spellings that Go's strconv.ParseBool takes for true."""


class TestPlugin:
    """Offers Noop, Test, TimestampObserver and CallOrderObserver.

    Args:
        noop_s: seconds that Noop takes when the call's timeout is unreadable.
    """

    __test__ = False  # not a test class, whatever its name says to pytest
    id = "testplugin"
    name = "Test plugin"
    connection_state = "READY"

    def __init__(self, endpoint: str = "//127.0.0.1:00000", *, noop_s: float = 3.0) -> None:
        self.endpoint = endpoint
        self._noop_s = noop_s

    def data(self) -> str:
        return "test_data"

    def environment_data(self, environment_id: str, *, detailed: bool) -> str | None:
        return f"test_data_{environment_id}" if detailed else f"test_short_data_{environment_id}"

    def functions(self, port: EnvironmentPort, stack: Mapping[str, str]) -> Mapping[str, CallFunction]:
        path = stack.get("__call_rolepath", "")

        async def noop() -> str:
            await asyncio.sleep(parse_duration(stack.get("__call_timeout", "")) or self._noop_s)
            return ""

        async def test() -> str:
            port.set_variable(f"{path}_called", "true")
            if stack.get("testplugin_fail", "") in _TRUE:
                raise CallFailed("error triggered in testplugin.Test call")
            if stack.get("testplugin_hang", "") in _TRUE:
                await asyncio.Event().wait()
            return ""

        async def observe_times() -> str:
            port.set_variable(f"{path}_called", "true")
            for key in _TIMES:
                if stack.get(key, "") not in ("", "0"):
                    port.set_variable(f"{path}_saw_{key}", "true")
            return ""

        async def observe_order() -> str:
            port.append_variable("call_history", path)
            return ""

        return {
            "Noop": noop,
            "Test": test,
            "TimestampObserver": observe_times,
            "CallOrderObserver": observe_order,
        }
