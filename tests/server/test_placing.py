"""Which cluster the settings name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from executor.api.options import ExecutorOptions
from occ.errors import ConfigError
from server.config.configuration import Configuration
from server.config.open import open_configuration
from server.deploy.backend import KnownExecutor
from server.deploy.local import LocalBackend
from server.deploy.mesos import MesosBackend
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
    configuration = await open_configuration("mock://", deadline_s=5.0)
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
    configuration = await open_configuration("mock://", deadline_s=5.0)
    with pytest.raises(ConfigError, match="pymesos and httptools of Python is not installed"):
        await open_backend(load_settings(["--mesos=head", f"--coreWorkingDir={tmp_path}"], {}), of(configuration))
    await configuration.close()


async def test_a_secret_is_read_from_its_file_and_goes_with_a_principal_only(tmp_path: Path) -> None:
    configuration = await open_configuration("mock://", deadline_s=5.0)
    core = of(configuration)
    secret = tmp_path / "secret"
    secret.write_text("sesame\n")

    async def opened(*flags: str) -> MesosBackend:
        settings = load_settings(["--mesos=head", f"--coreWorkingDir={tmp_path}", *flags], {})
        backend = await open_backend(settings, core)
        assert isinstance(backend, MesosBackend)
        return backend

    backend = await opened("--mesosPrincipal=aliecs", f"--mesosCredentialsPasswordFile={secret}")
    master = backend.settings.master
    assert (master.principal, master.secret, "sesame" in repr(master)) == ("aliecs", "sesame", False)
    with pytest.raises(ConfigError, match="is of no use without mesosPrincipal"):
        await opened(f"--mesosCredentialsPasswordFile={secret}")
    with pytest.raises(ConfigError, match="cannot be read"):
        await opened("--mesosPrincipal=aliecs", f"--mesosCredentialsPasswordFile={secret}.gone")
    await configuration.close()
