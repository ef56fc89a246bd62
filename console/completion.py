"""What may stand at the end of a half-typed line: which slot it is, and what fits there, the possible first.

For the prompt and for the ``:`` line of the screen. No I/O: what has to be fetched is named by ``wanted`` and given in
Sources. What fits each kind of slot: candidates.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from console import candidates, pipes
from console.candidates import Candidate, Sources
from console.command import FLAG, LIST, REPL, Arg, Command
from console.commands import find, noun_of
from console.parse import SESSION_ARGS, first_words

SHOWN = 200
"""So many candidates at most; more than anybody reads, few enough to be quick."""


class Half(NamedTuple):
    """A line cut at the cursor."""

    words: tuple[str, ...]
    """Before the one that is being typed, without their quotes."""
    word: str
    """The one that is being typed, without quotes; "" after a blank."""
    start: int
    """Where it begins in the line, its quote included."""
    before_pipe: tuple[str, ...] | None
    """Words of the command in front of ``|``; None before any."""


class Slot(NamedTuple):
    """A place in a line that waits for a word."""

    kind: str
    """verb, noun's verb, option, stage, column, or what the argument completes."""
    half: Half
    command: Command | None = None
    arg: Arg | None = None
    given: Mapping[str, tuple[str, ...]] = {}
    """Arguments that stand before, by name without dashes."""
    word: str = ""
    """The part of the half-typed word that is to be completed: what follows ``--option=`` or the last comma."""


def complete(line: str, cursor: int, sources: Sources) -> list[Candidate]:
    """Return what may stand at the cursor, best first, at most SHOWN."""
    slot = slot_at(line, cursor, sources.surface)
    start = slot.half.start if slot.word == slot.half.word else cursor - len(slot.word)
    found = _of(slot, sources)
    return [one._replace(start=start, text=_quoted(one.text)) for one in found[:SHOWN]]


def wanted(line: str, cursor: int, surface: str = REPL) -> tuple[str, str]:
    """Return what has to be fetched to complete here, and the half-typed word: templates, repos, file or ""."""
    slot = slot_at(line, cursor, surface)
    kind = {"template": "templates", "revision": "templates", "variable": "templates", "repo": "repos", "file": "file"}
    return kind.get(slot.kind, ""), slot.word


def slot_at(line: str, cursor: int, surface: str = REPL) -> Slot:
    """Return the slot at the cursor."""
    half = cut(line[:cursor])
    if half.before_pipe is not None:
        return _stage_slot(half, surface)
    words = list(half.words[2:] if half.words[1:2] == ("=",) else half.words)  # behind NAME =
    found = find(words, surface)
    noun = noun_of(words[0]) if len(words) == 1 else None
    if noun and found is None:
        return Slot("noun's verb", half, given={"noun": (noun,)}, word=half.word)
    if found is None:
        return Slot("" if words else "verb", half, word=half.word)
    return _argument_slot(half, found[0], found[1])


def cut(text: str) -> Half:
    """Cut a line at its end: words as the command line has them, but a quote may still be open."""
    words: list[str] = []
    before_pipe: tuple[str, ...] | None = None
    word, quote, start = "", "", -1
    for at, letter in enumerate(text):
        if quote:
            if letter == quote:
                quote = ""
            else:
                word += letter
        elif letter in "'\"":
            quote = letter
            start = at if start < 0 else start
        elif letter.isspace() or letter in ";|":
            if start >= 0:
                words.append(word)
            word, start = "", -1
            if letter == "|":
                before_pipe = before_pipe or tuple(words)
            if letter in ";|":
                words = []
            if letter == ";":
                before_pipe = None
        else:
            word += letter
            start = at if start < 0 else start
    return Half(tuple(words), word, start if start >= 0 else len(text), before_pipe)


