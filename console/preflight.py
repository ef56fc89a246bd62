"""What is looked at before an environment is made: one check a line, right or wrong in words. No I/O.

The core decides in the end; this says early and in one place what it would refuse, and what else an operator should know.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from console.creation import Creation, Surroundings

SHOWN = 3
"""Names that a line lists before it counts the rest."""


class Grade(Enum):
    """How a check came out."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """The core may see it otherwise, or knows more; nothing keeps the operator from trying."""
    BAD = "bad"
    """It would fail, or cannot be asked for now."""


class Check(NamedTuple):
    """One line of the list."""

    what: str
    grade: Grade
    words: str


def checks(creation: Creation, around: Surroundings, refusal: str) -> tuple[Check, ...]:
    """Return all checks, in the order of the steps.

    Args:
        refusal: why nothing can be changed now, "" if it can.
    """
    return (
        _template(creation),
        _hosts(creation, around),
        _detectors(creation, around),
        _values(creation),
        _conditions(creation),
        Check("core", Grade.BAD, refusal) if refusal else Check("core", Grade.GOOD, "is heard of and can be asked"),
    )


def obstacles(found: tuple[Check, ...]) -> list[str]:
    """Return in words what keeps the environment from being made."""
    return [f"{check.what}: {check.words}" for check in found if check.grade is Grade.BAD]


def _template(creation: Creation) -> Check:
    if not creation.is_chosen:
        return Check("template", Grade.BAD, "none is chosen (step 1)")
    if not creation.is_known:
        return Check(
            "template", Grade.DOUBTFUL, f"{creation.reference.full} is not listed: what it offers is not known"
        )
    return Check("template", Grade.GOOD, creation.reference.full)


def _hosts(creation: Creation, around: Surroundings) -> Check:
    hosts = creation.hosts
    if not hosts:
        if creation.form.value("hosts") not in ("", "[]"):
            return Check("hosts", Grade.DOUBTFUL, f"the core works them out: {creation.form.value('hosts')}")
        return Check("hosts", Grade.DOUBTFUL, "none is named; only templates that need none will work")
    count = f"{len(hosts)} host{'s' if len(hosts) > 1 else ''}"
    if not around.is_inventory:
        return Check("hosts", Grade.DOUBTFUL, f"{count}; this core does not say which there are")
    if unknown := [host for host in hosts if host not in around.hosts]:
        return Check("hosts", Grade.BAD, f"not in the inventory: {some(unknown)}")
    if shut := [host for host in hosts if around.hosts[host].drain]:
        return Check("hosts", Grade.BAD, f"drained, nothing new is placed there: {some(shut)}")
    silent = [host for host in hosts if around.hosts[host].executor_state in ("SILENT", "LOST")]
    if silent:
        return Check("hosts", Grade.DOUBTFUL, f"no answer from the executor of {some(silent)}")
    return Check("hosts", Grade.GOOD, f"{count}: {some(hosts)}")


def _detectors(creation: Creation, around: Surroundings) -> Check:
    detectors = creation.detectors(around)
    if refused := [why for detector in detectors if (why := around.detector_refusal(detector))]:
        return Check("detectors", Grade.BAD, "; ".join(refused))
    if not detectors:
        return Check("detectors", Grade.GOOD, "none is needed" if around.is_inventory else "those of the hosts")
    return Check("detectors", Grade.GOOD, f"{some(detectors)} free")


def _values(creation: Creation) -> Check:
    problems = creation.form.problems()
    changed = [name for name in creation.form.changed if name not in ("hosts", "detectors")]
    if problems:
        words = [f"{creation.form.field(name).label}: {why}" for name, why in problems.items()]
        more = f"; {len(words) - SHOWN} more" if len(words) > SHOWN else ""
        return Check("values", Grade.BAD, "; ".join(words[:SHOWN]) + more)
    if added := [name for name in changed if not creation.form.is_offered(name)]:
        return Check("values", Grade.DOUBTFUL, f"the template does not offer {some(added)}")
    return Check("values", Grade.GOOD, f"{len(changed) or 'none'} changed, the others are the template's")


def _conditions(creation: Creation) -> Check:
    warnings = creation.form.warnings()
    if not warnings:
        return Check("conditions", Grade.GOOD, "all are understood")
    return Check("conditions", Grade.DOUBTFUL, f"shown because not understood: {some(warnings)}")


def some(names: Iterable[str]) -> str:
    """Return the first few names and how many others there are."""
    all_names = list(names)
    rest = len(all_names) - SHOWN
    return ", ".join(all_names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
