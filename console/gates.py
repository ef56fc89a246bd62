"""What an act needs before it is done, in one place: level, words, what confirms it (clients.md 5.6, 5.12).

Dialogs and the prompt ask for it with ``missing``; single commands and scripts bring it along and call ``confirm``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from console.exit_codes import REFUSED, ExitError
from console.resolve import event_of

if TYPE_CHECKING:
    from console.command import Command
    from console.results import Context

REASON_CHARACTERS = 10
RUN_DIGITS = 3
ID_CHARACTERS = 4


class Target(Protocol):
    """The environment that an act is about, as a reply or the live picture has it."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def run_number(self) -> int: ...
    @property
    def hosts(self) -> int: ...
    @property
    def tasks_total(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one act needs."""

    level: int
    """0 reads; 1 is armed, no more; 2 a confirmation; 3 one that names the target; 4 the full name and a reason."""
    what: str
    """The act: "STOP_ACTIVITY of 2rE9AV3m1HL"."""
    consequence: str = ""
    """What will happen, one to three sentences."""
    tokens: tuple[str, ...] = ()
    """What confirms levels 3 and 4, the one to name first: a run number, an id, "all"."""
    has_run: bool = False
    """The target has a run on, which scripts may name as @run."""
    is_whole: bool = False
    """A part of a name is never enough: the names of hosts differ in their last characters only."""
    yes_is_enough: bool = False
    """In scripts ``--yes`` confirms level 3 too: nothing runs that would be lost."""

    @property
    def needs_reason(self) -> bool:
        return self.level >= 4

    @property
    def token(self) -> str:
        """What to ask for: at level 3 a part of the name is enough."""
        return self.tokens[0] if self.tokens else "all"

    @property
    def short_token(self) -> str:
        """The part that is enough at level 3: the last digits of a run number, the first characters of an id."""
        token = self.token
        if self.is_whole:
            return token
        return token[-RUN_DIGITS:] if token.isdigit() else token[:ID_CHARACTERS]

    @property
    def wanted(self) -> str:
        """What to type, in words."""
        is_whole = self.needs_reason or self.short_token == self.token
        return self.token if is_whole else f"{self.short_token} or more of {self.token}"


def need(
    command: Command,
    args: argparse.Namespace,
    target: Target | None = None,
    *,
    own: bool = False,
    names: tuple[str, ...] = (),
) -> Need:
    """Return what a command with these arguments needs.

    Args:
        args: only what decides has to be there: event, force, keep_tasks, template ...
        target: what is known of the environment; None if nothing is, or the command is about none.
        own: the environment was made by the script that asks: level 2 at most.
        names: of what else the command is about, first the one to type: repository and index, task ids.

    Raises:
        ExitError: USAGE: ``args.event`` is no event.
    """
    if not command.rpc:
        return Need(level=0, what=command.name)
    found = _need(command, args, target, names or _names_in(args))
    if own and found.level > 2:
        return replace(found, level=2)
    return found


def has_run(target: Target | None) -> bool:
    """Say whether a run is on, also one that its environment left by an error."""
    return target is not None and (target.state == "RUNNING" or target.run_number != 0)


def check_running(args: argparse.Namespace, target: Target | None, *, may_end_run: bool = False) -> None:
    """Raise if a destroy would end a run without having been told to; the core itself would do it.

    Args:
        may_end_run: a script ends what it began.

    Raises:
        ExitError: REFUSED.
    """
    if target is not None and has_run(target) and not (may_end_run or args.allow_in_running_state or args.force):
        raise ExitError(
            REFUSED,
            f"{target.id} is taking data in run {target.run_number}",
            hint=f"aliecs env stop {target.id} first, or destroy it with -a",
        )


def missing(needed: Need, typed: str = "", reason: str = "") -> str:
    """Say what is missing in a person's answer, "" if it confirms the act. Level 2 and below ask for no words."""
    if needed.level < 3:
        return ""
    if not _names(needed, typed.strip(), is_full=needed.level >= 4):
        return f"type {needed.wanted}"
    if needed.needs_reason and len(reason.strip()) < REASON_CHARACTERS:
        return f"give a reason of at least {REASON_CHARACTERS} characters"
    return ""


def confirm(context: Context, needed: Need) -> None:
    """Return if what came with the command confirms it.

    A command typed by itself is its own confirmation up to level 3; scripts confirm from level 2 on.

    Raises:
        ExitError: REFUSED, says what would confirm it.
    """
    level, what = needed.level, needed.what
    if level < 2 or (level < 4 and not context.is_gated):
        return
    args = context.args
    given = str(args.confirm or "")
    is_named = (given == "@run" and needed.has_run) or _names(needed, given, is_full=level >= 4)
    if level == 2 or (level == 3 and needed.yes_is_enough):
        if args.yes or is_named:
            return
        raise ExitError(REFUSED, f"{what} needs a confirmation", hint="add --yes")
    if level == 3:
        if is_named:
            return
        raise ExitError(REFUSED, f"{what} needs a confirmation by name", hint=f"add --confirm {needed.token}")
    reason = str(args.reason or "").strip()
    if is_named and len(reason) >= REASON_CHARACTERS:
        return
    added = f'--confirm {needed.token} --reason "{reason or "why"}"'
    short = f" (a reason has at least {REASON_CHARACTERS} characters)" if is_named and reason else ""
    raise ExitError(REFUSED, f"{what} needs a confirmation by name and a reason{short}", hint=f"add {added}")


def _names(needed: Need, given: str, *, is_full: bool) -> bool:
    """Say whether it is one of the names, or below level 4 the part of one that is enough."""
    if given in needed.tokens:
        return True
    return not (is_full or needed.is_whole) and any(
        len(given) >= RUN_DIGITS and token.endswith(given)
        if token.isdigit()
        else len(given) >= ID_CHARACTERS and token.startswith(given)
        for token in needed.tokens
    )


def _need(command: Command, args: argparse.Namespace, target: Target | None, names: tuple[str, ...]) -> Need:
    name = names[0] if names else "all"
    match command.name:
        case "env create":
            template = getattr(args, "workflow_template", "") or getattr(args, "template", "")
            return Need(level=2, what=f"creating an environment of {template}", consequence=_CREATE)
        case "env destroy":
            return _destroy(args, target)
        case "task clean":
            if names:
                what = f"killing {len(names)} task{'s' if len(names) > 1 else ''}"
                return Need(level=3, what=what, consequence=_CLEAN, tokens=names, yes_is_enough=True)
            what = "killing every task that belongs to no environment"
            return Need(level=4, what=what, consequence=_CLEAN, tokens=("all",))
        case "task transition":
            what = f"{args.event.upper()} of task {name}"
            return Need(level=2, what=what, consequence=_TRANSITION, tokens=names)
        case "task kill":
            is_forced = bool(getattr(args, "force", False))
            consequence = f"{_KILL} {_FORCED if is_forced else _UNFORCED}"
            what = f"killing task {name}{' by force' if is_forced else ''}"
            return Need(level=4 if is_forced else 3, what=what, consequence=consequence, tokens=names)
        case "host drain":
            return Need(level=2, what=f"draining host {name}", consequence=_DRAIN, tokens=names)
        case "host restart":
            is_forced = bool(getattr(args, "force", False))
            what = f"restarting the executor of host {name}{' by force' if is_forced else ''}"
            consequence = f"{_RESTART} {_FORCED_RESTART if is_forced else _UNFORCED_RESTART}"
            return Need(
                level=4 if is_forced else 3, what=what, consequence=consequence, tokens=names,
                yes_is_enough=not is_forced, is_whole=True,
            )  # fmt: skip
        case "repo rm":
            what, consequence = f"removing repository {name}", f"Templates of {name} can be used no more."
            return Need(level=4, what=what, consequence=consequence, tokens=names)
        case "repo default":
            what, consequence = f"making {name} the default", "Templates named without a repository come from it."
            return Need(level=3, what=what, consequence=consequence, tokens=names, yes_is_enough=True)
        case "repo default-revision":
            whose = f" of {names[1]}" if len(names) > 1 else ""
            consequence = "Templates named without a revision are taken from it, by everybody."
            what = f"making {name} the default revision{whose}"
            return Need(level=3, what=what, consequence=consequence, tokens=names, yes_is_enough=True)
        case _ if command.event or command.name == "env control":
            return _transition(command.event or event_of(args.event), args, target)
    return Need(level=command.level, what=f"{command.name} {name}" if names else command.name, tokens=names)


def _transition(event: str, args: argparse.Namespace, target: Target | None) -> Need:
    environment_id, run = _target(args, target)
    tasks = f"all {target.tasks_total} tasks" if target and target.tasks_total else "all tasks"
    hosts = f" on {target.hosts} host{'s' if target.hosts > 1 else ''}" if target and target.hosts else ""
    level, consequence = {
        "DEPLOY": (1, f"The core launches {tasks}{hosts}."),
        "CONFIGURE": (1, f"The core configures {tasks}{hosts}."),
        "START_ACTIVITY": (2, f"A new run begins: {tasks}{hosts} start to take data."),
        "STOP_ACTIVITY": (
            3,
            f"{f'Run {run}' if run else 'The run'} ends for good: {tasks}{hosts} stop taking data and stay configured.",
        ),
        "RESET": (1, f"The core takes the configuration from {tasks}{hosts}; they stay deployed."),
    }.get(event, (1, ""))
    tokens = (*((str(run),) if run else ()), environment_id)
    what = f"{event} of {environment_id}"
    return Need(level=level, what=what, consequence=consequence, tokens=tokens, has_run=has_run(target))


def _destroy(args: argparse.Namespace, target: Target | None) -> Need:
    environment_id, run = _target(args, target)
    is_running = has_run(target)
    is_forced = bool(getattr(args, "force", False))
    level = 4 if is_running or is_forced else 3
    tasks = "its tasks go on running, without an environment" if getattr(args, "keep_tasks", False) else ""
    if is_forced:
        consequence = (
            f"KILL: nothing is stopped or reset, {tasks or 'tasks are killed wherever they stand'}. The core still calls"
            f" the hooks of leaving the state and of DESTROY{f', and books the end of run {run}' if run else ''}."
        )
    else:
        stopped = f"Run {run} is stopped first. " if run else "The run is stopped first. " if is_running else ""
        consequence = (
            f"{stopped}SHUTDOWN: the environment is reset and removed, {tasks or 'its tasks come to a clean end'}."
        )
    return Need(
        level=level,
        what=f"destroying {environment_id}{' by force' if is_forced else ''}",
        consequence=consequence,
        tokens=(environment_id, *((str(run),) if run else ())),
        has_run=is_running,
        yes_is_enough=level == 3,
    )


def _target(args: argparse.Namespace, target: Target | None) -> tuple[str, int]:
    """Return id and run number; what was typed and 0 if nothing is known."""
    return (target.id, target.run_number) if target else (str(getattr(args, "env", "")), 0)


def _names_in(args: argparse.Namespace) -> tuple[str, ...]:
    """Return what the arguments themselves name: tasks, a repository, a revision."""
    if index := getattr(args, "index", ""):
        return (str(index),)
    for noun in ("task", "host"):
        if name := getattr(args, noun, ""):
            return (str(name),)
    return tuple(getattr(args, "tasks", ()) or getattr(args, "arguments", ()))


_CREATE = "The core takes the hosts and detectors, launches the tasks there and configures them."
_TRANSITION = "Only this task moves; its environment does not, and sees that they differ."
_KILL = "Its process is killed at once; for its environment it has died."
_UNFORCED = "A critical task of an environment in a run is left alone."
_FORCED = "If it is critical, its environment goes to ERROR and a run ends."
_DRAIN = "No new task is placed there until it is undrained, for nobody; what runs there goes on."
_RESTART = "Its process ends and a new one is started; the files of its tasks stay."
_UNFORCED_RESTART = "Tasks of no environment are ended in order; with a task of an environment there nothing is done."
_FORCED_RESTART = "All its tasks are killed at once; an environment that needs one goes to ERROR, and a run ends."
_CLEAN = "They are killed where they are; no environment uses them."
