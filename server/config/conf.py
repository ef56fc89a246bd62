"""What the sub commands of ``aliecs conf`` do: read stores, compare them, and write where that is confirmed."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from occ.errors import ConfigError, RefusedError
from server.config import components
from server.config.address import parse_address
from server.config.components import Query
from server.config.file_text import dump, dump_json
from server.config.open import open_store
from server.config.services import StoreServices
from server.config.store import NotThereError, Store, TextChange, segments
from server.config.transfer import Difference, Plan, content, differences
from server.config.tree import Folder, with_change
from server.config.verb import DIFFERENT, PARTIAL, default_uri

SHOWN = 40
"""Characters of a text of one line in a list of changes."""


def list_names(arguments: argparse.Namespace) -> int:
    """List components, entries of a component, or names in a folder."""
    with opened(arguments.uri) as store:
        if not arguments.what:
            found = components.components(store)
        elif _is_key(arguments.what):
            _must_exist(store, arguments.what)
            found = store.names(arguments.what)
        else:
            found = components.entries(store, arguments.what)
    _write(
        {"table": "".join(f"{name}\n" for name in found), "yaml": _yaml_list(found), "json": _json(found)}, arguments
    )
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show one payload."""
    with opened(arguments.uri) as store:
        if _is_key(arguments.what) and not arguments.entry:
            path, text = arguments.what, store.get(arguments.what)
            if text is None:
                _must_exist(store, arguments.what)
                raise NotThereError(f"{path} in {store.uri} is a folder", hint=f"aliecs conf dump {path}")
        else:
            asked = components.parse_query(_path(arguments, arguments.what, arguments.entry))
            query = components.resolve(store, asked)
            if query != asked:
                sys.stderr.write(f"{asked.path} is not there, {query.path} is\n")
            path, text = query.path, _payload(store, query, arguments)
    tree: Folder = {"path": path, "payload": text}
    _write(
        {"text": text if text.endswith("\n") else f"{text}\n", "yaml": dump(tree), "json": dump_json(tree)}, arguments
    )
    return 0


