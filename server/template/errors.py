"""What goes wrong in an expression: where in its text, and which name is missing. Files and roles: server/workflow."""

from __future__ import annotations

from occ.errors import ConfigError


class ExpressionError(ConfigError):
    """An expression that does not parse, names what is not there, or cannot be evaluated.

    Attributes:
        reason: the message without the place.
        expression: the text between the braces.
        offset: where in it, characters from 0; -1 if not known.
        missing: the undefined name, "" if the error is another one.
    """

    def __init__(
        self, reason: str, *, offset: int = -1, expression: str = "", missing: str = "", hint: str = ""
    ) -> None:
        self.reason = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"
        self.offset = offset
        self.expression = expression
        self.missing = missing
        super().__init__(f"{self.reason}{self._place()}", hint=hint)

    def _place(self) -> str:
        if not self.expression:
            return ""
        shown = " ".join(self.expression.split())
        shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
        return f" in {{{{ {shown} }}}}" + (f", character {self.offset + 1}" if self.offset >= 0 else "")

    def offset_in(self, text: str) -> int:
        """Return where in a text with expressions the error is, characters from 0."""
        start = text.find(f"{{{{{self.expression}}}}}") if self.expression else text.rfind("{{")
        return max(start, 0) + (2 + max(self.offset, 0) if self.expression else 0)

    def at(self, expression: str, offset: int = -1) -> ExpressionError:
        """Return the same error with the expression it happened in; what is known already stays."""
        if self.expression:
            return self
        where = self.offset if self.offset >= 0 else offset
        return ExpressionError(self.reason, offset=where, expression=expression, missing=self.missing, hint=self.hint)


_LONGEST = 2000
"""Characters of a reason: it may quote what a template says."""
_SHOWN = 200
"""Characters of an expression that an error shows."""
