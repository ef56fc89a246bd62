"""``config``, ``inventory`` and ``runtime`` in expressions (workflows-config.md 6.4).

They never fail: what went wrong is their result, the text ``{"error":"…"}``, and flows on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from occ.errors import AliecsError, ConfigError
from server.template.errors import ExpressionError
from server.template.gojson import JsonError, dumps, string_list
from server.template.queries import QUERY, RUN_TYPES
from server.template.render import render_in
from server.template.scope import Function, NilArgument, Scope
from server.template.services import Services

SERVICE_NAMES = frozenset(
    ("config", "inventory", "runtime", "$env", "GetConfig", "GetConfigLegacy", "ResolveConfigPath", "GetRuntimeConfig")
) | {"DetectorForHost", "DetectorsForHosts", "CRUCardsForHost", "EndpointsForCRUCard"}
"""Names by which an expression can reach them."""


def service_objects(services: Services) -> dict[str, object]:
    """Return the namespaces and flat functions of these services."""
    config = {
        "Get": _function(1, partial(_get, services), scoped=True),
        "GetLegacy": _function(1, partial(_get_legacy, services), scoped=True),
        "Resolve": _function(4, partial(_resolve, services)),
        "ResolvePath": _function(1, partial(_resolve_path, services)),
    }
    inventory = {
        "DetectorForHost": _function(1, partial(_detector, services)),
        "DetectorsForHosts": _function(1, partial(_detectors, services)),
        "CRUCardsForHost": _function(1, partial(_cards, services)),
        "EndpointsForCRUCard": _function(2, partial(_endpoints, services)),
    }
    runtime = {
        "Get": _function(2, partial(_runtime_get, services)),
        "Set": _function(3, partial(_runtime_set, services)),
    }
    return {
        "GetConfig": config["Get"],
        "GetConfigLegacy": config["GetLegacy"],
        "ResolveConfigPath": config["ResolvePath"],
        **inventory,
        "GetRuntimeConfig": runtime["Get"],
        "config": config,
        "inventory": inventory,
        "runtime": runtime,
    }


def error_text(message: str) -> str:
    """Return the result of a function that could not do its work."""
    return f'{{"error":"{message}"}}'


def _function(parameters: int, work: Callable[..., str], *, scoped: bool = False) -> Function:
    return Function(("string",) * parameters, work, nil=NilArgument.EMPTY, scoped=scoped)


def _query(path: str) -> tuple[str, str, str, str]:
    """Split a component path.

    Raises:
        ConfigError: it is none (workflows-config.md 9.3).
    """
    match = QUERY.fullmatch(path.strip())
    if match is None or match[2] not in RUN_TYPES:
        raise ConfigError("bad component configuration key format")
    return match[1], match[2], match[3], match[4]


def _answer(work: Callable[[], str]) -> str:
    try:
        return work()
    except AliecsError as error:
        return error_text(error.message)


def _get(services: Services, scope: Scope, path: str) -> str:
    return _answer(lambda: services.get_component("/".join(_query(path)), scope.variables))


def _get_legacy(services: Services, scope: Scope, path: str) -> str:
    def work() -> str:
        payload = services.get_component_raw("/".join(_query(path)))
        try:
            return render_in(payload, scope)
        except ExpressionError:
            return payload

    return _answer(work)


def _resolve(services: Services, component: str, run_type: str, role: str, entry: str) -> str:
    known = run_type if run_type in RUN_TYPES else "NULL"
    return _answer(lambda: services.resolve(component, known, role, entry))


def _resolve_path(services: Services, path: str) -> str:
    return _answer(lambda: services.resolve(*_query(path)))


def _detector(services: Services, host: str) -> str:
    return _answer(lambda: services.detector_for_host(host))


def _detectors(services: Services, hosts: str) -> str:
    try:
        names = string_list(hosts)
    except JsonError as error:
        return error_text(f"DetectorsForHosts function: {error}")
    return _answer(lambda: dumps(sorted(set(services.detectors_for_hosts(names)))))


def _cards(services: Services, host: str) -> str:
    try:
        return dumps(services.cru_cards_for_host(host))
    except AliecsError as error:
        return dumps([f"error: {error.message}"])


def _endpoints(services: Services, host: str, serial: str) -> str:
    return _answer(lambda: " ".join(services.endpoints_for_cru_card(host, serial)))


def _runtime_get(services: Services, component: str, key: str) -> str:
    return _answer(lambda: services.runtime_get(component, key))


def _runtime_set(services: Services, component: str, key: str, value: str) -> str:
    def work() -> str:
        services.runtime_set(component, key, value)
        return value

    return _answer(work)
