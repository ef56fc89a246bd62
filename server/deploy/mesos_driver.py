"""The scheduler's helper process: pymesos and all of its traps, behind lines of JSON (executor/api/helper.py).

Callbacks never raise and go out as events; what is asked comes in as calls. Lost connections are made again with
growing pauses, silent ones are broken, the framework is never torn down. When the driver's thread dies the process ends.
Who starts it: mesos_scheduler.py.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import select
import sys
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any, NoReturn

from executor.api.helper import Wire, begin, fenced, serve

with fenced():
    import pymesos

log = logging.getLogger("mesos_driver")

_YEARS_S = 10 * 365 * 86400
"""pymesos gives up connecting after its timeout, by an exception; we never want to."""
_PAGE_S = 5.0
"""For the master to show a page."""
_CLOSE_S = 5.0
"""For the driver's thread to see that it is to break its connection."""
_HEARTBEATS = 3
"""So many missing ones break a connection."""


class Calls:
    """What the core may ask for; see serve() in executor/api/helper.py."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._driver: Any = None

    def start(
        self, framework: dict[str, Any], master: str, username: str, secret: str, http_s: float,
        pause_min_s: float, pause_max_s: float,
    ) -> None:  # fmt: skip
        """Connect to the master for as long as the process lives. Once only."""
        self._driver = Driver(self._wire, framework, master, username, secret, http_s, (pause_min_s, pause_max_s))
        self._driver.begin()

    def accept(self, offer_ids: Sequence[str], operations: list[Any], refuse_s: float) -> None:
        filters = {"refuse_seconds": refuse_s}
        self._connected().acceptOffers([{"value": one} for one in offer_ids], operations, filters=filters)

    def decline(self, offer_ids: Sequence[str], refuse_s: float) -> None:
        filters = {"refuse_seconds": refuse_s}
        self._connected().declineOffer([{"value": one} for one in offer_ids], filters=filters)

    def revive(self) -> None:
        self._connected().reviveOffers()

    def suppress(self) -> None:
        self._connected().suppressOffers()

    def kill(self, task_id: str) -> None:
        self._connected().killTask({"value": task_id})

    def acknowledge(self, status: dict[str, Any]) -> None:
        self._connected().acknowledgeStatusUpdate(status)

    def reconcile(self, task_ids: Sequence[str]) -> None:
        """Ask for the states of these tasks, of all that the master knows if there are none."""
        self._connected().reconcileTasks([{"task_id": {"value": one}} for one in task_ids])

    def message(self, agent_id: str, executor_id: str, data: str) -> None:
        self._connected().sendFrameworkMessage({"value": executor_id}, {"value": agent_id}, data)

    def stop(self) -> None:
        """Leave the master; executors and tasks go on."""
        if self._driver is not None:
            self._driver.leave()

    def _connected(self) -> Any:
        # pymesos would do nothing, and say nothing.
        if self._driver is None or not self._driver.connected:
            raise ConnectionError("not subscribed to the Mesos master")
        return self._driver


class Sink(pymesos.Scheduler):  # type: ignore[misc]  # pymesos has no types
    """Hands everything on. Called in the driver's thread."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def registered(self, driver: Any, framework_id: Any, master: Any) -> None:
        self._wire.say(event="subscribed", framework_id=framework_id["value"], master=master)

    def reregistered(self, driver: Any, master: Any) -> None:
        self._wire.say(event="subscribed", framework_id=driver.framework_id, master=master)

    def disconnected(self, driver: Any) -> None:
        self._wire.say(event="unsubscribed")
        driver.pause()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        self._wire.say(event="offers", offers=driver.with_capabilities(offers))

    def offerRescinded(self, driver: Any, offer_id: Any) -> None:
        self._wire.say(event="rescinded", offer_id=offer_id["value"])

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self._wire.say(event="status", status=status)

    def frameworkMessage(self, driver: Any, executor_id: Any, agent_id: Any, data: Any) -> None:
        self._wire.say(event="message", executor_id=executor_id["value"], agent_id=agent_id["value"], data=data)

    def executorLost(self, driver: Any, executor_id: Any, agent_id: Any, status: Any) -> None:
        self._wire.say(
            event="executor_lost", executor_id=executor_id["value"], agent_id=agent_id["value"], status=status
        )

    def slaveLost(self, driver: Any, agent_id: Any) -> None:
        self._wire.say(event="agent_lost", agent_id=agent_id["value"])

    def error(self, driver: Any, message: Any) -> None:
        self._wire.say(event="error", message=str(message))


