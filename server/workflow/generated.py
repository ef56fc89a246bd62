"""The templates that DPL commands have written: a folder per name, shared by all processes of a machine.

A folder appears there as a whole, checked, or not at all. Who makes the content: generator.py.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from occ.errors import AliecsError, ConfigError
from server.template.documents import MAX_BYTES, read
from server.template.taskclass import read_task_class
from server.workflow.templates import RoleTemplate, read_template

MAX_TASKS = 1000
"""Of one generated workflow."""
KEEP_S = 30 * 24 * 3600.0
"""Templates that were not used for so long are removed."""

_NAME = re.compile(r"(jit-[0-9a-f]{40})(?:-.*)?", re.DOTALL)


class GeneratedTemplates:
    """One such store of templates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def folder_of(self, name: str) -> Path | None:
        """Return what stands for a repository of this workflow or task template; None if it is not one of ours."""
        match = _NAME.fullmatch(name)
        folder = self.folder / match[1] if match else None
        return folder if folder and folder.is_dir() else None

    def use(self, name: str) -> bool:
        """Tell whether a workflow is there; if so it counts as used now."""
        try:
            os.utime(self.folder / name)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Give an empty folder to make a workflow in; only one process at a time makes it. Blocks for that.

        Whoever comes second must look again whether it is there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        bucket = name.removeprefix("jit-")[:2]  # a lock for each name would leave as many files behind
        lock = os.open(self.folder / f".{bucket}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        work = self.folder / f".{name}.work"
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            shutil.rmtree(work, ignore_errors=True)  # of one that was killed
            for kind in ("workflows", "tasks"):
                (work / kind).mkdir(parents=True)
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            os.close(lock)

    def accept(self, name: str, work: Path) -> None:
        """Check what was made in a folder and let it appear.

        Raises:
            ConfigError: it is no workflow with its tasks; says what is wrong.
        """
        self._forget_unused()
        checked = work / "checked"
        for path in _check(name, work):
            target = checked / path.relative_to(work)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        checked.rename(self.folder / name)

    def clear(self) -> None:
        """Remove all templates; they will be made anew."""
        self._remove_before(float("inf"))

    def _forget_unused(self) -> None:
        self._remove_before(time.time() - KEEP_S)

    def _remove_before(self, used_s: float) -> None:
        for path in self.folder.glob("jit-*"):
            try:
                if path.stat().st_mtime < used_s:
                    shutil.rmtree(path)
            except FileNotFoundError:  # somebody else removes it as well
                continue


def _check(name: str, work: Path) -> list[Path]:
    workflow = work / "workflows" / f"{name}.yaml"
    if not os.path.lexists(workflow):
        raise ConfigError(
            f"it wrote no workflows/{name}.yaml",
            hint="is its last program one of DPL, which knows --o2-control?",
        )
    tasks = sorted((work / "tasks").glob(f"{name}-*.yaml"))
    if len(tasks) > MAX_TASKS:
        raise ConfigError(f"it wrote {len(tasks)} task templates, more than {MAX_TASKS}")
    for path in (workflow, *tasks):
        if path.is_symlink() or not path.is_file():
            raise ConfigError(f"{path.relative_to(work)} is no file")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path.relative_to(work)} has more than {MAX_BYTES} bytes")
    try:
        template = read_template(read(workflow, work))
        for path in tasks:
            read_task_class(read(path, work), path.stem, path.stem)
    except AliecsError as error:
        raise ConfigError(f"what it wrote is broken: {error.message}", hint=error.hint) from error
    there = {path.stem for path in tasks}
    missing = sorted(load for load in _loads(template.root) if load not in there and _NAME.fullmatch(load))
    if missing:
        raise ConfigError(f"it wrote no tasks/{missing[0]}.yaml, which its workflow loads")
    return [workflow, *tasks]


def _loads(role: RoleTemplate) -> Iterator[str]:
    if role.action and role.action.load.value:
        yield role.action.load.value
    for child in role.roles:
        yield from _loads(child)
