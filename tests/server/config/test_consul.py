"""What is special about Consul: its folders, its limits, its rights, and what it tells environments."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from consul_agent import ConsulAgent

from occ.errors import ConfigError
from server.config import inventory
from server.config.open import open_services, open_store
from server.config.runs import new_run_number
from server.config.store import RUN_NUMBER, Store, TextChange
from server.config.transfer import content


@pytest.fixture
def store(consul_agent: ConsulAgent) -> Iterator[Store]:
    with closing(open_store(consul_agent.uri)) as store:
        yield store


def test_keys_of_folders_are_folders_and_no_texts(consul_agent: ConsulAgent, store: Store) -> None:
    for key in ("o2/", "o2/hardware/detectors/", "o2/hardware/detectors/ITS/flps/flp1/", "o2/x/"):
        consul_agent.request("PUT", f"/v1/kv/{key}", "ignored")
    store.put("o2/hardware/detectors/ITS/flps/flp2/cards", "{}")
    assert store.names("o2") == ["hardware", "x"]
    assert store.names("o2/x") == []
    assert store.exists("o2/x")
    assert store.get("o2/x") is None
    assert store.keys("o2") == ["o2/hardware/detectors/ITS/flps/flp2/cards"]
    assert store.get_tree("o2/hardware/detectors/ITS") == {"flps/flp2/cards": "{}"}
    assert inventory.detector_inventory(store) == {"ITS": ["flp1", "flp2"]}
    with pytest.raises(ConfigError, match="it is a folder"):
        store.put("o2/x", "text")
    assert store.delete("o2/x")
    assert not store.exists("o2/x")


def test_what_others_wrote_as_text_and_folder_of_one_name_is_shown_as_both(
    consul_agent: ConsulAgent, store: Store
) -> None:
    consul_agent.request("PUT", "/v1/kv/a/b", "text")
    consul_agent.request("PUT", "/v1/kv/a/b/c", "below")
    assert store.names("a") == ["b"]
    assert store.get_tree("a") == {"b": "text", "b/c": "below"}
    store.put("a/b", "changed")
    store.put("a/b/c", "changed too")
    assert store.get_tree("a") == {"b": "changed", "b/c": "changed too"}
    assert store.snapshot("a").names("a/b") == ["c"]


def test_keys_that_have_no_name_here_are_left_out_and_told(
    consul_agent: ConsulAgent, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    operation = {"KV": {"Verb": "set", "Key": "a//b", "Value": base64.b64encode(b"x").decode()}}
    consul_agent.request("PUT", "/v1/txn", json.dumps([operation]))
    store.put("a/c", "1")
    assert store.get_tree("a") == {"c": "1"}
    assert "key='a//b'" in caplog.text


@pytest.mark.parametrize("key", ["a/../b", "./a", "a/.", "a\nb", "a/\x7f"])
def test_a_name_that_leads_elsewhere_is_refused(store: Store, key: str) -> None:
    for ask in (store.get, store.exists, store.keys, store.names, store.delete, lambda key: store.put(key, "x")):
        with pytest.raises(ConfigError, match="is not a name"):
            ask(key)


def test_a_text_longer_than_consul_takes_is_refused_with_its_key(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"refused to write a/big: the text is longer than Consul takes.*524288"):
        store.put("a/big", "x" * 524_289)
    assert store.get("a/big") is None


def test_addresses_in_the_environment_do_not_lead_elsewhere(
    consul_agent: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with closing(open_store(consul_agent.uri)) as store:
        store.put("a", "1")
    assert consul_agent.request("GET", "/v1/kv/a?raw") == b"1"


# ---- rights ----------------------------------------------------------------------------------


def test_what_the_token_does_not_permit_is_refused_with_the_key_and_what_to_do(
    consul_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConsulAgent(consul_program, tmp_path / "acl", token="7d1b3d2e-0001-4c53-a2a1-5d0c6a4ad0aa") as agent:
        with closing(open_store(agent.uri)) as stranger:
            with pytest.raises(ConfigError, match=rf"does not permit to read {RUN_NUMBER}.*CONSUL_HTTP_TOKEN"):
                stranger.prepare()
            with pytest.raises(ConfigError, match=r"does not permit to write o2/x.*CONSUL_HTTP_TOKEN"):
                stranger.put("o2/x", "1")
            with pytest.raises(ConfigError, match="does not permit"):
                new_run_number(stranger)
        monkeypatch.setenv("CONSUL_HTTP_TOKEN", "7d1b3d2e-0001-4c53-a2a1-5d0c6a4ad0aa")
        with closing(open_store(agent.uri)) as friend:
            friend.prepare()
            assert new_run_number(friend) == 1


def test_a_token_for_what_is_aliecs_own_is_enough(
    consul_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConsulAgent(consul_program, tmp_path / "acl", token="7d1b3d2e-0001-4c53-a2a1-5d0c6a4ad0aa") as agent:
        policy = {"Name": "aliecs", "Rules": 'key_prefix "o2/" { policy = "write" }'}
        agent.request("PUT", "/v1/acl/policy", json.dumps(policy))
        token = json.loads(agent.request("PUT", "/v1/acl/token", json.dumps({"Policies": [{"Name": "aliecs"}]})))
        monkeypatch.setenv("CONSUL_HTTP_TOKEN", token["SecretID"])
        with closing(open_store(agent.uri)) as store:
            store.prepare()
            assert new_run_number(store) == 1
            store.put("o2/components/qc/ANY/any/a", "1")
            assert store.put_all([TextChange("o2/hardware/detectors/ITS/flps/flp1/", "", None)]) == []
            assert content(store) == {
                "o2/components/qc/ANY/any/a": "1",
                "o2/hardware/detectors/ITS/flps/flp1/": "",
                "o2/runtime/run_number": "1",
            }
            assert store.delete("o2/components")


# ---- defaults --------------------------------------------------------------------------------


def test_every_environment_is_told_where_consul_is(consul_agent: ConsulAgent, store: Store) -> None:
    store.put("o2/runtime/aliecs/defaults/consul_endpoint", "elsewhere:1")
    with closing(open_services(consul_agent.uri)) as services:
        defaults = services.defaults()
    assert defaults["consul_base_uri"] == consul_agent.uri
    assert defaults["consul_hostname"] == "127.0.0.1"
    assert defaults["consul_port"] == str(consul_agent.port)
    assert defaults["consul_endpoint"] == f"127.0.0.1:{consul_agent.port}"
