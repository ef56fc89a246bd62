"""The console's verb ``conf``: looks at configuration stores and moves what is in them. The work: conf.py, transfer.py."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from occ.errors import AliecsError, ConfigError, DeadlineError, LinkError, RefusedError
from server.config.store import NotThereError
from server.config.transfer import ALL

HELP = "list, show, dump, import, export, compare and migrate the configuration"
DIFFERENT, FAILED, USAGE, UNREACHABLE, UNKNOWN, NOT_FOUND, PARTIAL, REFUSED = 1, 1, 2, 3, 4, 5, 8, 9
"""Exit codes, those of all verbs (clients.md 5.12); ``diff`` ends with 1 when there is a difference."""


ALIASES = {"l": "list", "ls": "list", "s": "show", "d": "dump", "i": "import", "imp": "import"}
"""Shorter names that people have in their fingers."""


class Add(Protocol):
    """How a verb is announced to the console."""

    def __call__(self, name: str, help: str, run: Callable[[list[str]], int]) -> None: ...


def register(add: Add) -> None:
    """Announce the verb."""
    add("conf", HELP, run)


def run(argv: list[str]) -> int:
    """Do what the rest of a command line says; returns the exit code."""
    arguments = build_parser().parse_args([ALIASES.get(word, word) for word in argv[:1]] + argv[1:])
    # Deferred: the console lists its verbs without any of this.
    from server.config.conf import VERBS

    try:
        return VERBS[arguments.verb](arguments)
    except AliecsError as error:
        sys.stderr.write(f"aliecs conf {arguments.verb}: {error}\n")
        return code_of(error)
    except BrokenPipeError:
        sys.stderr.close()  # who reads has seen enough
        return 0


def code_of(error: AliecsError) -> int:
    """Return the exit code that fits an error."""
    match error:
        case NotThereError():
            return NOT_FOUND
        case LinkError():
            return UNREACHABLE
        case DeadlineError():
            return UNKNOWN
        case RefusedError():
            return REFUSED
        case ConfigError():
            return USAGE
        case _:
            return FAILED


def default_uri() -> str:
    """Return the address that the core has by its environment, else that of the demo here, else the core's usual one."""
    if uri := os.environ.get("ALIECS_CONFIGSERVICEURI"):
        return uri
    folder = os.environ.get("ALIECS_COREWORKINGDIR") or (
        ".aliecs" if Path(".aliecs/configuration.yaml").exists() else "/var/lib/o2/aliecs"
    )
    return f"file://{Path(folder).absolute() / 'configuration.yaml'}"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the verb's own arguments."""
    parser = argparse.ArgumentParser(prog="aliecs conf", description=HELP, epilog="More: docs/configuration.md.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    one = _verb(verbs, "list", "components, or the entries of one, or the names in a folder")
    one.add_argument("what", nargs="?", default="", metavar="COMPONENT|KEY", help="a key begins with o2/")
    _output(one, "table", "yaml", "json")

    one = _verb(verbs, "show", "one payload; of an entry the one that fits run type and role best")
    one.add_argument("what", metavar="COMPONENT/RUNTYPE/ROLE/ENTRY|COMPONENT|KEY")
    one.add_argument("entry", nargs="?", default="", metavar="ENTRY", help="after a component")
    _query(one)
    one.add_argument("-s", "--simulate", action="store_true", help="render the payload, which is a template")
    one.add_argument(
        "-e", "--extra-vars", action="append", default=[], metavar="K=V", help="variable of the template; repeatable"
    )
    _output(one, "text", "yaml", "json")

    one = _verb(verbs, "dump", "all below a key as one document")
    one.add_argument("key", nargs="?", default=ALL, metavar="KEY", help=f"default {ALL}")
    _output(one, "yaml", "json")

    one = _verb(verbs, "export", "write all below a key into a file that import reads")
    one.add_argument("file", metavar="FILE", help="ending in .yaml or .json")
    _key(one)

    one = _verb(verbs, "import", "write a payload into an entry, or what a file of export has")
    one.add_argument("what", nargs="+", metavar="COMPONENT ENTRY FILE | FILE", help="FILE - of a payload is the input")
    _query(one)
    one.add_argument("-n", "--new-component", action="store_true", help="the component must not exist yet")
    _key(one)
    _writing(one)

    one = _verb(verbs, "diff", "compare the store with another one, or two others")
    one.add_argument("other", metavar="URI|FILE")
    one.add_argument("second", nargs="?", default="", metavar="URI|FILE", help="compare both, not the store")
    _key(one)
    _output(one, "table", "yaml", "json")

    one = _verb(verbs, "migrate", "bring all that one store has into another one", has_uri=False)
    one.add_argument("source", metavar="FROM")
    one.add_argument("target", metavar="TO")
    _key(one)
    _writing(one)
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help: str, *, has_uri: bool = True
) -> argparse.ArgumentParser:
    one = verbs.add_parser(name, help=help, description=help, allow_abbrev=False)
    if has_uri:
        one.add_argument(
            "--uri",
            default="",
            help="file:///path or consul://host:port; default: that of the core (environment), or .aliecs",
        )
    return one


def _output(one: argparse.ArgumentParser, *forms: str) -> None:
    one.add_argument("-o", "--output", choices=forms, default=forms[0], help=f"default {forms[0]}")


def _query(one: argparse.ArgumentParser) -> None:
    one.add_argument("-r", "--runtype", default="ANY", metavar="RUNTYPE", help="default ANY")
    one.add_argument("-l", "--role", default="any", metavar="ROLE", help="default any")


def _key(one: argparse.ArgumentParser) -> None:
    one.add_argument("-k", "--key", default=ALL, metavar="KEY", help=f"only what is there and below; default {ALL}")


def _writing(one: argparse.ArgumentParser) -> None:
    one.add_argument("--dry-run", action="store_true", help="only say what would be written")
    one.add_argument("--yes", action="store_true", help="write; without it nothing is")
