"""Evaluate a call of an integrated service (core.md 2.8.2). Who runs calls: server/environment/calls.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from server.template.functions import UTILITIES
from server.template.render import render_in
from server.template.scope import Scope
from server.template.vocabulary import asks_services

Functions = Mapping[str, Mapping[str, Callable[[], str]]]
"""Service id to its functions by name."""


def evaluate_call(
    func: str, return_var: str, stack: Mapping[str, str], services: Functions, objects: Mapping[str, object] = UTILITIES
) -> tuple[str, str]:
    """Return the output of a call and the name of the variable that receives it.

    Args:
        func: expression without braces, ``testplugin.Test()``.
        return_var: name, itself rendered.
        stack: of the call role, with the ``__call_*`` keys.
        services: what only calls may name; joins what ``objects`` has of the same service.
        objects: all else that expressions may call.

    Raises:
        ExpressionError: the expression is wrong or names what is not loaded.
    """
    scope = Scope(stack, {**objects, **{name: _joined(objects.get(name), own) for name, own in services.items()}})
    return render_in(_text(func), scope), render_in(return_var, scope)


def call_asks_services(func: str, return_var: str) -> bool:
    """Tell whether evaluating the call may ask the configuration, hence block."""
    return asks_services((_text(func), return_var))


def _text(func: str) -> str:
    return "{{" + func + "}}"


def _joined(standing: object, own: Mapping[str, object]) -> Mapping[str, object]:
    return {**standing, **own} if isinstance(standing, Mapping) else own
