"""Settings of the core: defaults, then a file, the configuration store, the environment and the command line.

Keys that AliECS has keep their names and meaning (core.md 7.2); the rest is ours. Who reads which: server/core.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from occ.errors import ConfigError
from server.config.address import parse_address
from server.flags import Port, Seconds, add_flags, converted, given_by, keys_of


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, typed; their keys: flags.py."""

    control_port: Annotated[Port, msgspec.Meta(description="port of o2control.Control; 0 = any free one")] = 32102
    bind_address: Annotated[str, msgspec.Meta(description="address that all ports listen on")] = "0.0.0.0"
    core_working_dir: Annotated[str, msgspec.Meta(description="folder of the journal, logs and task sandboxes")] = (
        "/var/lib/o2/aliecs"
    )
    core_configuration_uri: Annotated[
        str, msgspec.Meta(description="file:///path of a YAML file with settings; weaker than the store")
    ] = ""
    core_config_entry: Annotated[
        str, msgspec.Meta(description="entry of component aliecs in the store that holds settings (ANY/any)")
    ] = "settings"
    config_service_uri: Annotated[
        str,
        msgspec.Meta(
            description="file:///path or consul://host:port of the configuration; empty = configuration.yaml in coreWorkingDir"
        ),
    ] = ""
    config_service_port: Annotated[
        Port, msgspec.Meta(description="port of apricot.Apricot, the configuration for others; 0 = any free one")
    ] = 32101
    config_service_http_port: Annotated[
        Port, msgspec.Meta(description="port of the same over HTTP; 0 = any free one")
    ] = 32188
    instance_name: Annotated[str, msgspec.Meta(description="name shown to clients")] = "AliECS instance"
    default_repo: Annotated[str, msgspec.Meta(description="first default repository of workflows; empty = none")] = ""
    global_default_revision: Annotated[str, msgspec.Meta(description="revision of repositories without their own")] = (
        "master"
    )
    repos_ssh_key: Annotated[
        str, msgspec.Meta(description="private key for repositories over ssh; empty = the user's own")
    ] = ""
    repos_ssh_command: Annotated[str, msgspec.Meta(description="ssh program for repositories, with its options")] = (
        "ssh"
    )
    repos_ssh_check_host_key: Annotated[
        bool, msgspec.Meta(description="take repositories over ssh from hosts in known_hosts only")
    ] = False
    repos_git_config: Annotated[
        tuple[str, ...], msgspec.Meta(description="configuration of git when it fetches, key=value, comma-separated")
    ] = ()
    repos_timeout_s: Annotated[Seconds, msgspec.Meta(description="time to read a repository on this machine")] = 30.0
    repos_fetch_timeout_s: Annotated[Seconds, msgspec.Meta(description="time to clone or fetch a repository")] = 300.0
    integration_plugins: Annotated[
        tuple[Literal["testplugin"], ...], msgspec.Meta(description="integrated services to load, comma-separated")
    ] = ()
    fmq_plugin: Annotated[
        Literal["OCClite", "OCC"], msgspec.Meta(description="plug-in that FairMQ devices are told to load")
    ] = "OCClite"
    fmq_plugin_search_path: Annotated[
        str, msgspec.Meta(description="where they find it; expanded by the shell on the task's host")
    ] = "$CONTROL_OCCPLUGIN_ROOT/lib/"
    reuse_unlocked_tasks: Annotated[
        bool,
        msgspec.Meta(description="new environments take over tasks that no environment has, instead of ending them"),
    ] = False
    verbose: Annotated[bool, msgspec.Meta(description="log at level DEBUG")] = False
    log_file: Annotated[str, msgspec.Meta(description="file that the log goes to; empty = standard error")] = ""
    drain_on_term: Annotated[
        bool, msgspec.Meta(description="on SIGTERM and SIGINT end all environments and executors instead of detaching")
    ] = False
    deploy_timeout_s: Annotated[Seconds, msgspec.Meta(description="time for tasks to come up")] = 90.0
    transition_timeout_s: Annotated[
        Seconds, msgspec.Meta(description="time for the tasks' answers to a transition")
    ] = 90.0
    configure_timeout_s: Annotated[Seconds, msgspec.Meta(description="the same for CONFIGURE")] = 120.0
    destroy_timeout_s: Annotated[
        Seconds, msgspec.Meta(description="how long destroy waits for a running transition")
    ] = 90.0
    go_error_delay_s: Annotated[Seconds, msgspec.Meta(description="pause between the first ERROR and GO_ERROR")] = 0.5
    kill_timeout_s: Annotated[Seconds, msgspec.Meta(description="time for killed tasks to end")] = 30.0
    load_timeout_s: Annotated[Seconds, msgspec.Meta(description="time to load a workflow")] = 60.0
    jit_enabled: Annotated[
        bool, msgspec.Meta(description="run DPL commands of templates on this machine to generate their workflows")
    ] = True
    jit_timeout_s: Annotated[Seconds, msgspec.Meta(description="time for one DPL command to generate a workflow")] = (
        30.0
    )
    jit_profile: Annotated[
        str, msgspec.Meta(description="shell file that brings the programs of O2 into the PATH of DPL commands")
    ] = "/etc/profile.d/o2.sh"
    config_timeout_s: Annotated[Seconds, msgspec.Meta(description="time for one access to the store")] = 10.0
    journal_timeout_s: Annotated[Seconds, msgspec.Meta(description="time for one write to the journal")] = 10.0
    drain_timeout_s: Annotated[Seconds, msgspec.Meta(description="time to end everything when draining")] = 30.0
    lease_s: Annotated[
        Seconds, msgspec.Meta(description="executors end their tasks when no core was heard for so long; 0 = never")
    ] = 60.0
    heartbeat_s: Annotated[float, msgspec.Meta(gt=0, description="interval of the core's heartbeats to executors")] = (
        5.0
    )
    silent_s: Annotated[
        float, msgspec.Meta(gt=0, description="without a word for so long an executor counts as silent")
    ] = 15.0
    reattach_s: Annotated[Seconds, msgspec.Meta(description="how long a new core waits for known executors")] = 30.0

    output_file_bytes: Annotated[
        int, msgspec.Meta(ge=0, description="size at which a file of a task's output is begun anew; 0 = never")
    ] = 32 * 1024 * 1024
    output_older_files: Annotated[
        int, msgspec.Meta(ge=0, description="how many older files are kept of each output of a task")
    ] = 3
    kept_tasks: Annotated[
        int, msgspec.Meta(ge=0, description="of how many ended tasks each host keeps the output; 0 = all")
    ] = 1000
    kept_days: Annotated[float, msgspec.Meta(ge=0, description="how many days it keeps it; 0 = for ever")] = 14.0
    task_limits: Annotated[
        Literal["auto", "off"],
        msgspec.Meta(description="enforce limits of task classes by control groups where executors may, or not at all"),
    ] = "auto"

    mesos: Annotated[
        str,
        msgspec.Meta(
            description="run tasks on the cluster of this Mesos master, host:port or zk://…; empty = on this machine"
        ),
    ] = ""
    mesos_url: Annotated[
        str, msgspec.Meta(description="the same by its scheduler endpoint, http://host:port/api/v1/scheduler")
    ] = ""
    mesos_api_timeout_s: Annotated[Seconds, msgspec.Meta(description="time for the master to answer one call")] = 20.0
    mesos_failover_timeout_s: Annotated[
        Seconds, msgspec.Meta(description="how long the master keeps tasks when there is no core")
    ] = 3_600_000.0
    mesos_checkpoint: Annotated[bool, msgspec.Meta(description="tasks outlive a restart of their agent")] = True
    mesos_framework_user: Annotated[str, msgspec.Meta(description="user that executors run as")] = "root"
    mesos_framework_name: Annotated[str, msgspec.Meta(description="name of the framework in Mesos")] = "aliecs"
    mesos_framework_hostname: Annotated[str, msgspec.Meta(description="host that Mesos shows for the core")] = ""
    mesos_framework_role: Annotated[str, msgspec.Meta(description="role in Mesos; empty = *")] = ""
    mesos_labels: Annotated[
        tuple[str, ...], msgspec.Meta(description="labels that Mesos shows for the core, key=value, comma-separated")
    ] = ()
    mesos_principal: Annotated[str, msgspec.Meta(description="principal that Mesos notes for the core")] = ""
    mesos_auth_mode: Annotated[
        Literal["", "basic"], msgspec.Meta(description="how the master is told who we are; empty = not at all")
    ] = ""
    mesos_credentials_username: Annotated[
        str, msgspec.Meta(description="name for the master; empty = mesosPrincipal")
    ] = msgspec.field(default="", name="mesosCredentials.username")
    mesos_credentials_password_file: Annotated[
        str, msgspec.Meta(description="file with the password of that name, and nothing else")
    ] = msgspec.field(default="", name="mesosCredentials.passwordFile")
    mesos_executor_image: Annotated[
        str, msgspec.Meta(description="Docker image that executors run in; empty = none, on the host itself")
    ] = ""
    mesos_revive_burst: Annotated[
        Port, msgspec.Meta(description="so many times at once the master is asked to offer again what was declined")
    ] = 3
    mesos_revive_wait_s: Annotated[
        Seconds, msgspec.Meta(description="then once in so long; 0 = as often as it helps")
    ] = 1.0
    mesos_max_refuse_seconds_s: Annotated[
        Seconds, msgspec.Meta(description="for the master to keep from us what we declined, unless we ask again")
    ] = 5.0
    executor: Annotated[
        str, msgspec.Meta(description="path of aliecs-executor, here or on the agents; empty = where ours is")
    ] = ""
    executor_cpu: Annotated[
        float, msgspec.Meta(ge=0, description="cores of an executor, and its share in each task")
    ] = msgspec.field(default=0.01, name="executorCPU")
    executor_memory: Annotated[
        float, msgspec.Meta(ge=0, description="memory of an executor, and its share in each task, in MB")
    ] = 64.0

    subscribe_wait_s: Annotated[
        Seconds, msgspec.Meta(description="how long Subscribe waits for the automatic environment it names")
    ] = 5.0
    event_queue: Annotated[
        Port, msgspec.Meta(description="events that may wait for a slow subscriber before it loses them")
    ] = 20_000
    client_quiet_s: Annotated[
        float, msgspec.Meta(ge=1, description="a client that was silent for so long is asked whether it is still there")
    ] = 20.0
    client_answer_s: Annotated[
        float, msgspec.Meta(gt=0, description="time for it to answer; after that its calls are ended")
    ] = 10.0
    call_margin_s: Annotated[
        Seconds, msgspec.Meta(description="what a call of an integrated service may take beyond its timeout")
    ] = 5.0

    @property
    def state_directory(self) -> Path:
        """Folder of everything that this core keeps."""
        return Path(self.core_working_dir)

    @property
    def configuration_uri(self) -> str:
        """Address of the configuration; a file in the state folder unless told otherwise."""
        uri = self.config_service_uri or f"file://{Path(self.core_working_dir).absolute() / 'configuration.yaml'}"
        try:
            return parse_address(uri).uri
        except ConfigError as error:
            raise ConfigError(f"setting configServiceUri: {error.message}", hint=error.hint) from None


