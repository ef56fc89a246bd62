"""Looks for mistakes in a script without a core, ``--check``; every script is looked at so before it runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from console import resolve
from console.command import SCRIPT
from console.exit_codes import ExitError, usage
from console.parse import duration, parse
from console.script_lines import Script, Unset, insert

PLANNED = "planned"
"""Begins what stands for a value that only running would tell."""


def check(script: Script, variables: Mapping[str, str]) -> None:
    """Parse every step, with made-up values for what is captured.

    Raises:
        ExitError: USAGE: the first line that is wrong, and how many others are.
    """
    known = dict(variables)
    problems: list[str] = []
    for step in (*script.steps, *script.cleanup):
        try:
            words = [insert(word, known) for word in step.words]
            _check_words(words)
        except Unset as unset:
            problems.append(f"{script.name}:{step.line}: ${unset.args[0]} is never set: {step.text}")
        except ExitError as error:
            problems.append(f"{script.name}:{step.line}: {error}")
        if step.capture:
            known[step.capture] = PLANNED
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise usage("\n".join(problems), hint=f"nothing was run{more}")


def _check_words(words: list[str]) -> None:
    if words[0] == "expect":
        from console.expressions import check as check_condition  # a script of questions needs neither it nor the model

        check_condition(words[1])
    elif words[0] == "sleep":
        if len(words) not in (2, 3):
            raise usage("sleep takes a duration, and an environment to look at: sleep 5s $id")
        try:
            duration(words[1])
        except argparse.ArgumentTypeError as error:
            raise usage(f"sleep: {error}") from None
    else:
        command, args = parse(words, SCRIPT)
        if command.name in ("env create", "env plan"):
            resolve.variables(args.extra_vars)
        elif command.name == "env wait" and PLANNED not in args.state:
            resolve.states(args.state)
