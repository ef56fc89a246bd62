"""The grammar of scripts: from text to steps, without running anything. What each step does: script.py.

One command per line, as on the command line without ``aliecs``; ``;`` separates too. ``#`` begins a comment. ``NAME = CMD``
captures, ``$NAME`` and ``${NAME:-default}`` insert. ``on-error``, ``retry``, ``expect``, ``sleep`` and the block
``cleanup:`` exist in scripts only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from console.exit_codes import usage

ON_ERROR = ("stop", "continue", "cleanup")

CAPTURE = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)\s*(.*)", re.S)
_VARIABLE = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::-([^}]*))?\})")


class Step(NamedTuple):
    """One line that does something."""

    line: int
    text: str
    """As written, for messages."""
    words: tuple[str, ...]
    """Before variables are inserted."""
    capture: str = ""
    attempts: int = 1


class Script(NamedTuple):
    """A whole script."""

    name: str
    steps: tuple[Step, ...]
    cleanup: tuple[Step, ...]
    on_error: str


class Unset(KeyError):
    """A variable without value or default; the argument is its name."""


def read(text: str, name: str) -> Script:
    """Return the script that the text holds.

    Raises:
        ExitError: USAGE, names the line.
    """
    steps: list[Step] = []
    cleanup: list[Step] = []
    on_error = "stop"
    target = steps
    for number, line in enumerate(text.splitlines(), 1):
        for part in parts(line, f"{name}:{number}"):
            command = part.strip()
            if command.startswith("cleanup:"):
                if target is cleanup:
                    raise usage(f"{name}:{number}: a second cleanup: block")
                target = cleanup
                command = command.removeprefix("cleanup:").strip()
            if not command:
                continue
            step = _step(command, name, number)
            if step.words[0] == "on-error":
                if len(step.words) != 2 or step.words[1] not in ON_ERROR:
                    raise usage(f"{name}:{number}: on-error takes {', '.join(ON_ERROR)}")
                on_error = step.words[1]
            else:
                target.append(step)
    return Script(name=name, steps=tuple(steps), cleanup=tuple(cleanup), on_error=on_error)


def insert(word: str, variables: Mapping[str, str]) -> str:
    """Return the word with its variables replaced; ``$$`` is a dollar sign.

    Raises:
        Unset: a variable has neither value nor default.
    """

    def value(match: re.Match[str]) -> str:
        dollar, plain, braced, default = match.groups()
        if dollar:
            return "$"
        name = plain or braced
        if name in variables:
            return variables[name]
        if default is None:
            raise Unset(name)
        return str(default)

    return _VARIABLE.sub(value, word)


def split(text: str, where: str) -> list[str]:
    """Return the words of a command; quotes keep blanks together.

    Raises:
        ExitError: USAGE, a quote is not closed.
    """
    words: list[str] = []
    word, quote, inside = "", "", False
    for letter in text:
        if quote:
            if letter == quote:
                quote = ""
            else:
                word += letter
        elif letter in "'\"":
            quote, inside = letter, True
        elif letter.isspace():
            if inside:
                words.append(word)
            word, inside = "", False
        else:
            word += letter
            inside = True
    if quote:
        raise usage(f"{where}: {quote} is not closed: {text.strip()}")
    return [*words, word] if inside else words


def _step(command: str, name: str, number: int) -> Step:
    capture, attempts, rest = "", 1, command
    if match := CAPTURE.fullmatch(rest):
        capture, rest = match.groups()
    where = f"{name}:{number}"
    first, _, tail = rest.partition(" ")
    if first == "retry":
        count, _, rest = tail.strip().partition(" ")
        if not count.isdigit() or not int(count) or not rest.strip():
            raise usage(f"{where}: retry takes a number and a command: retry 3 env configure $id")
        attempts = int(count)
    # An expression keeps its quotes: they tell text from names.
    rest = rest.strip()
    words = ["expect", rest.removeprefix("expect").strip()] if rest.split()[:1] == ["expect"] else split(rest, where)
    if not words:
        raise usage(f"{where}: {command} has no command")
    return Step(line=number, text=command, words=tuple(words), capture=capture, attempts=attempts)


def parts(line: str, where: str) -> list[str]:
    """Split at ``;`` and cut comments, both outside of quotes."""
    found, part, quote, before = [], "", "", " "
    for letter in line:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and before.isspace():
            break
        elif letter == ";":
            found.append(part)
            part, before = "", " "
            continue
        part += letter
        before = letter
    if quote:
        raise usage(f"{where}: {quote} is not closed: {line.strip()}")
    return [*found, part]
