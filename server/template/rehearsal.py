"""Functions that change nothing, in place of those of expressions that would; for a plan that is not carried out."""

from __future__ import annotations

from server.template.access import service_objects
from server.template.functions import UTILITIES
from server.template.scope import Function, NilArgument
from server.template.services import Services

_DUMP = Function(("string", "string"), lambda text, file: text)
_UTILITIES = UTILITIES["util"]
assert isinstance(_UTILITIES, dict)

FILELESS: dict[str, object] = {**UTILITIES, "util": {**_UTILITIES, "Dump": _DUMP}, "Dump": _DUMP}
"""The utilities, of which ``util.Dump`` only returns its text."""


def rehearsed_objects(services: Services) -> dict[str, object]:
    """Return ``runtime`` and ``util`` with functions that only seem to write; what was set is what is got, in here."""
    written: dict[tuple[str, str], str] = {}
    runtime = service_objects(services)["runtime"]
    assert isinstance(runtime, dict)
    stored: Function = runtime["Get"]

    def get(component: str, key: str) -> object:
        found = written.get((component, key))
        return stored.work(component, key) if found is None else found

    def put(component: str, key: str, value: str) -> str:
        written[component, key] = value
        return value

    getter = Function(("string", "string"), get, nil=NilArgument.EMPTY)
    setter = Function(("string",) * 3, put, nil=NilArgument.EMPTY)
    return {
        "runtime": {"Get": getter, "Set": setter},
        "GetRuntimeConfig": getter,
        "util": FILELESS["util"],
        "Dump": _DUMP,
    }
