"""What a loaded workflow is: plain values without behaviour, serialisable with msgspec.

They cross from the loader's process into the core and stand in the journal, so a field may be added, never renamed.
How they come to be: load.py. What an environment makes of them: server/environment/tree.py.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all values here."""


class RoleKind(StrEnum):
    """Kinds of roles in a resolved tree; iterators and includes are gone by then (core.md 3.1)."""

    AGGREGATOR = "aggregator"
    TASK = "task"
    CALL = "call"


class Traits(Value, frozen=True):
    """When a leaf acts and what its failure means (core.md 2.8.1)."""

    trigger: str = ""
    """``moment[+N|-N]``; "" for a task that is no hook and for a call that never runs."""
    await_: str = msgspec.field(default="", name="await")
    """Same syntax; equals trigger unless given."""
    timeout: str = "0s"
    """Go duration text, rendered."""
    critical: bool = True


class Constraint(Value, frozen=True):
    """Attribute equality; the attribute of a host may hold a comma-separated set."""

    attribute: str
    value: str


class Inbound(Value, frozen=True):
    """A channel that a task binds (workflows-config.md 2.8)."""

    name: str
    type: str = ""
    snd_buf_size: int = 1000
    rcv_buf_size: int = 1000
    rate_logging: str = "0"
    transport: str = "default"
    target: str = ""
    alias: str = ""
    """The ``global`` key: known as ``::<alias>`` in the whole environment."""
    addressing: str = "tcp"


class Outbound(Value, frozen=True):
    """A channel that a task connects to ``target``."""

    name: str
    type: str = ""
    snd_buf_size: int = 1000
    rcv_buf_size: int = 1000
    rate_logging: str = "0"
    transport: str = "default"
    target: str = ""


class LoadedRole(Value, frozen=True):
    """One role of the resolved tree, with its own layers only; parents are found by nesting."""

    name: str
    kind: RoleKind
    defaults: dict[str, str] = {}
    vars: dict[str, str] = {}
    cuts_defaults: bool = False
    """``defaults:`` was null: ancestors' defaults are invisible from here down (workflows-config.md 2.3)."""
    cuts_vars: bool = False
    constraints: tuple[Constraint, ...] = ()
    bind: tuple[Inbound, ...] = ()
    connect: tuple[Outbound, ...] = ()
    traits: Traits | None = None
    """Of task and call roles."""
    load: str = ""
    """Task roles: identifier of the task class, ``<repo>/tasks/<name>@<hash>``."""
    func: str = ""
    """Call roles: expression without braces."""
    return_var: str = ""
    """Call roles: name of the variable that receives the result."""
    include: str = ""
    """What an include role named; the role is an aggregator by now (workflows-config.md 2.7)."""
    include_defaults: tuple[str, ...] = ()
    """Names in ``defaults`` that come from the include role and not from the file that it included."""
    include_vars: tuple[str, ...] = ()
    enabled: bool = True
    """False only for a root: the whole tree is empty then."""
    roles: tuple[LoadedRole, ...] = ()


class Command(Value, frozen=True):
    """Command part of a task class, unrendered."""

    value: str = ""
    shell: bool = False
    user: str = ""
    env: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    stdout: str | None = None
    stderr: str | None = None


class Wants(Value, frozen=True):
    """Resources that one task needs."""

    cpu: float = 0.0
    """Cores."""
    memory: float = 0.0
    """MB."""
    ports: tuple[tuple[int, int], ...] = ()
    """Static port ranges, inclusive."""


class TaskClass(Value, frozen=True):
    """A task template (workflows-config.md 5)."""

    identifier: str
    name: str
    mode: str = "direct"
    defaults: dict[str, str] = {}
    vars: dict[str, str] = {}
    properties: dict[str, str] = {}
    wants: Wants = Wants()
    cpu_limit: float | None = None
    memory_limit: float | None = None
    bind: tuple[Inbound, ...] = ()
    connect: tuple[Outbound, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    command: Command = Command()
    places: dict[str, tuple[int, int]] = {}
    """Line and column of every value with an expression in it, by its key: ``defaults.a``, ``value``, ``arguments[0]``."""


class TemplateInfo(Value, frozen=True):
    """Where a workflow came from and what it says of itself."""

    expression: str
    """As the user gave it."""
    name: str
    description: str = ""
    """Only if tagged public."""
    public: bool = False
    repo: str = ""
    revision: str = ""
    hash: str = ""


class LoadedWorkflow(Value, frozen=True):
    """A resolved workflow: the tree, its task classes and its origin."""

    template: TemplateInfo
    root: LoadedRole
    classes: dict[str, TaskClass] = {}
    warnings: tuple[str, ...] = ()
    """What the template does that its author may not have meant, each with file and line (workflows-config.md 13)."""
