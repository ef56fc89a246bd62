"""Stands in for the distribution http-parser, which pymesos wants and which builds on no Python that we support.

The twelve methods that pymesos calls, on top of httptools; both helper processes load it. There must be no attribute
``errno``: pymesos takes that for a parser of another kind.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import httptools


class HttpParser:
    """Parses one response that comes in pieces."""

    def __init__(self, kind: int = 1, decompress: bool = False) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._has_headers = False
        self._is_complete = False
        self._has_failed = False
        self._parser: Any = httptools.HttpResponseParser(self)

    # ---- what pymesos calls ------------------------------------------------------------------

    def execute(self, data: bytes, length: int) -> int:
        """Take in a piece; returns how much of it was understood, -1 for none."""
        try:
            self._parser.feed_data(data[:length])
        except httptools.HttpParserError:
            self._has_failed = True
            return -1
        return length

    def get_errno(self) -> int:
        return int(self._has_failed)

    def get_status_code(self) -> int:
        return int(self._parser.get_status_code())

    def get_headers(self) -> dict[str, str]:
        return self._headers

    def is_headers_complete(self) -> bool:
        return self._has_headers

    def is_message_complete(self) -> bool:
        return self._is_complete

    def is_partial_body(self) -> bool:
        return bool(self._body)

    def is_chunked(self) -> bool:
        return any(
            name.lower() == "transfer-encoding" and value.lower() == "chunked" for name, value in self._headers.items()
        )

    def recv_body(self) -> bytes:
        """Return what came of the body since the last time."""
        body, self._body = b"".join(self._body), []
        return body

    # ---- what httptools calls ------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1")] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_headers = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._is_complete = True


def stand_in() -> None:
    """Be importable as ``http_parser.http`` from now on."""
    package, module = types.ModuleType("http_parser"), types.ModuleType("http_parser.http")
    package.__path__ = []
    module.HttpParser = HttpParser  # type: ignore[attr-defined]
    package.http = module  # type: ignore[attr-defined]
    sys.modules.update({"http_parser": package, "http_parser.http": module})
