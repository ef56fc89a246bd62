"""Make workflow templates of DPL commands, just in time (workflows-config.md 7.3).

A command of O² that is told ``--o2-control NAME`` writes itself down as ``workflows/NAME.yaml`` and tasks beside it.
AliECS lets it do so inside the clone of the repository; here it has a folder of its own (generated.py) and limits
(sandbox.py). The functions of expressions that ask for this: jit.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec

from occ.errors import AliecsError
from server.template.errors import ExpressionError
from server.template.services import Services
from server.workflow.findings import Findings
from server.workflow.generated import GeneratedTemplates
from server.workflow.jit import DplCommand
from server.workflow.payloads import payload_addresses
from server.workflow.sandbox import End, Outcome, run_confined

log = logging.getLogger(__name__)

_T = TypeVar("_T")

PROFILE = "/etc/profile.d/o2.sh"
"""What makes the programs of O² available to a shell."""
PACKAGES = ("o2-O2", "o2-QualityControl")
"""RPM packages whose versions are part of a name, so that an update makes new templates."""
VERSIONS_TIMEOUT_S = 10.0
MIN_SIDE_BY_SIDE = 4
"""So many commands run at once even where there are fewer processors."""
SHOWN_LINES = 12
"""Of the output of a command that failed."""

_MISSING = re.compile(r"^.*?: line \d+: (\S+): command not found$", re.MULTILINE)
_CONTINUED = re.compile(r"\\\n")


class GenerationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How templates are generated; crosses into the loader's process."""

    folder: str
    """Of what was generated."""
    timeout_s: float = 30.0
    """For one command."""
    profile: str = PROFILE
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class _Job:
    """A command whose workflow is not there yet; ``line`` is what bash is told."""

    asked: DplCommand
    name: str
    line: str


