"""``source FILE``: a script at the prompt. It runs as ``aliecs --script`` runs it; a person has to be armed besides."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from console.command import SCRIPT
from console.commands import find
from console.exit_codes import REFUSED, ExitError, usage
from console.safety import Arming
from console.script import Runner, variables_of
from console.script_check import check
from console.script_lines import Script, read
from console.session import Session
from console.settings import Settings


async def prepare(
    path: str,
    session: Session,
    settings: Settings,
    options: argparse.Namespace,
    variables: Sequence[str],
    arming: Arming | None,
) -> Runner:
    """Return what runs the script on the session.

    Args:
        options: as of ``aliecs --script``.
        arming: of the person who sits here; None if nobody does.

    Raises:
        ExitError: it cannot be read, something in it is wrong, or it changes something and nobody is armed.
    """
    script = read(await asyncio.to_thread(_text, path), path)
    given = variables_of(list(variables))
    check(script, given)
    if arming is not None and not arming.is_armed and (line := _first_write(script)):
        raise ExitError(REFUSED, f"{path}:{line}: observing: arm first", hint="arm")
    return Runner(script, given, session, options, settings)


def _text(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from None


def _first_write(script: Script) -> int:
    """Return the line of the first command that changes something, 0 if none does."""
    for step in (*script.steps, *script.cleanup):
        found = find(list(step.words), SCRIPT)
        if found is not None and found[0].rpc:
            return step.line
    return 0
