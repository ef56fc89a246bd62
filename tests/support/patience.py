"""Settings, as variables of the environment, for a console under test that must get its answers however busy the machine is."""

from __future__ import annotations

PATIENT = {f"ALIECS_CONSOLE_{name}_S": "60" for name in ("CONNECT", "READ", "SETTLE", "STALE")}
