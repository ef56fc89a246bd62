"""The templates that clients may choose from, of all repositories and revisions (workflows-config.md 4.3).

Files of commits are read from git's objects and remembered by their content, so that listing two hundred tags reads few.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from occ.errors import AliecsError
from server.api.errors import CoreError, Reason
from server.template.documents import MAX_BYTES
from server.workflow.listing import TemplateListing
from server.workflow.loader import WorkflowLoader
from server.workflow.objects import EXECUTABLE, REGULAR, Entry, Objects
from server.workflow.register import Repositories
from server.workflow.repository import Repository

log = logging.getLogger(__name__)

MAX_REMEMBERED = 20_000
"""Files, over all repositories and revisions."""
_SUFFIX = ".yaml"


class Catalogue:
    """Lists templates. Used from one loop.

    Args:
        vars: of the configuration.
    """

    def __init__(
        self, repositories: Repositories, loader: WorkflowLoader, vars: Callable[[], Awaitable[Mapping[str, str]]]
    ) -> None:
        self._repositories = repositories
        self._loader = loader
        self._vars = vars
        self._known: dict[str, TemplateListing] = {}
        """By name of the template and object of its file."""
        self._files: dict[str, tuple[Entry, ...]] = {}
        """Of a commit."""

    async def templates(
        self, repo_pattern: str, revision_pattern: str, *, all_branches: bool, all_tags: bool, all_workflows: bool
    ) -> Sequence[TemplateListing]:
        """List templates by patterns; a var of the configuration replaces the default of a variable (core.md 1.7).

        A file that is no template is told in the log and left out.

        Raises:
            CoreError: INVALID_ARGUMENT for every failure: the patterns contradict each other, a repository cannot be
                read, a variable is declared twice.
        """
        try:
            selected = await self._repositories.select(
                repo_pattern, revision_pattern, all_branches=all_branches, all_tags=all_tags
            )
            values = await self._vars()
            listed: list[TemplateListing] = []
            for repository, revision in selected:
                for one in await self._of(repository, revision):
                    shown = msgspec.structs.replace(one, repo=repository.name, revision=revision)
                    if _is_shown(shown, every=all_workflows):
                        listed.append(_with_vars(shown, values))
            return listed
        except AliecsError as error:
            where = error.where if isinstance(error, CoreError) else {}
            message = f"cannot query available workflows for {repo_pattern or '*'}@{revision_pattern}: {error.message}"
            raise CoreError(Reason.BAD_REQUEST, message, hint=error.hint, **where) from error

    async def _of(self, repository: Repository, revision: str) -> list[TemplateListing]:
        objects, commit = await repository.commit(revision)
        if objects is None:
            return list((await self._loader.declarations(folder=repository.name))[0])
        if commit not in self._files:
            self._forget()
            found = await objects.entries(commit, "workflows")
            self._files[commit] = tuple(sorted(filter(_is_template, found), key=lambda entry: entry.path))
        entries = self._files[commit]
        known = {key: self._known[key] for key in map(_key, entries) if key in self._known}
        known |= await self._read(objects, commit, [entry for entry in entries if _key(entry) not in known])
        return [known[_key(entry)] for entry in entries]

    async def _read(self, objects: Objects, commit: str, entries: Sequence[Entry]) -> Mapping[str, TemplateListing]:
        if not entries:
            return {}
        contents = await objects.read(commit, entries)
        texts = {_key(entry): (_name(entry), contents[entry.object_id].decode("utf-8", "replace")) for entry in entries}
        _, declared = await self._loader.declarations(texts=texts)
        self._known.update(declared)
        return declared

    def _forget(self) -> None:
        if len(self._known) > MAX_REMEMBERED:
            self._known.clear()
            self._files.clear()


def _is_template(entry: Entry) -> bool:
    is_direct = entry.path.count("/") == 1 and entry.path.endswith(_SUFFIX)
    if is_direct and entry.size > MAX_BYTES:
        log.warning("template is not listed file=%s: it has %d bytes", entry.path, entry.size)
    return is_direct and entry.mode in (REGULAR, EXECUTABLE) and entry.size <= MAX_BYTES


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2].removesuffix(_SUFFIX)


def _key(entry: Entry) -> str:
    return f"{_name(entry)} {entry.object_id}"


def _is_shown(listing: TemplateListing, *, every: bool) -> bool:
    """Tell whether a template is listed.

    Raises:
        CoreError: it declares a variable twice.
    """
    problem = listing.problem
    if problem and problem.is_fatal and (listing.public or every):
        where = f"{listing.repo}@{listing.revision}"
        raise CoreError(
            Reason.TEMPLATE_BROKEN, f"{where}: {problem.message}", hint=problem.hint, **problem.where
        )  # fmt: skip
    if problem and not problem.is_fatal:
        log.warning("template is not listed repo=%s revision=%s: %s", listing.repo, listing.revision, problem.message)
    return problem is None and (listing.public or every)


def _with_vars(listing: TemplateListing, vars: Mapping[str, str]) -> TemplateListing:
    replaced = {
        name: spec if spec.is_var or name not in vars else msgspec.structs.replace(spec, default=vars[name])
        for name, spec in listing.variables.items()
    }
    return msgspec.structs.replace(listing, variables=replaced)
