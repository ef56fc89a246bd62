"""What a Mesos agent tells the executor that it starts, by environment variables (occ-executor-mesos.md 3.1, 6.5).

Nothing else is inherited from the agent. The two variables of our own come with the ExecutorInfo of the core.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from occ.errors import ConfigError

_UNITS_S = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "secs": 1.0, "mins": 60.0, "hrs": 3600.0, "days": 86400.0, "weeks": 604800.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Of an executor below an agent.

    Attributes:
        sandbox: where tasks write.
        recovery_s: how long tasks may go on without the agent; 0: they end with it.
    """

    executor_id: str
    agent_id: str
    host: str
    instance: str
    sandbox: Path
    recovery_s: float = 0.0


def is_under_agent(environ: Mapping[str, str]) -> bool:
    """Tell whether a Mesos agent has started us."""
    return "MESOS_EXECUTOR_ID" in environ and "MESOS_AGENT_ENDPOINT" in environ


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """Return what the agent says.

    Raises:
        ConfigError: names the variable that is missing or wrong.
    """

    def needed(name: str) -> str:
        if not (value := environ.get(name, "")):
            raise ConfigError(f"variable {name} is missing", hint="a Mesos agent and the core's ExecutorInfo set it")
        return value

    needed("MESOS_FRAMEWORK_ID")
    checkpoint = environ.get("MESOS_CHECKPOINT", "").lower() in ("1", "true")
    return Surroundings(
        executor_id=needed("MESOS_EXECUTOR_ID"),
        agent_id=needed("MESOS_SLAVE_ID"),
        host=needed("ALIECS_HOST"),
        instance=needed("ALIECS_INSTANCE"),
        sandbox=Path(environ.get("MESOS_SANDBOX") or needed("MESOS_DIRECTORY")),
        recovery_s=duration_s(needed("MESOS_RECOVERY_TIMEOUT")) if checkpoint else 0.0,
    )


def duration_s(text: str) -> float:
    """Return seconds of a duration as Mesos prints it, ``15mins`` or ``2.5secs``.

    Raises:
        ConfigError: it is none.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|secs|mins|hrs|days|weeks)", text)
    if found is None:
        raise ConfigError(f"{text!r} is no duration of Mesos", hint="expected a number and ms, secs, mins …")
    return float(found[1]) * _UNITS_S[found[2]]


def open_sandbox(sandbox: Path) -> None:
    """Let others read what tasks write: agents make sandboxes 0750."""
    os.chmod(sandbox, 0o755)
