"""Inventory, components, variables, run numbers and the asynchronous face, on one small store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from occ.errors import ConfigError, DeadlineError, RefusedError
from server.config import components, inventory
from server.config.components import Query
from server.config.file import FileStore
from server.config.inventory import HostEntry
from server.config.memory import MemoryStore
from server.config.open import open_configuration
from server.config.runs import new_run_number
from server.config.services import StoreServices
from server.config.store import Store
from server.config.stored import StoreConfiguration

CONTENT = """
o2:
  components:
    qc:
      ANY: {any: {base: "any any", plain: "no marks", template: "{{ x }}", sub: {deep: d}}, flp1: {base: any flp1}}
      PHYSICS: {any: {base: physics any, only: physics only}}
  runtime:
    aliecs:
      defaults: {a: " blank ", number: 1.50, framework_id: from store, folder: {ignored: x}}
      vars: {v: "1"}
      default_repo: /some/where
    trg: {ltu: {file: content}}
  hardware:
    detectors:
      TRG: {flps: {flp9: {cards: ""}}}
      ITS: {flps: {flp2: {cards: ""}, flp1: {cards: ""}}}
      TPC: {flps: {flp3: {cards: ""}}}
    flps:
      flp1:
        cards: >-
          {"0": {"serial": "0228", "endpoint": "1"},
           "1": {"serial": "0228", "endpoint": "0"}, "2": {"serial": "0101", "endpoint": "0"}}
        aliecs: {address: 10.0.0.1, cpus: 2, memory: 512, attributes: {detector: ITS, machine_id: other}}
      flp7: {cards: "nonsense"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "configuration.yaml"
    file.write_text(CONTENT)
    return file


@pytest.fixture
def store(path: Path) -> Store:
    return FileStore(path)


def test_trg_is_listed_only_if_every_detector_is_asked_for(store: Store) -> None:
    assert inventory.detectors(store) == ["ITS", "TPC"]
    assert inventory.detectors(store, every=True) == ["TRG", "ITS", "TPC"]
    assert inventory.detector_inventory(store) == {"TRG": ["flp9"], "ITS": ["flp2", "flp1"], "TPC": ["flp3"]}


def test_hosts_are_those_of_the_detector_or_all_readout_hosts(store: Store) -> None:
    assert inventory.hosts_of(store, "ITS") == ["flp2", "flp1"]
    assert inventory.hosts_of(store) == ["flp1", "flp7"]
    assert inventory.hosts_of(store, "XYZ") == []


def test_detectors_of_hosts_are_unique_and_sorted_and_unknown_hosts_named(store: Store) -> None:
    assert inventory.detectors_for_hosts(store, ["flp3", "flp1", "flp2"]) == ["ITS", "TPC"]
    assert inventory.detectors_for_hosts(store, []) == []
    with pytest.raises(ConfigError, match=r"detector not found for host nope.*flp1, flp2, flp3, flp9"):
        inventory.detectors_for_hosts(store, ["flp1", "nope"])
    assert inventory.detector_for_host(store, "flp3") == "TPC"
    with pytest.raises(ConfigError, match="detector not found for host FLP3"):
        inventory.detector_for_host(store, "FLP3")


def test_cards_and_endpoints_are_unique_and_sorted(store: Store) -> None:
    assert inventory.cru_cards(store, "flp1") == ["0101", "0228"]
    assert inventory.endpoints_of_card(store, "flp1", "0228") == ["0", "1"]
    assert inventory.endpoints_of_card(store, "flp1", "9999") == []
    with pytest.raises(ConfigError, match="flps/flp7/cards is not JSON"):
        inventory.cru_cards(store, "flp7")
    with pytest.raises(ConfigError, match="no cards at"):
        inventory.cru_cards(store, "flp8")


def test_a_host_has_its_facts_or_the_defaults(store: Store) -> None:
    by_name = {entry.name: entry for entry in inventory.host_entries(store)}
    assert by_name["flp1"] == HostEntry(
        name="flp1", address="10.0.0.1", detector="ITS", cpus=2.0, memory_mb=512.0,
        attributes={"machine_id": "other", "detector": "ITS"},
    )  # fmt: skip
    assert by_name["flp3"] == HostEntry(name="flp3", detector="TPC", attributes={"machine_id": "flp3"})
    assert by_name["flp3"].address == "127.0.0.1"
    assert set(by_name) == {"flp1", "flp2", "flp3", "flp7", "flp9"}


@pytest.mark.parametrize("value", ["many", "-1", "nan", "inf"])
def test_a_number_of_cores_that_is_none_is_refused_with_its_key(store: Store, value: str) -> None:
    store.put("o2/hardware/flps/flp1/aliecs/cpus", value)
    with pytest.raises(ConfigError, match="o2/hardware/flps/flp1/aliecs/cpus"):
        inventory.host_entries(store)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "qc",
        "qc/ANY/any",
        "qc/any/any/x",
        "qc/NOSUCH/any/x",
        "q.c/ANY/any/x",
        "qc/ANY/any/x@1",
        "qc/ANY/any/",
        "/qc/ANY/any/x",
        "qc/ANY/any/a b",
    ],
)
def test_a_query_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="bad component configuration key format"):
        components.parse_query(text)


