"""Variables that a workflow needs and nobody gives: each is told once, where it is needed first, with the number of places."""

from __future__ import annotations

from dataclasses import dataclass

from server.lint.report import Report
from server.lint.rules import Severity


@dataclass(frozen=True)
class Need:
    """A place where a variable is needed."""

    message: str
    file: str
    line: int
    column: int
    role: str
    severity: Severity


class Missing:
    """The missing variables of one workflow."""

    def __init__(self) -> None:
        self._needs: dict[str, list[Need]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._needs

    def add(self, name: str, need: Need) -> None:
        """Note a place."""
        self._needs.setdefault(name, []).append(need)

    def tell(self, report: Report) -> None:
        """Report every variable, as severely as the worst of its places is."""
        for name, needs in self._needs.items():
            first = min(needs, key=lambda need: list(Severity).index(need.severity))
            places = len({(need.file, need.line, need.column) for need in needs})
            more = f"; needed at {places} places" if places > 1 else ""
            hint = f"give it: -e {name}=…, or define it in the template"
            report.add(
                "missing-variable", first.message + more, first.file, first.line, first.column, role=first.role, hint=hint,
                severity=first.severity, name=name,
            )  # fmt: skip
