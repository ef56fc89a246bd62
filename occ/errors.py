"""The root of all errors of this project, and its few kinds. What each maps to on the wire: server/api/errors.py."""

from __future__ import annotations


class AliecsError(Exception):
    """Something that a person can act on.

    Attributes:
        message: names the thing, what was expected and what was found.
        hint: what to do about it; "" if there is nothing to say.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(AliecsError):
    """A file, a setting, a template or a value given by a person is wrong."""


class RefusedError(AliecsError):
    """Asked for rightly, but not possible now."""


class DeadlineError(AliecsError):
    """No answer in time; what happened on the other side is not known."""


class TaskError(AliecsError):
    """A task or its command failed."""


class LinkError(AliecsError):
    """The other side cannot be reached."""
