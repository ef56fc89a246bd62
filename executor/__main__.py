"""``aliecs-executor``: one per host, started by the core or, without arguments, by a Mesos agent (mesos.py).

Command line, logging and signals; the work is in runner.py.

SIGTERM and SIGINT end all tasks in order, then the executor; a second one kills them at once.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import shlex
import signal
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from executor.api.collector import spare_long_looks
from executor.api.helpers import require_pymesos
from executor.api.options import OPTIONS, LimitsMode
from executor.api.patient_loop import PatientLoop
from executor.mesos import is_under_agent, open_sandbox, surroundings
from executor.mesos_link import MesosLink
from executor.recording import Recorder
from executor.runner import LinkMaker, Runner
from executor.settings import Identity, Settings
from occ.errors import AliecsError

_LOG = logging.getLogger(__name__)
_DESCRIPTORS = 65536
"""Enough for thousands of tasks, each of which takes about seven. Children inherit it, and some programs close as many at
their start."""


def main(arguments: list[str] | None = None) -> int:
    """Run until told to end; return the exit code: 0, or 1 if a process could not be killed."""
    if is_under_agent(os.environ) and not (sys.argv[1:] if arguments is None else arguments):
        return _main_under_agent()
    options = _parser().parse_args(arguments)
    state_dir = Path(options.state_dir).absolute()
    (state_dir / "tasks").mkdir(parents=True, exist_ok=True)
    _log_to(options.log_file, options.log_level)
    os.environ["ALIECS_INSTANCE"] = options.instance
    _raise_limits()
    _hear_all_signals()
    identity = Identity(
        executor_id=options.executor_id,
        agent_id=options.agent_id,
        host=options.host,
        pid=os.getpid(),
        instance=options.instance,
        version=_version(),
    )
    settings = Settings(
        lease_s=options.lease,
        port_open_s=options.port_open_s,
        standby_s=options.standby_s,
        **_asked(options),
    )
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(_run(identity, settings, options.core, state_dir / "tasks"))


def _main_under_agent() -> int:
    _log_to("", "INFO")
    try:
        require_pymesos()
        here = surroundings(os.environ)
        open_sandbox(here.sandbox)
    except (AliecsError, OSError) as error:
        sys.stderr.write(f"aliecs-executor: {error}\n")
        return 1
    _raise_limits()
    _hear_all_signals()
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{Path(sys.executable).parent}"
    identity = Identity(
        executor_id=here.executor_id,
        agent_id=here.agent_id,
        host=here.host,
        pid=os.getpid(),
        instance=here.instance,
        version=_version(),
    )
    settings = settings_in(os.environ.pop(OPTIONS, ""))

    def link(runner: Runner) -> MesosLink:
        return MesosLink(
            settings, agent_id=here.agent_id, recovery_s=here.recovery_s, on_up=runner.on_up, on_down=runner.on_down,
            on_command=runner.on_command, on_end=runner.terminate,
        )  # fmt: skip

    with asyncio.Runner(loop_factory=PatientLoop) as loop:
        return loop.run(_run(identity, settings, link, here.sandbox / "tasks"))


async def _run(identity: Identity, settings: Settings, target: str | LinkMaker, tasks_folder: Path) -> int:
    recorder = None
    folder = os.environ.get("ALIECS_RECORD_STIMULI")
    if folder:
        recorder = Recorder(
            Path(folder) / f"{identity.host}-{identity.executor_id}-{identity.pid}.jsonl", identity, settings
        )
    runner = Runner(identity, settings, target, tasks_folder, recorder)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runner.terminate)
    core = target if isinstance(target, str) else "through Mesos"
    _LOG.info("executor=%s host=%s pid=%d core=%s", identity.executor_id, identity.host, identity.pid, core)
    spare_long_looks()
    code = await runner.run()
    _LOG.info("executor=%s ends code=%d", identity.executor_id, code)
    return code


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser("aliecs-executor", description="Start, command and watch the tasks of one host.")
    parser.add_argument(
        "--core", required=True, metavar="TARGET", help="where the core listens: unix:/path or host:port"
    )
    parser.add_argument("--host", required=True, metavar="NAME", help="name of this host in the inventory")
    parser.add_argument("--executor-id", required=True, metavar="ID")
    parser.add_argument("--agent-id", required=True, metavar="ID")
    parser.add_argument(
        "--state-dir", required=True, metavar="DIR", help="output of tasks goes to DIR/tasks/<task id>/"
    )
    parser.add_argument("--instance", required=True, metavar="ID", help="ALIECS_INSTANCE of every process started")
    parser.add_argument(
        "--lease", type=float, default=defaults.lease_s, metavar="S",
        help="end all tasks when no core was heard for so long; 0 is never; a core's Welcome overrides it (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--port-open-s", type=float, default=defaults.port_open_s, metavar="S",
        help="time for a task to open its control port (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--standby-s", type=float, default=defaults.standby_s, metavar="S",
        help="time from the open control port to STANDBY (default: %(default)g)",
    )  # fmt: skip
    _add_options(parser)
    parser.add_argument("--log-file", default="", metavar="FILE", help="default: stderr")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add what a core may ask for, by command line or by variable (api/options.py)."""
    defaults = Settings()
    parser.add_argument(
        "--usage-interval", type=float, default=defaults.usage_interval_s, metavar="S",
        help="between two looks at the CPU, memory and threads of tasks; 0 is never (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--output-file-bytes", type=int, default=defaults.output_file_bytes, metavar="N",
        help="a file of a task's output that would become longer is kept as .1 and begun anew; 0 is never (default: %(default)d)",
    )  # fmt: skip
    parser.add_argument(
        "--output-older-files", type=int, default=defaults.output_older_files, metavar="N",
        help="how many such files are kept of each stream, .1 to .N (default: %(default)d)",
    )  # fmt: skip
    parser.add_argument(
        "--kept-tasks", type=int, default=defaults.kept_tasks, metavar="N",
        help="how many folders of ended tasks are kept, the latest; 0 is all (default: %(default)d)",
    )  # fmt: skip
    parser.add_argument(
        "--kept-days", type=float, default=defaults.kept_tasks_s / 86400.0, metavar="D",
        help="how long they are kept after the last output; 0 is for ever (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--task-limits", choices=get_args(LimitsMode), default=defaults.task_limits,
        help="enforce the limits of tasks by control groups where that may be, or not at all (default: %(default)s)",
    )  # fmt: skip


