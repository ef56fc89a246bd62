"""What the core lets others see: events to subscribers, feeds and the live picture, and the picture kept true.

How a single thing is shown: views.py. Who calls: core.py, whenever something changed.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from server import views
from server.api import model
from server.api.quick import quickly
from server.api.states import EnvironmentState
from server.bus import EventBus
from server.clock import now_ms
from server.deploy.backend import Backend
from server.deploy.drains import Drains
from server.environment.manager import EnvironmentManager
from server.environment.runner import EnvironmentRunner
from server.feeds import Feeds
from server.integration.registry import PluginRegistry
from server.picture import Picture
from server.task.roster import Roster
from server.task.task import Task

_FLOW_S = 0.1
"""From the first new metric of an environment's tasks to their sum."""

_role_event, _task_event = quickly(model.RoleEvent), quickly(model.TaskEvent)


class Display:
    """Keeps the picture of one core.

    Attributes:
        bus: every event, for AliECS's Subscribe without an id.
        feeds: events of automatic environments.
        picture: what aliecs.live.v1 serves.
    """

    environments: EnvironmentManager
    """Set by the core once it is built."""

    def __init__(
        self, epoch: str, instance_name: str, roster: Roster, backend: Backend, plugins: PluginRegistry, drains: Drains
    ) -> None:
        self.bus = EventBus()
        self.feeds = Feeds()
        self.picture = Picture(epoch)
        self.detectors: tuple[str, ...] = ()
        """Of the inventory."""
        self._instance_name = instance_name
        self._started_ms = now_ms()
        self._roster = roster
        self._backend = backend
        self._plugins = plugins
        self._drains = drains
        self._shown_roles: dict[str, dict[int, tuple[str, str]]] = {}
        self._flows: dict[str, tuple[float, float]] = {}
        self._shown: dict[str, model.Environment] = {}
        self._flows_due: set[str] = set()
        self._hosts_due = False

    def publish(self, event: model.Event) -> None:
        """Tell every subscriber: AliECS's stream, the feeds of automatic environments, the live picture."""
        self.bus.publish(event)
        self.feeds.tell(event)
        self.picture.log(event)
        if isinstance(event, model.EnvironmentEvent) and event.message == "environment teardown complete":
            self.feeds.close(event.environment_id)

    def environment_changed(self, runner: EnvironmentRunner) -> None:
        environment = runner.environment
        if environment.state is EnvironmentState.DONE:
            self.picture.remove(model.Kind.ENVIRONMENT, environment.id)
            self._shown_roles.pop(environment.id, None)
            self._flows.pop(environment.id, None)
            self._shown.pop(environment.id, None)
            self.show_core()
            return
        shown = self._shown_roles.get(environment.id)
        roles = environment.tree.take_changed() if shown is not None else environment.tree.ordered
        if shown is None:
            shown = self._shown_roles[environment.id] = {}
            self.show_core()
        for view in views.role_views(runner, roles):
            self.picture.update(view)
            self._publish_role(view, shown)
        one = self._shown[environment.id] = views.environment_view(runner, self._flows.get(environment.id, (0.0, 0.0)))
        self.picture.update(one)
        self.picture.update(views.variables_view(environment))
        self.picture.update(views.history_view(environment))
        if environment.fault:
            self.picture.update(environment.fault)

    def metrics_changed(self, runner: EnvironmentRunner) -> None:
        """Show an environment some of whose tasks told new metrics, soon: executors tell of a few tasks at a time."""
        if runner.environment.id not in self._flows_due:
            self._flows_due.add(runner.environment.id)
            asyncio.get_running_loop().call_later(_FLOW_S, self._show_flow, runner)

    def _show_flow(self, runner: EnvironmentRunner) -> None:
        environment = runner.environment
        self._flows_due.discard(environment.id)
        if environment.state is EnvironmentState.DONE:
            return
        self._flows[environment.id] = flow = views.data_flow(environment, self._roster)
        # Only the numbers: what the environment has decided is shown as a whole, with its fault, once it is journalled.
        if shown := self._shown.get(environment.id):
            self.picture.update(views.with_flow(shown, flow))

    def _publish_role(self, view: model.Role, shown: dict[int, tuple[str, str]]) -> None:
        state, status = shown.get(view.order, ("", ""))
        shown[view.order] = view.state, view.status
        where = view.name, view.path, view.environment_id
        if state and view.state != state:
            self.publish(_role_event(now_ms(), *where, "UNKNOWN" if view.state == "INVARIANT" else view.state, ""))
        if status and view.status != status:
            self.publish(_role_event(now_ms(), *where, "", view.status))

    def task_changed(self, task: Task) -> None:
        """Show a task as it is now."""
        self.picture.update(views.task_view(task, self._backend.stdout_url(task.task_id)))

    def publish_task(self, task: Task, *, is_new: bool = False, ended: str = "") -> None:
        """Tell subscribers of a task (core.md 4.5).

        Args:
            is_new: it is LAUNCHED, whatever it will be.
            ended: how a process of it ended, by Mesos's name; stands in place of its status.
        """
        runner = self.environments.of_task(task.environment_id)
        entry = runner.environment.tasks.get(task.task_id) if runner else None
        traits = runner.environment.tree[entry.role].loaded.traits if runner and entry else None
        self.publish(
            _task_event(
                at_ms=now_ms(),
                name=task.name,
                task_id=task.task_id,
                state="LAUNCHED" if is_new else task.state.value,
                status=ended or task.status.value,
                host=task.host,
                class_name=task.class_id,
                traits=views.traits_view(traits) if traits else None,
                environment_id=task.environment_id,
                path=task.role_path,
            )
        )

    def show_all(self) -> None:
        self.show_core()
        self.show_hosts()
        for plugin in self._plugins:
            self.picture.update(views.service_view(plugin))
        for task in self._roster.all():
            self.picture.update(views.task_view(task, self._backend.stdout_url(task.task_id)))
        for runner in self.environments.all():
            self.environment_changed(runner)

    def show_core(self) -> None:
        self.picture.update(
            model.Core(
                instance=self._instance_name,
                version=version("aliecs"),
                framework_id=self._backend.framework_id,
                started_ms=self._started_ms,
                detectors=self.detectors,
                active_detectors=tuple(self.environments.active_detectors()),
                state=self._backend.state,
            )
        )

    def show_hosts(self) -> None:
        """Show all hosts, once for all that changed about them in this turn of the loop."""
        if not self._hosts_due:
            self._hosts_due = True
            asyncio.get_running_loop().call_soon(self._show_hosts)

    def _show_hosts(self) -> None:
        self._hosts_due = False
        for host in self._backend.hosts():
            self.picture.update(views.host_view(host, self._roster.count_alive(host.name), self._drains.of(host.name)))
