"""What a core asks of its executors beside tasks: options of their command line, under Mesos in one variable."""

from __future__ import annotations

import shlex
from typing import Literal

import msgspec

OPTIONS = "ALIECS_EXECUTOR_OPTIONS"
"""Environment variable of an executor that a Mesos agent starts, which has no command line."""
LimitsMode = Literal["auto", "off"]


class ExecutorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Each is the option of its name. What they mean: executor/settings.py."""

    output_file_bytes: int = 32 * 1024 * 1024
    output_older_files: int = 3
    kept_tasks: int = 1000
    kept_days: float = 14.0
    task_limits: LimitsMode = "auto"

    def arguments(self) -> list[str]:
        """Return those that are not as they would be anyway."""
        found: list[str] = []
        for field in msgspec.structs.fields(self):
            if (value := getattr(self, field.name)) != field.default:
                found += [f"--{field.name.replace('_', '-')}", str(value)]
        return found

    def variables(self) -> dict[str, str]:
        """Return the same as environment."""
        arguments = self.arguments()
        return {OPTIONS: shlex.join(arguments)} if arguments else {}