def build_parser(prog: str = "aliecs-server") -> argparse.ArgumentParser:
    """Return the parser of all settings as flags; what it finds goes to settings_from()."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="The core of AliECS: environments, tasks and runs, served by o2control.Control.",
        epilog="Each setting can also stand in the environment as ALIECS_ and its key in upper case, in the "
        "configuration store (aliecs/ANY/any/settings) and in the file of coreConfigurationUri.",
        allow_abbrev=False,
    )
    add_flags(parser, ServerSettings)
    return parser


def load_settings(argv: Sequence[str], environ: Mapping[str, str]) -> ServerSettings:
    """Return the settings that flags, environment, store and file give, the first named winning.

    Raises:
        ConfigError: names key, source and what is allowed.
        SystemExit: for --help and flags that do not exist, as argparse does.
    """
    return settings_from(build_parser().parse_args(argv), environ)


def settings_from(flags: argparse.Namespace, environ: Mapping[str, str]) -> ServerSettings:
    """Return the settings of parsed flags and an environment. Reads the settings file and the store."""
    given = given_by(ServerSettings, "ALIECS_", flags, environ)
    for source, values in _files(given):
        for name, value in values.items():
            given.setdefault(name, (value, source))
    settings = ServerSettings(**converted(ServerSettings, given))
    _ = settings.configuration_uri  # raises for schemes that are not supported
    return settings


def _files(given: Mapping[str, tuple[Any, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the settings in the store and in the settings file, each with its source; stronger ones first."""
    known = {name: value for name, (value, _) in given.items()}
    file: dict[str, Any] = {}
    source = ""
    if uri := str(known.get("core_configuration_uri", "")):
        path = _file_of(uri, "coreConfigurationUri")
        source = f"file {path}"
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"settings {path} cannot be read: {error.strerror}") from error
        file = _payload(text, source)
    merged = {**file, **known}
    names = ("core_working_dir", "config_service_uri", "core_config_entry")
    named: dict[str, Any] = {name: str(merged[name]) for name in names if name in merged}
    store = ServerSettings(**named)
    # Deferred: the store's room is needed only here.
    from server.config.open import read_payload

    entry = f"aliecs/ANY/any/{store.core_config_entry}"
    payload = read_payload(store.configuration_uri, entry)
    if payload:
        source_of_store = f"o2/components/{entry} in {store.configuration_uri}"
        yield source_of_store, _payload(payload, source_of_store)
    if file:
        yield source, file


def _file_of(uri: str, key: str) -> Path:
    """Return the absolute path of a ``file://`` address.

    Raises:
        ConfigError: another scheme or a relative path.
    """
    path = uri.removeprefix("file://")
    if path == uri or not path.startswith("/"):
        raise ConfigError(
            f"setting {key}: {uri!r} is not supported", hint="expected file:/// and the absolute path of a YAML file"
        )
    return Path(path)


def _payload(text: str, source: str) -> dict[str, Any]:
    """Return the settings in a YAML text by field name; keys are matched as a whole, unknown ones refused."""
    try:
        document = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"settings in {source} are not YAML: {' '.join(str(error).split())}") from error
    if document in (None, ""):
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"settings in {source}: expected a mapping of keys to values")
    fields = {key: field.name for key, field in keys_of(ServerSettings)}
    flat = dict(_flat(document))
    unknown = sorted(set(flat) - set(fields))
    if unknown:
        raise ConfigError(f"settings in {source}: unknown key {unknown[0]}", hint="known keys: aliecs-server --help")
    return {fields[key]: value for key, value in flat.items()}


def _flat(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield keys and values; a mapping below a key is one of keys with a dot in them."""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{below}", one) for below, one in value.items())
        else:
            yield key, value
