"""Evaluate a call of an integrated service (core.md 2.8.2). Who runs calls: server/environment/calls.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from server.template.render import render

Functions = Mapping[str, Mapping[str, Callable[[], str]]]
"""Service id to its functions by name."""


def evaluate_call(func: str, return_var: str, stack: Mapping[str, str], services: Functions) -> tuple[str, str]:
    """Return the output of a call and the name of the variable that receives it.

    Args:
        func: expression without braces, ``testplugin.Test()``.
        return_var: name, itself rendered.
        stack: of the call role, with the ``__call_*`` keys.

    Raises:
        ExpressionError: the expression is wrong or names what is not loaded.
    """
    return render("{{" + func + "}}", stack, services), render(return_var, stack, services)
