"""Repositories as a load sees them: their names, and where the files of a revision are (workflows-config.md 8.4).

Reads nothing and asks nobody: what is not known is fetched by a function that the load is given. The core's side: register.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import msgspec

from server.api.errors import CoreError, Reason
from server.workflow.addresses import identify

LOCAL = "local"
"""The revision of a repository that is opened in place."""


class RepositoryInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A repository as clients see it."""

    name: str
    is_default: bool = False
    default_revision: str = LOCAL
    revisions: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True, tag="source", kw_only=True):
    """The files of one revision of a repository."""

    repo: str
    revision: str
    """As people name it."""
    hash: str
    folder: str


class Wanted(msgspec.Struct, frozen=True, tag="wanted", kw_only=True):
    """A revision that a load needs."""

    repo: str
    revision: str = ""
    """"" for the default one."""
    may_add: bool = False
    """A remote repository that is not known may be added (workflows-config.md 3.1)."""


Fetch = Callable[[Wanted], Source]
"""Gives the files of a revision; raises CoreError."""


class RepositorySet(msgspec.Struct, frozen=True, kw_only=True):
    """The repositories that a load may use without asking."""

    hashes: dict[str, str]
    """By identifier, of what is used without a revision; "" means that it must be fetched."""
    default: str = ""
    """Identifier, "" for none."""
    folders: dict[str, str] = {}
    """Where repositories are whose identifier is not a path of this machine."""

    def source(self, repo: str) -> Source | None:
        """Return the files of a repository that need not be fetched."""
        commit = self.hashes.get(repo, "")
        if not commit:
            return None
        return Source(repo=repo, revision=LOCAL, hash=commit, folder=str(Path(self.folders.get(repo, repo))))


def split(expression: str, default: str) -> tuple[str, str, str]:
    """Return repository, template and revision ("" for none) of ``[<repo>/workflows/]<name>[.yaml][@<revision>]``.

    Args:
        default: repository of an expression without one.

    Raises:
        CoreError: malformed.
    """
    if "://" in expression:
        raise CoreError(
            Reason.BAD_REQUEST, f"template {expression!r}: addresses with a scheme are not implemented",
            hint="write host/path/repo/workflows/name",
        )  # fmt: skip
    body, _, revision = expression.partition("@")
    if "@" in revision or body.count("/workflows/") > 1:
        raise CoreError(
            Reason.BAD_REQUEST, f"template {expression!r}: expected [<repository>/workflows/]<name>[@<revision>]"
        )
    repo, _, name = body.rpartition("/workflows/")
    if not (repo or default):
        raise CoreError(Reason.REPOSITORY, "there is no default repository", hint="aliecs repo add REPOSITORY")
    return _identifier(repo) if repo else default, name.removesuffix(".yaml"), revision


def _identifier(repo: str) -> str:
    try:
        return identify(repo).identifier
    except CoreError:
        return repo  # which nobody knows


def unknown_repository(repo: str, known: list[str]) -> CoreError:
    """Return the error of a template that comes from nowhere."""
    repo = repo[:_SHOWN]
    near = difflib.get_close_matches(repo, known, 3) or sorted(known)[:5]
    return CoreError(
        Reason.REPOSITORY, f"workflow public info parsing failed: Workflow comes from an unknown repo {repo}",
        hint=f"known are {', '.join(near) or 'none'}",
    )  # fmt: skip


_SHOWN = 300
"""Characters of what somebody took for a repository."""
