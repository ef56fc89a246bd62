"""Commands in ``jit/``, of which workflows are generated: expressions and addresses in them (workflows-config.md 7.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from server.lint.expressions import analyse
from server.lint.report import Report
from server.lint.sources import Sources

_ADDRESS = re.compile(r"(?:consul-json|apricot)://(?:\{\{.*?\}\}|[^ |\n])+")


def check_command(report: Report, sources: Sources, name: str, objects: Mapping[str, object]) -> None:
    """Report what is wrong with one command."""
    text = sources.command(name)
    if text is None:
        return
    for fault in analyse(text, objects).faults:
        _add(report, fault.rule, name, text, fault.offset, fault.message)
    for match in _ADDRESS.finditer(text):
        if "components/" not in match[0]:
            message = f"{match[0][:200]!r} does not name a component: expected …/components/<component>/<run type>/<role>/<entry>"
            _add(report, "bad-address", name, text, match.start(), message)


def _add(report: Report, rule: str, name: str, text: str, offset: int, message: str) -> None:
    before = text[:offset]
    report.add(rule, message, f"jit/{name}", before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