class Generator:
    """Generates for one load: versions of packages are asked for once.

    Attributes:
        templates: what was generated.
    """

    def __init__(self, settings: GenerationSettings, services: Services) -> None:
        self.templates = GeneratedTemplates(Path(settings.folder))
        self._settings = settings
        self._services = services
        self._jobs: dict[str, _Job] | None = None
        """By name, while commands are gathered instead of run."""
        self._failed: dict[str, ExpressionError] = {}

    def load(self, load: Callable[[Findings], _T], findings: Callable[[], Findings]) -> _T:
        """Return what ``load`` does, with the commands that it meets run at once, not one after the other.

        There may be one for each of hundreds of hosts, and they take seconds. If any has to be run, a first load
        gathers them; where all is there already, that one counts.

        Args:
            load: loads a workflow with this generator.
            findings: makes the findings of one load.
        """
        jobs = self._jobs = {}
        first = findings()
        try:
            loaded = load(first)
            if not jobs:
                return loaded
        except AliecsError:
            if not jobs:
                raise
            if first.errors is None:  # it ended at the first command: find the others
                with contextlib.suppress(AliecsError):
                    load(Findings(errors=[]))
        finally:
            self._jobs = None
        self._generate_all(list(jobs.values()))
        return load(findings())

    def __call__(self, asked: DplCommand) -> str:
        """Return the name of the workflow template of a command; makes it unless it is there. Blocks.

        Raises:
            ExpressionError: the command, a payload that it names, or what it wrote is bad, or there is no generator.
        """
        # AliECS writes no blank after && where the template itself holds the command; it counts for the name.
        command = f"source {shlex.quote(self._settings.profile)} &&{' ' if asked.name else ''}{asked.text}"
        environment = asked.variables.get("jit_env_vars", "")
        try:
            payloads = [address.fetch(self._services) for address in payload_addresses(command)]
        except AliecsError as error:
            raise ExpressionError(f"the {asked.shown}: {error.message}", hint=error.hint) from error
        told = "".join((command, self._versions, environment, *payloads))
        name = f"jit-{hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()}"
        if (asked.repository / "workflows" / f"{name}.yaml").is_file() or self.templates.use(name):
            return name
        if name in self._failed:
            raise self._failed[name]
        self._check_installed(asked)
        job = _Job(asked, name, _one_line(command, environment, name))
        if self._jobs is not None:
            self._jobs[name] = job
            raise ExpressionError(f"the {asked.shown} is to be run")
        self._generate(job)
        return name

    def _generate_all(self, jobs: Sequence[_Job]) -> None:
        """Run commands side by side; what fails is told when its name is asked for."""

        def attempt(job: _Job) -> None:
            try:
                self._generate(job)
            except ExpressionError as error:
                self._failed[job.name] = error

        with ThreadPoolExecutor(min(len(jobs), max(MIN_SIDE_BY_SIDE, os.cpu_count() or 1))) as pool:
            list(pool.map(attempt, jobs))

    def _generate(self, job: _Job) -> None:
        try:
            with self.templates.making(job.name) as work:
                if not self.templates.use(job.name):  # another process was faster
                    self._make(job.asked, job.name, work, job.line)
        except OSError as error:
            raise ExpressionError(f"the {job.asked.shown} cannot be run in {self.templates.folder}: {error}") from error

    def _make(self, asked: DplCommand, name: str, work: Path, command: str) -> None:
        log.info("generating a workflow name=%s command=%s repository=%s", name, asked.name, asked.repository)
        try:
            outcome = run_confined(command, work, timeout_s=self._settings.timeout_s)
        except AliecsError as error:
            raise ExpressionError(f"the {asked.shown} was not run: {error.message}") from error
        if missing := [program for program in _MISSING.findall(outcome.said) if program.startswith("o2-")]:
            raise ExpressionError(
                f"the {asked.shown} needs {missing[0]}, which is not installed on this machine",
                hint=f"install {' and '.join(PACKAGES)} where the core runs, and see that {self._settings.profile} "
                "brings their programs into PATH",
            )
        if problem := self._problem(outcome):
            raise ExpressionError(f"the {asked.shown} {problem}{_last_lines(outcome.said)}")
        try:
            self.templates.accept(name, work)
        except AliecsError as error:
            message = f"the {asked.shown} ran, but {error.message}{_last_lines(outcome.said)}"
            raise ExpressionError(message, hint=error.hint) from error

    def _check_installed(self, asked: DplCommand) -> None:
        if not self._settings.enabled:
            raise ExpressionError(
                f"the {asked.shown} cannot be run: just-in-time generation is switched off here",
                hint="the setting jitEnabled of the core switches it on",
            )
        for what, is_there in (
            (self._settings.profile, Path(self._settings.profile).is_file()),
            ("the shell bash", shutil.which("bash") is not None),
        ):
            if not is_there:
                raise ExpressionError(
                    f"the {asked.shown} needs the just-in-time generator, which is not installed: there is no {what}",
                    hint=f"install {' and '.join(PACKAGES)} where the core runs; the setting jitProfile says where "
                    f"their profile is if it is not {PROFILE}",
                )

    def _problem(self, outcome: Outcome) -> str:
        if outcome.end is End.LATE:
            return f"was ended after {self._settings.timeout_s:g} s (setting jitTimeout)"
        if outcome.end is not End.EXITED:
            return "was ended because it says too much" if outcome.end is End.LOUD else "was ended"
        if outcome.code is None or outcome.code < 0:
            return f"was killed by signal {-(outcome.code or 0)}"
        return f"failed with exit code {outcome.code}" if outcome.code else ""

    @cached_property
    def _versions(self) -> str:
        """What rpm says of the packages; "" where there is no rpm."""
        if shutil.which("rpm") is None:
            return ""
        try:
            asked = subprocess.run(
                ["rpm", "-qa", *PACKAGES], stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSIONS_TIMEOUT_S,
                check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            log.warning("versions of packages are not known: %s", error)
            return ""
        return asked.stdout.decode("utf-8", "replace")


def _one_line(command: str, environment: str, name: str) -> str:
    """Return what bash is told: lines of the command joined, by the shell's own rule where one is continued."""
    exported = f"export {environment} && " if environment.strip() else ""
    told = f"{exported}{command.rstrip()} --o2-control {name}"
    return _CONTINUED.sub(" ", told).replace("\n", " ")


def _last_lines(said: str) -> str:
    lines = [line.rstrip()[:300] for line in said.splitlines() if line.strip()][-SHOWN_LINES:]
    shown = "".join(f"\n  {line}" for line in lines)
    return f"; it said last:{shown}" if shown else "; it said nothing"
