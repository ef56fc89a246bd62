"""Run all fault tests, the long ones too, and print what happened as the table of docs/faults.md: ``make faults``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "system" / "faults"
PHASES = (
    "in DEPLOY", "in CONFIGURE", "in CONFIGURED", "in START_ACTIVITY", "in RUNNING", "in STOP_ACTIVITY", "in RESET",
    "in DEPLOYED", "in DESTROY",
)  # fmt: skip


def main() -> int:
    """Return the exit code of the tests."""
    with tempfile.TemporaryDirectory(prefix="aliecs-faults-") as folder:
        table = Path(folder) / "rows.jsonl"
        table.touch()
        environment = os.environ | {"ALIECS_FAULTS": "all", "ALIECS_FAULTS_TABLE": str(table)}
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)],
            cwd=ROOT, env=environment, stdout=sys.stderr, check=False,
        )  # fmt: skip
        print_table([json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()])
    return ran.returncode


def print_table(rows: list[dict[str, str]]) -> None:
    """Print one table for each fault, in the order in which they were tried."""
    faults = dict.fromkeys(row["fault"] for row in rows)
    for fault in faults:
        print(f"\n### {fault[0].upper()}{fault[1:]}\n")
        print("| Phase | The command under way, or the next one, is answered | What is shown | Afterwards |")
        print("|---|---|---|---|")
        for row in sorted((row for row in rows if row["fault"] == fault), key=lambda row: PHASES.index(row["phase"])):
            cells = (row["phase"].removeprefix("in "), row["answer"] or "-", row["seen"], row["after"] or "-")
            print("| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |")


if __name__ == "__main__":
    sys.exit(main())
