"""A network namespace for a core: one link to its cluster, which can be cut without a word, and one to its clients.

The cluster listens on loopback of the test; a relay on the link brings the core to it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from types import TracebackType

LIMIT_S = 60.0


def why_not() -> str:
    """Return why there can be no network namespace here, "" if there can."""
    program = shutil.which("ip")
    if program is None:
        return "no program ip: links cannot be cut (Debian: apt-get install iproute2)"
    name, link = f"aliecs-probe-{os.getpid()}", f"alp{os.getpid()}"
    undo: list[tuple[str, ...]] = []
    try:
        ip("netns", "add", name)
        undo.append(("netns", "del", name))
        ip("link", "add", link, "type", "veth", "peer", "name", "probe", "netns", name)
        undo.append(("link", "del", link))
    except subprocess.CalledProcessError as error:
        return f"no network namespace with a link may be made, links cannot be cut: {error.stderr.decode().strip()}"
    finally:
        for words in reversed(undo):
            ip(*words)
    return ""


def free_nets() -> tuple[str, str]:
    """Return the beginnings of two networks that no link of this machine is in."""
    used = subprocess.run(["ip", "-o", "address"], check=True, capture_output=True, text=True, timeout=LIMIT_S).stdout
    first = os.getpid() % 250
    for number in (*range(first, 250), *range(first)):
        nets = f"10.231.{number}", f"10.232.{number}"
        if not any(f" {net}." in used for net in nets):
            return nets
    raise AssertionError("all networks are taken")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=LIMIT_S)


class CutOff:
    """A namespace with its two links.

    Args:
        cluster: host:port on loopback of what the core is connected to.

    Attributes:
        prefix: put before a command, it runs in the namespace.
        cluster_address: of the cluster, as seen from there.
        core_address: where the core has to listen, for clients.
    """

    def __init__(self, cluster: str) -> None:
        to_cluster, to_clients = free_nets()
        self._name = f"aliecs-{os.getpid()}"
        self._links = {f"alx{os.getpid()}": to_cluster, f"alc{os.getpid()}": to_clients}
        self._to_cluster, self._to_clients = self._links
        self._cluster = cluster
        self._relay: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()
        self.prefix = ("ip", "netns", "exec", self._name)
        self.core_address = f"{self._links[self._to_clients]}.2"
        self.cluster_address = ""

    async def __aenter__(self) -> CutOff:
        ip("netns", "add", self._name)
        ip("-n", self._name, "link", "set", "lo", "up")
        for link, net in self._links.items():
            ip("link", "add", link, "type", "veth", "peer", "name", "core" + link[:3], "netns", self._name)
            ip("address", "add", f"{net}.1/24", "dev", link)
            ip("-n", self._name, "address", "add", f"{net}.2/24", "dev", "core" + link[:3])
            ip("link", "set", link, "up")
            ip("-n", self._name, "link", "set", "core" + link[:3], "up")
        here = f"{self._links[self._to_cluster]}.1"
        self._relay = await asyncio.start_server(self._bring, here, 0)
        self.cluster_address = f"{here}:{self._relay.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._relay
        self._relay.close()
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)
        ip("netns", "del", self._name)

    def cut(self) -> None:
        """Lose everything that is sent between the core and its cluster from now on; no connection is told."""
        ip("link", "set", self._to_cluster, "down")

    def mend(self) -> None:
        """Let everything through again."""
        ip("link", "set", self._to_cluster, "up")

    async def _bring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._cluster.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        for way in (_pour(reader, far_writer), _pour(far_reader, writer)):
            task = asyncio.create_task(way)
            self._ways.add(task)
            task.add_done_callback(self._ways.discard)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
