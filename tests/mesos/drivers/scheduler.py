"""A program with pymesos' scheduler driver in it: prints its callbacks, makes the calls that it reads; lines of JSON.

Arguments: the master's address, the FrameworkInfo.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from executor.api.parser import stand_in

stand_in()

import pymesos  # noqa: E402  # it needs the parser first


class Printer(pymesos.Scheduler):  # type: ignore[misc]
    """Prints every callback and nothing else; it must not raise, or the driver dies."""


def _printer(name: str) -> Any:
    def callback(self: Printer, driver: Any, *arguments: Any) -> None:
        print(json.dumps([name, *arguments]), flush=True)

    return callback


for _name in (
    "registered",
    "reregistered",
    "disconnected",
    "resourceOffers",
    "offerRescinded",
    "statusUpdate",
    "frameworkMessage",
    "executorLost",
    "slaveLost",
    "error",
):
    setattr(Printer, _name, _printer(_name))


def main() -> None:
    driver = pymesos.MesosSchedulerDriver(Printer(), json.loads(sys.argv[2]), sys.argv[1], timeout=20)
    driver.start()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        if name == "shutdownExecutor":
            executor_id, agent_id = arguments
            # The driver has no call for it.
            shutdown = {"executor_id": executor_id, "agent_id": agent_id}
            framework_id = {"value": driver.framework_id}
            driver._send({"type": "SHUTDOWN", "framework_id": framework_id, "shutdown": shutdown})
        else:
            getattr(driver, name)(*arguments)
    driver.join()


if __name__ == "__main__":
    main()
