"""What the front ends import: help must not pay for gRPC, nor one command for the screen."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("grpc", "textual", "prompt_toolkit", "msgspec", "argparse", "asyncio", "importlib.metadata", "google.protobuf")


def imported(*words: str) -> set[str]:
    code = (
        "import sys\nfrom console.__main__ import main\n"
        f"try:\n    main({list(words)!r})\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write('|'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stderr.rpartition("\n")[2].split("|"))


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (("--endpoint", "127.0.0.1:1", "repl"), ("textual", "rich", "prompt_toolkit")),
        (("--help",), HEAVY),
        (("env", "create", "--help"), ("grpc", "textual", "msgspec", "asyncio")),
        (
            ("--endpoint", "127.0.0.1:1", "env", "ls"),
            ("textual", "rich", "prompt_toolkit", "msgspec", "importlib.metadata"),
        ),
    ],
)
def test_only_what_is_needed_is_imported(words: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    assert imported(*words).isdisjoint(unwanted)
