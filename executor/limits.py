"""What limits tasks: one control group for each that has limits, from before its first instruction until after its end.

Where limits cannot be enforced, the task runs without and says so. Groups themselves: cgroups.py; how they go:
clearance.py; rules: occ-executor-mesos.md 4.5, 4.7.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from executor import cgroups
from executor.api.messages import TaskSpec
from executor.cgroups import CPU, MEMORY, Folder, MemoryKills, Tree
from executor.clearance import Clearance

_LOG = logging.getLogger(__name__)
_MB = 1024 * 1024
_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z_0-9]*")
_ENTER = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 126; shift; done; shift; exec "$@"'


@dataclass(slots=True)
class Confinement:
    """The groups of one process of a task and all that it starts.

    Attributes:
        told: what is enforced of the limits and what is not, and why; "" if there are none.
    """

    told: str = ""
    memory_mb: float = 0.0
    groups: dict[Tree, Path] = field(default_factory=dict)
    memory: Callable[[], MemoryKills] | None = None
    """Asks what became of it at its memory limit; None if it has none."""

    def entered(self, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return a command that enters the groups and becomes the given one, with the given environment.

        A shell does it; why no ``preexec_fn`` does: program.py.
        """
        if not self.groups:
            return list(argv)
        odd = [f"{name}={value}" for name, value in environment.items() if not _PLAIN_NAME.fullmatch(name)]
        again = ["env", "--", *odd] if odd else []  # shells drop them
        entrances = [str(path / "cgroup.procs") for path in self.groups.values()]
        return ["/bin/sh", "-c", _ENTER, "limits", *entrances, "--", *again, *argv]

    def memory_end(self) -> str:
        """Return which memory a process of it was killed for, "" if none was."""
        if self.memory is None:
            return ""
        try:
            found = self.memory()
        except OSError as error:
            _LOG.warning("group=%s does not tell error=%r", error.filename, error.strerror)
            return ""
        if not found.processes:
            return ""
        if found.is_at_limit:
            return f"its memory limit of {self.memory_mb:g} MB"
        return "the kernel, for want of memory on its host"


class TaskLimits:
    """The limits of all tasks of one executor. Used from one loop.

    Args:
        off: why no limit is enforced; "" to enforce them.
        trees: of this host; None: all that are found.
    """

    def __init__(self, executor_id: str, *, off: str = "", trees: list[Tree] | None = None) -> None:
        self._executor_id = executor_id
        self._off = off
        self._trees = [] if off else _trees() if trees is None else trees
        self._folders: dict[Tree, Folder | OSError] = {}
        self._clearance = Clearance()
        self._said: set[str] = set()
        self.remove_stale()
        for tree in self._trees:
            if tree.is_unified:  # now: nobody whom we start later may be in our own group
                self._folder(tree)

    def confine(self, spec: TaskSpec) -> Confinement:
        """Make the groups of a process that is to be started."""
        asked = {CPU: spec.cpu_limit, MEMORY: spec.memory_limit_mb}
        confinement = Confinement(memory_mb=spec.memory_limit_mb)
        enforced, failed = [], []
        for controller, limit in asked.items():
            if not 0 < limit < math.inf:
                continue
            words = f"cpu {limit:g}" if controller == CPU else f"memory {limit:g} MB"
            if reason := self._off or self._limit(confinement, spec.task_id, controller, limit):
                failed.append(f"{words} not enforced: {reason}")
                self._say(f"{controller} limits are not enforced: {reason}")
            else:
                enforced.append(f"{words} enforced")
        confinement.told = "; ".join((*enforced, *failed))
        return confinement

    def end(self, confinement: Confinement) -> None:
        """Kill what is left of a task, and remove its groups as soon as they are empty."""
        for path in confinement.groups.values():
            self._clearance.clear(path)

    def remove_stale(self) -> None:
        """Remove what executors before us left empty, and what could not be removed earlier."""
        for tree in self._trees:
            if removed := cgroups.remove_stale(tree):
                _LOG.info("groups_removed_of_executors=%d below=%s", removed, tree.own)
        self._clearance.try_again()

    def close(self) -> None:
        """Kill what is left and remove all groups; blocks until then, for a second at most."""
        self._clearance.close()
        for folder in self._folders.values():
            if isinstance(folder, Folder):
                folder.close()
        self._folders.clear()

    # ---- groups ------------------------------------------------------------------------------

    def _limit(self, confinement: Confinement, task_id: str, controller: str, limit: float) -> str:
        """Limit one thing; return why that cannot be, or ""."""
        tree = next((tree for tree in self._trees if controller in tree.controllers), None)
        if tree is None:
            return f"no {controller} controller of control groups is to be had here"
        try:
            if tree not in confinement.groups:
                confinement.groups[tree] = self._folder(tree).make(task_id)
            path = confinement.groups[tree]
            if controller == CPU:
                cgroups.limit_cpu(path, cores=limit, is_unified=tree.is_unified)
            else:
                cgroups.limit_memory(path, size_bytes=int(limit * _MB), is_unified=tree.is_unified)
                confinement.memory = partial(cgroups.memory_kills, path, is_unified=tree.is_unified)
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        return ""

    def _folder(self, tree: Tree) -> Folder:
        if tree not in self._folders:
            try:
                self._folders[tree] = Folder(tree, self._executor_id)
            except OSError as error:
                self._folders[tree] = error
        folder = self._folders[tree]
        if isinstance(folder, OSError):
            raise folder
        return folder

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            _LOG.warning("%s", what)


def _trees() -> list[Tree]:
    try:
        return cgroups.find_trees()
    except (OSError, ValueError) as error:
        _LOG.warning("control groups cannot be found error=%r", str(error))
        return []