def _stage_slot(half: Half, surface: str) -> Slot:
    """Return the slot behind ``|``."""
    before = find(list(half.before_pipe or ()), surface)
    command = before[0] if before else None
    if not half.words:
        return Slot("stage", half, word=half.word)
    match half.words[0]:
        case "where" | "select" | "count":
            return Slot("column", half, command, word=half.word, given={"stage": half.words[:1]})
        case "save":
            return Slot("file", half, word=half.word)
    return Slot("", half, word=half.word)


def _argument_slot(half: Half, command: Command, before: list[str]) -> Slot:
    """Return the slot behind a command's name: an option, the value of one, or the next positional."""
    options = {name: arg for arg in (*command.args, *SESSION_ARGS) if arg.name.startswith("--")
               for name in (arg.name, arg.short) if name}  # fmt: skip
    positionals = [arg for arg in command.args if not arg.name.startswith("--")]
    given: dict[str, tuple[str, ...]] = {}
    pending: Arg | None = None
    for word in before:
        name, sign, value = word.partition("=")
        if pending is not None:
            _put(given, pending, word)
            pending = None
        elif word in options and options[word].kind != FLAG:
            pending = options[word]
        elif name in options:
            _put(given, options[name], value if sign else "")
        elif positionals:
            arg = positionals[0]
            _put(given, arg, word)
            if arg.kind != LIST:
                positionals.pop(0)
    name, sign, value = half.word.partition("=")
    if pending is not None:
        return _value_slot(half, command, pending, given, half.word)
    if sign and name in options and name.startswith("-"):
        return _value_slot(half, command, options[name], given, value)
    if half.word.startswith("-"):
        return Slot("option", half, command, given=given, word=half.word)
    if positionals:
        return _value_slot(half, command, positionals[0], given, half.word)
    return Slot("option" if not half.word else "", half, command, given=given, word=half.word)


def _value_slot(half: Half, command: Command, arg: Arg, given: dict[str, tuple[str, ...]], word: str) -> Slot:
    if arg.completes in ("host", "detector", "state", "variable"):
        word = word.rpartition(",")[2]
    return Slot("choice" if arg.choices else arg.completes, half, command, arg, given, word)


def _put(given: dict[str, tuple[str, ...]], arg: Arg, value: str) -> None:
    name = arg.name.strip("-")
    given[name] = (*given.get(name, ()), value)


def _of(slot: Slot, sources: Sources) -> list[Candidate]:
    word = slot.word
    match slot.kind:
        case "verb":
            return candidates.verbs(word, sources, _first(sources.surface))
        case "noun's verb":
            return candidates.verbs_of(word, slot.given["noun"][0], sources)
        case "option":
            options = [*(slot.command.args if slot.command else ()), *SESSION_ARGS]
            return candidates.options(word, options, slot.given)
        case "choice" if slot.arg is not None:
            return candidates.plain(word, [(choice, "") for choice in slot.arg.choices])
        case "stage":
            return candidates.plain(word, list(pipes.STAGES.items()))
        case "column":
            sign = "=" if slot.given["stage"] == ("where",) else ""
            columns = slot.command.columns if slot.command else ()
            return candidates.plain(word, [(f"{one.replace(' ', '_')}{sign}", "") for one in columns])
        case "command":
            nouns = [noun for one in slot.given.get("words", ()) if (noun := noun_of(one))]
            if nouns:
                return candidates.verbs_of(word, nouns[0], sources)
            return candidates.verbs(word, sources, _first(sources.surface))
    chooser = candidates.KINDS.get(slot.kind)
    return chooser(word, sources, slot.command, slot.given) if chooser else []


def _first(surface: str) -> list[str]:
    """Return what a line may begin with, each noun in one spelling."""
    return [word for word in first_words(surface) if noun_of(word) in (None, word)]


def _quoted(text: str) -> str:
    """Return the text as one word of a line."""
    if not any(letter.isspace() or letter in "|;#'\"" for letter in text):
        return text
    return f'"{text}"' if '"' not in text else f"'{text}'"
