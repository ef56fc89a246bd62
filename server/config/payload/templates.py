"""Component templates: the payload of an entry rendered with variables (workflows-config.md 9.5), parsed once.

The language is that of pongo2 v6, nearly Django's: tokens.py, syntax.py, document.py; its limits: budget.py.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from server.config.payload.budget import Budget
from server.config.payload.characters import clean, whole
from server.config.payload.entries import Entries, Fetch
from server.config.payload.errors import LimitError, MissingEntryError, PayloadError
from server.config.payload.execution import execute_template
from server.config.payload.frame import Output, Run, Template
from server.template.rehearsal import FILELESS
from server.template.scope import Scope

MAX_CACHED = 1000
"""Parsed entries that are kept; beyond them the oldest goes."""


class PayloadTemplates:
    """Renders component templates; changes of their payloads are seen after ``invalidate``. Safe to use by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cache: dict[str, Template] = {}
        self._generation = 0

    def render(self, fetch: Fetch, path: str, variables: Mapping[str, str]) -> str:
        """Return the rendered payload.

        Args:
            fetch: gives the raw payload at ``component/RUNTYPE/role/entry``, None if there is none.
            path: the entry, of the same form.
            variables: functions of AliECS hide those of the same name.

        Raises:
            PayloadError: the template is wrong, or wants more than it may have; names entry, line and column.
        """
        try:
            return self._render(fetch, path, variables)
        except RecursionError:
            raise LimitError("nested too deeply", entry=path) from None
        except PayloadError as error:
            raise (error if error.entry else error.at(path, 0, 0)) from error.__cause__

    def invalidate(self) -> None:
        """Forget all parsed templates."""
        with self._lock:
            self._cache = {}
            self._generation += 1

    def _render(self, fetch: Fetch, path: str, variables: Mapping[str, str]) -> str:
        base, _, name = path.rpartition("/")
        template = self._template(fetch, path, base, name)
        given = {name: clean(value) for name, value in variables.items()}
        names: dict[str, object] = {name.strip(): value for name, value in given.items()}
        names.update(FILELESS)
        run = Run(Budget(), Entries(fetch, base), Scope(given, FILELESS))
        output = Output()
        execute_template(template, names, {}, run, output)
        return whole(output.text())

    def _template(self, fetch: Fetch, path: str, base: str, name: str) -> Template:
        with self._lock:
            cached = self._cache.get(path)
            generation = self._generation
        if cached is not None:
            return cached
        entries = Entries(fetch, base)
        template = entries.load(name)
        with self._lock:
            if generation == self._generation:
                self._cache.pop(path, None)
                if len(self._cache) >= MAX_CACHED:
                    self._cache.pop(next(iter(self._cache)))
                self._cache[path] = template
        return template


__all__ = ["MissingEntryError", "PayloadError", "PayloadTemplates"]
