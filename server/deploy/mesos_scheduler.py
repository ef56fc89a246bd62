"""Our registration with a Mesos master: the helper process of the scheduler, kept alive, and the id of our framework.

The id stays the same over restarts of helper, core and master; one that the master has removed is given up, loudly.
What comes in and goes out means something to mesos.py only. Body of the process: mesos_driver.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from executor.api.helpers import HelperProcess
from occ.errors import AliecsError, DeadlineError, LinkError
from server.deploy.mesos_info import framework_info

log = logging.getLogger(__name__)

_REMOVED = ("framework has been removed", "completed framework", "framework is not authorized to re")
"""What masters say of an id that they will not take again, in lower case."""
_START_S = 60.0
"""For the helper process to begin; it may have to find names, and ZooKeeper."""
_GRACE_S = 6.0
"""For the helper process to leave the master."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MesosMaster:
    """Whom we register with, and as what.

    Attributes:
        address: ``host:port``, or ``zk://host:port,…/path`` of the masters' election.
        failover_timeout_s: so long the master keeps our tasks without us; 0: not at all, and each life is a new framework.
        username, secret: that every call carries, "" where the master does not ask.
        call_s: for the master to answer one call.
    """

    address: str
    user: str = "root"
    name: str = "aliecs"
    failover_timeout_s: float = 3_600_000.0
    checkpoint: bool = True
    roles: Sequence[str] = ()
    labels: Sequence[tuple[str, str]] = ()
    principal: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)
    hostname: str = ""
    call_s: float = 20.0
    pause_min_s: float = 1.0
    """Between two attempts to connect, growing to the next."""
    pause_max_s: float = 15.0


class SchedulerOwner(Protocol):
    """Who is told. Called on the loop; must not block and must not raise."""

    def subscribed(self, *, is_new: bool) -> None:
        """The master has us; is_new: under a new id, so that nothing that ran before is ours any more."""

    def unsubscribed(self) -> None:
        """The master does not hear us; offers are void."""

    def event(self, kind: str, event: Mapping[str, Any]) -> None:
        """Anything else, as mesos_driver.py says it."""