def dump_tree(arguments: argparse.Namespace) -> int:
    """Write all below a key as one document."""
    with opened(arguments.uri) as store:
        _must_exist(store, arguments.key)
        head = "/".join(segments(arguments.key))
        texts = content(store, arguments.key)
        if head in texts:
            tree: Folder = {segments(head)[-1]: texts[head]}
        else:
            tree = _tree({key.removeprefix(f"{head}/"): text for key, text in texts.items() if key != f"{head}/"})
    _write({"yaml": dump(tree), "json": dump_json(tree)}, arguments)
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write all at and below a key into a file, with full keys."""
    file = Path(arguments.file)
    is_json = file.suffix.lower() == ".json"
    if not is_json and file.suffix.lower() not in (".yaml", ".yml"):
        raise ConfigError(f"{file}: in which form?", hint="name a file that ends in .yaml or .json")
    with opened(arguments.uri) as store:
        _must_exist(store, arguments.key)
        texts = content(store, arguments.key)
    tree = _tree(texts)
    try:
        file.write_text(dump_json(tree) if is_json else dump(tree), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    sys.stdout.write(f"{len(texts)} keys written to {file}\n")
    return 0


def import_(arguments: argparse.Namespace) -> int:
    """Write a payload into an entry, or what a file has into the store."""
    match arguments.what:
        case [file]:
            if arguments.new_component:
                raise ConfigError("--new-component is for one entry", hint="aliecs conf import COMPONENT ENTRY FILE")
            with opened(_uri(file)) as source, opened(arguments.uri, is_target=True) as target:
                return _carry_over(source, target, arguments)
        case [component, entry, file]:
            query = components.parse_query(_path(arguments, component, entry))
            with opened(arguments.uri, is_target=True) as store:
                return _import_payload(store, query, _read_text(file), arguments)
        case _:
            raise ConfigError("import takes COMPONENT ENTRY FILE, or the FILE of an export")


def diff(arguments: argparse.Namespace) -> int:
    """Compare two stores; the exit code tells whether they differ."""
    first, second = (
        (_uri(arguments.other), _uri(arguments.second)) if arguments.second else (arguments.uri, _uri(arguments.other))
    )
    with opened(first) as one, opened(second) as other:
        found = differences(content(one, arguments.key), content(other, arguments.key))
        lines = f"--- {one.uri}\n+++ {other.uri}\n" if found else ""
    lines += "".join(_lines(difference) for difference in found)
    rows = [{"key": one.key, "before": one.before, "after": one.after} for one in found]
    tree: Folder = {
        one.key: {side: text for side, text in (("before", one.before), ("after", one.after)) if text is not None}
        for one in found
    }
    _write({"table": lines, "yaml": dump(tree), "json": _json(rows)}, arguments)
    return DIFFERENT if found else 0


def migrate(arguments: argparse.Namespace) -> int:
    """Bring all that one store has into another one."""
    with opened(_uri(arguments.source)) as source, opened(_uri(arguments.target), is_target=True) as target:
        return _carry_over(source, target, arguments)


VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": list_names,
    "show": show,
    "dump": dump_tree,
    "export": export,
    "import": import_,
    "diff": diff,
    "migrate": migrate,
}


@contextmanager
def opened(uri: str, *, is_target: bool = False) -> Iterator[Store]:
    """Open the store at an address, by default that of the core.

    Args:
        is_target: a file may be missing: it is made by the first write.
    """
    address = parse_address(uri or default_uri())
    if address.scheme == "file" and not is_target and not address.path.exists():
        raise NotThereError(f"no configuration at {address.uri}", hint="name it with --uri")
    with closing(open_store(address.uri)) as store:
        yield store


def _carry_over(source: Store, target: Store, arguments: argparse.Namespace) -> int:
    there = content(source, arguments.key)
    if not there:
        raise NotThereError(f"nothing at {arguments.key} in {source.uri}")
    plan = Plan.of(there, content(target, arguments.key))
    sys.stdout.write("".join(_line(one) for one in plan.changes))
    sys.stdout.write("".join(f"  {one.key} stays {one.before}: a run number is never lowered\n" for one in plan.kept))
    stays = f", {plan.extra} that only it has stay" if plan.extra else ""
    if not _confirmed(len(plan.changes), target, arguments, stays):
        return 0
    others = plan.carry_out(target)
    for key in others:
        sys.stderr.write(f"{key}: changed by somebody else in the meantime, left as it is\n")
    sys.stdout.write(f"{len(plan.changes) - len(others)} keys written to {target.uri}\n")
    return PARTIAL if others else 0


def _import_payload(store: Store, query: Query, text: str, arguments: argparse.Namespace) -> int:
    exists = query.component in components.components(store)
    if exists is arguments.new_component:
        problem = "exists already" if exists else "does not exist"
        hint = "leave --new-component out" if exists else "add --new-component"
        raise ConfigError(f"component {query.component} {problem}", hint=hint)
    before = store.get(query.key)
    if before == text:
        sys.stdout.write(f"{query.key} has this payload already\n")
        return 0
    sys.stdout.write(_lines(Difference(query.key, before, text)) if before is not None else f"+ {query.key}\n")
    if not _confirmed(1, store, arguments, ""):
        return 0
    if store.put_all([TextChange(query.key, text, before)]):
        raise RefusedError(f"{query.key} was changed by somebody else in the meantime", hint="look at it and try again")
    sys.stdout.write(f"{'updated' if before is not None else 'new'} entry {query.key} in {store.uri}\n")
    return 0


def _confirmed(count: int, target: Store, arguments: argparse.Namespace, stays: str) -> bool:
    """Tell whether to write; says what would be, and refuses without a confirmation."""
    if not count or arguments.dry_run:
        sys.stdout.write(f"{count} keys to write to {target.uri}{stays}\n")
        return False
    if not arguments.yes:
        raise RefusedError(f"writing {count} keys to {target.uri} needs a confirmation", hint="add --yes")
    return True


def _payload(store: Store, query: Query, arguments: argparse.Namespace) -> str:
    if not arguments.simulate:
        return components.payload(store, query)
    pairs = [pair.partition("=") for pair in arguments.extra_vars]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise ConfigError(f"variable {name!r} has no value", hint="-e NAME=VALUE")
    return StoreServices(store).get_component(query.path, {name: value for name, _, value in pairs})


def _path(arguments: argparse.Namespace, component: str, entry: str) -> str:
    return f"{component}/{arguments.runtype.upper()}/{arguments.role}/{entry}" if entry else component


def _is_key(text: str) -> bool:
    return segments(text)[:1] == ["o2"]


def _uri(text: str) -> str:
    """Return the address that a person names; a path may be relative."""
    return text if "://" in text else f"file://{Path(text).absolute()}"


def _must_exist(store: Store, key: str) -> None:
    if not store.exists(key):
        raise NotThereError(f"nothing at {key} in {store.uri}")


def _read_text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    return data.decode("utf-8", "surrogateescape")


def _tree(texts: Mapping[str, str]) -> Folder:
    tree: Folder = {}
    for key, text in texts.items():
        tree = with_change(tree, TextChange(key, text, None), "the document")
    return tree


def _line(one: Difference) -> str:
    sign = "+" if one.before is None else "-" if one.after is None else "~"
    return f"{sign} {one.key}\n"


def _lines(one: Difference) -> str:
    """Return a difference as lines, with what changed in the text."""
    if one.before is None or one.after is None:
        return _line(one)
    before, after = one.before.splitlines(), one.after.splitlines()
    if len(before) < 2 and len(after) < 2 and max(len(one.before), len(one.after)) <= SHOWN:
        return f"~ {one.key}: {one.before!r} -> {one.after!r}\n"
    changed = [line for line in difflib.unified_diff(before, after, lineterm="", n=1) if line[:3] not in ("---", "+++")]
    return _line(one) + "".join(f"    {line}\n" for line in changed or ["(line ends or blanks at the end differ)"])


def _yaml_list(found: Sequence[str]) -> str:
    return "".join(f"- {json.dumps(name, ensure_ascii=False)}\n" for name in found) or "[]\n"


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _write(forms: Mapping[str, str], arguments: argparse.Namespace) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(forms[arguments.output].encode("utf-8", "surrogateescape"))
    sys.stdout.flush()
