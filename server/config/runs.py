"""Run numbers: one counter in the store, taken by compare-and-set, never given back (workflows-config.md 9.7)."""

from __future__ import annotations

from occ.errors import ConfigError, RefusedError
from server.config.store import RUN_NUMBER, Store

LAST_RUN_NUMBER = 2**32 - 1
ATTEMPTS = 32
"""How often a lost race is run again; each loss means that another core got a number."""


def new_run_number(store: Store, *, attempts: int = ATTEMPTS) -> int:
    """Take the next run number; the first is 1.

    Raises:
        ConfigError: the counter is not a number, or at its end.
        RefusedError: others were faster each time.
    """
    for _ in range(attempts):
        text = store.get(RUN_NUMBER)
        last = 0 if text is None else _parse(text)
        if last >= LAST_RUN_NUMBER:
            raise ConfigError(f"{RUN_NUMBER} is {last}: no run numbers are left")
        if store.put_if(RUN_NUMBER, str(last + 1), text):
            return last + 1
    raise RefusedError(f"no run number: {attempts} attempts lost against other cores", hint="try again")


def take_over(store: Store, last: str) -> bool:
    """Go on after a run number that was counted elsewhere; tell whether: a store that has one keeps its own.

    Raises:
        ConfigError: it is not a number.
    """
    return store.get(RUN_NUMBER) is None and store.put_if(RUN_NUMBER, str(_parse(last)), None)


def _parse(text: str) -> int:
    if not text.strip().isascii() or not text.strip().isdecimal():
        raise ConfigError(f"{RUN_NUMBER}: {text!r} is not a run number", hint="expected decimal digits")
    return int(text)
