"""The keys of verbs, taken from the table: which verb a key means now, and why that one is not possible."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from textual.binding import Binding

from console import legality
from console.command import SCREEN, Command
from console.commands import commands_of
from console.legality import Place
from console.safety import Arming

ACTION = "verb"
"""Of the app, with the key of the table as its argument."""


def by_key() -> dict[str, list[Command]]:
    """Return the commands that change something by a key, by the key of the table; start and stop share one."""
    keyed = sorted((one for one in commands_of(SCREEN) if one.keys and one.rpc), key=lambda one: one.keys)
    return {key: list(commands) for key, commands in groupby(keyed, key=lambda one: one.keys)}


def bindings() -> list[Binding]:
    """Return a binding for each key, named as its first command: env.start, env.configure."""
    ordered = sorted(by_key().items(), key=lambda it: commands_of(SCREEN).index(it[1][0]))
    return [
        Binding(
            key,
            f"{ACTION}('{key}')",
            "/".join(_verb(one) for one in commands),
            id=commands[0].name.replace(" ", "."),
            show=bool(commands[0].event) or commands[0].name == "env destroy",
        )
        for key, commands in ordered
    ]


def meant(commands: Sequence[Command], place: Place, environment_id: str) -> Command:
    """Return which of the commands of a key is meant: the one that is possible, or that leads on from the state."""
    for command in commands:
        if not legality.reason(command, place, environment_id):
            return command
    environment = place.store.environment(environment_id)
    is_running = environment is not None and environment.state == "RUNNING"
    return commands[-1] if is_running else commands[0]


def shown(key: str, place: Place, environment_id: str, arming: Arming) -> tuple[str, bool]:
    """Return the word for a key, and whether what it means is possible now."""
    command = meant(by_key()[key], place, environment_id)
    return _verb(command), not legality.reason(command, place, environment_id, arming)


def _verb(command: Command) -> str:
    return command.name.rpartition(" ")[2]
