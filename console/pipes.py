"""What follows ``|`` at the prompt: stages that work on the rows of a result before they are written out.

Plain functions; a file that ``save`` names is written by whoever runs the line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from console.exit_codes import usage
from console.results import Result
from console.script_lines import split
from console.table import Row, clean

STAGES = {
    "grep": "rows or lines that hold a text: grep [-v] TEXT; small letters match large ones too",
    "where": "rows with a value: where state=RUNNING tasks>3 host!=flp001 class~readout",
    "select": "only these columns: select id state",
    "count": "how many rows; count COLUMN: how many of each value",
    "first": "only the first rows: first 3",
    "save": "write to a file instead of the terminal: save [-f] FILE",
}

_CONDITION = re.compile(r"([\w -]+?)\s*(==|=|!=|<=|>=|<|>|~)\s*(.*)", re.S)


class Stage(NamedTuple):
    """One stage."""

    name: str
    words: tuple[str, ...]


class Pipe(NamedTuple):
    """What a result goes through."""

    stages: tuple[Stage, ...]
    file: str = ""
    """Of a ``save`` at the end."""
    is_forced: bool = False
    """``save -f``: the file may be there already."""


def segments(text: str) -> list[str]:
    """Return the parts of a command line between ``|``, quotes respected."""
    parts, part, quote = [], "", ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "|":
            parts.append(part)
            part = ""
            continue
        part += letter
    return [*parts, part]


def read(texts: Sequence[str]) -> Pipe:
    """Return the pipe that these segments say.

    Raises:
        ExitError: USAGE, names the stage.
    """
    stages = [_stage(text) for text in texts]
    for stage in stages[:-1]:
        if stage.name == "save":
            raise usage("save: nothing can follow it", hint="put it last: | first 3 | save FILE")
    if not stages or stages[-1].name != "save":
        return Pipe(tuple(stages))
    words = stages[-1].words
    return Pipe(tuple(stages[:-1]), words[-1], words[0] == "-f")


def through(result: Result, pipe: Pipe) -> Result:
    """Return what is left of a result; it keeps its exit code.

    Raises:
        ExitError: USAGE: it has no such column.
    """
    for stage in pipe.stages:
        result = _STAGES[stage.name](result, stage.words)
    return result


def line_filter(pipe: Pipe) -> Callable[[str], bool]:
    """Return what says whether a line of a verb that streams is shown: only ``grep`` works on those.

    Raises:
        ExitError: USAGE: another stage.
    """
    others = [stage.name for stage in pipe.stages if stage.name != "grep"] + ["save"] * bool(pipe.file)
    if others:
        raise usage(f"{others[0]}: this verb writes lines as they come", hint="only grep works on them")
    tests = [_pattern(stage.words) for stage in pipe.stages]
    return lambda line: all(test(line) for test in tests)


# ---- reading ---------------------------------------------------------------------------------


def _stage(text: str) -> Stage:
    words = split(text, "after |")
    if not words:
        raise usage("nothing after |", hint=f"one of {', '.join(STAGES)}")
    name, rest = words[0], tuple(words[1:])
    if name not in STAGES:
        import difflib  # only a mistake needs it

        near = difflib.get_close_matches(name, STAGES, n=1)
        raise usage(
            f"| {name}: no such stage", hint=f"did you mean {near[0]}?" if near else f"one of {', '.join(STAGES)}"
        )
    if not _FORMS[name](rest):
        raise usage(f"| {text.strip()}", hint=STAGES[name])
    if name == "grep":
        _pattern(rest)
    return Stage(name, _conditions(rest) if name == "where" else rest)


_FORMS: dict[str, Callable[[tuple[str, ...]], bool]] = {
    "grep": lambda words: len(words) == 2 if words[:1] == ("-v",) else len(words) == 1,
    "where": lambda words: bool(words),
    "select": lambda words: bool(words),
    "count": lambda words: len(words) < 2,
    "first": lambda words: len(words) == 1 and words[0].isdigit(),
    "save": lambda words: len(words) == 2 if words[:1] == ("-f",) else len(words) == 1,
}


def _conditions(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with those joined that were written apart, as in ``state = RUNNING``."""
    joined: list[str] = []
    for word in words:
        is_operator = re.fullmatch(r"(==|=|!=|<=|>=|<|>|~).*", word)
        if joined and (is_operator or re.search(r"(=|<|>|~)$", joined[-1])):
            joined[-1] += word
        else:
            joined.append(word)
    for condition in joined:
        if not _CONDITION.fullmatch(condition):
            raise usage(f"| where {condition}: no condition", hint=STAGES["where"])
    return tuple(joined)


def _pattern(words: tuple[str, ...]) -> Callable[[str], bool]:
    text = words[-1]
    try:
        pattern = re.compile(text, re.IGNORECASE if text == text.lower() else 0)
    except re.error as error:
        raise usage(f"| grep {text}: {error}", hint="a regular expression") from None
    wanted = words[0] != "-v" or len(words) == 1
    return lambda line: (pattern.search(line) is not None) == wanted


