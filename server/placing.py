"""Which backend a core has, by its settings: a cluster of Mesos where a master is named, this machine otherwise."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from executor.api.helpers import require_pymesos
from executor.api.options import ExecutorOptions
from occ.errors import ConfigError
from server.config.configuration import Configuration
from server.config.runtime import FRAMEWORK_ID
from server.deploy.backend import Backend, KnownExecutor
from server.deploy.executors import OUR_EXECUTOR, LocalParts, LocalSettings
from server.deploy.local import LocalBackend
from server.deploy.mesos import MesosBackend, MesosParts, MesosSettings
from server.deploy.mesos_executors import MesosTimes
from server.deploy.mesos_info import ExecutorSettings
from server.deploy.mesos_scheduler import MesosMaster
from server.ids import new_id
from server.settings import ServerSettings

MASTER_PORT = 5050


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What a backend needs of the core."""

    instance: str
    epoch: str
    configuration: Configuration
    record_executor: Callable[[KnownExecutor], Awaitable[None]]
    forget_executor: Callable[[str], None]
    changed: Callable[[], None]
    """Clients should be shown hosts and framework anew."""


def given_framework_id(settings: ServerSettings, instance: str) -> str:
    """Return the id of the framework where it is ours to choose; "" where a master does, which may change it."""
    return "" if master_of(settings) else f"local-{instance}"


async def open_backend(settings: ServerSettings, core: Core) -> Backend:
    """Return the backend; not started yet.

    Raises:
        ConfigError: a setting of Mesos is wrong, or what it needs is not installed.
    """
    if not (master := master_of(settings)):
        return _local(settings, core)
    require_pymesos()
    configuration = core.configuration

    async def load() -> str:
        return await configuration.runtime_get(*FRAMEWORK_ID) or ""

    async def store(framework_id: str) -> None:
        await configuration.runtime_put(*FRAMEWORK_ID, framework_id)

    username, secret = await asyncio.to_thread(_credentials, settings)
    return MesosBackend(
        MesosParts(
            instance=core.instance,
            core_epoch=core.epoch,
            inventory=configuration.hosts,
            new_id=new_id,
            record_executor=core.record_executor,
            forget_executor=core.forget_executor,
            changed=core.changed,
            load_framework_id=load,
            store_framework_id=store,
        ),
        MesosSettings(
            master=MesosMaster(
                address=master,
                user=settings.mesos_framework_user,
                name=settings.mesos_framework_name,
                failover_timeout_s=settings.mesos_failover_timeout_s,
                checkpoint=settings.mesos_checkpoint,
                roles=(settings.mesos_framework_role,) if settings.mesos_framework_role else (),
                labels=tuple((key, value) for key, _, value in (one.partition("=") for one in settings.mesos_labels)),
                principal=settings.mesos_principal or username,
                username=username,
                secret=secret,
                hostname=settings.mesos_framework_hostname,
                call_s=settings.mesos_api_timeout_s,
            ),
            executor=ExecutorSettings(
                path=settings.executor or str(Path(sys.executable).with_name("aliecs-executor")),
                cpus=settings.executor_cpu,
                memory_mb=settings.executor_memory,
                options=_options(settings),
                image=settings.mesos_executor_image,
            ),
            refuse_s=settings.mesos_max_refuse_seconds_s,
            revive_burst=settings.mesos_revive_burst,
            revive_wait_s=settings.mesos_revive_wait_s,
            subscribe_s=min(30.0, settings.deploy_timeout_s / 3),
            times=MesosTimes(
                heartbeat_s=settings.heartbeat_s,
                silent_s=settings.silent_s,
                reattach_s=settings.reattach_s,
                drain_s=settings.drain_timeout_s,
            ),
        ),
    )


def _local(settings: ServerSettings, core: Core) -> Backend:
    return LocalBackend(
        LocalParts(
            instance=core.instance,
            state_directory=settings.state_directory,
            core_epoch=core.epoch,
            inventory=core.configuration.hosts,
            new_id=new_id,
            record_executor=core.record_executor,
            forget_executor=core.forget_executor,
            command=(settings.executor,) if settings.executor else OUR_EXECUTOR,
        ),
        LocalSettings(
            lease_s=settings.lease_s,
            heartbeat_s=settings.heartbeat_s,
            silent_s=settings.silent_s,
            reattach_s=settings.reattach_s,
            drain_s=settings.drain_timeout_s,
            options=_options(settings),
        ),
    )


def _options(settings: ServerSettings) -> ExecutorOptions:
    return ExecutorOptions(
        output_file_bytes=settings.output_file_bytes,
        output_older_files=settings.output_older_files,
        kept_tasks=settings.kept_tasks,
        kept_days=settings.kept_days,
        task_limits=settings.task_limits,
    )


def master_of(settings: ServerSettings) -> str:
    """Return the address of the Mesos master as pymesos takes it, "" if none is named.

    Raises:
        ConfigError: it is none.
    """
    if settings.mesos:
        return _address(settings.mesos, "mesos")
    if not settings.mesos_url:
        return ""
    if settings.mesos_url.startswith("zk://"):
        return _address(settings.mesos_url, "mesosUrl")
    url = urlsplit(settings.mesos_url)
    if url.scheme != "http" or url.path.rstrip("/") not in ("", "/api/v1/scheduler"):
        raise ConfigError(
            f"setting mesosUrl: {settings.mesos_url!r} is no endpoint of a Mesos master",
            hint="expected http://host:port/api/v1/scheduler; a master behind TLS needs a forwarder on this host",
        )
    return _address(url.netloc, "mesosUrl")


def _address(text: str, setting: str) -> str:
    if text.startswith("zk://"):
        if not text.removeprefix("zk://").partition("/")[2]:
            raise ConfigError(f"setting {setting}: {text!r} has no path", hint="expected zk://host:port,…/mesos")
        return text
    host, _, port = text.rpartition(":") if ":" in text else (text, "", str(MASTER_PORT))
    if not host or not port.isdecimal() or any(sign in host for sign in "/[]:@"):
        raise ConfigError(
            f"setting {setting}: {text!r} is no address of a Mesos master",
            hint="expected host:port with IPv4, or zk://host:port,…/path",
        )
    return f"{host}:{port}"


def _credentials(settings: ServerSettings) -> tuple[str, str]:
    """Return name and password for the master, both "" where it does not ask.

    Raises:
        ConfigError: one of them is missing.
    """
    path = settings.mesos_credentials_password_file
    username = settings.mesos_credentials_username or settings.mesos_principal
    if not settings.mesos_auth_mode:
        if path:
            raise ConfigError("setting mesosCredentials.passwordFile is of no use without mesosAuthMode=basic")
        return "", ""
    for key, value in (("mesosCredentials.username", username), ("mesosCredentials.passwordFile", path)):
        if not value:
            raise ConfigError(f"setting {key} is missing", hint="mesosAuthMode=basic needs a name and a password")
    try:
        password = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"setting mesosCredentials.passwordFile: {path} cannot be read: {error}") from error
    if not password or not username.isascii() or ":" in username:
        raise ConfigError(
            f"settings mesosCredentials: {username!r} with the content of {path} can be no login",
            hint="expected ASCII, no colon in the name, and a password that is not empty",
        )
    return username, password
