"""All variables of one template as a form: its panels, what was changed, what is shown, what stands wrong. No I/O.

What is sent is what was changed: a variable that nobody touched keeps its default, shown or not. One field: form_fields.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from console.form_fields import Control, Field, chosen, problem, same, tidy
from server.api.conditions import Verdict, evaluate

if TYPE_CHECKING:
    from server.api.replies import VariableSpec

ADDED = "Added by hand"
"""Panel of the variables that the template does not offer."""

ELSEWHERE = ("hosts", "detectors")
"""Variables that are chosen from lists of their own, not in the panels."""


class Panel(NamedTuple):
    """A group of fields, as the template groups them."""

    title: str
    names: tuple[str, ...]


class Pasted(NamedTuple):
    """What came of a text that was pasted."""

    values: dict[str, str]
    """What was taken."""
    errors: tuple[str, ...]
    """What was not, one line each, naming the variable or the place."""


class Form:
    """The state of a form. Values are texts; ``changed`` holds those that differ from the default."""

    def __init__(self, specs: Iterable[VariableSpec] = (), changed: Mapping[str, str] | None = None) -> None:
        self._offered = {spec.name: Field.of(spec) for spec in specs}
        self._changed: dict[str, str] = {}
        self._values: dict[str, str] | None = None
        for name, text in (changed or {}).items():
            self.set(name, text)

    # ---- fields ------------------------------------------------------------------------------

    @property
    def changed(self) -> Mapping[str, str]:
        """What differs from the defaults, in the order in which it was changed."""
        return self._changed

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Panels in the order of their titles, General before all others, what was added by hand last."""
        groups: dict[str, list[str]] = {}
        for field in self._offered.values():
            groups.setdefault(field.panel, []).append(field.name)
        titles = sorted(groups, key=lambda title: (not title.startswith("General"), title.casefold()))
        panels = [Panel(title, tuple(groups[title])) for title in titles]
        added = tuple(name for name in self._changed if name not in self._offered and name not in ELSEWHERE)
        return (*panels, Panel(ADDED, added)) if added else tuple(panels)

    @property
    def names(self) -> tuple[str, ...]:
        """All fields in the order of their panels."""
        return tuple(name for panel in self.panels for name in panel.names)

    def field(self, name: str) -> Field:
        """Return a field; one of its own for a variable that the template does not offer."""
        known = self._offered.get(name)
        if known is not None:
            return known
        kind = "list" if name in ELSEWHERE else "string"
        return Field(name=name, label=name, panel=ADDED, type=kind, is_offered=False)

    def is_offered(self, name: str) -> bool:
        return name in self._offered

    # ---- values ------------------------------------------------------------------------------

    @property
    def values(self) -> Mapping[str, str]:
        """All values, changed or not."""
        if self._values is None:
            self._values = {name: field.default for name, field in self._offered.items()} | self._changed
        return self._values

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def set(self, name: str, text: str) -> None:
        """Change a value; one that means the same as the default is not changed."""
        field = self.field(name)
        text = tidy(text) if text != field.default else text
        self._values = None
        if field.is_offered and same(field, text, field.default):
            self._changed.pop(name, None)
        else:
            self._changed[name] = text

    def reset(self, name: str) -> None:
        """Go back to the default; a variable that was added by hand is gone then."""
        self._changed.pop(name, None)
        self._values = None

    def set_none(self, panel: Panel) -> int:
        """Choose "none" wherever a panel allows it; return how many changed."""
        wanted = [name for name in panel.names if self.field(name).has_none and self.value(name) != "none"]
        for name in wanted:
            self.set(name, "none")
        return len(wanted)

    # ---- what is shown -----------------------------------------------------------------------

    def visible(self, name: str) -> Verdict:
        return evaluate(self.field(name).visible_if, self.values)

    def enabled(self, name: str) -> Verdict:
        return evaluate(self.field(name).enabled_if, self.values)

    def refusal(self, name: str) -> str:
        """Say why a field cannot be changed here, "" if it can."""
        if name in ELSEWHERE:
            return "chosen in step 2"
        return "" if self.enabled(name).holds else f"not while {self.field(name).enabled_if} is false"

    def warning(self, name: str) -> str:
        """Say which condition of a field was not understood and where, "" if all were."""
        field = self.field(name)
        for what, text, verdict in (
            ("visibleif", field.visible_if, self.visible(name)),
            ("enabledif", field.enabled_if, self.enabled(name)),
        ):
            if verdict.warning:
                return f"{what} {text}: {verdict.warning}"
        return ""

    def warnings(self) -> dict[str, str]:
        """Return the warnings of all fields that have one."""
        return {name: warning for name in self._offered if (warning := self.warning(name))}

    # ---- what is wrong -----------------------------------------------------------------------

    def problem(self, name: str) -> str:
        """Say what is wrong with a value, "" if nothing is."""
        return problem(self.field(name), self._changed[name]) if name in self._changed else ""

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by name. Only what was changed can be."""
        return {name: words for name in self._changed if (words := self.problem(name))}

    # ---- several at once ---------------------------------------------------------------------

    def add(self, text: str) -> str:
        """Take ``name=value``; say what is wrong with it, "" if nothing is."""
        name, sign, value = text.partition("=")
        name = name.strip()
        if not sign or not _is_name(name):
            return f"{text.strip() or 'nothing'} is no variable: write name=value"
        if name in ELSEWHERE:
            return f"{name}: chosen in step 2"
        wrong = problem(self.field(name), tidy(value))
        if not wrong:
            self.set(name, value)
        return f"{name}: {wrong}" if wrong else ""

    def paste(self, text: str) -> Pasted:
        """Take variables from JSON, ``{"name": "value"}``: those that are right; the others are named with the reason."""
        pairs, errors = _pairs(text)
        counts: dict[str, int] = {}
        for name, _ in pairs:
            counts[name] = counts.get(name, 0) + 1
        errors += [f"{name}: given {count} times" for name, count in counts.items() if count > 1]
        taken: dict[str, str] = {}
        for name, value in pairs:
            if counts[name] > 1:
                continue
            words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if not _is_name(name):
                errors.append(f"{name!r}: no name of a variable")
            elif name in ELSEWHERE:
                errors.append(f"{name}: chosen in step 2, not here")
            elif value is None:
                errors.append(f"{name}: null is no value")
            elif wrong := problem(self.field(name), tidy(words)):
                errors.append(f"{name}: {wrong}")
            else:
                taken[name] = words
        for name, words in taken.items():
            self.set(name, words)
        return Pasted(taken, tuple(errors))

    # ---- finding -----------------------------------------------------------------------------

    def search_fields(self, name: str) -> dict[str, str]:
        """Return the texts of a field that a search looks at, by name."""
        field = self.field(name)
        return {
            "name": field.name,
            "label": field.label,
            "panel": field.panel,
            "value": self.value(name),
            "type": field.type,
            "changed": "yes" if name in self._changed else "no",
            "description": field.description,
        }


def detector_of(name: str, detectors: Sequence[str]) -> str:
    """Return the detector that a variable belongs to by the first part of its name ("tpc_dpl_workflow"), "" if none."""
    prefix, sign, _ = name.partition("_")
    return prefix.upper() if sign and prefix.upper() in detectors else ""


def choices(field: Field, text: str) -> list[tuple[str, bool]]:
    """Return what can be chosen, each with whether it is; a value that is none of the allowed ones comes first."""
    is_many = field.control is Control.MANY
    picked = chosen(text) if is_many else (text,)
    others = [one for one in picked if one not in field.allowed and (one or not is_many)]
    return [(one, one in picked) for one in (*others, *field.allowed)]


def _is_name(name: str) -> bool:
    return bool(name) and not any(letter.isspace() or letter in "={}\"'," for letter in name) and name.isprintable()


def _pairs(text: str) -> tuple[list[tuple[str, Any]], list[str]]:
    """Return the members of a JSON object, also those that come twice, and what is wrong with the text."""
    found: list[list[tuple[str, Any]]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(pairs)
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=keep)
    except json.JSONDecodeError as error:
        return [], [f"line {error.lineno} column {error.colno}: {error.msg}"]
    except (RecursionError, ValueError) as error:
        return [], [f"cannot be read: {error}"]
    if not isinstance(value, dict):
        return [], ['this is no {"name": "value"}']
    return found[-1], []
