"""The verb that shows what an environment would be, without making it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from console import resolve
from console.exit_codes import exit_code, usage
from console.glyphs import glyph
from console.present import short_class
from console.results import Context, Result
from console.table import Row, clean
from server.api.errors import CoreError, Reason

if TYPE_CHECKING:
    from server.api.model_plan import Plan, PlannedChannel, PlannedRole, PlannedTask


SHOWN = 40
"""So many roles that are not enabled are listed."""


async def plan(context: Context) -> Result:
    """Ask for a plan and show it; the exit code is what the creation's would be, as far as the plan can tell."""
    args = context.args
    template, variables = asked(context)
    found = await context.session.client.plan(template, variables)
    fatal = [one for one in found.problems if one.fatal]
    code = 0
    if fatal:
        reason = Reason(fatal[0].reason) if fatal[0].reason in Reason.__members__ else Reason.INTERNAL
        code = exit_code(CoreError(reason, fatal[0].message))
    drawing = _Drawing(found, commands=args.commands, channels=args.channels, ascii=context.ascii)
    return Result(
        facts=_facts(found),
        data=found,
        text=drawing.text(),
        ids=tuple(role.path for role in found.roles if role.task),
        code=code,
        problem=f"it would not be created: {len(fatal)} {'problem' if len(fatal) == 1 else 'problems'}"
        if fatal
        else "",
    )


def asked(context: Context) -> tuple[str, dict[str, str]]:
    """Return template and variables that the arguments of env create and env plan name.

    Raises:
        ExitError: no template, or two.
    """
    args, name = context.args, context.command.name
    template = args.workflow_template or args.template
    if not template:
        raise usage(f"{name}: no template", hint=f"aliecs {name} -w NAME; templ ls lists them")
    if args.workflow_template and args.template:
        raise usage(f"{name}: two templates, {args.workflow_template} and {args.template}")
    variables = resolve.variables(args.extra_vars)
    for key in ("hosts", "detectors"):
        if getattr(args, key):
            variables[key] = resolve.name_list(getattr(args, key))
    return template, variables


def _facts(plan: Plan) -> Row:
    tasks = [role.task for role in plan.roles if role.task]
    return {
        "template": plan.name,
        "repository": f"{plan.repo}@{plan.revision}",
        "hosts": " ".join(plan.hosts),
        "detectors": " ".join(plan.detectors),
        "tasks": f"{len(tasks)}, {sum(bool(task.host) for task in tasks)} of them with a host",
        "calls": sum(role.kind == "call" for role in plan.roles),
        "not enabled": len(plan.disabled),
        "warnings": len(plan.warnings),
        "problems": len(plan.problems),
    }


class _Drawing:
    """The text below the facts."""

    def __init__(self, plan: Plan, *, commands: bool, channels: bool, ascii: bool) -> None:
        self._plan = plan
        self._commands = commands
        self._channels = channels
        self._ascii = ascii
        self._children: dict[int | None, list[PlannedRole]] = {}
        for role in plan.roles:
            self._children.setdefault(role.parent, []).append(role)

    def text(self) -> str:
        plan = self._plan
        lines: list[str] = []
        for root in self._children.get(None, ()):
            lines += ["", *self._role(root, "", "")]
        if plan.disabled:
            more = len(plan.disabled) - SHOWN
            lines += ["", "not enabled:", *(f"  {path}" for path in plan.disabled[:SHOWN])]
            lines += [f"  and {more} more: -o json has them all"] if more > 0 else []
        if plan.warnings:
            lines += ["", "warnings:", *(f"  {warning}" for warning in plan.warnings)]
        if plan.problems:
            lines += ["", "problems:"]
            for one in plan.problems:
                lines.append(f"  {'' if one.fatal else '(not critical) '}{one.message}")
                lines += [f"    next: {one.hint}"] if one.hint else []
        return "".join(f"{clean(line) if line else ''}\n" for line in lines)

    def _role(self, role: PlannedRole, branch: str, below: str) -> Iterator[str]:
        yield f"{branch}{role.name}{_tail(role)}"
        children = self._children.get(role.order, [])
        bar, line = glyph("vertical", ascii=self._ascii), glyph("horizontal", ascii=self._ascii)
        for detail in self._details(role.task) if role.task else ():
            yield f"{below}{bar if children else ' '}    {detail}"
        for child in children:
            is_last = child is children[-1]
            corner = glyph("bottom_left" if is_last else "tee_left", ascii=self._ascii)
            yield from self._role(child, f"{below}{corner}{line} ", f"{below}{' ' if is_last else bar}  ")

    def _details(self, task: PlannedTask) -> Iterator[str]:
        command = task.command
        if self._commands and command:
            yield from (f"env {one}" for one in command.environment)
            words = " ".join(map(shlex.quote, command.arguments))
            user = f"as {command.user}: " if command.user else ""
            yield f"{user}{command.value if command.shell else shlex.quote(command.value)} {words}".rstrip()
        if self._channels:
            yield from map(_channel, task.channels)


def _tail(role: PlannedRole) -> str:
    parts: list[str] = []
    if task := role.task:
        ports = len(task.static_ports) + task.data_ports + int(task.control_port)
        parts.append(task.host or f"no host: {task.problem}")
        needs = f"{task.cpus:g} cpu, {task.memory_mb:g} MB, {ports} {'port' if ports == 1 else 'ports'}"
        parts.append(f"{short_class(task.class_id)} ({task.mode}, {needs})")
        if task.host and task.problem:
            parts.append(task.problem)
    if role.func:
        parts.append(f"{role.func} -> {role.return_var}" if role.return_var else role.func)
    if role.trigger:
        until = f", awaited at {role.await_}" if role.await_ != role.trigger else ""
        parts.append(f"at {role.trigger}{until}, within {role.timeout}")
    if role.kind != "aggregator" and not role.critical:
        parts.append("not critical")
    return "".join(f"  {part}" for part in parts)


def _channel(channel: PlannedChannel) -> str:
    if channel.binds:
        alias = f" as ::{channel.alias}" if channel.alias else ""
        return f"bind {channel.name} {channel.type} {channel.transport} {channel.address or 'nowhere'}{alias}"
    where = channel.address or "nowhere"
    target = f" ({channel.target})" if channel.target != where else ""
    return f"connect {channel.name} {channel.type} {channel.transport} {where}{target}"
