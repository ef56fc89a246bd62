"""How an entry of a component is named: the grammar of queries and the run types in them (workflows-config.md 9.3, 10)."""

from __future__ import annotations

import re

RUN_TYPES = (
    "NULL",
    "PHYSICS",
    "TECHNICAL",
    "PEDESTAL",
    "PULSER",
    "LASER",
    "CALIBRATION_ITHR_TUNING",
    "CALIBRATION_VCASN_TUNING",
    "CALIBRATION_THR_SCAN",
    "CALIBRATION_DIGITAL_SCAN",
    "CALIBRATION_ANALOG_SCAN",
    "CALIBRATION_FHR",
    "CALIBRATION_ALPIDE_SCAN",
    "CALIBRATION",
    "COSMICS",
    "SYNTHETIC",
    "NOISE",
    "CALIBRATION_PULSE_LENGTH",
    "CALIBRATION_VRESETD",
    "ANY",
)
"""Run types that the configuration service knows."""

QUERY = re.compile(r"([A-Za-z0-9_-]+)/([A-Z0-9_-]+)/([A-Za-z0-9_-]+)/([A-Za-z0-9_/-]+)")
"""``component/RUNTYPE/role/entry``; the run type must also be a known one."""

ENTRIES_QUERY = re.compile(r"([A-Za-z0-9_-]+)/([A-Z0-9_-]+)/([A-Za-z0-9_-]+)")
"""``component/RUNTYPE/role``: the entries of a component."""
