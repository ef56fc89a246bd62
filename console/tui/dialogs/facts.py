"""What a dialog says about an order: the environment or things it is about, what will happen, how long that usually takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console import resolve
from console.equipment import hosts_of
from console.gates import Need
from console.present import age, drained, names, short_class
from console.safety import Arming
from console.session import Session
from console.tui.dialogs.base import Fact, Row, Rows
from console.tui.order import Order
from console.tui.order import why_not as why_not_now
from server.api.model import Environment

if TYPE_CHECKING:
    from console.tui.looks import Styles

LIST_CHARACTERS = 100
SHORT_LIST_CHARACTERS = 40
"""Of detectors or hosts, about two lines of a dialog, or one where there is little room."""
THINGS_SHOWN = 6
"""Tasks or variables at most; the rest is counted."""

BUTTONS = {
    "env create": "Create", "env deploy": "Deploy", "env configure": "Configure", "env start": "Start the run",
    "env stop": "Stop the run", "env reset": "Reset", "env destroy": "Destroy", "task clean": "Kill", "repo add": "Add",
    "repo rm": "Remove", "repo refresh": "Refresh", "repo default": "Make it the default",
    "repo default-revision": "Make it the default", "task transition": "Send it", "task kill": "Kill",
    "host drain": "Drain", "host undrain": "Let tasks in", "host restart": "Restart",
}  # fmt: skip
"""What is written on the button that does it."""


def button_of(order: Order) -> str:
    """Return the word for doing it."""
    if getattr(order.args, "force", False):
        return "Kill and restart" if order.command.name == "host restart" else "Kill"
    return BUTTONS.get(order.command.name, "Do it")


def rows_of(order: Order, needed: Need, session: Session, looks: Styles, *, is_short: bool = False) -> Rows:
    """Return the facts of an order, then what will happen.

    Args:
        is_short: there is little room.
    """
    room = SHORT_LIST_CHARACTERS if is_short else LIST_CHARACTERS
    facts: list[Fact] = []
    target = order.target(session.store)
    if order.subject.task_id:
        facts += _task_facts(order, session, looks)
        facts += environment_facts(target, session, looks, room)[: 2 if target.run_number else 1] if target else []
    elif order.subject.host:
        facts += _host_facts(order.subject.host, session, looks)
    elif target is not None:
        facts += environment_facts(target, session, looks, room)
    elif order.command.name == "env create":
        facts += _creation_facts(order, looks, room)
    elif order.command.name == "task clean":
        facts += _task_facts(order, session, looks)
    elif order.names:
        facts.append(Fact("About", [(" ".join(order.names), looks.bold)]))
    facts.append(Fact("Command", [(order.line, looks.dim)]))
    rows: list[Row] = [*facts]
    if needed.consequence:
        rows += [[], [(needed.consequence, looks.bold if needed.level >= 3 else looks.text)]]
    return rows


def dry_rows(order: Order, session: Session, arming: Arming, looks: Styles) -> Rows:
    """Return what an order would ask of the core, what it needs, and whether it is possible now."""
    needed = order.need(session.store)
    command = order.command
    rpc = f"{command.rpc}({order.event or command.event})" if command.event or order.event else command.rpc
    asks = {0: "nothing", 1: "to be armed and one Enter", 2: "a confirmation", 3: f"{needed.short_token} to be typed",
            4: f"{needed.token} to be typed, and a reason"}[needed.level]  # fmt: skip
    why_not = why_not_now(order, session) or ("" if arming.is_armed or not needed.level else "observing: arm first")
    now = [("possible", looks.good)] if not why_not else [(why_not, looks.warn)]
    return [
        Fact("Order", [(needed.what, looks.bold)]),
        Fact("Asks the core", [(rpc or "nothing that changes anything", looks.text)]),
        Fact("Asks you", [(f"{asks}  (level {needed.level})", looks.text)]),
        Fact("Now", now),
        Fact("Command", [(order.line, looks.dim)]),
        *([[], [(needed.consequence, looks.text)]] if needed.consequence else []),
    ]


def environment_facts(
    environment: Environment, session: Session, looks: Styles, room: int = LIST_CHARACTERS
) -> list[Fact]:
    """Return what tells an environment from the others."""
    look = looks.look(environment.state)
    since = ""
    if environment.state_since_ms:
        since = f"  for {age(session.now() - environment.state_since_ms / 1000)}"
    facts = [Fact("Environment", [(environment.id, looks.bold), ("  ", looks.text),
                                  (f"{look.glyph} {look.code}", look.style), (since, looks.dim)])]  # fmt: skip
    if environment.run_number:
        facts.append(Fact("Run", [(str(environment.run_number), looks.bold)]))
    template = "  ".join(part for part in (environment.template, environment.description) if part)
    facts.append(Fact("Template", [(template or "-", looks.text)]))
    if environment.run_type:
        facts.append(Fact("Run type", [(environment.run_type, looks.text)]))
    facts.append(Fact("Detectors", [(names(environment.detectors, room), looks.text)]))
    hosts = hosts_of(environment.user_vars) or tuple(sorted({it.host for it in session.store.tasks(environment.id)}))
    tasks = f"{environment.tasks_total} task{'' if environment.tasks_total == 1 else 's'}"
    counted = f"  ({environment.hosts or len(hosts)}, {tasks})"
    facts.append(Fact("Hosts", [(names(hosts, room), looks.text), (counted, looks.dim)]))
    owner = environment.owner.name
    if owner and owner != session.client.user:
        facts.append(Fact("Owner", [(owner, looks.warn), ("  not you", looks.warn)]))
    elif owner:
        facts.append(Fact("Owner", [(owner, looks.text), ("  you", looks.dim)]))
    return facts


def _creation_facts(order: Order, looks: Styles, room: int) -> list[Fact]:
    args = order.args
    facts = [Fact("Template", [(args.workflow_template or args.template or "-", looks.bold)])]
    for label, given in (("Detectors", args.detectors), ("Hosts", args.hosts)):
        if given:
            listed = tuple(name.strip() for name in given.split(",") if name.strip())
            facts.append(Fact(label, [(names(listed, room), looks.text)]))
    variables = resolve.variables(args.extra_vars)
    for key, value in list(variables.items())[:THINGS_SHOWN]:
        facts.append(Fact(key, [(value, looks.text)]))
    if len(variables) > THINGS_SHOWN:
        facts.append(Fact("", [(f"and {len(variables) - THINGS_SHOWN} more variables", looks.dim)]))
    return facts


def _host_facts(name: str, session: Session, looks: Styles) -> list[Fact]:
    host = session.store.hosts.get(name)
    if host is None:
        return [Fact("Host", [(name, looks.bold), ("  not known here", looks.warn)])]
    about = f"  {host.executor_state.lower()}  {host.tasks} task{'' if host.tasks == 1 else 's'}"
    facts = [Fact("Host", [(name, looks.bold), (about, looks.text)])]
    users = sorted({task.environment_id for task in session.store.tasks() if task.host == name and task.environment_id})
    if users:
        facts.append(Fact("Used by", [(names(tuple(users)), looks.text)]))
    if host.drain:
        facts.append(Fact("Drained", [(drained(host.drain), looks.warn)]))
    return facts


def _task_facts(order: Order, session: Session, looks: Styles) -> list[Fact]:
    store = session.store
    if order.names:
        known = [store.task(name) for name in order.names]
    else:
        known = [task for task in store.tasks() if not task.locked]
    facts = []
    for task in [task for task in known if task is not None][:THINGS_SHOWN]:
        look = looks.look(task.state, critical=task.critical)
        where = f"  {short_class(task.name or task.class_name)} on {task.host}"
        facts.append(Fact("Task", [(task.task_id, looks.bold), (where, looks.text), (f"  {look.code}", look.style)]))
    if len(known) > THINGS_SHOWN:
        facts.append(Fact("", [(f"and {len(known) - THINGS_SHOWN} more", looks.dim)]))
    return facts
