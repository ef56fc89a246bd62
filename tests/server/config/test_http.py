"""The HTTP face of the configuration service: every route, its forms, and how it refuses."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from configuration_service import Served, serving

from occ.errors import LinkError
from server.config.file import FileStore
from server.config.http import HttpServer
from server.config.memory import MemoryStore
from server.config.store import Store
from server.config.stored import StoreConfiguration

FOR_PHYSICS_AND_FLP1 = """\
ANY/any/base
ANY/any/greeting
ANY/any/plain
ANY/any/sub/deep
ANY/flp1/base
PHYSICS/any/base
PHYSICS/any/only
PHYSICS/flp1/own
"""


ANSWERS = (
    ("/components", "text/plain", "aliecs\nqc\nreadoutcard\n"),
    ("/components/", "text/plain", "aliecs\nqc\nreadoutcard\n"),
    ("/components?format=text", "text/plain", "aliecs\nqc\nreadoutcard\n"),
    ("/components?format=json", "application/json", '[\n\t"aliecs",\n\t"qc",\n\t"readoutcard"\n]\n'),
    ("/components/?format=json", "application/json", '[\n\t"aliecs",\n\t"qc",\n\t"readoutcard"\n]\n'),
    ("/components/aliecs", "text/plain", "ANY/any/settings\n"),
    ("/components/aliecs/?format=json", "application/json", '[\n\t"ANY/any/settings"\n]\n'),
    ("/components/qc/technical?raw=true", "text/plain", "TECHNICAL/any/base\n"),
    ("/components/qc/TECHNICAL/?raw=1", "text/plain", "TECHNICAL/any/base\n"),
    ("/components/qc/COSMICS?raw=t&format=json", "application/json", "[]\n"),
    ("/components/qc/COSMICS?raw=true", "text/plain", ""),
    (
        "/components/qc/technical",
        "text/plain",
        "ANY/any/base\nANY/any/greeting\nANY/any/plain\nANY/any/sub/deep\nANY/flp1/base\nTECHNICAL/any/base\n",
    ),
    (
        "/components/qc/PHYSICS/flp1/",
        "text/plain",
        FOR_PHYSICS_AND_FLP1,
    ),
    ("/components/qc/PHYSICS/flp1?raw=True", "text/plain", "PHYSICS/flp1/own\n"),
    ("/components/qc/any/any/plain", "text/plain", '{"a": "<1>"}\n'),
    ("/components/qc/ANY/any/sub/deep", "text/plain", "d\n"),
    ("/components/qc/ANY/any/sub/deep/", "text/plain", "d\n"),
    ("/components/qc/ANY/any/greeting", "text/plain", "{{ who }} & {{ what }}\n"),
    ("/components/qc/ANY/any/greeting?process=false&who=you", "text/plain", "{{ who }} & {{ what }}\n"),
    ("/components/qc/ANY/any/greeting?process=true&who=you&what=me&who=they", "text/plain", "you & me\n"),
    ("/components/qc/ANY/any/greeting?process=1", "text/plain", " & \n"),
    ("/components/qc/ANY/any/sub/deep/?process=T", "text/plain", "d\n"),
    ("/components/qc/physics/flp1/base/resolve", "text/plain", "qc/ANY/flp1/base\n"),
    ("/components/qc/COSMICS/flp7/sub/deep/resolve", "text/plain", "qc/ANY/any/sub/deep\n"),
    ("/inventory/flps", "text/plain", "flp1\nflp2\nflp3\nflp7\n"),
    ("/inventory/flps/", "text/plain", "flp1\nflp2\nflp3\nflp7\n"),
    ("/inventory/flps/text", "text/plain", "flp1\nflp2\nflp3\nflp7\n"),
    ("/inventory/flps/json", "application/json", '[\n\t"flp1",\n\t"flp2",\n\t"flp3",\n\t"flp7"\n]\n'),
    ("/inventory/detectors/ITS/flps", "text/plain", "flp2\nflp3\n"),
    ("/inventory/detectors/TRG/flps/json", "application/json", '[\n\t"flp9"\n]\n'),
    ("/inventory/detectors/EMC/flps/text", "text/plain", ""),
    ("/inventory/detectors/NONE/flps", "text/plain", ""),
    ("/inventory/detectors/NONE/flps/json", "text/plain", ""),
)

REFUSALS = (
    ("/components/qc/nosuch", 400, "runtype not valid\n"),
    ("/components/qc/nosuch/any", 400, "runtype not valid\n"),
    ("/components/qc/nosuch/any/base", 400, "runtype not valid\n"),
    ("/components/qc/nosuch/any/base/resolve", 400, "runtype not valid\n"),
    ("/components?format=xml", 400, "format not valid: 'xml', expected json or text\n"),
    ("/components/qc/ANY?raw=maybe", 400, "raw not valid: 'maybe', expected true or false\n"),
    ("/components/qc/ANY/any/base?process=2", 400, "process not valid: '2', expected true or false\n"),
    ("/components/qc/ANY/any/a//b", 400, "bad component configuration query: 'qc/ANY/any/a//b'\n"),
    ("/components/nobody", 500, "no keys found for component nobody\n"),
    ("/components/qc/ANY/any/none", 500, "no payload at configuration path o2/components/qc/ANY/any/none\n"),
    (
        "/components/qc/PHYSICS/flp1/none/resolve",
        500,
        "could not resolve configuration path o2/components/qc/PHYSICS/flp1/none\n",
    ),
    ("/", 404, "404 Not Found\n"),
    ("/inventory", 404, "404 Not Found\n"),
    ("/inventory/flps/xml", 404, "404 Not Found\n"),
    ("/o2/components/qc/ANY/any/base", 404, "404 Not Found\n"),
)


async def get(served: Served, path: str, *, method: str = "GET") -> tuple[int, str, str]:
    """Return status, kind and text of an answer."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, f"{served.url}{path}") as reply,
    ):
        return reply.status, reply.content_type, await reply.text()


