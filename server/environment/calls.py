"""Carry out the call of an integrated service: evaluate its expression, await what it started, and say how it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count

from occ.errors import AliecsError
from server.clock import now_ms
from server.environment.instructions import RunCall
from server.environment.stimuli import CallDone
from server.integration.base import EnvironmentPort, Plugin
from server.template.duration import parse_duration
from server.workflow.evaluate import call_asks_services, evaluate_call

log = logging.getLogger(__name__)


async def run_call(
    instruction: RunCall, plugins: Iterable[Plugin], port: EnvironmentPort, objects: Mapping[str, object], *,
    default_s: float, margin_s: float,
) -> CallDone:  # fmt: skip
    """Run one call and return its outcome; never raises but when cancelled.

    The expression engine is synchronous and a service is not: a service function put into the expression starts
    nothing by itself, it leaves a mark in the text, and the marks are replaced by the results afterwards. An expression
    that asks the configuration is evaluated in a thread.

    Args:
        objects: all that expressions may call besides the plugins.
        default_s: limit of a call whose timeout is unreadable, seconds.
        margin_s: what a call may take beyond its timeout, which services are free to use up, seconds.
    """
    deferred: dict[str, Callable[[], Awaitable[str]]] = {}
    numbers = count()

    def mark(function: Callable[[], Awaitable[str]]) -> Callable[[], str]:
        def leave() -> str:
            text = f"\x00{next(numbers)}\x00"
            deferred[text] = function
            return text

        return leave

    functions: Mapping[str, Mapping[str, Callable[[], str]]] = {
        plugin.id: {name: mark(function) for name, function in plugin.functions(port, instruction.stack).items()}
        for plugin in plugins
    }
    limit_s = (parse_duration(instruction.stack.get("__call_timeout", "")) or default_s) + margin_s
    func, return_var, stack = instruction.func, instruction.return_var, instruction.stack

    def evaluate() -> tuple[str, str]:
        return evaluate_call(func, return_var, stack, functions, objects)

    try:
        async with asyncio.timeout(limit_s):
            asks = call_asks_services(func, return_var)
            output, return_name = await asyncio.to_thread(evaluate) if asks else evaluate()
            for text, function in deferred.items():
                output = output.replace(text, await function())
    except TimeoutError:
        return _failed(instruction, f"did not return within {limit_s:g} s")
    except AliecsError as error:
        return _failed(instruction, f"{error.message}{'. REASON: ' + error.hint if error.hint else ''}")
    except Exception as error:
        log.exception("call failed unexpectedly func=%s token=%s", instruction.func, instruction.token)
        return _failed(instruction, f"{type(error).__name__}: {error}")
    return CallDone(at_ms=now_ms(), token=instruction.token, output=output, return_name=return_name)


def _failed(instruction: RunCall, error: str) -> CallDone:
    return CallDone(at_ms=now_ms(), token=instruction.token, error=error)
