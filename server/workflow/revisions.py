"""Branches and tags of a repository, and which of them a name or a pattern means (workflows-config.md 8.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from server.api.errors import CoreError, Reason
from server.globs import GlobError, name_matcher

REF_FORMAT = "%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname)"
"""For ``git for-each-ref``: kind and object, the same of what an annotated tag points to, name."""
HEADS, REMOTE_HEADS, TAGS = "refs/heads/", "refs/remotes/origin/", "refs/tags/"
_HASH = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Refs:
    """Names to objects. What names no commit is not among them, nor names that begin with a dash or cannot be shown."""

    branches: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def listed(self) -> tuple[str, ...]:
        """What clients are shown: branches without a slash."""
        return tuple(name for name in self.branches if "/" not in name)

    def find(self, revision: str) -> str | None:
        """Return the object of a branch, or else of a tag."""
        return self.branches.get(revision) or self.tags.get(revision)

    def match(self, pattern: str, *, branches: bool = True, tags: bool = True) -> list[str]:
        """Return the names that match, branches first, each once; a full hash is its own name.

        Raises:
            CoreError: the pattern is no glob.
        """
        if is_hash(pattern):
            return [pattern]
        matches = matcher(pattern)
        found = dict.fromkeys(name for name in self.branches if branches and matches(name))
        return list(found | dict.fromkeys(name for name in self.tags if tags and matches(name)))


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for names of repositories or revisions.

    Raises:
        CoreError: the pattern is no glob.
    """
    try:
        return name_matcher(pattern)
    except GlobError as error:
        raise CoreError(
            Reason.BAD_REQUEST, f"bad pattern {pattern!r}: {error}", hint="* ? [a-z] {one,two} are understood"
        ) from None


def is_hash(text: str) -> bool:
    """True for a full commit hash."""
    return _HASH.fullmatch(text) is not None


def read_refs(output: str, branches: Sequence[str]) -> Refs:
    """Read what ``git for-each-ref`` says.

    Args:
        branches: prefixes of branches, the stronger one first.
    """
    found: dict[str, dict[str, str]] = {prefix: {} for prefix in (*branches, TAGS)}
    for line in output.split("\n")[:-1]:  # a name may have what else splits lines
        own_kind, own, peeled_kind, peeled, ref = line.split(" ", 4)
        if (peeled_kind or own_kind) not in ("commit", "tag"):
            continue  # of a file or a folder alone
        for prefix, names in found.items():
            name = ref.removeprefix(prefix)
            if name != ref and not name.startswith("-") and name.isprintable() and name != "HEAD":
                names[name] = peeled or own
    merged: dict[str, str] = {}
    for prefix in reversed(branches):
        merged |= found[prefix]
    return Refs(dict(sorted(merged.items())), found[TAGS])
