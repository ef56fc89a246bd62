"""Keys that terminals send and Textual takes for others."""

from __future__ import annotations

from collections.abc import MutableMapping
from enum import StrEnum
from typing import cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS  # private: there is no other way to name a sequence


class Extra(StrEnum):
    """Names of keys, as bindings have them."""

    ALT_ENTER = "alt+enter"


def teach() -> None:
    """Tell Alt+Enter from Enter where the terminal sends it as Escape and Return."""
    known = cast("MutableMapping[str, object]", ANSI_SEQUENCES_KEYS)
    for sequence in ("\x1b\r", "\x1b\n"):
        known[sequence] = (Extra.ALT_ENTER,)
