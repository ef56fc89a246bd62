"""Run parameters that START and STOP carry to the tasks (core.md 2.7)."""

from __future__ import annotations

from collections.abc import Mapping

_STOP_KEYS = (
    "fill_info_fill_number",
    "fill_info_filling_scheme",
    "fill_info_beam_type",
    "fill_info_stable_beams_start_ms",
    "fill_info_stable_beams_end_ms",
    "run_end_time_ms",
)
_START_KEYS = (
    *_STOP_KEYS,
    "run_number",
    "run_type",
    "run_start_time_ms",
    "lhc_period",
    "pdp_beam_type",
    "pdp_override_run_start_time",
    "original_run_number",
)


def start_arguments(stack: Mapping[str, str], run_number: int) -> dict[str, str]:
    """Return the arguments of START: run number, clean-up count and every known run parameter in both spellings."""
    arguments = {"runNumber": str(run_number), "cleanup": stack.get("__fmq_cleanup_count", "0")}
    return arguments | _both_spellings(stack, _START_KEYS)


def stop_arguments(stack: Mapping[str, str], *, camel_too: bool) -> dict[str, str]:
    """Return the arguments of STOP; GO_ERROR sends them in snake_case only."""
    if camel_too:
        return _both_spellings(stack, _STOP_KEYS)
    return {key: stack[key] for key in _STOP_KEYS if key in stack}


def _both_spellings(stack: Mapping[str, str], keys: tuple[str, ...]) -> dict[str, str]:
    found = {key: stack[key] for key in keys if key in stack}
    return found | {_camel(key): value for key, value in found.items()}


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)
