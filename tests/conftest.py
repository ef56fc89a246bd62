"""Fixtures that every room's tests may use."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from consul_agent import ConsulAgent, find_consul
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# A shell that starts a test run in the background, or nohup, has it ignore them, and so would all that the run starts.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)

# Local time is what it is in no place of its own.
os.environ["TZ"] = "UTC"
time.tzset()

# What a property says depends neither on who else is busy nor on chance; `--hypothesis-profile "new examples"` looks further.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("new examples", settings.get_profile("any machine"), derandomize=False)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the folder that holds ``corpus/`` and ``golden/``; skip loudly where there is none."""
    named = os.environ.get("ALIECS_REFERENCE")
    folder = Path(named) if named else ROOT.parent / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip(f"no reference data at {folder}: set ALIECS_REFERENCE to the folder with corpus/ and golden/")
    return folder


@pytest.fixture(scope="session")
def consul_program() -> Path:
    """Return the program of a real Consul; skip loudly where there is none, or fail where it is required."""
    program = find_consul(ROOT)
    if program is None:
        reason = "no Consul: run `make consul`, or name its program in ALIECS_CONSUL"
        if os.environ.get("ALIECS_REQUIRE_CONSUL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@pytest.fixture(scope="session")
def _shared_consul(consul_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulAgent]:
    with ConsulAgent(consul_program, tmp_path_factory.mktemp("consul")) as agent:
        yield agent


@pytest.fixture
def consul_agent(_shared_consul: ConsulAgent) -> ConsulAgent:
    """Return a Consul agent that runs and is empty; it is shared, so a test must not stop it."""
    _shared_consul.clear()
    return _shared_consul


@pytest.fixture
def own_consul(consul_program: Path, tmp_path: Path) -> Iterator[ConsulAgent]:
    """Return a Consul agent of the test's own, which keeps what it has on disk, to stop and start it."""
    with ConsulAgent(consul_program, tmp_path / "consul", is_durable=True) as agent:
        yield agent
