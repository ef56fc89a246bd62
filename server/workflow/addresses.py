"""How repositories are named: ``host/path/repo``, ``host:/path/repo``, ``/absolute/path`` (workflows-config.md 8.1)."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from server.api.errors import CoreError, Reason


class Protocol(StrEnum):
    """How a repository is reached."""

    HTTPS = "https"
    SSH = "ssh"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a repository is.

    Attributes:
        identifier: its name everywhere: without scheme, ``.git``, revision and trailing slash.
        revision: that stood behind the ``@``; "" for none.
    """

    protocol: Protocol
    identifier: str
    revision: str = ""

    @property
    def url(self) -> str:
        """What git is given; the path itself for a local repository."""
        match self.protocol:
            case Protocol.HTTPS:
                return f"https://{self.identifier}.git"
            case Protocol.SSH:
                return f"ssh://git@{self.identifier}.git"
            case Protocol.LOCAL:
                return self.identifier


def identify(name: str) -> Address:
    """Return the address that a name means; what follows ``/tasks`` is cut, so that task classes are names too.

    Raises:
        CoreError: a scheme, more than one ``@``, fewer than three parts, or characters that no repository has.
    """
    if "://" in name:
        _refuse(name, "write it without a scheme")
    path, _, revision = name.partition("@")
    if "@" in revision:
        _refuse(name, "there is more than one @ in it")
    end = path.find("/tasks/") if "/tasks/" in path else len(path.removesuffix("/tasks"))
    path = path[:end].rstrip("/")
    protocol = _protocol(path)
    if protocol is Protocol.LOCAL:
        path = _local(name, path)
    else:
        path = path.removesuffix(".git")
        _check_remote(name, path)
    if len(path.split("/")) < 3:
        _refuse(name, "it has too few parts")
    return Address(protocol, path, revision)


_DOT_BEFORE_SLASH = re.compile(r"[^./]\.[^/:]+/")
_PART = re.compile(r"[A-Za-z0-9_.~+][A-Za-z0-9_.~+-]*")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{0,5})?")


def _protocol(path: str) -> Protocol:
    if path.startswith("/"):  # also with a dot somewhere, which AliECS takes for a host
        return Protocol.LOCAL
    if ":" in path.partition("/")[0]:
        return Protocol.SSH
    if _DOT_BEFORE_SLASH.search(path):
        return Protocol.HTTPS
    return Protocol.SSH if ":" in path else Protocol.LOCAL


def _local(name: str, path: str) -> str:
    if not path.startswith("/"):
        _refuse(name, "it is neither a host nor an absolute path")
    if ".." in path.split("/") or not path.isprintable():
        _refuse(name, "a path of that form is not taken")
    return "/" + posixpath.normpath(path).lstrip("/")


def _check_remote(name: str, path: str) -> None:
    host, *parts = path.split("/")
    if not _HOST.fullmatch(host):
        _refuse(name, f"{host!r} is no host")
    for part in parts:
        if not _PART.fullmatch(part) or part in (".", "..", ".git"):
            _refuse(name, f"{part!r} is no part of a path")


def _refuse(name: str, why: str) -> NoReturn:
    raise CoreError(
        Reason.REPOSITORY,
        f"repository {name!r}: {why}",
        hint="expected host.name/path/repo for https, host:/path/repo for ssh or /absolute/path/repo",
    )