async def test_every_route_answers_in_its_form(served: Served) -> None:
    got = [(path, *await get(served, path)) for path, _, _ in ANSWERS]
    assert got == [(path, 200, kind, text) for path, kind, text in ANSWERS]


async def test_detectors_are_told_with_their_hosts_below_them(served: Served) -> None:
    for end in ("", "/", "/text"):
        status, kind, text = await get(served, f"/inventory/detectors{end}")
        assert (status, kind) == (200, "text/plain")
        assert "ITS\n\tflp2\n\tflp3\n" in text and text.endswith("TRG\n\tflp9\n")
    status, kind, text = await get(served, "/inventory/detectors/json")
    assert (status, kind) == (200, "application/json")
    assert '\n\t"ITS": [\n\t\t"flp2",\n\t\t"flp3"\n\t],\n' in text and text.endswith("\n}\n")


async def test_what_cannot_be_answered_has_a_status_and_a_line(served: Served) -> None:
    got = [(path, *await get(served, path)) for path, _, _ in REFUSALS]
    assert got == [(path, status, "text/plain", text) for path, status, text in REFUSALS]


async def test_nothing_is_written_but_the_cache_is_forgotten(served: Served, filled: Store) -> None:
    before = filled.get_tree("")
    for method in ("POST", "PUT", "DELETE"):
        assert (await get(served, "/components/qc/ANY/any/base", method=method))[0] == 405
    assert await get(served, "/components/_invalidate_cache", method="POST") == (200, "text/plain", "OK")
    assert filled.get_tree("") == before


async def test_a_name_with_a_dot_or_in_percent_notation_is_read(served: Served, filled: Store) -> None:
    filled.put("o2/components/qc/ANY/any/tracks.json", "{}")
    assert await get(served, "/components/qc/ANY/any/tracks.json") == (200, "text/plain", "{}\n")
    assert await get(served, "/components/qc/ANY/any/sub%2Fdeep") == (200, "text/plain", "d\n")


