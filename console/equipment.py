"""What takes part in an environment beside its FLPs, read from its variables: EPNs, DCS, trigger, CTP readout.

The names are those of the production templates' variables (clients.md 2.2); a template without them has none of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

UNKNOWN = "-"


class Equipment(NamedTuple):
    """Short texts as a table shows them: "on", "off", a number, or "-" where the template does not say."""

    epns: str = UNKNOWN
    dcs: str = UNKNOWN
    trigger: str = UNKNOWN
    """off, LTU (a detector by itself) or CTP (a global run)."""
    ctp_readout: str = UNKNOWN
    data_distribution: str = UNKNOWN
    quality_control: str = UNKNOWN


def equipment(variables: Mapping[str, str]) -> Equipment:
    """Return what the variables of an environment say, user variables over others already."""
    epns = _switch(variables, "epn_enabled", "odc_enabled")
    if epns == "on":
        epns = variables.get("odc_n_epns", "").strip() or "on"
    trigger = _switch(variables, "trg_enabled")
    if trigger == "on":
        trigger = "CTP" if _is_true(variables.get("trg_global_run_enabled", "")) else "LTU"
    return Equipment(
        epns=epns,
        dcs=_switch(variables, "dcs_enabled"),
        trigger=trigger,
        ctp_readout=_switch(variables, "ctp_readout_enabled"),
        data_distribution=_switch(variables, "dd_enabled", "ddsched_enabled"),
        quality_control=_switch(variables, "qcdd_enabled", "qc_enabled"),
    )


def hosts_of(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the hosts that the variable ``hosts`` lists, none if it is no JSON list of texts."""
    try:
        value = json.loads(variables.get("hosts", ""))
    except json.JSONDecodeError:
        return ()
    return tuple(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else ()


def _switch(variables: Mapping[str, str], *names: str) -> str:
    """Return "on" if all of the variables that are there are true, "off" if one is not."""
    said = [variables[name] for name in names if name in variables]
    if not said:
        return UNKNOWN
    return "on" if all(map(_is_true, said)) else "off"


def _is_true(text: str) -> bool:
    return text.strip().lower() == "true"
