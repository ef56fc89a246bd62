"""Plays the recordings A* against a real process of ours: signals, ports, exits, streams, iterations, slow callbacks.

Answers byte by byte, of the same recordings and without processes: test_recordings.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from occ_player import Deviations, Player
from occ_scenes import Scene, is_plain, scenes

pytestmark = pytest.mark.reference

EXAMPLE = Path(__file__).resolve().parents[1] / "support" / "occ_example.py"
TASK_INTERNAL_ERROR, END_OF_STREAM = "0a020803", "0a020801"
SKIPPED = {
    ("A05", "no flag, no env"): "the port 47100 may be taken here",
    ("A05", "no flag, env OCC_CONTROL_PORT=47301 O2_ROLE=myrole (client tries the env port)"): "ours honours it",
    ("A05", "same, client tries 47100"): "ours listens where the environment says",
    ("A05", "--control-port 70000"): "ours refuses the number: test_process.py",
    ("A05", "port already in use (second process on the port of the first)"): "ours refuses to share: test_process.py",
    ("A05", "unknown flag --foo"): "ours ends with usage and code 2, not by SIGABRT: test_process.py",
    (
        "A06",
        "client deadline 0.2 s while RUNNING (lock held by iterateRunning 1 s)",
    ): "no such default: test_control.py",
    ("A06", "EXIT, then calls at once"): "a race with the end of the process: CANCELLED or UNAVAILABLE",
    ("A09", "beginning"): "what was cancelled is not in the recording: test_control.py, test_process.py",
    ("A09", "run loop with fast iterateRunning: 20 GetState latencies (INJ_ITER_MS=20)"): "times only",
}
NEITHER_STARVES = Deviations(ends=True)  # a second subscriber does not displace the first, so the process ends
DECIDED = {
    "A08": Deviations(extra=(TASK_INTERNAL_ERROR, END_OF_STREAM)),  # END_OF_STREAM in every run, iteration errors told
    "A06": NEITHER_STARVES,
    "A10": NEITHER_STARVES,
}


def recorded() -> list[tuple[str, Scene | None]]:
    folder = Path(os.environ.get("ALIECS_REFERENCE", Path(__file__).resolve().parents[2].parent / "shared"))
    paths = [path for path in sorted((folder / "golden" / "occ").glob("A*.txt")) if not is_plain(path)]
    return [(path.name[:3], scene) for path in paths for scene in scenes(path)] or [("none", None)]


@pytest.mark.parametrize(("name", "scene"), [pytest.param(n, s, id=f"{n} {s and s.title}") for n, s in recorded()])
async def test_our_task_behaves_as_the_original(
    reference: Path, name: str, scene: Scene | None, tmp_path: Path
) -> None:
    assert scene is not None, f"no recordings in {reference}"
    if reason := SKIPPED.get((name, scene.title)):
        pytest.skip(reason)
    player = Player(lambda words: [str(EXAMPLE), *words[1:]], tmp_path, DECIDED.get(name, Deviations()))
    await player.play(scene)
