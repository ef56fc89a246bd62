"""A real Consul agent on loopback and free ports, stopped by the pid that was started."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from free_ports import free_port

START_S = 60.0
STARTS = 3
"""A port that was free may be taken before the agent binds it."""


def find_consul(root: Path) -> Path | None:
    """Return the program: that named in ALIECS_CONSUL, on the path, or in the cache of the clone."""
    if named := os.environ.get("ALIECS_CONSUL"):
        return Path(named)
    if found := shutil.which("consul"):
        return Path(found)
    cached = root / ".cache" / "consul" / "consul"
    return cached if cached.exists() else None


class ConsulAgent:
    """One agent, server and leader of its own. ``with`` runs it.

    Args:
        program: Consul.
        folder: for its log and its data.
        is_durable: keep the data on disk; it takes two seconds longer to start.
        token: of its master; with one everything that is not permitted is denied.
    """

    def __init__(self, program: Path, folder: Path, *, is_durable: bool = False, token: str = "") -> None:
        self._program = program
        self._folder = folder
        self._is_durable = is_durable
        self._token = token
        self._ports: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)

    def __enter__(self) -> ConsulAgent:
        for attempt in range(STARTS):
            self._ports = [free_port() for _ in range(3)]
            try:
                self.start()
                return self
            except ChildProcessError:
                if attempt == STARTS - 1:
                    raise
        raise AssertionError

    def __exit__(self, *error: object) -> None:
        self.kill()

    @property
    def port(self) -> int:
        return self._ports[0]

    @property
    def uri(self) -> str:
        return f"consul://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, again on the same ports, and wait until it leads."""
        http_port, server, serf = self._ports
        mode = (
            [
                "-server",
                "-bootstrap-expect=1",
                f"-data-dir={self._folder / 'data'}",
                "-hcl=performance{raft_multiplier=1}",
            ]
            if self._is_durable
            else ["-dev"]
        )
        if self._token:
            acl = {"acl": {"enabled": True, "default_policy": "deny", "tokens": {"master": self._token}}}
            (self._folder / "acl.json").write_text(json.dumps(acl))
            mode.append(f"-config-file={self._folder / 'acl.json'}")
        ends_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [*ends_with_us, str(self._program), "agent", *mode, "-bind=127.0.0.1", "-client=127.0.0.1",
                 f"-http-port={http_port}", f"-server-port={server}", f"-serf-lan-port={serf}", "-serf-wan-port=-1",
                 "-dns-port=-1", "-grpc-port=-1", "-log-level=warn", "-disable-host-node-id", f"-node=test-{http_port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + START_S
        pause = threading.Event()
        while not self._leads():
            if self._process.poll() is not None:
                raise ChildProcessError(f"Consul ended: {(self._folder / 'log').read_text()[-2000:]}")
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(
                    f"Consul has no leader after {START_S:g} s: {(self._folder / 'log').read_text()[-2000:]}"
                )
            pause.wait(0.02)
        self.request("DELETE", "/v1/kv/ready")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(START_S)

    def freeze(self) -> None:
        """Let it hold all connections and answer nothing, from when this returns."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)  # all its threads; a busy one may still answer before

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def clear(self) -> None:
        """Remove all keys."""
        self.request("DELETE", "/v1/kv/?recurse")

    def request(self, method: str, path: str, body: str | bytes = b"") -> bytes:
        """Ask it directly, as another program would."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        try:
            headers = {"X-Consul-Token": self._token} if self._token else {}
            connection.request(method, path, body=body, headers=headers)
            return connection.getresponse().read()
        finally:
            connection.close()

    def _leads(self) -> bool:
        try:
            # The leader takes writes only a moment after it was elected.
            return (
                b":" in self.request("GET", "/v1/status/leader")
                and self.request("PUT", "/v1/kv/ready").strip() == b"true"
            )
        except OSError:
            return False
