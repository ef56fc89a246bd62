"""Functions that change nothing, in place of those of expressions that would; for a plan that is not carried out."""

from __future__ import annotations

from server.template.access import service_objects
from server.template.functions import UTILITIES
from server.template.scope import Function, NilArgument
from server.template.services import Services


def rehearsed_objects(services: Services) -> dict[str, object]:
    """Return ``runtime`` and ``util`` with functions that only seem to write; what was set is what is got, in here."""
    written: dict[tuple[str, str], str] = {}
    runtime, utilities = service_objects(services)["runtime"], UTILITIES["util"]
    assert isinstance(runtime, dict) and isinstance(utilities, dict)
    stored: Function = runtime["Get"]

    def get(component: str, key: str) -> object:
        found = written.get((component, key))
        return stored.work(component, key) if found is None else found

    def put(component: str, key: str, value: str) -> str:
        written[component, key] = value
        return value

    getter = Function(("string", "string"), get, nil=NilArgument.EMPTY)
    setter = Function(("string",) * 3, put, nil=NilArgument.EMPTY)
    dump = Function(("string", "string"), lambda text, file: text)
    return {
        "runtime": {"Get": getter, "Set": setter},
        "GetRuntimeConfig": getter,
        "util": {**utilities, "Dump": dump},
        "Dump": dump,
    }
