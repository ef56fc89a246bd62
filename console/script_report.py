"""What a script says while it runs: one line per step and a summary, for people or as JSON lines."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from console import table
from console.exit_codes import explain
from console.output import write
from console.present import rate, size, span
from console.results import Result, render
from console.script_lines import Step
from server.api.errors import CoreError

if TYPE_CHECKING:
    from server.api.model import Environment

SCHEMA = "aliecs.result/1"
SUMMARY_SCHEMA = "aliecs.summary/1"

_ROW = "{:<18} {:<12} {:>8}  {:>11}  {:>10}  {:>9}  {:>8}"
HEADER = _ROW.format("STEP", "STATE", "RUN", "TASKS", "RATE", "MOVED", "DURATION")


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How one step went."""

    step: Step
    name: str
    """Short, for the line: "start", "sleep 5s"."""
    words: tuple[str, ...]
    """With variables inserted."""
    started: float = field(default_factory=time.time)
    duration_s: float = 0.0
    result: Result | None = None
    error: BaseException | None = None
    code: int = 0
    environment: Environment | None = None
    """As the picture shows it after the step."""
    output: str = ""
    """Format that the step itself asked for."""

    @property
    def problem(self) -> str:
        """Why it failed, "" if it did not."""
        if self.error is not None:
            return explain(self.error)
        return self.result.problem if self.result else ""


class Report:
    """Writes outcomes as they come."""

    def __init__(self, output: str, *, colour: bool = False) -> None:
        self._is_json = output in ("json", "ndjson")
        self._colour = colour
        self._has_header = False
        self._started = time.monotonic()
        self._seq = 0
        self._failed: list[Outcome] = []
        self._moved: dict[int, float] = {}
        """Bytes by run number."""

    def add(self, outcome: Outcome) -> None:
        """Write one outcome: data to stdout, what went wrong to stderr too."""
        self._seq += 1
        if outcome.code:
            self._failed.append(outcome)
        environment, result = outcome.environment, outcome.result
        if environment is not None and (number := environment.run_number or environment.last_run_number):
            self._moved[number] = max(self._moved.get(number, 0.0), environment.bytes_moved)
        if self._is_json:
            write(table.render_line(self._record(outcome)))
        elif result is not None and (not result.is_step or (outcome.output and not outcome.step.capture)):
            if result.empty and not result.rows and not outcome.output:
                write(f"{result.empty}\n", sys.stderr)
            if not outcome.step.capture:
                write(render(result, outcome.output or "table", colour=self._colour))
        else:
            self._write_line(outcome)
        if outcome.problem:
            write(f"line {outcome.step.line}: {outcome.step.text}\n{outcome.problem}\n", sys.stderr)

    def finish(self, code: int, *, cleanup: str, note: str = "") -> None:
        """Write the summary.

        Args:
            cleanup: "ran", "failed" or "none".
            note: why the script ended before its end, "" if it did not.
        """
        seconds = time.monotonic() - self._started
        runs, moved = list(self._moved), sum(self._moved.values())
        first = self._failed[0] if self._failed else None
        if self._is_json:
            write(
                table.render_line(
                    {
                        "schema": SUMMARY_SCHEMA,
                        "ok": code == 0,
                        "code": code,
                        "commands": self._seq,
                        "failed": len(self._failed),
                        "duration_s": round(seconds, 3),
                        "runs": runs,
                        "bytes": moved,
                        "cleanup": cleanup,
                        "note": note,
                    }
                )
            )
            return
        if not self._has_header and code == 0:
            return  # only questions were asked: their answers say it all
        facts = [f"{self._seq} step{'s' * (self._seq != 1)}", span(seconds)]
        if runs:
            facts.append(f"run {', '.join(map(str, runs))}")
        if moved:
            facts.append(f"{size(moved)} moved")
        if cleanup != "none":
            facts.append(f"cleanup {cleanup}")
        if code == 0:
            write(f"ok: {', '.join(facts)}\n")
            return
        why = note
        if first is not None:
            why = f"line {first.step.line}, {first.name}: {_one_line(first.problem)}"
        write(f"failed, exit code {code}: {why or 'interrupted'} ({', '.join(facts)})\n")

    def _write_line(self, outcome: Outcome) -> None:
        if not self._has_header:
            self._has_header = True
            write(HEADER + "\n")
        environment, result = outcome.environment, outcome.result
        state = (result.state_after if result else "") or (environment.state if environment else "")
        number = (result.run_number if result else 0) or (environment.run_number if environment else 0)
        tasks = flow = moved = "-"
        if environment is not None and state != "DONE":
            tasks = f"{environment.tasks_ok}/{environment.tasks_total}"
        if environment is not None:
            flow = rate(environment.bytes_per_s) if environment.state == "RUNNING" and state == "RUNNING" else "-"
            moved = size(environment.bytes_moved) if environment.bytes_moved else "-"
        mark = "" if not outcome.code else " FAILED"
        line = _ROW.format(outcome.name[:18], state or "-", number or "-", tasks, flow, moved, span(outcome.duration_s))
        write(f"{line}{mark}\n")

    def _record(self, outcome: Outcome) -> dict[str, Any]:
        result, environment = outcome.result, outcome.environment
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "seq": self._seq,
            "line": outcome.step.line,
            "command": outcome.name,
            "words": list(outcome.words),
            "target": (result.environment_id if result else "") or (environment.id if environment else ""),
            "started": _utc(outcome.started),
            "ended": _utc(outcome.started + outcome.duration_s),
            "duration_s": round(outcome.duration_s, 3),
            "ok": outcome.code == 0,
            "code": outcome.code,
            "state_before": result.state_before if result else "",
            "state_after": (result.state_after if result else "") or (environment.state if environment else ""),
            "run_number": result.run_number if result else 0,
        }
        if environment is not None:
            record["tasks"] = {
                "ok": environment.tasks_ok,
                "error": environment.tasks_error,
                "total": environment.tasks_total,
            }
            record["rate"], record["bytes"] = environment.bytes_per_s, environment.bytes_moved
        if result is not None and not result.is_step:
            record["data"] = list(result.rows) if result.rows is not None else result.facts
        if outcome.code:
            record["error"] = _error(outcome)
        return record


def _error(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    fault = (outcome.result.facts or {}).get("fault") if outcome.result else None
    if isinstance(error, CoreError):
        return {"kind": error.reason.value, "message": error.message, "where": error.where, "hint": error.hint}
    where = {"task": fault.task, "host": fault.host} if fault is not None else {}
    hint = fault.hint if fault is not None else getattr(error, "hint", "")
    message = str(getattr(error, "message", error)) if error is not None else outcome.problem
    return {"kind": type(error).__name__ if error else "Failed", "message": message, "where": where, "hint": hint}


def _one_line(text: str) -> str:
    return "; ".join(" ".join(line.split()) for line in text.splitlines() if not line.strip().startswith("next:"))


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
