"""What the configuration service answers over HTTP, route by route (workflows-config.md 9.11). The server around: http.py.

Answers are text unless JSON is asked for; a route that fails has the status 400 or 500 and says why in a line.
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from occ.errors import ConfigError
from server.config import components, inventory
from server.config.components import Query
from server.config.documents import indented
from server.config.store import HARDWARE
from server.config.stored import StoreConfiguration
from server.template.queries import RUN_TYPES

_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")

Handler = Callable[[web.Request], Awaitable[web.Response]]


class BadRequestError(ConfigError):
    """What was asked for cannot be read; the status is 400."""


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of request.

    Attributes:
        path: as aiohttp has it, without a last slash.
        slash: it may also end in one.
        options: what may stand behind ``?``.
        about: for the page at /docs/.
    """

    method: str
    path: str
    handler: Handler
    about: str
    options: str = ""
    slash: bool = True

    @property
    def shown(self) -> str:
        """Path as people write it."""
        return self.path.replace(":.+", "")


class Routes:
    """All routes on one configuration."""

    def __init__(self, configuration: StoreConfiguration) -> None:
        self._configuration = configuration
        entry = "/components/{component}/{runtype}/{role}/{entry:.+}"
        listed = "its entries as RUNTYPE/role/entry, sorted"
        kept = "of a run type; unless raw those of ANY too"
        kept_role = "of a run type and role; unless raw those of ANY and of any too"
        resolved = "the first that exists of: as asked, of ANY, of any, of ANY and any"
        given = "process=bool, variables of a template"
        hosts = "all readout hosts"
        inventory_of = "detectors with their hosts"
        hosts_of = "hosts of a detector"
        self.all: tuple[Route, ...] = (
            Route("POST", "/components/_invalidate_cache", self._invalidate, "forget parsed templates", slash=False),
            Route("GET", "/components", self._components, "names of all components, sorted", "format=json|text"),
            Route("GET", "/components/{component}", self._entries, listed, "format"),
            Route("GET", "/components/{component}/{runtype}", self._entries, f"the same {kept}", "format, raw=bool"),
            Route("GET", "/components/{component}/{runtype}/{role}", self._entries, f"the same {kept_role}", "format, raw=bool"),
            Route("GET", f"{entry}/resolve", self._resolve, resolved, slash=False),
            Route("GET", entry, self._payload, "the payload exactly there", given),
            *(Route("GET", f"/inventory/flps{form}", self._flps, hosts) for form in _FORMS),
            *(Route("GET", f"/inventory/detectors{form}", self._detectors, inventory_of) for form in _FORMS),
            *(Route("GET", f"/inventory/detectors/{{detector}}/flps{form}", self._detector, hosts_of) for form in _FORMS),
        )  # fmt: skip

    def page(self) -> str:
        """Return the page that lists all routes."""
        rows = "\n".join(
            f"<tr><td>{route.method}<td><code>{html.escape(route.shown)}</code>"
            f"<td><code>{html.escape(route.options)}</code><td>{html.escape(route.about)}"
            for route in self.all
        )
        return _PAGE.format(rows=rows)

    # ---- components --------------------------------------------------------------------------

    async def _components(self, request: web.Request) -> web.Response:
        return _list(await self._configuration.ask(components.components), _format(request))

    async def _entries(self, request: web.Request) -> web.Response:
        asked = request.match_info
        run_type = _run_type(asked["runtype"]) if "runtype" in asked else ""
        role = asked.get("role", "")
        form, raw = _format(request), _bool(request, "raw", default=False)
        found = await self._configuration.ask(lambda store: components.entries(store, asked["component"]))
        return _list([entry for entry in found if _wanted(entry, run_type, role, raw)], form)

    async def _payload(self, request: web.Request) -> web.Response:
        query = _query(request)
        process = _bool(request, "process", default=False)
        variables = {key: request.query[key] for key in request.query if key != "process"}
        payload = await self._configuration.payload(query, variables if process else None)
        return _text(f"{payload}\n")

    async def _resolve(self, request: web.Request) -> web.Response:
        query = _query(request)
        found = await self._configuration.ask(lambda store: components.resolve(store, query))
        return _text(f"{found.path}\n")

    async def _invalidate(self, request: web.Request) -> web.Response:
        self._configuration.invalidate_templates()
        return _text("OK")

    # ---- inventory ---------------------------------------------------------------------------

    async def _flps(self, request: web.Request) -> web.Response:
        return _list(await self._configuration.ask(inventory.hosts_of), request.match_info.get("format", "text"))

    async def _detectors(self, request: web.Request) -> web.Response:
        found = await self._configuration.ask(lambda store: inventory.detector_inventory(store.snapshot(HARDWARE)))
        if request.match_info.get("format") == "json":
            return _json(found)
        return _text("".join(f"{name}\n" + "".join(f"\t{host}\n" for host in found[name]) for name in sorted(found)))

    async def _detector(self, request: web.Request) -> web.Response:
        detector = request.match_info["detector"]
        if detector not in inventory.DETECTOR_CODES:
            return _text("")
        found = await self._configuration.ask(lambda store: inventory.hosts_of(store, detector))
        return _list(found, request.match_info.get("format", "text"))


_FORMS = ("", "/{format:json|text}")


def _wanted(entry: str, run_type: str, role: str, raw: bool) -> bool:
    """Tell whether an entry is of the run type and role, or one that stands in for them."""
    its_run_type, its_role, _ = entry.split("/", 2)
    run_types = {run_type} if raw else {run_type, "ANY"}
    roles = {role} if raw else {role, "any"}
    return (not run_type or its_run_type in run_types) and (not role or its_role in roles)


def _query(request: web.Request) -> Query:
    asked = request.match_info
    try:
        return components.make_query(
            asked["component"], _run_type(asked["runtype"]), asked["role"], asked["entry"].removesuffix("/")
        )
    except ConfigError as error:
        raise BadRequestError(error.message, hint=error.hint) from None


def _run_type(text: str) -> str:
    if text.upper() not in RUN_TYPES:
        raise BadRequestError("runtype not valid")
    return text.upper()


def _format(request: web.Request) -> str:
    form = request.query.get("format", "") or "text"
    if form not in ("json", "text"):
        raise BadRequestError(f"format not valid: {form!r}, expected json or text")
    return form


def _bool(request: web.Request, name: str, *, default: bool) -> bool:
    text = request.query.get(name, "")
    if text not in ("", *_TRUE, *_FALSE):
        raise BadRequestError(f"{name} not valid: {text!r}, expected true or false")
    return text in _TRUE if text else default


def _list(names: Sequence[str], form: str) -> web.Response:
    return _json(names) if form == "json" else _text("".join(f"{name}\n" for name in names))


def _json(value: Sequence[str] | Mapping[str, Sequence[str]]) -> web.Response:
    return web.Response(text=f"{indented(value)}\n", content_type="application/json")


def _text(text: str) -> web.Response:
    """Return a text; bytes that are none go out as they are in the store."""
    body = text.encode("utf-8", "surrogateescape")
    return web.Response(body=body, content_type="text/plain", charset="utf-8")


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Configuration service</title>
<style>body {{ font-family: sans-serif }} td {{ padding: .2em 1em; text-align: left; vertical-align: top }}</style>
<h1>Configuration service</h1>
<p>Everything is read only, but for the cache. Run types may be in small letters. A path may end in a slash, but for
those of <code>resolve</code> and of the cache. Errors are one line: 400 for what cannot be read, 500 for what is not there.</p>
<table>
{rows}
</table>
</html>
"""
