"""The rules of the linter: their names, how severe they are, and what each says. Explained with examples: docs/lint.md."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Loading, deploying or configuring fails."""
    WARNING = "warning"
    """It works, but not as its author may have meant; or it fails as soon as something is switched on."""
    INFO = "info"
    """Good to know."""


class Rule(NamedTuple):
    severity: Severity
    summary: str


_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

RULES: dict[str, Rule] = {
    # files
    "bad-file": Rule(_ERROR, "a file cannot be read, is no YAML, or leads out of its repository"),
    "bad-template": Rule(_ERROR, "a template breaks a rule of its format"),
    "file-name": Rule(_ERROR, "the name of a template is not that of its file"),
    "unknown-key": Rule(_WARNING, "a key that nobody reads"),
    "empty-file": Rule(_WARNING, "an empty file is a workflow that does not exist"),
    "empty-item": Rule(_WARNING, "an empty item of a list, or a key that is null, does not count"),
    # expressions and variables
    "bad-expression": Rule(_ERROR, "an expression does not parse, or fails whatever its variables say"),
    "missing-variable": Rule(_ERROR, "a variable that nothing defines is needed"),
    "undefined-name": Rule(_WARNING, "a name that nothing defines, in a role that is off now"),
    "tolerated-name": Rule(_INFO, "a name that nothing defines counts as empty text"),
    "unknown-function": Rule(_ERROR, "an expression calls a function that does not exist"),
    "hidden-variable": Rule(_WARNING, "a variable that expressions cannot name, or a function of that name hides"),
    "dropped-variable": Rule(_WARNING, "a mapping without !public, a list or an alias is no variable"),
    "empty-section": Rule(_WARNING, "an empty defaults or vars hides what the roles above say"),
    "none-spelling": Rule(_WARNING, "only none in small letters means that nothing is set"),
    "colon-variable": Rule(_WARNING, "a given variable with a colon in its name is not used"),
    # roles
    "iterator-enabled": Rule(_WARNING, "a templated enabled removes an iterator"),
    "iterator-name": Rule(_WARNING, "all roles of an iterator have one name"),
    "enabled-fails": Rule(_WARNING, "an enabled that fails disables its role silently"),
    "enabled-word": Rule(_WARNING, "an enabled that says neither true nor false disables its role"),
    "include-wiring": Rule(_WARNING, "constraints and channels of an include role are lost"),
    "missing-template": Rule(_ERROR, "an include names no workflow template"),
    "missing-task": Rule(_ERROR, "a load names no task template"),
    "load-revision": Rule(_ERROR, "a load that names a revision gets a second one"),
    "missing-command": Rule(_ERROR, "a generated workflow has no command in jit/"),
    "duplicate-role": Rule(_WARNING, "two siblings have one name, and one of them is found by its path"),
    "private-root": Rule(_INFO, "a template that nothing includes is not offered to users"),
    # hooks and calls
    "unknown-moment": Rule(_WARNING, "a trigger or await names no moment that ever comes"),
    "bad-weight": Rule(_WARNING, "the weight of a moment is no number and counts as 0"),
    "bad-timeout": Rule(_ERROR, "a timeout is no duration"),
    "call-without-trigger": Rule(_WARNING, "a call without trigger never runs"),
    "await-without-trigger": Rule(_WARNING, "an await without trigger is not used"),
    "unknown-call": Rule(_WARNING, "a call names a function that no service has"),
    "call-return": Rule(_WARNING, "the result of a call is seen by nobody but the call itself"),
    # channels and constraints
    "dangling-channel": Rule(_ERROR, "a channel connects to what nothing binds"),
    "unused-channel": Rule(_INFO, "a channel that a role binds is connected to by nothing"),
    "duplicate-alias": Rule(_ERROR, "one global name of a channel is bound twice"),
    "empty-constraint": Rule(_WARNING, "a constraint without a value holds for no host"),
    "no-host": Rule(_WARNING, "no host of the inventory fulfils the constraints"),
    # public variables
    "duplicate-variable": Rule(_ERROR, "a public variable is declared twice, which fails the listing of all templates"),
    "bad-specification": Rule(_WARNING, "a public variable cannot be read and is not offered"),
    "unknown-type": Rule(_WARNING, "a type that does not exist counts as string"),
    "unknown-widget": Rule(_WARNING, "a widget that does not exist becomes an editBox"),
    "bad-condition": Rule(_WARNING, "a visibleif or enabledif is not understood, or names what is not offered"),
    "unknown-choice": Rule(_WARNING, "an offered value, or the default, leads nowhere"),
    "unused-variable": Rule(_INFO, "a public variable that no template names"),
    # task templates
    "unknown-mode": Rule(_WARNING, "a control mode that does not exist counts as direct"),
    "no-command": Rule(_ERROR, "a task template has no command to run"),
    "no-wants": Rule(_WARNING, "a task template without wants reserves nothing"),
    "bad-resources": Rule(_WARNING, "wants, limits or ports that no host can give"),
    "bad-output": Rule(_ERROR, "stdout and stderr are none, stdout or all"),
    "class-vars": Rule(_WARNING, "a var of a task template that its own default of that name beats"),
    "class-alias": Rule(_WARNING, "the global name of a channel in a task template is not rendered"),
    "class-target": Rule(_WARNING, "the target of a channel in a task template is not used"),
    "old-key": Rule(_INFO, "a key that has a newer name"),
    "bad-command": Rule(_ERROR, "the command or the properties of a task cannot be made"),
    "unused-task": Rule(_INFO, "a task template that no workflow of the repository loads"),
    # generated workflows
    "bad-address": Rule(_ERROR, "a configuration address in a command that cannot be read"),
}
