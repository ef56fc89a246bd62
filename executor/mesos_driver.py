"""The executor's helper process under a Mesos agent: pymesos and all of its traps, behind lines of JSON.

It runs in a session of its own, so that what pymesos kills at the end is only itself. Updates are kept until the agent
has acknowledged them and are told again when it comes back. Who starts it: mesos_link.py.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import uuid
from typing import Any

from executor.api.helper import Wire, begin, fenced, serve

with fenced():
    import pymesos

log = logging.getLogger("mesos_driver")


class Calls:
    """What the executor may ask for; see serve() in executor/api/helper.py."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._driver: Any = None

    def start(self, pause_min_s: float, pause_max_s: float) -> None:
        """Connect to the agent that the environment names. Once only."""
        self._driver = Driver(self._wire, pause_min_s, pause_max_s)
        self._driver.start()
        threading.Thread(target=self._driver.watch, name="watch", daemon=True).start()

    def update(self, status: dict[str, Any]) -> None:
        """Tell the state of a task; kept and told again until the agent has it."""
        self._driver.update(status)

    def message(self, data: str) -> None:
        self._driver.sendFrameworkMessage(data)


class Sink(pymesos.Executor):  # type: ignore[misc]  # pymesos has no types
    """Hands everything on. Called in the driver's thread."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def registered(self, driver: Any, executor_info: Any, framework_info: Any, agent_info: Any) -> None:
        self._wire.say(event="subscribed")

    def reregistered(self, driver: Any, agent_info: Any) -> None:
        self._wire.say(event="subscribed")

    def disconnected(self, driver: Any) -> None:
        self._wire.say(event="unsubscribed")
        if driver.checkpoint and not driver.aborted:
            driver.pause()

    def launchTask(self, driver: Any, task: Any) -> None:
        self._wire.say(event="launch", task=task)

    def killTask(self, driver: Any, task_id: Any) -> None:
        self._wire.say(event="kill", task_id=task_id["value"])

    def frameworkMessage(self, driver: Any, data: Any) -> None:
        self._wire.say(event="message", data=data)

    def shutdown(self, driver: Any) -> None:
        driver.checkpoint = False
        self._wire.say(event="shutdown")

    def error(self, driver: Any, message: Any) -> None:
        self._wire.say(event="error", message=str(message))


class Driver(pymesos.MesosExecutorDriver):  # type: ignore[misc]
    """pymesos's driver, with what it lacks (occ-executor-mesos.md 5.3)."""

    def __init__(self, wire: Wire, pause_min_s: float, pause_max_s: float) -> None:
        # Agents say "0" for no, which pymesos takes for yes.
        if os.environ.get("MESOS_CHECKPOINT", "").lower() in ("0", "false"):
            del os.environ["MESOS_CHECKPOINT"]
        os.environ["MESOS_LOCAL"] = "1"  # the end is ours to decide
        super().__init__(Sink(wire), use_addict=False)
        self._wire = wire
        self._pauses_s = (pause_min_s, pause_max_s)
        self._failures = 0
        self._leaving = threading.Event()

    def update(self, status: dict[str, Any]) -> None:
        """Send an update; what cannot be sent now goes with the next subscription."""
        number = uuid.uuid4()
        status = {
            **status,
            "uuid": pymesos.encode_data(number.bytes),
            "source": "SOURCE_EXECUTOR",
            "executor_id": self.executor_id,
        }
        with self._lock:
            self.updates[number] = {"status": status}
        try:
            self.sendStatusUpdate(status)
        except Exception as error:
            log.warning("update waits for the agent task=%s reason=%s", status["task_id"]["value"], error)

    def pause(self) -> None:
        """Wait before the next attempt; called in the driver's thread when a connection was lost."""
        low, high = self._pauses_s
        self._failures += 1
        self._leaving.wait(min(high, low * 2 ** (self._failures - 1)))

    def watch(self) -> None:
        """Begin again when the driver's thread has ended and tasks may outlive the agent; else end the process."""
        self.join()
        while self.checkpoint and self.executor_info:
            # An agent that starts answers 404, which ends pymesos.
            self._wire.say(event="unsubscribed")
            self.pause()
            self.start()
            self.join()
        failure = pymesos.process._exc_info
        reason = f"{failure[0].__name__}: {failure[1]}" if failure else "its thread ended"
        self._wire.say(event="died", reason=reason)
        os._exit(1)

    # ---- overridden --------------------------------------------------------------------------

    def on_event(self, event: dict[str, Any]) -> None:
        try:
            super().on_event(event)
        except Exception:
            # One that escapes would end the driver.
            log.exception("event was not handled type=%s", event.get("type"))

    def on_subscribed(self, info: dict[str, Any]) -> None:
        self._failures = 0
        super().on_subscribed(info)

    def on_launch(self, event: dict[str, Any]) -> None:
        self.tasks.pop(event["task"]["task_id"]["value"], None)  # pymesos asserts that no launch comes twice
        super().on_launch(event)

    def on_acknowledged(self, event: dict[str, Any]) -> None:
        update = self.updates.get(uuid.UUID(bytes=pymesos.decode_data(event["uuid"])))
        super().on_acknowledged(event)
        if update:
            self._wire.say(event="acknowledged", task_id=event["task_id"]["value"], state=update["status"]["state"])

    def _backoff(self, attempts: int) -> float:
        return 0.0  # pause() does it


def main() -> int:
    """Serve the executor until it hangs up."""
    wire = begin()
    serve(wire, Calls(wire))
    os._exit(0)  # without the driver's own stop: it would tell the agent nothing, and kill


if __name__ == "__main__":
    sys.exit(main())
