"""The loader's process: reads requests from stdin, loads workflows, answers on stdout. The core's side: loader.py.

One frame is a length (4 bytes, big-endian) and JSON. While it loads it may ask for files of further
repositories. The process ends when its stdin ends or its parent does.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from occ.errors import AliecsError
from server.api.errors import CoreError, Reason
from server.config.open import open_services
from server.template.model import LoadedWorkflow
from server.template.rehearsal import rehearsed_objects
from server.template.services import Services
from server.workflow.findings import Findings
from server.workflow.generated import GeneratedTemplates
from server.workflow.generator import GenerationSettings, Generator
from server.workflow.listing import TemplateListing, list_folder, list_text
from server.workflow.load import STANDING_OBJECTS, load_workflow
from server.workflow.repos import Fetch, RepositorySet, Source, Wanted

_PR_SET_PDEATHSIG = 1


class LoadRequest(msgspec.Struct, frozen=True, tag="load", kw_only=True):
    """Load one workflow."""

    expression: str
    user_vars: dict[str, str]
    defaults: dict[str, str]
    vars: dict[str, str]
    repositories: RepositorySet
    rehearsal: bool = False
    """Change nothing, and tell all errors at once instead of the first."""


class ListRequest(msgspec.Struct, frozen=True, tag="list", kw_only=True):
    """Say what templates declare."""

    folder: str = ""
    """Of a repository whose templates are all read; "" for none."""
    texts: dict[str, tuple[str, str]] = {}
    """Further ones: a key for each to its name and text."""


class ForgetRequest(msgspec.Struct, frozen=True, tag="forget", kw_only=True):
    """Forget what DPL commands have written, so that they are run anew."""


class Failure(msgspec.Struct, frozen=True, tag="failure", kw_only=True):
    """Why it could not be done; the parts of a CoreError."""

    reason: Reason
    message: str
    hint: str
    code: str
    where: dict[str, str]


class Loaded(msgspec.Struct, frozen=True, tag="loaded", kw_only=True):
    workflow: LoadedWorkflow
    errors: tuple[Failure, ...] = ()
    """Of a rehearsal; where there are any the workflow is of no use."""
    disabled: tuple[str, ...] = ()
    """Of a rehearsal: paths of roles that are not enabled."""


class Listed(msgspec.Struct, frozen=True, tag="listed", kw_only=True):
    templates: tuple[TemplateListing, ...]
    """Of the folder."""
    texts: dict[str, TemplateListing]
    """By the keys of the request."""


class Done(msgspec.Struct, frozen=True, tag="done", kw_only=True):
    """It was done."""


Request = LoadRequest | ListRequest | ForgetRequest
Reply = Loaded | Listed | Done | Failure | Wanted
"""Wanted is a question in between: the core answers it by a Source or a Failure, then the reply follows."""

REQUESTS: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
REPLIES: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
SOURCES: msgspec.json.Decoder[Source | Failure] = msgspec.json.Decoder(Source | Failure)


def answer(request: Request, services: Services, fetch: Fetch, generation: GenerationSettings | None = None) -> Reply:
    """Do what is asked; errors are answers."""
    try:
        if isinstance(request, ForgetRequest):
            if generation:
                GeneratedTemplates(Path(generation.folder)).clear()
            return Done()
        if isinstance(request, ListRequest):
            return Listed(
                templates=tuple(list_folder(Path(request.folder))) if request.folder else (),
                texts={key: list_text(name, text) for key, (name, text) in request.texts.items()},
            )
        return _load(request, services, fetch, Generator(generation, services) if generation else None)
    except AliecsError as error:
        return to_failure(error)
    except RecursionError:
        message = "the workflow is nested too deeply"
        return Failure(reason=Reason.TEMPLATE_BROKEN, message=message, hint="", code="", where={})


def _load(request: LoadRequest, services: Services, fetch: Fetch, generator: Generator | None) -> Loaded:
    rehearsed = rehearsed_objects(services) if request.rehearsal else {}

    def load(findings: Findings) -> Loaded:
        workflow = load_workflow(
            request.expression,
            user_vars=request.user_vars,
            defaults=request.defaults,
            vars=request.vars,
            repositories=request.repositories,
            services=services,
            fetch=fetch,
            generate=generator,
            generated=generator.templates if generator else None,
            objects={**STANDING_OBJECTS, **rehearsed},
            findings=findings,
        )
        errors = tuple(map(to_failure, findings.errors or ()))
        return Loaded(workflow=workflow, errors=errors, disabled=tuple(findings.disabled or ()))

    def findings() -> Findings:
        return Findings(errors=[], disabled=[]) if request.rehearsal else Findings()

    return generator.load(load, findings) if generator else load(findings())


def to_failure(error: AliecsError) -> Failure:
    """Return an error as an answer."""
    if isinstance(error, CoreError):
        return Failure(reason=error.reason, message=error.message, hint=error.hint, code=error.code, where=error.where)
    return Failure(reason=Reason.TEMPLATE_BROKEN, message=error.message, hint=error.hint, code="", where={})


def to_error(failure: Failure) -> CoreError:
    """Return an answer as the error that it was."""
    return CoreError(failure.reason, failure.message, hint=failure.hint, code=failure.code, **failure.where)


def main(configuration: str, generation: GenerationSettings | None) -> None:
    """Serve requests until stdin ends, with the configuration at an address."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the core
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may write between frames
    services = open_services(configuration)

    def say(reply: Reply) -> None:
        data = msgspec.json.encode(reply)
        replies.write(len(data).to_bytes(4, "big") + data)
        replies.flush()

    def fetch(wanted: Wanted) -> Source:
        say(wanted)
        if not (frame := read_frame(requests)):
            sys.exit("the core has gone")
        found = SOURCES.decode(frame)
        if isinstance(found, Failure):
            raise to_error(found)
        return found

    while frame := read_frame(requests):
        say(answer(REQUESTS.decode(frame), services, fetch, generation))


def read_frame(stream: BinaryIO) -> bytes:
    """Return the next frame, b"" at the end."""
    head = stream.read(4)
    return stream.read(int.from_bytes(head, "big")) if len(head) == 4 else b""


if __name__ == "__main__":
    main(sys.argv[1], msgspec.json.decode(sys.argv[2], type=GenerationSettings | None))
