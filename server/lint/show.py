"""Findings as people and as programs read them."""

from __future__ import annotations

import msgspec

from server.lint.report import Finding, Report
from server.lint.rules import Severity


def to_text(report: Report, *, with_infos: bool) -> str:
    """Return a line for each finding, ``file:line:column: severity [rule] …``, and a summary."""
    shown = [one for one in report if with_infos or one.severity is not Severity.INFO]
    missing = f"needed and not given: {', '.join(report.missing())}\n" if report.missing() else ""
    return "".join(map(_line, shown)) + missing + _summary(report, with_infos) + "\n"


def to_json(report: Report) -> str:
    """Return ``{"findings": […], "counts": {…}, "missing": […]}``."""
    document = {"findings": list(report), "counts": dict(report.counts()), "missing": report.missing()}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _line(finding: Finding) -> str:
    place = (
        f"{finding.file}:{finding.line}:{finding.column}: "
        if finding.line
        else f"{finding.file}: " * bool(finding.file)
    )
    role = f"role {finding.role}: " if finding.role and f"role {finding.role}" not in finding.message else ""
    hint = f" ({finding.hint})" if finding.hint else ""
    line = f"{place}{finding.severity.value} [{finding.rule}] {role}{finding.message}{hint}"
    return "".join(map(_visible, line)) + "\n"


def _visible(character: str) -> str:
    """Return a character as a terminal may get it: names of files come from strangers."""
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _summary(report: Report, with_infos: bool) -> str:
    counts = report.counts()
    parts = [f"{counts[one]} {one.value}{'' if counts[one] == 1 else 's'}" for one in Severity]
    hidden = " (--info shows them)" if counts[Severity.INFO] and not with_infos else ""
    return ", ".join(parts) + hidden
