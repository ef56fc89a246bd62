"""Broken copies of templates planned by a core: what is wrong is told with its place, and nothing breaks the core."""

from __future__ import annotations

from pathlib import Path

import pytest
from embedded import EmbeddedCore
from template_mutants import INTERNAL, broken, right

from occ.errors import AliecsError
from server.api.channel import Deadlines
from server.api.client import Client
from server.api.errors import CoreError, Reason

pytestmark = pytest.mark.system
SEEDS = 40
HOSTS = {"hosts": '["flp001","flp002"]'}


async def test_a_broken_template_is_a_plan_with_problems_or_an_error_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    right(repository)
    async with EmbeddedCore(tmp_path, repository, monkeypatch) as core:
        async with Client(core.endpoint, deadlines=Deadlines(connect_s=60.0, read_s=60.0)) as client:
            for seed in range(SEEDS):
                with broken(repository, seed) as what:
                    told = await problems(client, what)
                assert not INTERNAL.search(told), f"{what}: {told}"
            plan = await client.plan("flow", HOSTS)
            assert [one.message for one in plan.problems if "odc" not in one.message] == []


async def problems(client: Client, what: str) -> str:
    """Return what a plan says is wrong."""
    try:
        plan = await client.plan("flow", HOSTS)
    except CoreError as error:
        assert error.reason in (Reason.TEMPLATE_BROKEN, Reason.TEMPLATE_NOT_FOUND), f"{what}: {error}"
        assert "file" in error.where, f"{what}: {error}"
        return str(error)
    except AliecsError as error:
        raise AssertionError(f"{what}: {error}") from error
    return "\n".join(f"{one.message} {one.hint}" for one in plan.problems)
