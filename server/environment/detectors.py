"""Which detectors an environment holds (core.md 5.1)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

log = logging.getLogger(__name__)

KNOWN = frozenset(
    "TPC TRD TOF HMP PHS CPV MCH ZDC TRG EMC TST ITS FDD FT0 FV0 MFT MID DCS FOC FIT NIL FLP EPN PDP".split()
)
"""Detector and system codes; any other name in ``detectors`` is ignored."""


def held_detectors(root_stack: Mapping[str, str]) -> tuple[str, ...]:
    """Return the known detectors named by the variable ``detectors``, sorted; none if it is absent or unreadable."""
    named = json_strings(root_stack.get("detectors", ""))
    unknown = sorted(set(named) - KNOWN)
    if unknown:
        log.warning("unknown detectors ignored names=%s", ",".join(unknown))
    return tuple(sorted(KNOWN.intersection(named)))


def json_strings(text: str) -> list[str]:
    """Return the strings of a JSON list, none if the text is no such list."""
    try:
        value = json.loads(text) if text else []
    except ValueError:
        return []
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
