"""Make workflow templates of DPL commands, just in time (workflows-config.md 7.3).

A command of O² that is told ``--o2-control NAME`` writes itself down as ``workflows/NAME.yaml`` and tasks beside it.
AliECS lets it do so inside the clone of the repository; here it has a folder of its own (generated.py) and limits
(sandbox.py). The functions of expressions that ask for this: jit.py.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shlex
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

import msgspec

from occ.errors import AliecsError
from server.template.errors import ExpressionError
from server.template.services import Services
from server.workflow.generated import GeneratedTemplates
from server.workflow.jit import DplCommand, Generate
from server.workflow.payloads import payload_addresses
from server.workflow.sandbox import End, Outcome, run_confined

log = logging.getLogger(__name__)

PROFILE = "/etc/profile.d/o2.sh"
"""What makes the programs of O² available to a shell."""
PACKAGES = ("o2-O2", "o2-QualityControl")
"""RPM packages whose versions are part of a name, so that an update makes new templates."""
VERSIONS_TIMEOUT_S = 10.0
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


def open_generator(settings: GenerationSettings, services: Services) -> tuple[Generate, GeneratedTemplates]:
    """Return what generates, for one load, and where its templates are."""
    templates = GeneratedTemplates(Path(settings.folder))
    return Generator(settings, services, templates), templates


class Generator:
    """Generates for one load: versions of packages are asked for once."""

    def __init__(self, settings: GenerationSettings, services: Services, templates: GeneratedTemplates) -> None:
        self._settings = settings
        self._services = services
        self._templates = templates

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
        if (asked.repository / "workflows" / f"{name}.yaml").is_file() or self._templates.use(name):
            return name
        self._check_installed(asked)
        try:
            with self._templates.making(name) as work:
                if not self._templates.use(name):  # another process was faster
                    self._make(asked, name, work, _one_line(command, environment, name))
        except OSError as error:
            raise ExpressionError(f"the {asked.shown} cannot be run in {self._templates.folder}: {error}") from error
        return name

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
            self._templates.accept(name, work)
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
