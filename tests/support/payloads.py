"""Component templates rendered from a handful of entries."""

from __future__ import annotations

from collections.abc import Mapping

from server.config.payload.templates import PayloadTemplates

BASE = "qc/ANY/any"
ENTRY = f"{BASE}/main"
VARIABLES = {
    "host": "flp042",
    "list": '["MFT","TOF"]',
    "numbers": "[10,9.5,1]",
    "map": '{"rate":12,"name":"tof","none":null,"inner":{"on":[true,"x"]}}',
    "markup": "a<b & \"c\" > 'd'",
    "empty": "",
    "zero": "0",
    "seven": "7",
    "no": "false",
    "accents": "Grüße",
    "words": "three little words",
}


def render(template: str, entries: Mapping[str, str] | None = None, variables: Mapping[str, str] | None = None) -> str:
    """Return what the template renders to; other entries by name, in the same folder or with a full path."""
    stored = {name if name.count("/") > 2 else f"{BASE}/{name}": text for name, text in (entries or {}).items()}
    return PayloadTemplates().render(
        {**stored, ENTRY: template}.get, ENTRY, VARIABLES if variables is None else variables
    )