# ---- stages ----------------------------------------------------------------------------------


def _grep(result: Result, words: tuple[str, ...]) -> Result:
    test = _pattern(words)
    text = "".join(line for line in result.text.splitlines(keepends=True) if test(line.rstrip("\n")))
    if result.rows is None:
        facts = {key: value for key, value in (result.facts or {}).items() if test(f"{key}: {clean(value)}")}
        return _changed(result, facts=facts, text=text)
    keys = _keys(result)
    kept = [at for at, row in enumerate(result.rows) if test("  ".join(clean(row.get(key, "")) for key in keys))]
    return _with_rows(result, kept, text=text)


def _where(result: Result, words: tuple[str, ...]) -> Result:
    rows = _rows(result)
    tests = [_test(result, word) for word in words]
    return _with_rows(result, [at for at, row in enumerate(rows) if all(test(row) for test in tests)])


def _select(result: Result, words: tuple[str, ...]) -> Result:
    keys = [_key(result, word) for word in words]
    if result.rows is None:
        return _changed(result, facts={key: (result.facts or {})[key] for key in keys})
    rows = tuple({key: row.get(key) for key in keys} for row in result.rows)
    return _changed(result, rows=rows, columns=tuple(key.replace("_", " ") for key in keys), ids=result.ids)


def _count(result: Result, words: tuple[str, ...]) -> Result:
    rows = _rows(result)
    if not words:
        return _changed(result, data=len(rows), text=f"{len(rows)}\n")
    key = _key(result, words[0])
    counted = Counter(clean(row.get(key)) for row in rows).most_common()
    return _changed(
        result,
        rows=tuple({key: value, "count": count} for value, count in counted),
        columns=(key.replace("_", " "), "count"),
        ids=tuple(value for value, _ in counted),
    )


def _first(result: Result, words: tuple[str, ...]) -> Result:
    lines = "".join(result.text.splitlines(keepends=True)[: int(words[0])])
    return _with_rows(result, list(range(min(int(words[0]), len(_rows(result))))), text=lines)


_STAGES: dict[str, Callable[[Result, tuple[str, ...]], Result]] = {
    "grep": _grep, "where": _where, "select": _select, "count": _count, "first": _first,
}  # fmt: skip


def _rows(result: Result) -> tuple[Row, ...]:
    """Return the rows; the facts on one thing are one row."""
    return result.rows if result.rows is not None else (result.facts or {},)


def _with_rows(result: Result, kept: list[int], *, text: str = "") -> Result:
    """Return the result with these of its rows."""
    if result.rows is None:
        return _changed(result, facts=result.facts if kept else {}, text=text)
    rows = tuple(result.rows[at] for at in kept)
    ids = tuple(result.ids[at] for at in kept) if len(result.ids) == len(result.rows) else ()
    return _changed(result, rows=rows, columns=result.columns, ids=ids, text=text)


def _changed(result: Result, *, text: str = "", **shown: Any) -> Result:
    """Return a result that shows something else and ended in the same way."""
    return Result(
        text=text,
        code=result.code,
        problem=result.problem,
        environment_id=result.environment_id,
        empty="nothing left" if "rows" in shown else "",
        **shown,
    )


def _keys(result: Result) -> list[str]:
    """Return the keys that a column may be named by: those shown first."""
    shown = [column.replace(" ", "_") for column in result.columns]
    others = {key for row in _rows(result)[:1] for key in row}
    return [*shown, *sorted(others - set(shown))]


def _key(result: Result, word: str) -> str:
    key = word.strip().lower().replace(" ", "_").replace("-", "_")
    known = _keys(result)
    for candidate in (key, f"{key}_id"):
        if candidate in known:
            return candidate
    raise usage(f"no column {word.strip()!r}", hint=f"there are {', '.join(known)}" if known else "there are none")


def _test(result: Result, condition: str) -> Callable[[Row], bool]:
    match = _CONDITION.fullmatch(condition)
    assert match is not None, "read() let only conditions pass"
    name, sign, wanted = match.groups()
    key = _key(result, name)
    return lambda row: _compares(row.get(key), sign, wanted)


def _compares(value: Any, sign: str, wanted: str) -> bool:
    values = [clean(one) for one in value] if isinstance(value, list | tuple) else [clean(value)]
    if sign == "~":
        return any(wanted.lower() in one.lower() for one in values)
    if sign in ("=", "==", "!="):
        alternatives = {one.strip().lower() for one in wanted.split(",")}
        return any(one.lower() in alternatives for one in values) == (sign != "!=")
    return any(_orders(one, sign, wanted) for one in values)


def _orders(value: str, sign: str, wanted: str) -> bool:
    left: Any = value
    right: Any = wanted
    try:
        left, right = float(value.partition("/")[0]), float(wanted)
    except ValueError:
        pass  # texts compare as texts: times do so rightly
    match sign:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case _:
            return bool(left >= right)