class Scheduler:
    """Keeps one framework registered.

    Args:
        load_id, store_id: of the framework, in the configuration; nothing is launched before it is stored.

    Attributes:
        framework_id: "" before the first registration.
        pid: of the helper process, 0 if there is none.
    """

    def __init__(
        self, master: MesosMaster, owner: SchedulerOwner, *,
        load_id: Callable[[], Awaitable[str]], store_id: Callable[[str], Awaitable[None]],
    ) -> None:  # fmt: skip
        self.framework_id = ""
        self._master = master
        self._owner = owner
        self._load_id = load_id
        self._store_id = store_id
        self._helper: HelperProcess | None = None
        self._supervising: asyncio.Task[None] | None = None
        self._storing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._ready = asyncio.Event()
        self._was_removed = False
        self._has_subscription = False
        self._is_new = False
        """The owner was not told yet that the id is another one."""
        self._is_stored = True

    @property
    def pid(self) -> int:
        return self._helper.pid if self._helper else 0

    @property
    def is_subscribed(self) -> bool:
        """True while calls reach the master."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Begin to register, in the background.

        Raises:
            AliecsError: the id of the framework cannot be read.
        """
        if self._master.failover_timeout_s > 0:
            self.framework_id = await self._load_id()
        self._supervising = asyncio.create_task(self._supervise(), name="mesos scheduler")
        self._supervising.add_done_callback(_tell_failure)

    async def close(self) -> None:
        """Leave the master; the framework and its tasks stay."""
        self._closing.set()
        self._ready.clear()
        if self._helper:
            await self._helper.close(_GRACE_S)
        for task in (self._supervising, self._storing):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def subscribed(self, timeout_s: float) -> None:
        """Wait until the master has us.

        Raises:
            LinkError: it has not in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            raise LinkError(
                f"Mesos master {self._master.address} has not accepted this core within {timeout_s:g} s",
                hint="is it up, and are address and credentials right? The log of the core tells what it said",
            ) from None

    async def call(self, name: str, **arguments: Any) -> None:
        """Ask the master for something, and wait until it has taken it.

        Raises:
            LinkError, DeadlineError: it has not.
        """
        if self._helper is None or not self.is_subscribed:
            raise LinkError(f"{name}: not subscribed to Mesos master {self._master.address}")
        await self._helper.call(name, timeout_s=self._master.call_s, **arguments)

    def post(self, name: str, **arguments: Any) -> bool:
        """Ask the master for something and do not wait; False if that cannot be done now."""
        return bool(self._helper and self.is_subscribed and self._helper.post(name, **arguments))

    # ---- the helper process --------------------------------------------------------------------

    async def _supervise(self) -> None:
        pause_s = self._master.pause_min_s
        while not self._closing.is_set():
            began_s = asyncio.get_running_loop().time()
            how = await self._run_helper()
            if self._closing.is_set():
                return
            self._lost()
            if asyncio.get_running_loop().time() - began_s > self._master.pause_max_s:
                pause_s = self._master.pause_min_s
            if not self._was_removed:
                log.error("mesos scheduler process %s, started again pause_s=%g", how, pause_s)
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, self._master.pause_max_s)

    async def _run_helper(self) -> str:
        """Run the helper process to its end; returns how it ended."""
        master = self._master
        info = framework_info(
            user=master.user, name=master.name, failover_timeout_s=master.failover_timeout_s,
            checkpoint=master.checkpoint, roles=master.roles, principal=master.principal, hostname=master.hostname,
            labels=master.labels, framework_id=self.framework_id,
        )  # fmt: skip
        self._was_removed = False
        helper = self._helper = HelperProcess("server.deploy.mesos_driver", self._heard)
        try:
            await helper.start()
            await helper.call(
                "start", timeout_s=_START_S, framework=info, master=master.address,
                username=master.username, secret=master.secret,
                http_s=master.call_s / 2, pause_min_s=master.pause_min_s, pause_max_s=master.pause_max_s,
            )  # fmt: skip
            return await helper.ended()
        except (LinkError, DeadlineError) as error:
            return f"could not start: {error}"
        finally:
            if not self._closing.is_set():
                await helper.close(_GRACE_S)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def _heard(self, event: dict[str, Any]) -> None:
        kind = event.pop("event")
        match kind:
            case "subscribed":
                self._subscribed(event["framework_id"], event["master"])
            case "unsubscribed":
                self._lost()
            case "error":
                self._refused(event["message"])
            case "died":
                log.error("pymesos has died reason=%s", event["reason"])
            case _:
                self._owner.event(kind, event)

    def _subscribed(self, framework_id: str, master: Mapping[str, Any]) -> None:
        is_new = framework_id != self.framework_id
        self._has_subscription = True
        log.info(
            "mesos master has accepted us master=%s:%s version=%s framework=%s new=%s",
            master.get("hostname"), master.get("port"), master.get("version", "?"), framework_id, is_new,
        )  # fmt: skip
        self.framework_id = framework_id
        if is_new:
            self._is_new, self._is_stored = True, False
            self._storing = asyncio.create_task(self._store(framework_id), name="store framework id")
            self._storing.add_done_callback(_tell_failure)
        elif self._is_stored:  # else this is a second subscription while the id of the first is being stored
            self._begin()

    async def _store(self, framework_id: str) -> None:
        try:
            await self._store_id(framework_id)
        except AliecsError as error:
            log.error("the id of the framework cannot be stored, a restart would lose all tasks reason=%s", error)
        finally:
            is_ours = framework_id == self.framework_id
            self._is_stored = self._is_stored or is_ours
        if is_ours and self._has_subscription:
            self._begin()

    def _begin(self) -> None:
        is_new, self._is_new = self._is_new, False
        self._ready.set()
        self._owner.subscribed(is_new=is_new)

    def _lost(self) -> None:
        self._ready.clear()
        if self._has_subscription:
            self._has_subscription = False
            log.warning("mesos master does not hear us any more master=%s", self._master.address)
            self._owner.unsubscribed()

    def _refused(self, message: str) -> None:
        """The master ends our subscription with this; the driver tries again, with pauses."""
        if not any(text in message.lower() for text in _REMOVED):
            log.error("mesos master says error=%s", message)
            return
        log.critical(
            "MESOS HAS REMOVED OUR FRAMEWORK %s: all of its tasks are gone. Registering as a new one. error=%s",
            self.framework_id, message,
        )  # fmt: skip
        self.framework_id = ""
        self._was_removed = True
        self._lost()
        if self._helper:
            self._helper.hang_up()


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.critical("our registration has failed, nothing can be deployed what=%s", task.get_name(), exc_info=error)