def test_a_query_may_have_blanks_around_and_folders_in_its_entry() -> None:
    assert components.parse_query(" qc/PHYSICS/flp-1/a/b_c \n") == Query("qc", "PHYSICS", "flp-1", "a/b_c")


@pytest.mark.parametrize(
    ("run_type", "role", "entry", "found"),
    [
        ("PHYSICS", "flp1", "base", "qc/ANY/flp1/base"),
        ("PHYSICS", "flp2", "base", "qc/PHYSICS/any/base"),
        ("COSMICS", "flp2", "base", "qc/ANY/any/base"),
        ("PHYSICS", "any", "only", "qc/PHYSICS/any/only"),
        ("ANY", "any", "sub", "qc/ANY/any/sub"),
    ],
)
def test_resolution_prefers_the_role_then_the_run_type(
    store: Store, run_type: str, role: str, entry: str, found: str
) -> None:
    assert components.resolve(store, Query("qc", run_type, role, entry)).path == found


def test_what_resolves_to_nothing_is_refused_with_its_path(store: Store) -> None:
    with pytest.raises(ConfigError, match="could not resolve configuration path o2/components/qc/COSMICS/x/only"):
        components.resolve(store, Query("qc", "COSMICS", "x", "only"))


def test_entries_of_a_component_are_sorted_paths(store: Store) -> None:
    assert components.components(store) == ["qc"]
    assert components.entries(store, "qc")[:2] == ["ANY/any/base", "ANY/any/plain"]
    assert "ANY/any/sub/deep" in components.entries(store, "qc")
    with pytest.raises(ConfigError, match="no keys found for component none"):
        components.entries(store, "none")


def test_a_payload_is_read_exactly_where_it_is_asked_for(path: Path) -> None:
    services = StoreServices(FileStore(path))
    assert services.get_component("qc/ANY/any/plain", {}) == "no marks"
    assert services.get_component_raw("qc/ANY/any/template") == "{{ x }}"
    with pytest.raises(ConfigError, match="no payload at configuration path o2/components/qc/COSMICS/any/plain"):
        services.get_component("qc/COSMICS/any/plain", {})


def test_a_payload_that_is_a_template_is_rendered_with_the_variables(path: Path) -> None:
    services = StoreServices(FileStore(path))
    assert services.get_component("qc/ANY/any/template", {"x": "1 < 2"}) == "1 &lt; 2"
    FileStore(path).put("o2/components/qc/ANY/any/template", "{% include 'sub/deep' %} {{ x }}")
    assert services.get_component("qc/ANY/any/template", {"x": "1"}) == "d 1"
    FileStore(path).put("o2/components/qc/ANY/any/sub/deep", "changed")
    assert services.get_component("qc/ANY/any/template", {"x": "1"}) == "changed 1"


def test_a_template_that_wants_what_cannot_be_an_entry_says_where(path: Path) -> None:
    services = StoreServices(FileStore(path))
    FileStore(path).put("o2/components/qc/ANY/any/template", "\n{% include '../../../runtime/aliecs/vars/v' %}")
    with pytest.raises(ConfigError, match="qc/ANY/any/template:2:12: there is no entry qc/ANY/any/"):
        services.get_component("qc/ANY/any/template", {})


def test_an_unknown_run_type_resolves_as_any(path: Path) -> None:
    assert StoreServices(FileStore(path)).resolve("qc", "NO SUCH", "x", "base") == "qc/ANY/any/base"


def test_runtime_entries_are_read_and_written_below_their_component(path: Path) -> None:
    services = StoreServices(FileStore(path))
    assert services.runtime_get("trg/ltu", "file") == "content"
    services.runtime_set("mine", "key", "value")
    assert FileStore(path).get("o2/runtime/mine/key") == "value"
    with pytest.raises(ConfigError, match="no value at o2/runtime/mine/none"):
        services.runtime_get("mine", "none")
    with pytest.raises(ConfigError, match="both needed"):
        services.runtime_set("", "key", "value")


def test_defaults_are_flat_and_trimmed_and_computed_ones_win(path: Path) -> None:
    services = StoreServices(FileStore(path), framework_id="local-x")
    defaults = services.defaults()
    assert defaults["a"] == "blank"
    assert defaults["number"] == "1.50"
    assert defaults["framework_id"] == "local-x"
    assert {"consul_endpoint", "core_hostname"} < set(defaults)
    assert not any("folder" in key for key in defaults)
    assert services.vars() == {"v": "1"}


