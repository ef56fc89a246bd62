"""From words to an order: a verb of the table with its arguments, the environment it is about, and why it cannot be now.

Plain values; nothing is sent and nothing is asked here. Who carries an order out: operator.py.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from console import gates, legality, resolve
from console.command import FLAG, LIST, SCREEN, Arg, Command
from console.exit_codes import ExitError, usage
from console.gates import Need
from console.legality import NOTHING, Pin
from console.parse import parse
from console.session import Session
from console.store import Store
from console.subjects import Subject
from server.api.model import Environment

OrderKey = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One act or question, as it will be carried out."""

    command: Command
    args: argparse.Namespace
    environment_id: str = ""
    """The environment it is about, "" for none."""
    names: tuple[str, ...] = ()
    """Of what else it is about, where that had to be looked up: repository and index, task ids."""

    @property
    def key(self) -> OrderKey:
        """What makes two orders the same act."""
        return tuple(words_of(self.command, self.args))

    @property
    def line(self) -> str:
        """The order as a line of the prompt, ids written out."""
        return shlex.join(words_of(self.command, self.args))

    @property
    def event(self) -> str:
        """The event as typed, of the verbs that take any."""
        is_any = self.command.name in ("env control", "task transition")
        return str(getattr(self.args, "event", "") or "") if is_any else ""

    @property
    def subject(self) -> Subject:
        """The task or host that it names."""
        return Subject.of(self.command, self.args)

    def target(self, store: Store) -> Environment | None:
        """Return the environment as it is now."""
        return store.environment(self.environment_id) if self.environment_id else None

    def pin(self, store: Store) -> Pin:
        """Return what there is to see of the environment now."""
        return Pin.of(self.environment_id, self.target(store))

    def need(self, store: Store) -> Need:
        """Return what it needs to be confirmed now."""
        return gates.need(self.command, self.args, self.target(store), names=self.names)


def read(words: Sequence[str], store: Store, *, in_use: str = "", endpoint: str = "") -> Order:
    """Return the order that the words give.

    Args:
        in_use: the environment that is meant where none is named.
        endpoint: of the core that is shown; another one cannot be named.

    Raises:
        ExitError: no such verb, bad arguments, or a name that stands for none or several.
        HelpAsked: ``--help`` is among the words.
    """
    command, args = parse(list(words), SCREEN, in_use=in_use)
    if args.endpoint and endpoint and args.endpoint != endpoint:
        raise usage(f"this screen is on {endpoint}", hint=f"another one: aliecs --endpoint {args.endpoint}")
    environment_id = str(getattr(args, "env", "") or "")
    if environment_id:
        found = resolve.choose(environment_id, store.environments())
        args.env = environment_id = found.id if found else environment_id
    names: tuple[str, ...] = ()
    subject = Subject.of(command, args)
    if subject.task_id:
        args.task = _task_id(subject.task_id, store)
        task = store.task(args.task)
        environment_id = task.environment_id if task and command.rpc else ""
    if command.rpc and any(subject):
        names = (args.task if subject.task_id else subject.host,)
    return Order(command=command, args=args, environment_id=environment_id, names=names)


def _task_id(word: str, store: Store) -> str:
    """Return the id of the task that a word begins; the word itself if the picture shows none such.

    Raises:
        ExitError: USAGE: it begins several.
    """
    known = [task.task_id for task in store.tasks() if task.task_id.startswith(word)]
    if word not in known and len(known) > 1:
        raise usage(f"{word} begins {len(known)} task ids", hint="add a character")
    return word if word in known or not known else known[0]


def why_not(order: Order, session: Session) -> str:
    """Say why it cannot be done now, "" if it can; being armed is another matter."""
    command, args = order.command, order.args
    is_forced = bool(getattr(args, "force", False))
    why = legality.reason(command, session, order.environment_id, event=order.event, is_forced=is_forced,
                          subject=order.subject)  # fmt: skip
    if not why and command.name == "env destroy":
        try:
            gates.check_running(args, order.target(session.store))
        except ExitError as error:
            return f"{error.message}: stop it first, or destroy it with -a"
    return why


def words_for(command: Command, store: Store, environment_id: str, subject: Subject = NOTHING) -> list[str]:
    """Return the words that give a command to what is selected as it is now, for a key or an entry of the palette."""
    words = command.name.split()
    if name := named_by(command, subject):
        return [*words, name]
    if environment_id and legality.takes_environment(command):
        words.append(environment_id)
        environment = store.environment(environment_id)
        if command.name == "env destroy" and environment is not None and gates.has_run(environment):
            words.append("--allow-in-running-state")
    return words


def named_by(command: Command, subject: Subject) -> str:
    """Return the task or host that is selected if the command is about one, "" else."""
    first = next((arg.name for arg in command.args if not arg.optional), "")
    return {"task": subject.task_id, "host": subject.host}.get(first, "")


def lacks_words(command: Command, subject: Subject = NOTHING) -> bool:
    """Say whether a command needs words that only the operator knows, beside what is selected."""
    known = {"env"} | ({command.args[0].name} if named_by(command, subject) else set())
    if command.name in ("env create", "env plan", "repo default-revision"):
        return True
    return any(
        arg.required or not (arg.name.startswith("--") or arg.optional or arg.kind == LIST or arg.name in known)
        for arg in command.args
    )


def words_of(command: Command, args: argparse.Namespace) -> list[str]:
    """Return the words that say what these arguments say, in the order of the table; for people to copy."""
    words = command.name.split()
    for arg in command.args:
        value = getattr(args, arg.name.lstrip("-").replace("-", "_"), None)
        words += _said(arg, value)
    return words


def _said(arg: Arg, value: object) -> list[str]:
    """Return the words of one argument, none if it says no more than its default."""
    if not value or value == arg.default:
        return []
    if not arg.name.startswith("--"):
        return [str(one) for one in value] if isinstance(value, list) else [str(value)]
    if arg.kind == FLAG:
        return [arg.name]
    values = value if isinstance(value, list) else [f"{value:g}s" if isinstance(value, float) else value]
    return [word for one in values for word in (arg.name, str(one))]