def settings_in(variable: str) -> Settings:
    """Return the settings that a core asks for by the text of its variable; what it means by others is passed over."""
    parser = argparse.ArgumentParser(OPTIONS, add_help=False)
    _add_options(parser)
    options, unknown = parser.parse_known_args(shlex.split(variable))
    if unknown:  # of a newer core
        _LOG.warning("%s: not understood: %s", OPTIONS, shlex.join(unknown))
    return Settings(**_asked(options))


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that these options are."""
    return {
        "usage_interval_s": options.usage_interval,
        "output_file_bytes": options.output_file_bytes,
        "output_older_files": options.output_older_files,
        "kept_tasks": options.kept_tasks,
        "kept_tasks_s": options.kept_days * 86400.0,
        "task_limits": options.task_limits,
    }


def _log_to(file: str, level: str) -> None:
    handler: logging.Handler = logging.FileHandler(file) if file else logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        "time=%(asctime)s.%(msecs)03dZ level=%(levelname)s logger=%(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])


def _raise_limits() -> None:
    """Give tasks unlimited locked memory where allowed (occ-executor-mesos.md 3.1), and ourselves all descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, max(hard, _DESCRIPTORS)))
    except (ValueError, OSError):
        _LOG.info("descriptors=%d wanted=%d", hard, _DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _DESCRIPTORS), hard))
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError) as error:
        _LOG.info("memlock=%s stays error=%r", resource.getrlimit(resource.RLIMIT_MEMLOCK)[0], str(error))


def _hear_all_signals() -> None:
    """Undo what we and our tasks inherit of whoever started us: ends of children nobody waits for, signals that are blocked."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _version() -> str:
    try:
        return version("aliecs")
    except PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
