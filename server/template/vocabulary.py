"""What expressions may call once a workflow is loaded: in commands, properties and calls (workflows-config.md 6.3).

Functions that ask the configuration may block: whoever evaluates on a loop does so in a thread where a text names one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from server.template.access import SERVICE_NAMES, service_objects
from server.template.errors import ExpressionError
from server.template.functions import UTILITIES
from server.template.render import OPEN, names_in
from server.template.services import Services

_NOTHING: Mapping[str, object] = {}


def vocabulary(services: Services | None = None, standing: Mapping[str, object] = _NOTHING) -> Mapping[str, object]:
    """Return all functions by name.

    Args:
        services: None: there is no ``config``, ``inventory`` and ``runtime``.
        standing: object functions of integrated services.
    """
    return {**UTILITIES, **(service_objects(services) if services else _NOTHING), **standing}


def asks_services(texts: Iterable[str]) -> bool:
    """Tell whether evaluating one of the texts may ask services, hence block."""
    return any(OPEN in text and _asks(text) for text in texts)


@lru_cache(maxsize=20_000)
def _asks(text: str) -> bool:
    try:
        return not SERVICE_NAMES.isdisjoint(names_in(text))
    except ExpressionError:  # told by whoever evaluates it
        return False
