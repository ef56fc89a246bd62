"""From what people type to names: environments and tasks by prefix, @last, @run, @tpc, events, variables of ``-e``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol, TypeVar

from console.exit_codes import NOT_FOUND, ExitError, usage
from console.session import Session
from server.api.replies import EnvironmentInfo
from server.api.states import OPERATOR_EVENTS, EnvironmentState

MIN_PREFIX = 3


async def environment(session: Session, word: str) -> EnvironmentInfo | None:
    """Return the environment that a word names; None if the core lists none such, so that the core itself says so.

    Raises:
        ExitError: it names several, or none where the word cannot be an id.
    """
    return choose(word, await session.client.environments())


class Known(Protocol):
    """What is looked at to find an environment; replies and the live picture have it."""

    @property
    def id(self) -> str: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def run_number(self) -> int: ...
    @property
    def detectors(self) -> tuple[str, ...]: ...


T = TypeVar("T", bound=Known)


def choose(word: str, known: Sequence[T]) -> T | None:
    """Return the one of these environments that a word names, None if it is an id that none of them has.

    Raises:
        ExitError: as ``environment``.
    """
    if word.startswith("@"):
        return _by_sign(word, known)
    exact = next((one for one in known if one.id == word), None)
    if exact is not None or len(word) < MIN_PREFIX:
        return exact
    matches = [one for one in known if one.id.startswith(word)]
    if len(matches) > 1:
        raise usage(f"{word} begins several ids: {', '.join(one.id for one in matches)}", hint="add a character")
    return matches[0] if matches else None


def _by_sign(word: str, known: Sequence[T]) -> T:
    if word == "@last":
        if not known:
            raise ExitError(NOT_FOUND, "@last: there is no environment", hint="env create makes one")
        return max(known, key=lambda one: (one.created_ms, one.id))
    running = [one for one in known if one.run_number]
    if word == "@run":
        if not running:
            raise ExitError(NOT_FOUND, "@run: no run is on", hint="env ls shows the environments")
        if len(running) > 1:
            runs = ", ".join(f"@{one.run_number} ({one.id})" for one in running)
            raise usage(f"@run: {len(running)} runs are on", hint=f"one of {runs}")
        return running[0]
    if word[1:].isdigit():
        found = next((one for one in running if one.run_number == int(word[1:])), None)
        if found is None:
            raise ExitError(NOT_FOUND, f"{word}: run {word[1:]} is not on", hint="env ls shows the runs")
        return found
    return _by_detector(word, known)


def _by_detector(word: str, known: Sequence[T]) -> T:
    name = word[1:].upper()
    holding = [one for one in known if name in (detector.upper() for detector in one.detectors)]
    if len(holding) > 1:
        raise usage(
            f"{word}: {len(holding)} environments hold {name}", hint=f"one of {', '.join(one.id for one in holding)}"
        )
    if not holding:
        raise usage(f"{word} names no environment", hint="@last, @run, @RUNNUMBER, @DETECTOR, or an id")
    return holding[0]


async def task_id(session: Session, word: str) -> str:
    """Return the id of the task that a word names; the word itself if the core lists none such.

    Raises:
        ExitError: it names several.
    """
    known = [one.task_id for one in await session.client.tasks()]
    if word in known or len(word) < MIN_PREFIX:
        return word
    matches = [one for one in known if one.startswith(word)]
    if len(matches) > 1:
        raise usage(f"{word} begins {len(matches)} task ids", hint="add a character")
    return matches[0] if matches else word


def event_of(text: str) -> str:
    """Return the event that an operator named; ExitError (USAGE) with the nearest if there is none."""
    known = [event.value for event in OPERATOR_EVENTS]
    name = text.upper().replace("-", "_")
    full = {"START": "START_ACTIVITY", "STOP": "STOP_ACTIVITY"}.get(name, name)
    if full in known:
        return full
    import difflib  # only a mistake needs it

    near = difflib.get_close_matches(full, [*known, "START", "STOP"], n=1)
    hint = f"did you mean {near[0]}?" if near else f"events: {', '.join(known)}"
    raise usage(f"{text} is no event that can be asked for", hint=hint)


def states(text: str) -> set[str]:
    """Return the states of environments that a text names, separated by commas.

    Raises:
        ExitError: USAGE: none, or one that does not exist.
    """
    known = {state.value for state in EnvironmentState}
    wanted = {part.strip().upper() for part in text.split(",") if part.strip()}
    if not wanted or wanted - known:
        wrong = ", ".join(sorted(wanted - known)) or "nothing"
        raise usage(f"--state {wrong}: no such state", hint=f"states: {', '.join(sorted(known))}")
    return wanted


def variables(items: list[str]) -> dict[str, str]:
    """Return the variables of all ``-e`` options; later ones win.

    Each is JSON, ``k=v``, or ``k=v,k2=v2``. A comma only separates if every part holds "=", so that lists can be values.

    Raises:
        ExitError: USAGE, names the item.
    """
    found: dict[str, str] = {}
    for item in items:
        text = item.strip()
        if text.startswith("{"):
            found |= _from_json(text)
            continue
        parts = text.split(",")
        if not all("=" in part for part in parts):
            parts = [text]
        for part in parts:
            key, sign, value = part.partition("=")
            if not sign or not key.strip():
                raise usage(f"-e {item!r} is no variable", hint='-e key=value, or -e \'{"key": "value"}\'')
            found[key.strip()] = value.strip()
    return found


def _from_json(text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise usage(f"-e is no JSON: {error}", hint="or write -e key=value") from None
    return {key: one if isinstance(one, str) else json.dumps(one) for key, one in value.items()}


def name_list(text: str) -> str:
    """Return names separated by commas as the JSON list that templates expect."""
    return json.dumps([name.strip() for name in text.split(",") if name.strip()])
