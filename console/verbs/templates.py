"""Verbs about workflow templates."""

from __future__ import annotations

from itertools import groupby

from console.exit_codes import NOT_FOUND, ExitError
from console.results import Context, Result
from server.api.replies import TemplateListing


async def ls(context: Context) -> Result:
    """List templates by repository and revision."""
    args = context.args
    repo, revision = args.repository or "", args.revision or ""
    if args.pattern:
        repo, _, found_revision = args.pattern.partition("@")
        revision = found_revision or revision
    listings = await context.session.client.templates(
        repo,
        revision,
        all_branches=args.all_branches,
        all_tags=args.all_tags,
        all_workflows=args.all_workflows,
    )
    return Result(
        rows=tuple(
            {
                "repo": one.repo,
                "revision": one.revision,
                "template": one.template,
                "description": one.description,
                "variables": list(one.variables),
            }
            for one in listings
        ),
        columns=context.command.columns,
        text=_tree(listings),
        ids=tuple(f"{one.repo}/workflows/{one.template}@{one.revision}" for one in listings),
        empty="no templates found; --all-workflows lists those that are not public too",
    )


async def variables(context: Context) -> Result:
    """List the variables of one template."""
    name, _, revision = context.args.template.partition("@")
    repo, _, short = name.rpartition("/workflows/")
    listings = await context.session.client.templates(repo, revision, all_workflows=True)
    found = [one for one in listings if one.template == short.removesuffix(".yaml")]
    if not found:
        import difflib  # only a mistake needs it

        near = difflib.get_close_matches(short, [one.template for one in listings], n=1)
        raise ExitError(
            NOT_FOUND, f"no template {name}", hint=f"did you mean {near[0]}?" if near else "templ ls -a lists them"
        )
    specs = found[0].variables
    return Result(
        rows=tuple(
            {
                "name": spec.name,
                "type": spec.type,
                "default": spec.default,
                "allowed": spec.allowed,
                "panel": spec.panel,
                "label": spec.label,
                "description": spec.description,
                "widget": spec.widget,
                "visible_if": spec.visible_if,
                "enabled_if": spec.enabled_if,
            }
            for spec in specs
        ),
        columns=context.command.columns,
        ids=tuple(spec.name for spec in specs),
        empty=f"{name} offers no variables",
    )


def _tree(listings: tuple[TemplateListing, ...]) -> str:
    lines = []
    for repo, of_repo in groupby(listings, key=lambda one: one.repo):
        lines.append(repo)
        for revision, of_revision in groupby(of_repo, key=lambda one: one.revision):
            lines.append(f"  [revision] {revision}")
            for one in of_revision:
                title = one.description.strip().partition("\n")[0]
                lines.append(f"    {one.template}" + (f"  {title}" if title else ""))
    return "".join(f"{line}\n" for line in lines)
