"""The command of one task, rendered for its role and host (workflows-config.md 5.3). Read from YAML in taskclass.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from executor.api.messages import ControlMode
from occ.errors import ConfigError
from server.template.duration import parse_duration
from server.template.errors import ExpressionError
from server.template.functions import UTILITIES
from server.template.model import TaskClass
from server.template.render import OPEN, render_in
from server.template.scope import Scope

Failed = Callable[[str, str, ExpressionError], str]
"""(key, text, error) of an expression in a task template that fails, to the text to go on with."""
OUTPUTS = ("none", "stdout", "all")
"""Where the lines of a stream may go."""


@dataclass(frozen=True, slots=True)
class ResolvedCommand:
    """A command with nothing left to render."""

    value: str
    shell: bool
    user: str
    arguments: tuple[str, ...]
    environment: tuple[str, ...]
    stdout: str
    stderr: str
    mode: ControlMode
    timeout_s: float = 0.0
    cpu_limit: float = 0.0
    """Cores; 0: none."""
    memory_limit_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class FmqPlugin:
    """The plug-in that makes a FairMQ device controllable; settings fmqPlugin and fmqPluginSearchPath."""

    name: str = "OCClite"
    search_path: str = "$CONTROL_OCCPLUGIN_ROOT/lib/"


OCC_LITE = FmqPlugin()


def special_variables(
    *, task_id: str, task_name: str, class_name: str, hostname: str, environment_id: str, role_path: str
) -> dict[str, str]:
    """Return the variables that the engine sets for a task, above all others (workflows-config.md 1.5)."""
    return {
        "task_name": task_name,
        "task_id": task_id,
        "task_class_name": class_name,
        "task_hostname": hostname,
        "environment_id": environment_id,
        "task_parent_role": role_path,
    }


def resolve_command(
    task_class: TaskClass,
    stack: Mapping[str, str],
    *,
    task_id: str,
    task_name: str,
    hostname: str,
    environment_id: str,
    role_path: str,
    trigger: str = "",
    timeout: str = "0s",
    fmq_plugin: str = OCC_LITE.name,
    fmq_plugin_search_path: str = OCC_LITE.search_path,
    objects: Mapping[str, object] = UTILITIES,
    failed: Failed | None = None,
) -> ResolvedCommand:
    """Render the command of a task.

    Role variables and specials are strongest, class defaults come next, class vars are weakest: that order is
    AliECS's, odd as it is (workflows-config.md 5.3).

    Args:
        timeout: of the role, Go duration text; only of use to hook and basic tasks.
        objects: all that expressions may call.
        failed: is told what cannot be rendered, and returns what stands in its place; None: the first one is raised.

    Raises:
        ConfigError: something cannot be rendered or is no valid value; names the class and the key.
    """

    def rendered(key: str, text: str, variables: Mapping[str, str]) -> str:
        if OPEN not in text:
            return text
        try:
            return render_in(text, Scope(variables, objects))
        except ExpressionError as error:
            if failed is not None:
                return failed(key, text, error)
            raise unrendered(task_class, key, error) from error

    strong = dict(stack) | special_variables(
        task_id=task_id,
        task_name=task_name,
        class_name=task_class.identifier,
        hostname=hostname,
        environment_id=environment_id,
        role_path=role_path,
    )
    defaults = {key: rendered(f"defaults.{key}", text, strong) for key, text in task_class.defaults.items()}
    known = defaults | strong
    known = {key: rendered(f"vars.{key}", text, known) for key, text in task_class.vars.items()} | known
    command = task_class.command
    mode = effective_mode(task_class, trigger)
    arguments = [rendered(f"arguments[{index}]", one, known) for index, one in enumerate(command.arguments)]
    if mode is ControlMode.FAIRMQ:
        if "--id" not in arguments:
            arguments += ["--id", task_id]
        arguments += ["-S", fmq_plugin_search_path, "-P", fmq_plugin, "--color", "false"]
    return ResolvedCommand(
        value=rendered("value", command.value, known),
        shell=command.shell,
        user=rendered("user", command.user, known),
        arguments=tuple(arguments),
        environment=tuple(rendered(f"env[{index}]", one, known) for index, one in enumerate(command.env)),
        stdout=_output(
            task_class, "stdout", rendered("stdout", "none" if command.stdout is None else command.stdout, known)
        ),
        stderr=_output(
            task_class, "stderr", rendered("stderr", "none" if command.stderr is None else command.stderr, known)
        ),
        mode=mode,
        timeout_s=_timeout(task_class, timeout) if mode in (ControlMode.BASIC, ControlMode.HOOK) else 0.0,
        cpu_limit=_limit(task_class.cpu_limit),
        memory_limit_mb=_limit(task_class.memory_limit),
    )


def unrendered(task_class: TaskClass, key: str, error: ExpressionError) -> ConfigError:
    """Return the error of a value of a task template, with its place if that is known."""
    line, column = task_class.places.get(key, (0, 0))
    place = f"tasks/{task_class.name}.yaml:{line}:{column}: " if line else ""
    return ConfigError(f"{place}task class {task_class.name}, {key}: {error.message}", hint=error.hint)


def command_texts(task_class: TaskClass) -> Iterator[str]:
    """Yield all that ``resolve_command`` renders."""
    yield from task_class.defaults.values()
    yield from task_class.vars.values()
    command = task_class.command
    yield from (command.value, command.user, *command.env, *command.arguments)
    yield from (one for one in (command.stdout, command.stderr) if one is not None)


def finish_command(command: ResolvedCommand, *, control_port: int, hostname: str) -> ResolvedCommand:
    """Add what is known only once the task is placed: its control port, its host (workflows-config.md 5.3, step 9)."""
    environment, arguments = list(command.environment), list(command.arguments)
    if command.mode not in (ControlMode.BASIC, ControlMode.HOOK):
        environment.append(f"OCC_CONTROL_PORT={control_port}")
    if command.mode is ControlMode.FAIRMQ:
        arguments += ["--control-port", str(control_port)]
    for name, value in (("O2_ROLE", hostname), ("O2_SYSTEM", "FLP")):
        if not any(one.startswith(name) for one in command.environment):
            environment.append(f"{name}={value}")
    return replace(command, environment=tuple(environment), arguments=tuple(arguments))


def effective_mode(task_class: TaskClass, trigger: str) -> ControlMode:
    """Return how a task is controlled: a basic one with a trigger is a hook (core.md 2.8.4).

    Raises:
        ConfigError: the class names no mode that is supported.
    """
    if task_class.mode == "basic" and trigger:
        return ControlMode.HOOK
    try:
        return ControlMode(task_class.mode)
    except ValueError:
        raise ConfigError(
            f"task class {task_class.name}: control mode {task_class.mode} is not supported",
            hint="supported are " + ", ".join(one.value for one in ControlMode),
        ) from None


def _timeout(task_class: TaskClass, timeout: str) -> float:
    seconds = parse_duration(timeout)
    if seconds is None:
        raise ConfigError(
            f"task class {task_class.name}: timeout {timeout!r} is no duration", hint="write it like 30s or 1m30s"
        )
    return seconds


def _limit(limit: float | None) -> float:
    """Return a limit as executors take it: what is not above 0 is none (occ-executor-mesos.md 4.5)."""
    return max(0.0, limit or 0.0)


def _output(task_class: TaskClass, key: str, text: str) -> str:
    found = text.strip().lower()
    if found not in OUTPUTS:
        raise ConfigError(f"task class {task_class.name}, {key}: {found!r} is not one of {', '.join(OUTPUTS)}")
    return found
