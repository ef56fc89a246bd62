"""Addresses of the configuration, and what is opened at each."""

from __future__ import annotations

from pathlib import Path

import pytest

from occ.errors import ConfigError
from server.config.address import parse_address
from server.config.open import open_configuration, open_services, open_store


@pytest.mark.parametrize("form", ["file://{}", "{}", "  file://{}\n"])
def test_a_file_is_opened_by_its_address_or_its_absolute_path(tmp_path: Path, form: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: {b: text}\n")
    store = open_store(form.format(path))
    assert store.get("a/b") == "text"
    assert store.uri == f"file://{path}"


def test_an_empty_store_in_memory_keeps_what_is_put_as_long_as_it_is_open() -> None:
    store = open_store("mock://")
    store.prepare()
    assert store.names("") == []
    store.put("a/b", "1")
    assert store.get_tree("") == {"a/b": "1"}
    assert open_store("mock://").names("") == []


@pytest.mark.parametrize(
    "uri",
    ["", "file://", "file:///", "file://relative.yaml", "relative.yaml", "http://x", "mock://x", "file:/x", "//x:1"],
)
def test_another_address_is_refused_and_what_is_expected_is_said(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"address of the configuration .* is not supported.*file:///path"):
        parse_address(uri)


def test_template_functions_read_the_store_at_an_address(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("o2: {runtime: {aliecs: {vars: {a: 1.50}}}}\n")
    assert open_services(f"file://{path}").vars() == {"a": "1.50"}


async def test_the_core_reads_an_empty_store_in_memory_too() -> None:
    configuration = await open_configuration("mock://", deadline_s=60)
    assert configuration.endpoint == "mock://"
    assert await configuration.new_run_number() == 1
    assert await configuration.vars() == {}
