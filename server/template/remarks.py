"""What a template does that its author may not have meant (workflows-config.md 13): told, never refused.

The rules have names, which docs/lint.md explains; more of them: server/lint.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark, with its rule and its place (from 1)."""

    rule: str
    file: str
    line: int
    column: int
    message: str
    role: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"
