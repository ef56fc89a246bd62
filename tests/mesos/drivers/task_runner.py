"""A program with pymesos' executor driver in it: its tasks are only said to run; those called ``short`` end soon.

It greets its scheduler, echoes what that says, and ends with code 7 when it is told to die.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from executor.api.parser import stand_in

stand_in()

import pymesos  # noqa: E402  # it needs the parser first

SHORT_S = 0.3


class Runner(pymesos.Executor):  # type: ignore[misc]
    def registered(self, driver: Any, executor_info: Any, framework_info: Any, agent_info: Any) -> None:
        driver.sendFrameworkMessage(pymesos.encode_data(b"hello"))

    def reregistered(self, driver: Any, agent_info: Any) -> None:
        driver.sendFrameworkMessage(pymesos.encode_data(b"hello again"))

    def launchTask(self, driver: Any, task: Any) -> None:
        self._say(driver, task["task_id"], "TASK_STARTING")
        self._say(driver, task["task_id"], "TASK_RUNNING", "up")
        if task["name"] == "short":
            threading.Timer(SHORT_S, self._say, (driver, task["task_id"], "TASK_FINISHED", "done")).start()

    def killTask(self, driver: Any, task_id: Any) -> None:
        self._say(driver, task_id, "TASK_KILLED", "killed on request")

    def frameworkMessage(self, driver: Any, data: Any) -> None:
        said = pymesos.decode_data(data)
        if said == b"die":
            os._exit(7)
        driver.sendFrameworkMessage(pymesos.encode_data(b"echo:" + said))

    @staticmethod
    def _say(driver: Any, task_id: Any, state: str, message: str = "") -> None:
        driver.sendStatusUpdate({"task_id": task_id, "state": state, **({"message": message} if message else {})})


if __name__ == "__main__":
    pymesos.MesosExecutorDriver(Runner()).run()
