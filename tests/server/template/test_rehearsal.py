"""Functions that only seem to change something."""

from __future__ import annotations

from pathlib import Path

from server.config.file import FileStore
from server.config.open import open_services
from server.template.rehearsal import rehearsed_objects
from server.template.render import render
from server.template.vocabulary import vocabulary


def test_what_is_set_is_seen_by_those_who_get_it_and_by_nobody_else(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "configuration.yaml")
    store.put("o2/runtime/marks/stored", "there")
    services = open_services(f"file://{store.path}")
    objects = vocabulary(services, rehearsed_objects(services))
    assert render("{{ runtime.Set('marks', 'new', 'x') }}", {}, objects) == "x"
    assert render("{{ runtime.Get('marks', 'new') }}{{ GetRuntimeConfig('marks', 'new') }}", {}, objects) == "xx"
    assert render("{{ runtime.Get('marks', 'stored') }}", {}, objects) == "there"
    assert render("{{ runtime.Get('marks', 'never') }}", {}, objects).startswith('{"error":')
    assert store.get("o2/runtime/marks/new") is None
    assert render("{{ runtime.Get('marks', 'new') }}", {}, vocabulary(services)).startswith('{"error":')


def test_a_dump_writes_no_file_and_the_rest_of_its_namespace_stays(tmp_path: Path) -> None:
    services = open_services(f"file://{tmp_path / 'configuration.yaml'}")
    objects = vocabulary(services, rehearsed_objects(services))
    file = tmp_path / "dump"
    assert render("{{ util.Dump('x', file) }}{{ Dump('y', file) }}", {"file": str(file)}, objects) == "xy"
    assert not file.exists()
    assert render("{{ util.PrefixedOverride('a', 'p') }}", {"p_a": "1"}, objects) == "1"


def test_a_dump_makes_a_file_that_all_may_read_and_leaves_the_mode_of_one_that_is_there(tmp_path: Path) -> None:
    objects = vocabulary(open_services(f"file://{tmp_path / 'configuration.yaml'}"))
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("before")
    old.chmod(0o666)
    for file in (new, old):
        assert render("{{ util.Dump('x', file) }}", {"file": str(file)}, objects) == "x"
        assert file.read_text() == "x"
    assert (new.stat().st_mode & 0o777, old.stat().st_mode & 0o777) == (0o644, 0o666)
