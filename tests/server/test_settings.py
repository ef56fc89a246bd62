"""Settings: sources and their order, types, messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from consul_agent import ConsulAgent

from occ.errors import ConfigError, LinkError
from server.config.file import FileStore
from server.settings import ServerSettings, build_parser, load_settings


def test_without_sources_all_settings_have_their_defaults() -> None:
    settings = load_settings([], {})
    assert settings == ServerSettings()
    assert settings.control_port == 32102
    assert settings.go_error_delay_s == 0.5
    assert settings.configure_timeout_s == 120
    assert settings.configuration_uri == "file:///var/lib/o2/aliecs/configuration.yaml"


def test_flag_beats_environment_beats_store_beats_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("instanceName: file\nlease: 1s\nkillTimeout: 1s\nreattach: 1s\n")
    store = FileStore(tmp_path / "configuration.yaml")
    store.put("o2/components/aliecs/ANY/any/settings", "instanceName: store\nlease: 2s\nkillTimeout: 2s\n")
    environ = {"ALIECS_INSTANCENAME": "environment", "ALIECS_LEASE": "3s"}
    flags = ["--coreConfigurationUri", f"file://{file}", "--coreWorkingDir", str(tmp_path), "--instanceName", "flag"]
    settings = load_settings(flags, environ)
    assert settings.instance_name == "flag"
    assert settings.lease_s == 3
    assert settings.kill_timeout_s == 2
    assert settings.reattach_s == 1


def test_settings_are_read_from_consul_too(consul_agent: ConsulAgent) -> None:
    consul_agent.request("PUT", "/v1/kv/o2/components/aliecs/ANY/any/settings", "lease: 2s\n")
    assert load_settings(["--configServiceUri", consul_agent.uri], {}).lease_s == 2


def test_without_the_store_no_settings_are_made_up(own_consul: ConsulAgent) -> None:
    own_consul.kill()
    with pytest.raises(
        LinkError, match=rf"{own_consul.uri} cannot be reached to read o2/components/aliecs/ANY/any/settings"
    ):
        load_settings(["--configServiceUri", own_consul.uri], {})


def test_types_are_read_from_text() -> None:
    flags = [
        "--verbose",
        "--integrationPlugins",
        "testplugin,",
        "--deployTimeout",
        "1m30s",
    ]
    settings = load_settings(flags, {"ALIECS_CONTROLPORT": "0", "ALIECS_DRAINONTERM": "1"})
    assert settings.verbose
    assert settings.drain_on_term
    assert settings.integration_plugins == ("testplugin",)
    assert settings.deploy_timeout_s == 90
    assert settings.control_port == 0


@pytest.mark.parametrize(
    ("flags", "environ", "words"),
    [
        (["--controlPort", "x"], {}, ("controlPort", "'x'", "flag --controlPort", "0 to 65535")),
        (["--controlPort", "70000"], {}, ("controlPort", "0 to 65535")),
        ([], {"ALIECS_LEASE": "60"}, ("lease", "ALIECS_LEASE", "90s")),
        ([], {"ALIECS_LEASE": "-1s"}, ("lease", "0 or more")),
        ([], {"ALIECS_HEARTBEAT": "0s"}, ("heartbeat", "more than 0")),
        (["--integrationPlugins", "dcs,trg"], {}, ("integrationPlugins", "testplugin")),
        (["--verbose=maybe"], {}, ("verbose", "true or false")),
        (["--configServiceUri", "consul://127.0.0.1:x"], {}, ("configServiceUri", "file:///", "consul://host:port")),
        (["--configServiceUri", "file://relative"], {}, ("configServiceUri", "file:///")),
    ],
)
def test_a_wrong_value_is_refused_with_key_source_and_what_is_allowed(
    flags: list[str], environ: dict[str, str], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(flags, environ)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("controlPort: [1]\n", ("controlPort", "settings.yaml")),
        ("noSuchKey: 1\n", ("unknown key noSuchKey", "settings.yaml")),
        ("- a\n", ("settings.yaml", "mapping")),
        ("a: [\n", ("settings.yaml", "not YAML", "line 2")),
    ],
)
def test_a_wrong_settings_file_is_refused_by_name(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(["--coreConfigurationUri", f"file://{file}"], {})
    for word in words:
        assert word in str(caught.value)


def test_a_missing_settings_file_is_refused_and_an_empty_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        load_settings(["--coreConfigurationUri", f"file://{tmp_path}/none.yaml"], {})
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_settings(["--coreConfigurationUri", f"file://{tmp_path}/empty.yaml"], {}).control_port == 32102


def test_help_lists_every_setting() -> None:
    text = build_parser().format_help()
    as_aliecs_spells_it = {
        "executorCpu": "executorCPU",
        "mesosCredentialsUsername": "mesosCredentials.username",
        "mesosCredentialsPasswordFile": "mesosCredentials.passwordFile",
    }
    for field in ServerSettings.__struct_fields__:
        head, *tail = field.removesuffix("_s").split("_")
        key = head + "".join(word.capitalize() for word in tail)
        assert f"--{as_aliecs_spells_it.get(key, key)} " in text


def test_a_flag_that_does_not_exist_ends_with_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_settings(["--controlPorts", "1"], {})
    assert caught.value.code == 2
    assert "--controlPorts" in capsys.readouterr().err
