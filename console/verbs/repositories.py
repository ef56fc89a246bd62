"""Verbs about template repositories. They are named by their index in ``repo ls``, as in AliECS."""

from __future__ import annotations

from console import gates
from console.exit_codes import NOT_FOUND, UNCLASSIFIED, ExitError, usage
from console.results import Context, Result
from console.session import Session
from server.api.replies import RepoInfo


async def ls(context: Context) -> Result:
    """List repositories in the order that gives them their index."""
    listing = await context.session.client.repos(revisions=context.args.revisions)
    context.say(f"global default revision: {listing.global_default_revision or '-'}")
    columns = (*context.command.columns, *(("revisions",) if context.args.revisions else ()))
    return Result(
        rows=tuple(
            {
                "id": index,
                "repository": repo.name,
                "default": "YES" if repo.is_default else "",
                "default_revision": repo.default_revision or listing.global_default_revision,
                "revisions": repo.revisions,
            }
            for index, repo in enumerate(listing.repos)
        ),
        columns=columns,
        ids=tuple(repo.name for repo in listing.repos),
        empty="no repositories",
    )


async def add(context: Context) -> Result:
    """Add a repository."""
    if not context.args.url.startswith("/"):
        context.say(f"the core clones {context.args.url}, which may take minutes")
    revision, info = await context.session.client.add_repo(context.args.url, context.args.default_revision or "")
    return Result(facts={"repository": context.args.url, "default_revision": revision, "info": info})


async def rm(context: Context) -> Result:
    """Remove a repository; its index is checked first, AliECS's client took 0 for anything it could not read."""
    index, repo = await chosen(context.session, context.args.index)
    gates.confirm(context, gates.need(context.command, context.args, names=(repo.name, str(index))))
    new_default = await context.session.client.remove_repo(index)
    return Result(facts={"removed": repo.name, "new_default": new_default})


async def refresh(context: Context) -> Result:
    """Fetch one repository, or all."""
    if not context.args.index:
        await context.session.client.refresh_repos()
        return Result(facts={"refreshed": "all"})
    index, repo = await chosen(context.session, context.args.index)
    await context.session.client.refresh_repos(index)
    return Result(facts={"refreshed": repo.name})


async def default(context: Context) -> Result:
    """Make a repository the default one."""
    index, repo = await chosen(context.session, context.args.index)
    gates.confirm(context, gates.need(context.command, context.args, names=(repo.name, str(index))))
    await context.session.client.set_default_repo(index)
    return Result(facts={"default": repo.name})


async def default_revision(context: Context) -> Result:
    """Set the default revision of all repositories or of one."""
    words = context.args.arguments
    if len(words) not in (1, 2):
        raise usage("repo default-revision takes REVISION, or INDEX REVISION")
    client = context.session.client
    if len(words) == 1:
        gates.confirm(context, gates.need(context.command, context.args))
        await client.set_global_default_revision(words[0])
        return Result(facts={"global_default_revision": words[0]})
    index, repo = await chosen(context.session, words[0])
    gates.confirm(context, gates.need(context.command, context.args, names=(words[1], repo.name, str(index))))
    told = (await client.set_repo_default_revision(index, words[1])).splitlines()
    if any(" " in line for line in told):  # a reason: names of revisions have no blanks
        raise ExitError(UNCLASSIFIED, " ".join(told))
    if told:
        raise ExitError(NOT_FOUND, f"{repo.name} has no revision {words[1]}", hint=f"it has {', '.join(told)}")
    _, now = await chosen(context.session, repo.name)
    return Result(facts={"repository": repo.name, "default_revision": now.default_revision or words[1]})


async def chosen(session: Session, word: str) -> tuple[int, RepoInfo]:
    """Return the repository that an index or a name means; ExitError if it means none."""
    repos = (await session.client.repos()).repos
    by_name = [index for index, repo in enumerate(repos) if repo.name == word]
    if not by_name and not word.isdigit():
        raise usage(f"{word} is neither an index nor the name of a repository", hint="repo ls shows both")
    index = by_name[0] if by_name else int(word)
    if index >= len(repos):
        raise ExitError(NOT_FOUND, f"there is no repository {index}", hint=f"repo ls shows 0 to {len(repos) - 1}")
    return index, repos[index]
