"""What experts see of hosts and do to them: drain, restart the executor. Single tasks: experts.py. What is told: audit.py."""

from __future__ import annotations

from collections.abc import Sequence

from occ.errors import AliecsError, DeadlineError
from server.api.errors import CoreError, Reason
from server.api.model import Drain
from server.api.model_ops import HostFacts
from server.audit import Audit
from server.clock import now_ms
from server.core import Core
from server.deploy.backend import ExecutorState, HostInfo
from server.environment.stimuli import Requester
from server.task.task import Task


class Hosts:
    """The hosts of one core."""

    def __init__(self, core: Core, audit: Audit) -> None:
        self._core = core
        self._audit = audit
        self._restarting: set[str] = set()

    def all(self) -> list[HostFacts]:
        """Return all hosts by name, with what runs there; also drained ones of which nothing else is known now."""
        alive: dict[str, list[str]] = {}
        for task in self._core.roster.all():
            if not task.ended:
                alive.setdefault(task.host, []).append(task.environment_id)
        known = {host.name: host for host in self._core.backend.hosts()}
        gone = {name: HostInfo(name=name, address="") for name in self._core.drains.hosts() if name not in known}
        return [self._facts(host, alive.get(name, [])) for name, host in sorted((known | gone).items())]

    async def drain(self, host: str, why: str, requester: Requester) -> HostFacts:
        """Place no new task on a host; what runs there goes on.

        Raises:
            CoreError: there is no such host.
        """
        with self._audit.act("DrainHost", requester, None, host=host, why=why) as told:
            self._known(host)
            drain = Drain(who=requester.name or "unknown", why=why, since_ms=now_ms())
            await self._core.drains.drain(host, drain)
            return self._done(host, told)

    async def undrain(self, host: str, requester: Requester) -> HostFacts:
        """Let tasks be placed on a host again.

        Raises:
            CoreError: there is no such host.
        """
        with self._audit.act("UndrainHost", requester, None, host=host) as told:
            self._known(host)
            await self._core.drains.undrain(host)
            return self._done(host, told)

    async def restart(self, host: str, requester: Requester, *, force: bool, reason: str) -> HostFacts:
        """End the executor of a host with its tasks, and start a new one where that needs no task (not on Mesos).

        Tasks of no environment are ended in order and forgotten. With ``force`` those of environments are killed at
        once with all others, and for their environments they have died.

        Raises:
            CoreError: environments have tasks there, and ``force`` was not given; or it does not end or come up.
        """
        facts = self._find(host)
        was, drained = (facts.executor_state, bool(facts.drain)) if facts else ("", False)
        asked = {"host": host, "force": force, "reason": reason, "was": was, "drained": drained}
        with self._audit.act("RestartExecutor", requester, None, **asked) as told:
            self._known(host)
            if host in self._restarting:
                message = f"the executor of host {host} is being restarted already"
                raise CoreError(Reason.EXECUTOR_AWAY, message, host=host, hint="wait until that is over")
            tasks = [task for task in self._core.roster.all() if task.host == host and not task.ended]
            locked = [task for task in tasks if task.locked]
            if locked and not force:
                raise _in_use(host, locked)
            self._restarting.add(host)
            try:
                words = f"was restarted by {requester.name or 'unknown'}"
                await self._core.backend.restart(host, words, at_once=bool(locked))
            except AliecsError as error:
                kind = Reason.DEADLINE if isinstance(error, DeadlineError) else Reason.EXECUTOR_AWAY
                raise CoreError(kind, error.message, hint=error.hint, host=host) from error
            finally:
                self._restarting.discard(host)
            free = [task.task_id for task in tasks if not task.locked]
            await self._core.commander.kill(free, timeout_s=self._core.settings.kill_timeout_s)  # to forget them
            return self._done(host, told)

    def _done(self, host: str, told: Audit.Told) -> HostFacts:
        self._core.display.show_hosts()
        facts = self._find(host) or HostFacts(name=host)
        told.state = facts.executor_state
        return facts

    def _find(self, host: str) -> HostFacts | None:
        return next((one for one in self.all() if one.name == host), None)

    def _known(self, host: str) -> None:
        names = [one.name for one in self.all()]
        if host not in names:
            message = f"no host {host or 'without a name'}: there are {', '.join(names) or 'none'}"
            raise CoreError(Reason.HOST_UNKNOWN, message, hint="host ls lists them", code="NOT_FOUND", host=host)

    def _facts(self, host: HostInfo, environments: Sequence[str]) -> HostFacts:
        has_executor = host.state is not ExecutorState.NONE
        return HostFacts(
            name=host.name,
            address=host.address,
            detector=host.detector,
            attributes=host.attributes,
            cpus=host.cpus,
            memory_mb=host.memory_mb,
            free_cpus=host.free_cpus,
            free_memory_mb=host.free_memory_mb,
            tasks=len(environments),
            environments=tuple(sorted({one for one in environments if one})),
            executor_id=host.executor_id if has_executor else "",
            executor_state=host.state.value,
            agent_id=host.agent_id,
            version=host.version if has_executor else "",
            pid=host.pid,
            started_ms=host.started_ms if has_executor else 0,
            drain=self._core.drains.of(host.name),
        )


def _in_use(host: str, tasks: Sequence[Task]) -> CoreError:
    environments = sorted({task.environment_id for task in tasks})
    whose = f"environment{'s' if len(environments) > 1 else ''} {', '.join(environments)}"
    return CoreError(
        Reason.TASK_IN_USE,
        f"the executor of host {host} runs {len(tasks)} task{'s' if len(tasks) > 1 else ''} of {whose},"
        " and they would end with it",
        hint="destroy them first; with --force the tasks are killed, and an environment that needs one goes to ERROR",
        host=host,
        environment=environments[0],
    )
