"""A real ZooKeeper of Debian's package on loopback, and the nodes by which Mesos masters stand for election in it.

The nodes are as golden/mesos shows them: the lowest number leads, and its node goes with its master.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from free_ports import free_port
from kazoo.client import KazooClient

from mesos.terms import LOOPBACK, LOOPBACK_NUMBER, VERSION, Json

JAR = Path("/usr/share/java/zookeeper.jar")
PATH = "/mesos"
START_S = 60.0


def why_none() -> str:
    """Return why there can be no ZooKeeper here, "" if there can."""
    if not JAR.exists() or shutil.which("java") is None:
        return "no ZooKeeper: apt-get install zookeeper"
    return ""


class ZooKeeper:
    """One server, alone. ``with`` runs it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self._client: KazooClient | None = None
        folder.mkdir(exist_ok=True)

    @property
    def address(self) -> str:
        """Return what masters and frameworks are told."""
        return f"zk://{LOOPBACK}:{self._port}{PATH}"

    def __enter__(self) -> ZooKeeper:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._client is not None:
            self._client.stop()
            self._client.close()
        self.kill()

    def start(self) -> None:
        """Start it, again on the same port and with the same nodes, and wait until it serves."""
        settings = {
            "tickTime": 2000,
            "dataDir": self._folder / "data",
            "clientPort": self._port,
            "clientPortAddress": LOOPBACK,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "srvr",
        }
        (self._folder / "zoo.cfg").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        program = [
            "java",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            str(JAR),
            "org.apache.zookeeper.server.ZooKeeperServerMain",
        ]
        ends_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [*ends_with_us, *program, str(self._folder / "zoo.cfg")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + START_S
        pause = threading.Event()
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise ChildProcessError(f"ZooKeeper does not serve: {(self._folder / 'log').read_text()[-2000:]}")
            pause.wait(0.05)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(START_S)

    def _serves(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self._port), timeout=5) as connection:
                connection.sendall(b"srvr")  # sessions that begin before it is ready are not answered
                return b"Mode: standalone" in connection.makefile("rb").read()
        except OSError:
            return False

    # ---- masters -------------------------------------------------------------------------------

    def stand(self, address: str) -> str:
        """Let the master at ``address`` stand for election; return its node."""
        host, _, port = address.rpartition(":")
        info: Json = {
            "address": {"hostname": host, "ip": host, "port": int(port)},
            "hostname": host, "id": f"master-{port}", "ip": LOOPBACK_NUMBER, "pid": f"master@{address}",
            "port": int(port), "version": VERSION,
        }  # fmt: skip
        node = f"{PATH}/json.info_"
        created = self._session().create(node, json.dumps(info).encode(), ephemeral=True, sequence=True, makepath=True)
        self._session().ensure_path(f"{PATH}/log_replicas")
        return str(created)

    def fall(self, node: str) -> None:
        """End the candidacy of a master, as its death does."""
        self._session().delete(node)

    def _session(self) -> KazooClient:
        if self._client is None:
            self._client = KazooClient(f"{LOOPBACK}:{self._port}", timeout=40.0)
            self._client.start(timeout=START_S)
        return self._client
