"""Before a person changes something: is it possible, what will happen, and is that meant? Asked by level (gates.py).

The answer counts only for what was seen when the question was put (legality.Pin).
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

from console import gates, resolve
from console.command import Command
from console.exit_codes import NOT_NOW, REFUSED, ExitError
from console.legality import Pin, reason
from console.present import look, names, run_number, span
from console.results import Context
from console.safety import Arming
from console.session import Session
from console.subjects import Subject
from console.usual import usual_s
from console.verbs import repositories
from server.api.model import Environment
from server.api.replies import EnvironmentInfo

OBSERVING = "observing: arm first"


class Closed(Exception):
    """A question was withdrawn while it was open; the argument says why."""


class Asker(Protocol):
    """Puts questions to a person."""

    async def ask(self, lines: tuple[str, ...], prompt: str, broken: Callable[[], str]) -> str | None:
        """Return the answer, None for Ctrl-C or Ctrl-D.

        Args:
            lines: said before the question.
            broken: why the question makes no sense any more, "" while it does; looked at after each change.

        Raises:
            Closed: it was answered by events.
        """
        ...


class Act(NamedTuple):
    """What a command is about to do."""

    needed: gates.Need
    target: EnvironmentInfo | None
    environment_id: str
    subject: Subject


async def confirm(context: Context, asker: Asker, arming: Arming) -> gates.Need:
    """Return when the act of a command is possible and confirmed, having noted the confirmation in its arguments.

    Raises:
        ExitError: NOT_NOW: it is not possible, or things changed meanwhile. REFUSED: nobody is armed, or the answer was no.
    """
    command, args, session = context.command, context.args, context.session
    if why_not := session.refusal():  # the core may be deaf: it is not even asked
        raise ExitError(NOT_NOW, f"{command.name}: {why_not}")
    act = await _act(session, command, args)
    event: str = getattr(args, "event", "") or ""
    is_forced = bool(getattr(args, "force", False))

    def refusal() -> str:
        return reason(
            command, session, act.environment_id, arming, event=event, is_forced=is_forced, subject=act.subject
        )

    if why_not := refusal():
        code, hint = (REFUSED, "arm") if why_not == OBSERVING else (NOT_NOW, "")
        raise ExitError(code, f"{act.needed.what}: {why_not}", hint=hint)
    if command.name == "env destroy":
        gates.check_running(args, act.target)
    await _agree(session, act.target)
    pin = Pin.of(act.environment_id, session.store.environment(act.environment_id))

    def broken() -> str:
        return pin.broken_by(session.store.environment(act.environment_id)) or session.refusal()

    with contextlib.suppress(ExitError):
        gates.confirm(
            context, replace(act.needed, yes_is_enough=False)
        )  # --confirm and --reason may come with the line
        return act.needed
    try:
        await _put(act, context, asker, broken)
    except Closed as closed:
        raise ExitError(NOT_NOW, f"nothing done: {closed}", hint="look again, then ask again") from None
    if why_not := broken() or refusal():
        raise ExitError(NOT_NOW, f"nothing done: {why_not}")
    return act.needed


async def _act(session: Session, command: Command, args: argparse.Namespace) -> Act:
    """Look at what the command is about, asking the core itself."""
    target: EnvironmentInfo | None = None
    found: tuple[str, ...] = ()
    word: str = getattr(args, "env", "")
    if word:
        target = await resolve.environment(session, word)
    elif command.name.startswith("repo ") and vars(args).get("index"):
        found = ((await repositories.chosen(session, args.index))[1].name,)  # not its index: that says too little
    elif command.name == "task clean":
        found = tuple([await resolve.task_id(session, one) for one in args.tasks])
    elif command.name in ("task transition", "task kill"):
        args.task = await resolve.task_id(session, args.task)
        found = (args.task,)
    needed = gates.need(command, args, target, names=found)
    return Act(needed, target, target.id if target else word, Subject.of(command, args))


async def _agree(session: Session, target: EnvironmentInfo | None) -> None:
    """Wait until the picture shows what the core just said of the target, for the pin is made of the picture."""
    if target is None:
        return

    def shows() -> bool:
        one = session.store.environment(target.id)
        return one is not None and (one.state, one.run_number) == (target.state, target.run_number)

    if not await session.settle(shows):
        one = session.store.environment(target.id)
        shown = one.state if one else "nothing"
        raise ExitError(
            NOT_NOW, f"the core says that {target.id} is {target.state}, the picture shows {shown}", hint="look again"
        )


async def _put(act: Act, context: Context, asker: Asker, broken: Callable[[], str]) -> None:
    """Ask what the level asks for.

    Raises:
        ExitError: REFUSED: the answer was no.
        Closed: see Asker.
    """
    needed, args = act.needed, context.args
    lines = _lines(act, context)
    if needed.level == 2:
        answer = await asker.ask(lines, f"{needed.what}? [y/N] ", broken)
        if answer is None or answer.strip().lower() not in ("y", "yes"):
            raise ExitError(REFUSED, "nothing done")
        args.yes = True
        return
    typed = await _typed(asker, lines, f"type {needed.wanted}, or nothing to leave it: ", needed, broken)
    args.confirm = typed
    if needed.needs_reason:
        prompt = f"why? at least {gates.REASON_CHARACTERS} characters, or nothing to leave it: "
        args.reason = await _typed(asker, (), prompt, needed, broken, token=typed)
    args.yes = True


async def _typed(
    asker: Asker,
    lines: tuple[str, ...],
    prompt: str,
    needed: gates.Need,
    broken: Callable[[], str],
    *,
    token: str = "",
) -> str:
    """Ask until the answer fits; for the reason if the token was given already."""
    while True:
        answer = await asker.ask(lines, prompt, broken)
        if answer is None or not answer.strip():
            raise ExitError(REFUSED, "nothing done")
        enough = "x" * gates.REASON_CHARACTERS
        problem = gates.missing(needed, token, answer) if token else gates.missing(needed, answer, enough)
        if not problem:
            return answer.strip()
        lines = (problem,)


def _lines(act: Act, context: Context) -> tuple[str, ...]:
    """Return what a person should know before they answer."""
    session = context.session
    one = session.store.environment(act.environment_id)
    lines = [act.needed.what]
    if one is not None:
        lines.append(_about(one, ascii=context.ascii))
        if one.owner.name and one.owner.name != session.client.user:
            lines.append(f"it belongs to {one.owner.name}")
    if context.command.name == "env create":
        lines += _wishes(context.args)
    if act.needed.consequence:
        lines.append(act.needed.consequence)
    event = context.command.event or ("DESTROY" if context.command.name == "env destroy" else "")
    if one is not None and event and (seconds := usual_s(session.store, one, event)) is not None:
        lines.append(f"It usually takes {span(seconds)}.")
    return tuple(lines)


def _wishes(args: argparse.Namespace) -> list[str]:
    """Return what an environment shall be made of, one line each."""
    wishes = [f"{name}: {value}" for name in ("detectors", "hosts") if (value := getattr(args, name))]
    given = resolve.variables(args.extra_vars)
    return [*wishes, *([f"variables: {', '.join(f'{key}={value}' for key, value in given.items())}"] if given else [])]


def _about(one: Environment, *, ascii: bool) -> str:
    shown = look(one.state)
    parts = [f"{one.id} {shown.ascii if ascii else shown.glyph} {shown.code}", one.template]
    if one.run_number:
        parts.append(f"run {run_number(one.run_number)}")
    if one.run_type:
        parts.append(one.run_type)
    parts += [names(one.detectors, 40), f"{one.tasks_total} tasks on {one.hosts} host{'s' if one.hosts != 1 else ''}"]
    return "  ".join(parts)
