"""A filled store of each kind, and a configuration service on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from configuration_service import Served, fill, serving
from consul_agent import ConsulAgent

from server.config.open import open_store
from server.config.store import Store
from server.config.stored import StoreConfiguration


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests to stores and services that answer take as long as a busy machine needs."""
    monkeypatch.setattr("server.config.open.REQUEST_S", 60.0)
    monkeypatch.setitem(open_store.__kwdefaults__, "request_s", 60.0)


@pytest.fixture(params=["file", "memory", "consul"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a store of each kind with the tree of configuration_service.CONTENT."""
    uri = {"file": f"file://{tmp_path}/configuration.yaml", "memory": "mock://"}.get(request.param)
    if uri is None:
        agent: ConsulAgent = request.getfixturevalue("consul_agent")
        uri = agent.uri
    store = open_store(uri)
    fill(store)
    return store


@pytest.fixture
async def served(filled: Store) -> AsyncIterator[Served]:
    """Return a running service on that store."""
    configuration = StoreConfiguration(filled, deadline_s=60, framework_id="local-1")
    async with serving(configuration) as one:
        yield one
    await configuration.close()
