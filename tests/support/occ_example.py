"""The task of the recordings A*: prints what it is told, fails and dawdles where a file in ``INJ_DIR`` says so."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from occ import Device, Properties

KNOBS = Path(os.environ["INJ_DIR"]) if "INJ_DIR" in os.environ else None


class Example(Device):
    """``iter`` and ``check`` are taken once, the others stay."""

    check_period_s = 0.002

    def knob(self, name: str, *, once: bool = False) -> int:
        if KNOBS is None:
            return 0
        path = KNOBS / name
        try:
            value = int(path.read_text())
        except FileNotFoundError:
            return 0
        if once:
            path.unlink()
            print(f"{name} is taken", flush=True)
        return value

    def said(self, event: str, knob: str) -> int:
        print(f"[OCC] {event} with run number {self.run_number}", flush=True)
        slow_ms = self.knob(f"slow_{knob}")
        if slow_ms:
            threading.Event().wait(slow_ms / 1000)
        return self.knob(f"{knob}_fail")

    def configure(self, properties: Properties) -> int:
        result = self.said("CONFIGURE", "cfg")
        print(properties.to_json(), flush=True)
        return result

    def start(self) -> int:
        return self.said("START", "start")

    def stop(self) -> int:
        return self.said("STOP", "stop")

    def reset(self) -> int:
        return self.said("RESET", "reset")

    def recover(self) -> int:
        return self.said("RECOVER", "recover")

    def exit(self) -> int:
        return self.said("EXIT", "exit")

    def iterate_running(self) -> int:
        return self.knob("iter", once=True)

    def iterate_check(self) -> int:
        return self.knob("check", once=True)


if __name__ == "__main__":
    Example.main()
