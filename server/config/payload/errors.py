"""What goes wrong in a component template: which entry, where in it, and why."""

from __future__ import annotations

from occ.errors import ConfigError


class PayloadError(ConfigError):
    """A component template that does not parse, cannot be evaluated, or wants more than it may have.

    Attributes:
        reason: the message without the place.
        entry: path of the entry, ``component/RUNTYPE/role/entry``; "" if not known yet.
        line, column: where in it, from 1; 0 if not known.
    """

    def __init__(self, reason: str, *, entry: str = "", line: int = 0, column: int = 0, hint: str = "") -> None:
        self.reason = reason
        self.entry = entry
        self.line = line
        self.column = column
        place = f"{entry}:{line}:{column}: " if line else f"{entry}: " if entry else ""
        super().__init__(f"{place}{reason}", hint=hint)

    def at(self, entry: str, line: int, column: int) -> PayloadError:
        """Return the same error with the place; a line that is known already stays."""
        if self.line:
            return self
        return type(self)(self.reason, entry=entry, line=line, column=column, hint=self.hint)


class MissingEntryError(PayloadError):
    """An entry that a template includes, imports or extends does not exist."""


class LimitError(PayloadError):
    """A template wants more time, memory or depth than it may have."""
