"""What the linter found: findings with rule, severity and place, each once, in the order of the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from server.lint.rules import RULES, Severity
from server.template.remarks import Remark
from server.workflow.findings import UNKNOWN


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; line and column from 1, 0 if it is of no file."""

    severity: Severity
    rule: str
    file: str
    line: int = 0
    column: int = 0
    role: str = ""
    """Path of the role, "" for what belongs to none."""
    message: str
    hint: str = ""
    name: str = ""
    """The variable that is missing, of a finding about one."""


class Report:
    """All findings. The first one of a rule, a place and a message stays; an error replaces what is less."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int, int, str], Finding] = {}

    def add(
        self, rule: str, message: str, file: str, line: int = 0, column: int = 0, *, role: str = "", hint: str = "",
        severity: Severity | None = None, about: str = "", name: str = "",
    ) -> None:  # fmt: skip
        """Add a finding.

        Args:
            about: the thing that the finding is of; two findings of one place, rule and thing are one.
            name: the variable that is missing.
        """
        file = _shown(file)
        line, column = (max(line, 1), max(column, 1)) if file else (0, 0)  # of a file as a whole: at its begin
        finding = Finding(
            severity=severity or RULES[rule].severity, rule=rule, file=file, line=line, column=column,
            role=_shown(role), message=_shown(message), hint=_shown(hint), name=_shown(name),
        )  # fmt: skip
        key = rule, file, line, column, name or about or _shown(message)
        known = self._found.get(key)
        if known is None or _RANK[finding.severity] < _RANK[known.severity]:
            self._found[key] = finding

    def remark(self, remark: Remark, severity: Severity | None = None) -> None:
        """Add what a reader or the loader remarked."""
        self.add(
            remark.rule, remark.message, remark.file, remark.line, remark.column, role=remark.role, severity=severity,
            about=remark.rule if remark.role else remark.message,
        )  # fmt: skip

    def has(self, rule: str, file: str, line: int, column: int) -> bool:
        """Tell whether there is such a finding at a place."""
        return any(key[:4] == (rule, _shown(file), line, column) for key in self._found)

    def missing(self) -> list[str]:
        """Return the names of all variables without which something fails."""
        return sorted({one.name for one in self._found.values() if one.name and one.severity is Severity.ERROR})

    def __iter__(self) -> Iterator[Finding]:
        return iter(
            sorted(self._found.values(), key=lambda one: (one.file, one.line, one.column, one.rule, one.message))
        )

    def counts(self) -> Mapping[Severity, int]:
        """Return how many findings there are of each severity."""
        counts = dict.fromkeys(Severity, 0)
        for finding in self._found.values():
            counts[finding.severity] += 1
        return counts


_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def _shown(text: str) -> str:
    """Return a text that can be shown and written: names of files may have bytes that are no characters."""
    return text.replace(UNKNOWN, "?").encode("utf-8", "backslashreplace").decode()