def test_the_first_run_is_1_and_a_counter_that_is_no_number_is_refused(store: Store) -> None:
    assert [new_run_number(store), new_run_number(store)] == [1, 2]
    for text in ("many", "", "-1", "1.5"):
        store.put("o2/runtime/run_number", text)
        with pytest.raises(ConfigError, match="is not a run number"):
            new_run_number(store)
    store.put("o2/runtime/run_number", str(2**32 - 1))
    with pytest.raises(ConfigError, match="no run numbers are left"):
        new_run_number(store)


def test_a_race_lost_every_time_is_refused_after_the_last_attempt(store: Store) -> None:
    class Contended(FileStore):
        losses = 0

        def put_if(self, key: str, value: str, expected: str | None) -> bool:
            self.losses += 1
            return False

    contended = Contended(store.path) if isinstance(store, FileStore) else None
    assert contended is not None
    with pytest.raises(RefusedError, match="3 attempts"):
        new_run_number(contended, attempts=3)
    assert contended.losses == 3


async def test_the_core_reads_and_writes_without_blocking(path: Path) -> None:
    configuration = await open_configuration(f"file://{path}", deadline_s=60, framework_id="local-1")
    assert configuration.endpoint == f"file://{path}"
    assert (await configuration.defaults())["framework_id"] == "local-1"
    assert await configuration.vars() == {"v": "1"}
    assert await configuration.new_run_number() == 1
    assert await configuration.detectors() == ["ITS", "TPC"]
    assert await configuration.detectors_for_hosts(["flp3"]) == ["TPC"]
    assert len(await configuration.hosts()) == 5
    assert await configuration.runtime_get("aliecs", "default_repo") == "/some/where"
    await configuration.runtime_put("aliecs", "default_repo", "/else")
    assert await configuration.runtime_get("aliecs", "default_repo") == "/else"
    assert await configuration.runtime_get("aliecs", "no_such_key") is None


async def test_opening_makes_a_missing_file_and_refuses_a_broken_one(tmp_path: Path) -> None:
    await open_configuration(f"file://{tmp_path}/new.yaml", deadline_s=60)
    assert (tmp_path / "new.yaml").exists()
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(ConfigError, match=r"broken\.yaml:2:1"):
        await open_configuration(f"file://{tmp_path}/broken.yaml", deadline_s=60)


async def test_a_store_that_another_program_has_locked_is_a_deadline_for_a_change_alone(path: Path) -> None:
    configuration = await open_configuration(f"file://{path}", deadline_s=60)
    assert isinstance(configuration, StoreConfiguration) and isinstance(configuration.store, FileStore)
    assert configuration.store._lock_s == 20  # so that its own error comes before the deadline of the call
    configuration.store._lock_s = 0.067
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(DeadlineError, match=r"another program has had its lock for 0\.067 s"):
            await configuration.new_run_number()
        assert (await configuration.vars())["v"] == "1"
    finally:
        os.close(descriptor)
        await configuration.close()


async def test_a_store_that_hangs_is_a_deadline(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    configuration = StoreConfiguration(FileStore(tmp_path / "pipe.yaml"), deadline_s=0.2)
    with pytest.raises(DeadlineError, match=r"no answer within 0\.2 s"):
        await configuration.vars()
    writer = os.open(tmp_path / "pipe.yaml", os.O_WRONLY)  # the thread that reads goes on, and ends
    os.close(writer)
    await configuration.close()


def test_a_framework_id_that_a_core_has_kept_is_given_to_environments() -> None:
    store = MemoryStore("mock://")
    assert StoreServices(store).defaults()["framework_id"] == ""
    store.put("o2/runtime/aliecs/mesos_fid", "f-0001")
    assert StoreServices(store).defaults()["framework_id"] == "f-0001"
    assert StoreServices(store, framework_id="local-i").defaults()["framework_id"] == "local-i"


def test_bytes_that_are_no_text_reach_no_environment(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    for key in ("runtime/aliecs/vars/v", "runtime/aliecs/defaults/d", "runtime/trg/mask", "components/qc/ANY/any/bin"):
        store.put(f"o2/{key}", "a\udcfe\udcffé")
    services = StoreServices(store)
    shown = "a\ufffd\ufffdé"
    assert (services.vars()["v"], services.defaults()["d"]) == (shown, shown)
    assert (services.runtime_get("trg", "mask"), services.get_component_raw("qc/ANY/any/bin")) == (shown, shown)
    assert [record.getMessage() for record in caplog.records] == [
        f"bytes that are not UTF-8 replaced folder=o2/runtime/aliecs/{folder}"
        for folder in ("vars keys=v", "defaults keys=d")
    ]
