"""Verbs that look at roles."""

from __future__ import annotations

from collections.abc import Iterator

from console import resolve
from console.glyphs import glyph
from console.present import look
from console.results import Context, Result
from console.table import Row
from server.api.replies import RoleInfo

_LAYERS = (
    ("role defaults", "defaults"),
    ("role variables", "vars"),
    ("user-provided variables", "user_vars"),
    ("consolidated stack", "consolidated_stack"),
)


async def query(context: Context) -> Result:
    """Show the roles that match a glob."""
    found = await resolve.environment(context.session, context.args.env)
    environment_id = found.id if found else context.args.env
    roles = await context.session.client.roles(environment_id, context.args.path)
    blocks = []
    for number, role in enumerate(roles):
        lines = [f"({number})", f"role path: {role.path}", f"status:    {role.status}", f"state:     {role.state}"]
        for label, name in _LAYERS:
            values = getattr(role, name)
            if values:
                lines += [f"{label}:", *(f"  {key}: {value or '<empty>'}" for key, value in sorted(values.items()))]
        blocks.append("\n".join(lines))
    return Result(
        rows=tuple({"path": role.path, "state": role.state, "status": role.status, "role": role} for role in roles),
        columns=context.command.columns,
        text="\n\n".join(blocks) + "\n" if blocks else "",
        ids=tuple(role.path for role in roles),
        empty=f"no role matches {context.args.path}",
        environment_id=environment_id,
    )


async def tree(context: Context) -> Result:
    """Show the whole tree of an environment."""
    found = await resolve.environment(context.session, context.args.env)
    details = await context.session.client.environment(found.id if found else context.args.env, workflow=True)
    root = details.workflow
    if root is None:
        return Result(rows=(), empty="the core sent no tree")
    rows = tuple(_rows(root))
    return Result(
        rows=rows,
        columns=context.command.columns,
        data=[{"workflow": root}],
        text=render_tree(root, ascii=context.ascii),
        ids=tuple(row["path"] for row in rows),
        environment_id=details.environment.id,
    )


def _rows(role: RoleInfo) -> Iterator[Row]:
    task = role.task_ids[0] if len(role.task_ids) == 1 and not role.roles else ""
    yield {"path": role.path, "name": role.name, "state": role.state, "status": role.status, "task": task}
    for child in role.roles:
        yield from _rows(child)


def render_tree(role: RoleInfo, *, ascii: bool = False) -> str:
    """Return a role and all below it, one per line: sign, code, name, task of a leaf."""
    mark, last, bar = (glyph(name, ascii=ascii) for name in ("tee_left", "bottom_left", "vertical"))
    line = glyph("horizontal", ascii=ascii)

    def lines(role: RoleInfo, branch: str, below: str) -> str:
        shown = look(role.state)
        sign = shown.ascii if ascii else shown.glyph
        task = f"  task {role.task_ids[0]}" if len(role.task_ids) == 1 and not role.roles else ""
        text = f"{branch}{sign} {shown.code} {role.name}{task}\n"
        for child in role.roles[:-1]:
            text += lines(child, f"{below}{mark}{line} ", f"{below}{bar}  ")
        for child in role.roles[-1:]:
            text += lines(child, f"{below}{last}{line} ", f"{below}   ")
        return text

    return lines(role, "", "")