async def test_the_page_at_docs_lists_every_route(served: Served) -> None:
    for path in ("/docs", "/docs/", "/docs/index.html"):
        status, kind, text = await get(served, path)
        assert (status, kind) == (200, "text/html")
        for shown in ("{component}/{runtype}/{role}/{entry}/resolve", "_invalidate_cache", "{detector}/flps/{format"):
            assert shown in text


async def test_a_store_that_is_broken_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "configuration.yaml").write_text("a: [\n")
    async with serving(StoreConfiguration(FileStore(tmp_path / "configuration.yaml"), deadline_s=60)) as served:
        status, _, text = await get(served, "/components")
        assert status == 500 and "configuration.yaml:2:1" in text


async def test_a_client_that_sends_no_request_is_hung_up_on() -> None:
    async with impatient(MemoryStore(), timeout_s=0.5) as server:
        for said in (b"", b"GET /components HTTP/1.1\r\nHost:"):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(said)
            assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()
            await writer.wait_closed()


async def test_a_client_that_does_not_take_its_answer_is_hung_up_on() -> None:
    size_bytes = 40_000_000
    store = MemoryStore()
    store.put("o2/components/big/ANY/any/payload", "x" * size_bytes)
    async with impatient(store, timeout_s=60) as server:
        given_up = Heard("request took too long")
        logging.getLogger("server.config.http").addHandler(given_up)
        try:
            loop = asyncio.get_running_loop()
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.setblocking(False)
                async with asyncio.timeout(60):
                    while not server._silent:  # noqa: ASYNC110  # it has the connection, and from now on less time
                        await asyncio.sleep(0)
                server._timeout_s = 3
                await loop.sock_sendall(client, b"GET /components/big/ANY/any/payload HTTP/1.1\r\nHost: x\r\n\r\n")
                await asyncio.wait_for(given_up.event.wait(), 60)
                taken = 0
                while part := await asyncio.wait_for(loop.sock_recv(client, 1_000_000), 60):
                    taken += len(part)
            assert taken < size_bytes
        finally:
            logging.getLogger("server.config.http").removeHandler(given_up)


class Heard(logging.Handler):
    """Sets an event when a line of the log begins with a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.event = asyncio.Event()
        self._text = text

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._text):
            self.event.set()


@asynccontextmanager
async def impatient(store: Store, *, timeout_s: float) -> AsyncIterator[HttpServer]:
    """Serve a store whose clients have little time."""
    configuration = StoreConfiguration(store, deadline_s=60)
    server = HttpServer(configuration, address="127.0.0.1", port=0, timeout_s=timeout_s)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def test_a_line_that_is_too_long_is_refused(served: Served) -> None:
    status, _, _ = await get(served, f"/components?x={'y' * 100_000}")
    assert status in (400, 414)


async def test_a_port_that_is_taken_is_named_with_the_setting(served: Served, tmp_path: Path) -> None:
    configuration = StoreConfiguration(FileStore(tmp_path / "c.yaml"), deadline_s=1)
    server = HttpServer(configuration, address="127.0.0.1", port=served.server.http_port, setting="webPort")
    with pytest.raises(LinkError, match=rf"port {served.server.http_port} on 127.0.0.1.*--webPort"):
        await server.start()


async def test_what_is_no_request_and_who_hangs_up_leave_nothing_in_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    junk = (b"\x16\x03\x01\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n")
    with caplog.at_level(logging.INFO):
        for request in junk:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.server.http_port)
            writer.write(request)
            async with asyncio.timeout(60):
                assert (await reader.readline()).split()[1] == b"400"
            writer.close()
        hung_up = socket.create_connection(("127.0.0.1", served.server.http_port))
        hung_up.sendall(b"GET /components HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        hung_up.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        hung_up.close()
        async with aiohttp.ClientSession() as session, session.get(f"{served.url}/components") as answer:
            assert answer.status == 200
    assert [record.getMessage() for record in caplog.records] == []
