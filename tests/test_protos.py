"""The committed protobuf code is what the .proto files give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_generated_code_is_up_to_date(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "scripts/protos.py"), str(tmp_path)], check=True, capture_output=True, timeout=120
    )
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*_pb2*")}
    kept = {
        path.relative_to(ROOT)
        for name in ("occ", "executor", "server")
        for path in (ROOT / name / "api").glob("*_pb2*")
    }
    assert made == kept
    stale = [str(name) for name in made if (tmp_path / name).read_bytes() != (ROOT / name).read_bytes()]
    assert not stale, f"run make protos: {stale}"
