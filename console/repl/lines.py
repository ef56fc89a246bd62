"""The grammar of the prompt: a line becomes calls. As in scripts, with pipes, and ``&`` for the background."""

from __future__ import annotations

from typing import NamedTuple

from console import pipes
from console.exit_codes import usage
from console.script_lines import CAPTURE, ON_ERROR, parts, split

SCRIPT_ONLY = ("expect", "sleep", "retry", "on-error", "cleanup:")


class Call(NamedTuple):
    """One command of a line."""

    text: str
    """As typed."""
    words: tuple[str, ...]
    """Before variables are inserted."""
    pipe: pipes.Pipe = pipes.Pipe(())
    capture: str = ""
    is_background: bool = False


def read(line: str) -> list[Call]:
    """Return the calls of a line, none for an empty one or a comment.

    Raises:
        ExitError: USAGE: a quote is not closed, or a stage of a pipe is wrong.
    """
    return [_call(part.strip()) for part in parts(line, "line") if part.strip()]


def _call(text: str) -> Call:
    body, capture = text, ""
    if match := CAPTURE.fullmatch(text):
        capture, body = match.groups()
    is_background = body.endswith("&")
    first, *rest = pipes.segments(body.removesuffix("&"))
    words = split(first, "line")
    if not words:
        raise usage(f"{text}: no command")
    if words[0] in SCRIPT_ONLY:
        hint = "source FILE runs one" if words[0] != "on-error" else f"{', '.join(ON_ERROR)}: source FILE runs one"
        raise usage(f"{words[0]} is for scripts", hint=hint)
    if is_background and capture:
        raise usage(f"{capture} = ... &: what goes on in the background returns nothing yet", hint="leave out the &")
    return Call(text, tuple(words), pipes.read(rest), capture, is_background)
