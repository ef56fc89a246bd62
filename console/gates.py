"""Confirmations: which level an act has, and whether what was given on the command line is enough (clients.md 5.6, 5.12)."""

from __future__ import annotations

from console.exit_codes import REFUSED, ExitError
from console.results import Context

REASON_CHARACTERS = 10


def confirm(
    context: Context, level: int, what: str, *, tokens: tuple[str, ...] = (), yes_is_enough: bool = False
) -> None:
    """Return if the act is confirmed.

    Args:
        level: 0 to 4. A command typed by itself is its own confirmation up to level 3; scripts confirm from 2 on.
        what: the act in words, for the message.
        tokens: what ``--confirm`` may say: run number, id; the first is named in the message.
        yes_is_enough: ``--yes`` confirms level 3 too (nothing is running that would be lost).

    Raises:
        ExitError: REFUSED, says what would confirm it.
    """
    if level < 2 or (level < 4 and not context.is_gated):
        return
    args = context.args
    given = str(args.confirm or "")
    is_named = any(given == token or (level < 4 and len(given) >= 3 and _abbreviates(given, token)) for token in tokens)
    if level == 2 or (level == 3 and yes_is_enough):
        if args.yes or is_named:
            return
        raise ExitError(REFUSED, f"{what} needs a confirmation", hint="add --yes")
    token = tokens[0] if tokens else "all"
    if level == 3:
        if is_named:
            return
        raise ExitError(REFUSED, f"{what} needs a confirmation by name", hint=f"add --confirm {token}")
    reason = str(args.reason or "").strip()
    if is_named and len(reason) >= REASON_CHARACTERS:
        return
    missing = f'--confirm {token} --reason "{reason or "why"}"'
    short = " (a reason has at least 10 characters)" if is_named and reason else ""
    raise ExitError(REFUSED, f"{what} needs a confirmation by name and a reason{short}", hint=f"add {missing}")


def _abbreviates(given: str, token: str) -> bool:
    """Say whether it is the last digits of a run number, or the first characters of an id."""
    return token.endswith(given) if token.isdigit() else len(given) >= 4 and token.startswith(given)
