"""Which cluster the settings name."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from executor.api.options import ExecutorOptions
from occ.errors import ConfigError
from server.config.configuration import Configuration
from server.config.open import open_configuration
from server.deploy.backend import KnownExecutor
from server.deploy.local import LocalBackend
from server.deploy.mesos import MesosBackend
from server.deploy.mesos_info import ExecutorSettings
from server.deploy.mesos_scheduler import MesosMaster
from server.placing import Core, master_of, open_backend
from server.settings import load_settings


async def _record(known: KnownExecutor) -> None:
    raise AssertionError(f"{known} was recorded")


def of(configuration: Configuration) -> Core:
    return Core(
        instance="i1", epoch="e1", configuration=configuration, record_executor=_record,
        forget_executor=lambda executor_id: None, changed=lambda: None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flag", "master"),
    [
        ("--mesos=head.cern:5055", "head.cern:5055"),
        ("--mesos=head.cern", "head.cern:5050"),
        ("--mesos=zk://a:2181,b:2181/mesos", "zk://a:2181,b:2181/mesos"),
        ("--mesosUrl=http://head.cern:5050/api/v1/scheduler", "head.cern:5050"),
        ("--mesosUrl=http://head.cern/", "head.cern:5050"),
        ("--verbose", ""),
    ],
)
def test_a_master_is_named_by_its_address(flag: str, master: str, tmp_path: Path) -> None:
    assert master_of(load_settings([flag, f"--coreWorkingDir={tmp_path}"], {})) == master


@pytest.mark.parametrize(
    "flag",
    ["--mesos=[::1]:5050", "--mesos=http://head:5050", "--mesos=:5050", "--mesos=zk://a:2181", "--mesos=zk://a:2181/",
     "--mesosUrl=https://head:5050/api/v1/scheduler", "--mesosUrl=http://head:5050/other"],
)  # fmt: skip
def test_what_pymesos_cannot_reach_is_refused_with_a_hint(flag: str, tmp_path: Path) -> None:
    settings = load_settings([flag, f"--coreWorkingDir={tmp_path}"], {})
    with pytest.raises(ConfigError, match=r"setting mesos(Url)?: ") as refused:
        master_of(settings)
    assert refused.value.hint


def test_settings_of_mesos_have_their_own_names_and_units(tmp_path: Path) -> None:
    environ = {"ALIECS_MESOSFAILOVERTIMEOUT": "1000h", "ALIECS_EXECUTORCPU": "0.5", "ALIECS_EXECUTORMEMORY": "128"}
    settings = load_settings([f"--coreWorkingDir={tmp_path}", "--mesosCheckpoint=false"], environ)
    assert (settings.mesos_failover_timeout_s, settings.executor_cpu, settings.executor_memory) == (3.6e6, 0.5, 128.0)
    assert settings.mesos_checkpoint is False
    with pytest.raises(ConfigError, match="executorCPU") as refused:
        load_settings(["--executorCPU=many", f"--coreWorkingDir={tmp_path}"], {})
    assert refused.value.hint == "expected a number, 0 or more"


async def test_what_executors_are_asked_for_reaches_either_backend(tmp_path: Path) -> None:
    configuration = await open_configuration("mock://", deadline_s=60)
    flags = [f"--coreWorkingDir={tmp_path}", "--outputFileBytes=1000", "--outputOlderFiles=1", "--keptTasks=7",
             "--keptDays=0.5", "--taskLimits=off"]  # fmt: skip
    options = ExecutorOptions(
        output_file_bytes=1000, output_older_files=1, kept_tasks=7, kept_days=0.5, task_limits="off"
    )  # fmt: skip
    local = await open_backend(load_settings(flags, {}), of(configuration))
    assert isinstance(local, LocalBackend)
    assert local.settings.options == options
    mesos = await open_backend(load_settings([*flags, "--mesos=head"], {}), of(configuration))
    assert isinstance(mesos, MesosBackend)
    assert mesos.settings.executor.options == options
    await configuration.close()


async def test_a_cluster_needs_what_talks_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    configuration = await open_configuration("mock://", deadline_s=60)
    with pytest.raises(ConfigError, match="pymesos and httptools of Python is not installed"):
        await open_backend(load_settings(["--mesos=head", f"--coreWorkingDir={tmp_path}"], {}), of(configuration))
    await configuration.close()


async def opened(folder: Path, *flags: str, environ: dict[str, str] | None = None) -> MesosBackend:
    configuration = await open_configuration("mock://", deadline_s=60)
    try:
        settings = load_settings(["--mesos=head", f"--coreWorkingDir={folder}", *flags], environ or {})
        backend = await open_backend(settings, of(configuration))
    finally:
        await configuration.close()
    assert isinstance(backend, MesosBackend)
    return backend


async def test_a_password_is_read_from_its_file_and_shown_to_nobody(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sesame\n")
    login = ("--mesosAuthMode=basic", f"--mesosCredentials.passwordFile={secret}")
    backend = await opened(tmp_path, "--mesosCredentials.username=core", *login)
    master = backend.settings.master
    assert (master.principal, master.username, master.secret) == ("core", "core", "sesame")
    assert "sesame" not in repr(backend.settings)
    backend = await opened(tmp_path, "--mesosPrincipal=aliecs", *login)
    assert (backend.settings.master.principal, backend.settings.master.username) == ("aliecs", "aliecs")
    backend = await opened(tmp_path, "--mesosPrincipal=aliecs")
    assert (backend.settings.master.principal, backend.settings.master.username) == ("aliecs", "")


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--mesosCredentials.passwordFile=/secret"], "is of no use without mesosAuthMode=basic"),
        (
            ["--mesosAuthMode=basic", "--mesosCredentials.passwordFile=/secret"],
            r"mesosCredentials\.username is missing",
        ),
        (["--mesosAuthMode=basic", "--mesosPrincipal=core"], r"mesosCredentials\.passwordFile is missing"),
        (
            ["--mesosAuthMode=basic", "--mesosPrincipal=core", "--mesosCredentials.passwordFile=/no/such"],
            "cannot be read",
        ),
        (
            ["--mesosAuthMode=basic", "--mesosPrincipal=a:b", "--mesosCredentials.passwordFile=/etc/hostname"],
            "no login",
        ),
        (["--mesosAuthMode=kerberos"], "expected one of nothing, basic"),
    ],
)
async def test_half_a_login_is_refused(tmp_path: Path, flags: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        await opened(tmp_path, *flags)
    assert re.search(problem, f"{refused.value.message} {refused.value.hint}")


NAMED = {
    "mesosApiTimeout": "7s",
    "mesosCheckpoint": "false",
    "mesosFailoverTimeout": "2h",
    "mesosFrameworkHostname": "head.example",
    "mesosFrameworkName": "ours",
    "mesosFrameworkRole": "flps",
    "mesosFrameworkUser": "flp",
    "mesosLabels": "site=p2,spare",
    "mesosPrincipal": "core",
    "mesosAuthMode": "basic",
    "mesosCredentials.username": "login",
    "mesosCredentials.passwordFile": "PASSWORD",
    "executor": "/opt/executor",
    "executorCPU": "0.5",
    "executorMemory": "128",
    "mesosExecutorImage": "aliecs/executor:1",
    "mesosReviveBurst": "5",
    "mesosReviveWait": "2s",
    "mesosMaxRefuseSeconds": "9s",
}


@pytest.mark.parametrize("way", ["flags", "environment", "file"])
async def test_every_setting_of_a_cluster_can_be_given_in_every_way(tmp_path: Path, way: str) -> None:
    (tmp_path / "password").write_text("sesame")
    named = NAMED | {"mesosCredentials.passwordFile": str(tmp_path / "password")}
    flags, environ = [], {}
    if way == "flags":
        flags = [f"--{key}={text}" for key, text in named.items()]
    elif way == "environment":
        environ = {f"ALIECS_{key.upper().replace('.', '_')}": text for key, text in named.items()}
    else:
        plain = [f"{key}: {text}" for key, text in named.items() if "." not in key]
        below = [f"  {key.partition('.')[2]}: {text}" for key, text in named.items() if "." in key]
        (tmp_path / "settings.yaml").write_text("\n".join([*plain, "mesosCredentials:", *below]))
        flags = [f"--coreConfigurationUri=file://{tmp_path}/settings.yaml"]
    settings = (await opened(tmp_path, *flags, environ=environ)).settings
    assert settings.master == MesosMaster(
        address="head:5050", user="flp", name="ours", failover_timeout_s=7200.0, checkpoint=False, roles=("flps",),
        principal="core", username="login", secret="sesame", hostname="head.example", call_s=7.0,
        labels=(("site", "p2"), ("spare", "")),
    )  # fmt: skip
    image = "aliecs/executor:1"
    assert settings.executor == ExecutorSettings(path="/opt/executor", cpus=0.5, memory_mb=128.0, image=image)
    assert (settings.revive_burst, settings.revive_wait_s, settings.refuse_s) == (5, 2.0, 9.0)


async def test_without_settings_a_cluster_is_asked_as_aliecs_asks_it(tmp_path: Path) -> None:
    settings = (await opened(tmp_path)).settings
    assert settings.master == MesosMaster(address="head:5050", user="root", name="aliecs", failover_timeout_s=3.6e6)
    assert settings.executor.path.endswith("/aliecs-executor")
    assert (settings.executor.cpus, settings.executor.memory_mb, settings.executor.image) == (0.01, 64.0, "")
    assert (settings.revive_burst, settings.revive_wait_s, settings.refuse_s) == (3, 1.0, 5.0)
