"""``stringformat``: a Go format applied to one value, with what Go says where the two do not fit (fmt.Sprintf).

Here the format is read: flags, width, precision, ``*`` and ``[1]``. What a verb makes of a value: verbs.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from server.config.payload.budget import Budget
from server.config.payload.characters import to_bytes
from server.config.payload.values import is_integer, kind
from server.config.payload.verbs import Form, shown

_MOST = 1_000_000
"""Greatest width and precision; Go takes a greater one for none."""
_FLAGS = "+-# 0"
_BAD_WIDTH, _BAD_PRECISION, _NO_VERB = "%!(BADWIDTH)", "%!(BADPREC)", "%!(NOVERB)"


def sprintf(form: str, value: object, budget: Budget) -> str:
    """Return the format with the value in place of its first verb.

    Raises:
        PayloadError: what would be shown is an address in the memory of the core; a result that is too long.
    """
    return _Formatter(form, value, budget).result()


@dataclass(frozen=True, slots=True)
class _Number:
    """A width or precision as it is written."""

    value: int
    is_given: bool
    is_bad: bool = False
    """Taken from a value that is no integer."""


class _Formatter:
    def __init__(self, form: str, value: object, budget: Budget) -> None:
        self.form = form
        self.value = value
        self.budget = budget
        self.at = 0
        self.parts: list[str] = []
        self.length = 0
        self.used = False
        """The one value has been taken; ``[1]`` takes it again."""
        self.indexed = False
        """A ``[…]`` stood somewhere: then nobody minds a value that is not used."""
        self.is_good_index = True

    def write(self, text: str) -> None:
        self.length += len(text)
        self.budget.reserve(self.length)
        self.parts.append(text)

    def result(self) -> str:
        while (percent := self.form.find("%", self.at)) >= 0:
            self.write(self.form[self.at : percent])
            self.at = percent + 1
            self.verb()
        self.write(self.form[self.at :])
        if not (self.used or self.indexed):
            self.write("%!(EXTRA ")
            if self.value is None:
                self.write("<nil>")
            else:
                self.write(f"{kind(self.value)}=")
                self.show(Form("v"))
            self.write(")")
        return "".join(self.parts)

    def show(self, form: Form) -> None:
        for part in shown(form, self.value):
            self.write(part)

    def verb(self) -> None:
        self.is_good_index = True
        start = self.at
        while self.form[self.at : self.at + 1] and self.form[self.at] in _FLAGS:
            self.at += 1
        flags = self.form[start : self.at]
        indexed = self.index()
        width, indexed = self.number(indexed=indexed)
        if width.is_bad:
            self.write(_BAD_WIDTH)
        if width.value < 0:
            flags, width = f"{flags}-", replace(width, value=-width.value)
        precision = _Number(0, is_given=False)
        if self.form.startswith(".", self.at):
            self.at += 1
            if indexed:
                self.is_good_index = False
            indexed = self.index()
            precision, indexed = self.number(indexed=indexed, is_precision=True)
        if not indexed:
            self.index()
        verb = self.form[self.at : self.at + 1]
        self.at += 1
        if not verb:
            self.write(_NO_VERB)
        elif verb == "%":
            self.write("%")
        elif not self.is_good_index:
            self.write(f"%!{_character(verb)}(BADINDEX)")
        elif self.used:
            self.write(f"%!{_character(verb)}(MISSING)")
        else:
            self.used = True
            least = precision.value if precision.is_given else -1
            self.show(Form(_character(verb), frozenset(flags), width.value, least).normal())

    def number(self, *, indexed: bool, is_precision: bool = False) -> tuple[_Number, bool]:
        """Read a width or precision; return it, and whether a ``[…]`` that nothing has used yet stands before."""
        if self.form.startswith("*", self.at):
            self.at += 1
            given = self.value if not self.used and is_integer(self.value) else None
            self.used = True
            if not isinstance(given, int) or not -_MOST <= given <= _MOST:
                if is_precision:
                    self.write(_BAD_PRECISION)
                return _Number(0, is_given=False, is_bad=True), False
            if is_precision and given < 0:
                self.write(_BAD_PRECISION)
                return _Number(0, is_given=False), False
            return _Number(int(given), is_given=True), False
        value, is_number, self.at = _digits(self.form, self.at)
        if is_precision:
            return _Number(value, is_given=True), indexed
        if indexed and is_number:
            self.is_good_index = False
        return _Number(value, is_given=is_number), indexed

    def index(self) -> bool:
        """Read ``[1]``; tell whether it is there and could be read."""
        if not self.form.startswith("[", self.at):
            return False
        self.indexed = True
        closing = self.form.find("]", self.at)
        if closing < 0 or len(to_bytes(self.form[self.at :])) < len("[1]"):
            self.is_good_index = False
            self.at += 1
            return False
        number, is_number, end = _digits(self.form[:closing], self.at + 1)
        self.at = closing + 1
        could_be_read = is_number and end == closing
        if could_be_read and number == 1:
            self.used = False
        else:
            self.is_good_index = False
        return could_be_read


def _digits(form: str, at: int) -> tuple[int, bool, int]:
    """Return a number, whether there is one, and where it ends: at the end of the format if it is too great."""
    number, end = 0, at
    while form[end : end + 1] and form[end] in "0123456789":
        if number > _MOST:
            return 0, False, len(form)
        number = number * 10 + int(form[end])
        end += 1
    return number, end > at, end


def _character(verb: str) -> str:
    return "\ufffd" if "\udc80" <= verb <= "\udcff" else verb