class Driver(pymesos.MesosSchedulerDriver):  # type: ignore[misc]
    """pymesos's driver, with what it lacks (occ-executor-mesos.md 5.3)."""

    def __init__(
        self, wire: Wire, framework: dict[str, Any], master: str, username: str, secret: str, http_s: float,
        pauses_s: tuple[float, float],
    ) -> None:  # fmt: skip
        credentials = (username, secret) if username and secret else (None, None)
        super().__init__(
            Sink(wire), framework, master, use_addict=False, implicit_acknowledgements=False, principal=credentials[0],
            secret=credentials[1], failover=True, timeout=_YEARS_S,
        )  # fmt: skip
        self._conn: HTTPConnection | None = None
        self._wire = wire
        self._http_s = http_s
        self._pauses_s = pauses_s
        self._failures = 0
        self._is_refused = False
        self._subscribed_s = 0.0
        self._interval_s = 15.0
        self._heard = threading.Event()
        self._leaving = threading.Event()
        self._awake = threading.Event()
        """Ends a pause: there is another master, or we leave."""
        self._closed = threading.Event()
        self._is_doubtful = False
        """A call has failed: the master may have taken it in or not."""
        self._capabilities: dict[str, Sequence[str]] = {}
        """By agent id; none where the master does not tell."""

    def begin(self) -> None:
        """Start; that may block for some seconds."""
        super().start()
        threading.Thread(target=self._watch_connection, name="heartbeats", daemon=True).start()
        threading.Thread(target=self._watch_thread, name="watch", daemon=True).start()

    def leave(self) -> None:
        """Stop without a teardown."""
        self._leaving.set()
        self.stop(failover=True)
        self._awake.set()

    def pause(self) -> None:
        """Wait before the next attempt; called in the driver's thread when a connection was lost."""
        low, high = self._pauses_s
        lasted_s = time.monotonic() - self._subscribed_s if self._subscribed_s else 0.0
        self._subscribed_s = 0.0
        self._failures = 0 if lasted_s > high else self._failures + 1
        # The first attempt is at once: masters also end connections to send us to another one.
        pause_s = min(high, low * 2 ** (self._failures - 2)) if self._failures > 1 else 0.0
        if self._is_refused:
            # Perhaps another core has our id: both must not take it from each other in turns, without a pause.
            pause_s, self._is_refused = high, False
        self._awake.clear()
        if pause_s and not self.aborted:
            self._awake.wait(pause_s * random.uniform(0.8, 1.0))

    def with_capabilities(self, offers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return offers with what their agents can, which offers do not tell: our own key ``agent_capabilities``."""
        agent_ids = {offer["agent_id"]["value"] for offer in offers}
        if not agent_ids <= self._capabilities.keys():
            self._capabilities |= dict.fromkeys(agent_ids, ()) | self._read_capabilities()
        return [{**offer, "agent_capabilities": self._capabilities[offer["agent_id"]["value"]]} for offer in offers]

    def _read_capabilities(self) -> dict[str, Sequence[str]]:
        """Ask the master what its agents can; called in the driver's thread."""
        try:
            return {one["id"]: list(one["capabilities"]) for one in self._read(self.master, "/slaves")["slaves"]}
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            log.warning("the master does not tell what agents can, no limits are set reason=%r", error)
            return {}

    # ---- overridden --------------------------------------------------------------------------

    def abort(self) -> None:
        """Not as in pymesos, where it tears the framework down."""
        self.stop(failover=True)

    def on_event(self, event: dict[str, Any]) -> None:
        self._heard.set()
        try:
            super().on_event(event)
        except Exception:
            # One that escapes would end the driver.
            log.exception("event was not handled type=%s", event.get("type"))

    def on_subscribed(self, info: dict[str, Any]) -> None:
        self._capabilities.clear()
        self._is_doubtful = False  # of what was asked for before: we ask anew now
        self._subscribed_s = time.monotonic()
        self._interval_s = float(info.get("heartbeat_interval_seconds") or 15.0)
        super().on_subscribed(info)

    def on_error(self, event: dict[str, Any]) -> None:
        self._is_refused = True
        super().on_error(event)

    def on_failure(self, failure: dict[str, Any]) -> None:
        failure.setdefault("agent_id", {"value": ""})
        failure.setdefault("status", 0)
        super().on_failure(failure)

    def change_master(self, master: str | None) -> None:
        super().change_master(master)
        self._awake.set()

    def on_close(self) -> None:
        self._closed.set()
        super().on_close()

    def _send(self, body: Any, path: str = "/api/v1/scheduler", method: str = "POST", headers: Any = None) -> Any:
        # pymesos shares one dict of headers among all calls of all drivers.
        try:
            try:
                return super()._send(body, path, method, dict(headers or {}))
            except ConnectionError:  # closed while it was idle; all but a launch may come twice
                if body["type"] == "ACCEPT":
                    raise
                return super()._send(body, path, method, dict(headers or {}))
        except Exception:
            # Nobody knows what the master has taken in: a new subscription begins with asking it for everything.
            self._is_doubtful = True
            self._heard.set()
            raise

    def _get_version(self, master: str | None) -> str | None:
        if master is None:
            return None
        try:
            version = self._read(master, "/version")["version"]
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            log.info("the master does not tell its version reason=%r", error)
            return None
        found = re.match(r"\d+(\.\d+)*", str(version))
        return found.group() if found else None

    def _get_conn(self) -> HTTPConnection | None:
        # pymesos takes its timeout for connecting for that of HTTP too, and its first call after the other end has
        # closed the connection would be lost.
        if self._conn is not None and _is_closed(self._conn):
            self._close()
        if self.connected and self._conn is None:
            host, port = self.master.split(":", 2)
            self._conn = HTTPConnection(host, int(port), timeout=self._http_s)
        return self._conn if self.connected else None

    def _backoff(self, attempts: int) -> float:
        return 0.0  # pause() does it

    def _read(self, master: str, path: str) -> Any:
        """Return a page of the master; for its short ones, as this blocks whoever asks."""
        host, port = master.split(":", 2)
        connection = HTTPConnection(host, int(port), timeout=min(_PAGE_S, self._http_s))
        login = {"Authorization": self._basic_credential} if self._basic_credential else {}
        try:
            connection.request("GET", path, headers=login)
            response = connection.getresponse()
            if response.status != 200:
                raise ConnectionError(f"status {response.status}")
            return json.loads(response.read())
        finally:
            connection.close()

    # ---- watches -----------------------------------------------------------------------------

    def _watch_connection(self) -> None:
        """Break a connection on which nothing was heard, or a call was lost: pymesos would keep it."""
        while not self._leaving.is_set():
            self._heard.clear()
            silent_s = self._pauses_s[1] if self.master is None else _HEARTBEATS * self._interval_s
            is_heard = self._is_doubtful or self._heard.wait(silent_s)
            if self._leaving.is_set() or (is_heard and not self._is_doubtful):
                continue
            if self.master is None and not is_heard:
                # pymesos never looks again where ZooKeeper had no such path at the start.
                self._die(f"no leading master is known at {self.master_uri}")
            reason = "a call was lost" if is_heard else f"nothing was heard for {silent_s:g} s"
            log.warning("connecting to the Mesos master again reason=%s", reason)
            self._is_doubtful = False
            self._connect_again()
            self._leaving.wait(self._pauses_s[0])

    def _connect_again(self) -> None:
        with self._lock:
            master = self.master
            if master is None or self._new_master != master:
                return  # it is about to change as it is
            self._closed.clear()
            self.change_master(None)
        self._closed.wait(_CLOSE_S)  # the driver's thread has seen it: else nothing would have changed
        with self._lock:
            if self._new_master is None:  # nobody else has found another one
                self.change_master(master)

    def _watch_thread(self) -> None:
        self.join()
        if self._leaving.is_set():
            return
        failure = pymesos.process._exc_info
        self._die(f"{failure[0].__name__}: {failure[1]}" if failure else "its thread ended")

    def _die(self, reason: str) -> NoReturn:
        self._wire.say(event="died", reason=reason)
        os._exit(1)


def _is_closed(connection: HTTPConnection) -> bool:
    """Tell whether the other end has closed a connection on which nothing is awaited."""
    if connection.sock is None:
        return False
    readable, _, _ = select.select([connection.sock], [], [], 0)
    return bool(readable)


def main() -> int:
    """Serve the core until it hangs up."""
    wire = begin()
    calls = Calls(wire)
    serve(wire, calls)
    calls.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
