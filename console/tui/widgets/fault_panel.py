"""The first fault of an environment: what, where, since when, why, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.present import age, clock
from console.tui.painting import Lines, Part, Parts, width_of
from server.api.model import Fault

if TYPE_CHECKING:
    from console.tui.looks import Styles

SHORT_HEIGHT = 3

_BRACKETS = re.compile(r" ?\([^()]*\)")


class FaultPanel(Lines):
    """Shown while the selected environment has a fault, also after it is gone."""

    DEFAULT_CSS = "FaultPanel { display: none; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.is_short = False

    @property
    def fault(self) -> Fault | None:
        """Of the selected environment; where none is selected, of the one that went last."""
        environment_id = self.desk.environment_id
        return self.store.fault(environment_id) if environment_id else self.store.last_fault()

    def settle(self) -> None:
        """Show or hide, as high as is needed; call after each change."""
        fault = self.fault
        if fault is not None:
            self.styles.height = SHORT_HEIGHT if self.is_short else 5
        self.display = fault is not None
        self.repaint()

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        fault = self.fault
        if fault is None:
            return []
        is_gone = self.store.environment(fault.environment_id) is None
        return fault_lines(
            fault, self.desk.session.now(), looks, width, is_short=height <= SHORT_HEIGHT, is_gone=is_gone
        )


def fault_lines(
    fault: Fault, now_s: float, looks: Styles, width: int, *, is_short: bool, is_gone: bool = False
) -> list[Parts]:
    """Return a fault as lines, the heading first; the short form has three."""
    since = f"{clock(fault.at_ms)[:8]}, {age(now_s - fault.at_ms / 1000)} ago" if fault.at_ms else "time not known"
    during = f", during {fault.during}" if fault.during else ""
    gone = f"   {fault.environment_id} is gone" if is_gone else ""
    heading: list[Part] = [(" First fault ", looks.heading + looks.alarm), (f" {since}{during}{gone}", looks.heading)]
    keys = [] if is_gone else _keys(fault, looks)
    heading.append((" " * max(1, width - width_of(heading) - width_of(keys)), looks.heading))
    text = what_happened(fault)
    what: list[Part] = [(f" {looks.glyph('bad')} {text}", looks.alarm)]
    where = _where(fault, looks)
    cause = fault.cause if fault.cause and fault.cause not in text else ""
    following: list[Part] = [("   next   ", looks.dim), (fault.hint or "look at its log", looks.text)]
    if is_short:
        why = [(f" ({cause})", looks.alarm)] if cause else []
        host = [(f" on {fault.host}", looks.alarm)] if fault.host and fault.host not in text else []
        return [[*heading, *keys], [*what, *host, *why], following]
    return [
        [*heading, *keys],
        what,
        [("   where  ", looks.dim), *where],
        [("   cause  ", looks.dim), (fault.cause or "not known", looks.text)],
        following,
    ]


def what_happened(fault: Fault) -> str:
    """Return what a fault says happened, without the id and the role in brackets: they have a line of their own."""
    if not fault.task_id or fault.task_id not in fault.what:
        return fault.what or "failure"
    return _BRACKETS.sub(lambda found: "" if fault.task_id in found[0] else found[0], fault.what)


def _where(fault: Fault, looks: Styles) -> list[Part]:
    parts: list[Part] = [(f"{fault.host}   ", looks.bold)] if fault.host else []
    parts.append((fault.role or "the environment", looks.text))
    if fault.task_id:
        parts.append((f"   task {fault.task_id}", looks.dim))
    return parts


def _keys(fault: Fault, looks: Styles) -> list[Part]:
    if not fault.task_id:
        return []
    return [("! ", looks.heading + looks.key), ("go there  ", looks.heading),
            ("L ", looks.heading + looks.key), ("log ", looks.heading)]  # fmt: skip
