"""What a fault led to, as a row of the table in docs/faults.md; scripts/faults.py prints them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass

TABLE = "ALIECS_FAULTS_TABLE"
"""Environment variable: a file that gets one line of JSON for each row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fault in one phase."""

    fault: str
    phase: str
    answer: str
    """To the command that was under way or came next, and when; "" if there was none."""
    seen: str
    """What the operator is shown: states, the first fault."""
    after: str = ""
    """What came of it when the fault was over, or what was done then."""


def note(row: Row) -> None:
    """Add a row to the table, if somebody wants one."""
    if path := os.environ.get(TABLE):
        plain = {key: without_ids(value) for key, value in asdict(row).items()}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(plain) + "\n")


def without_ids(text: str) -> str:
    """Return the text without what differs from time to time, or is the same in many rows."""
    text = text.replace("cannot create new environment: transition canceled with error: ", "… ")
    text = re.sub(r"; last line on stderr: .*", "", text)
    text = re.sub(r"\b36[1-9A-Za-z]{9}\b", "…", text)
    text = re.sub(r"gated \(…, role faults\.victim\)", "victim", text)
    text = re.sub(r"control port \d+", "control port", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", text)
