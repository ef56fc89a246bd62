"""How long a transition usually takes, from the finished ones that the picture remembers."""

from __future__ import annotations

from statistics import median

from console.store import Store
from server.api.model import Environment


def usual_s(store: Store, environment: Environment, event: str) -> float | None:
    """Return the median over all environments of the same template, in seconds; None if nothing is known."""
    alike = [one.id for one in store.environments() if one.template == environment.template]
    known = [
        (record.ended_ms - record.started_ms) / 1000
        for environment_id in alike
        if (history := store.history(environment_id)) is not None
        for record in history.transitions
        if record.event == event and not record.error and record.ended_ms >= record.started_ms > 0
    ]
    return median(known) if known else None
