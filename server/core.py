"""The core: builds the parts in their order, connects them, and takes them down again. What each does is in its own room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

import msgspec

from executor.api.messages import DeviceEvent
from occ.errors import AliecsError
from server import placing
from server.api import model
from server.api import o2control_pb2 as pb
from server.api.states import EnvironmentState
from server.clock import now_ms
from server.config.configuration import Configuration
from server.config.open import open_configuration, open_services
from server.deploy.backend import Backend, Demand, KnownExecutor
from server.deploy.drains import Drains
from server.display import Display
from server.environment.creation import Creation, Drafts
from server.environment.durations import Durations
from server.environment.instructions import AnyInstruction
from server.environment.manager import EnvironmentManager
from server.environment.parts import Parts
from server.environment.recording import StimulusRecorder
from server.environment.rehearsal import Rehearsal
from server.environment.stimuli import AnyStimulus, DeviceReported, TaskTerminated, Timings
from server.environment.wanted import change_of
from server.ids import new_id
from server.integration.registry import PluginRegistry
from server.journal import Delete, Journal, Put, Record, Table
from server.settings import ServerSettings
from server.task.acquire import Acquirer
from server.task.command import FmqPlugin
from server.task.commander import Commander
from server.task.outputs import Outputs
from server.task.reception import Reception
from server.task.roster import Roster
from server.task.roster import TaskChange as RosterChange
from server.task.task import Task, from_record
from server.template.rehearsal import rehearsed_objects
from server.template.services import Services
from server.template.vocabulary import vocabulary
from server.workflow.catalogue import Catalogue
from server.workflow.generator import GenerationSettings
from server.workflow.git import GitSettings
from server.workflow.load import STANDING_OBJECTS
from server.workflow.loader import WorkflowLoader
from server.workflow.register import Repositories

log = logging.getLogger(__name__)

_T = TypeVar("_T")

BASIC_TASK_TERMINATED = 2
"""Of occ_pb.DeviceEventType."""


class Core:
    """One core. ``async with Core(...)`` runs it; leaving detaches from tasks and runs, which go on."""

    def __init__(self, settings: ServerSettings, instance: str) -> None:
        """Args:
        settings: all of them.
        instance: marks every process of this core and its later lives; the environment of each carries it.
        """
        self.settings = settings
        self.instance = instance
        self.epoch = new_id()
        self.roster = Roster()
        self.durations = Durations()
        self.plugins = PluginRegistry(settings.integration_plugins)
        self.journal: Journal
        self.configuration: Configuration
        self.backend: Backend
        self.commander: Commander
        self.outputs: Outputs
        self.repositories: Repositories
        self.loader: WorkflowLoader
        self.catalogue: Catalogue
        self.environments: EnvironmentManager
        self.rehearsal: Rehearsal
        self.display: Display
        self.drains: Drains
        self._services: Services
        self._framework_id = placing.given_framework_id(settings, instance)
        self._recorder = StimulusRecorder.from_environment()
        self._group = asyncio.TaskGroup()
        self._background: set[asyncio.Task[Any]] = set()

    # ---- life --------------------------------------------------------------------------------

    async def __aenter__(self) -> Core:
        settings = self.settings
        state = settings.state_directory
        state.mkdir(parents=True, exist_ok=True)
        self.journal = await Journal.open(
            state / "journal.sqlite",
            deadline_s=settings.journal_timeout_s,
            on_failure=lambda error: log.critical(
                "what happens is not recorded, a restart would not know it error=%s", error
            ),
        )
        self.drains = Drains(self.journal)
        self.configuration = await open_configuration(
            settings.configuration_uri, deadline_s=settings.config_timeout_s, framework_id=self._framework_id
        )
        self.backend = await placing.open_backend(
            settings,
            placing.Core(
                instance=self.instance,
                epoch=self.epoch,
                configuration=self.configuration,
                record_executor=self._record_executor,
                forget_executor=self._forget_executor,
                changed=self._backend_changed,
            ),
        )
        self.commander = Commander(self.backend, self.roster)
        self.outputs = Outputs(self.backend, self.roster)
        self.display = Display(self.epoch, settings.instance_name, self.roster, self.backend, self.plugins, self.drains)
        await self._build_workflows()
        self._build_environments()
        await self._group.__aenter__()
        await self._restore()
        self.environments.start(self._group)
        self.display.detectors = tuple(await self.configuration.detectors())
        self.display.show_all()
        self._own(self.repositories.refresh_quietly())  # with the network away it takes until its deadline
        self.display.publish(model.CoreStartEvent(at_ms=now_ms(), framework_id=self.backend.framework_id))
        log.info("core started instance=%s epoch=%s state=%s", self.instance, self.epoch, state)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.environments.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._group.__aexit__(None, None, None)
        await self.backend.close()
        await self.loader.close()
        self.display.bus.close()
        self._recorder.close()
        self._services.close()
        await self.configuration.close()
        await self.journal.close()
        log.info("core stopped instance=%s", self.instance)

    async def drain(self) -> None:
        """Stop and destroy all environments in order, kill what is left, end the executors."""
        await self.environments.drain()
        left = [task.task_id for task in self.roster.all() if not task.locked]
        if left:
            await self.commander.kill(left, timeout_s=self.settings.kill_timeout_s)
        await self.backend.drain()

    async def _build_workflows(self) -> None:
        settings = self.settings
        self.repositories = await Repositories.open(
            settings.state_directory,
            default_repo=settings.default_repo,
            global_default_revision=settings.global_default_revision,
            get=lambda key: self.configuration.runtime_get("aliecs", key),
            put=lambda key, value: self.configuration.runtime_put("aliecs", key, value),
            git=GitSettings(
                timeout_s=settings.repos_timeout_s,
                transfer_timeout_s=settings.repos_fetch_timeout_s,
                ssh_command=settings.repos_ssh_command,
                ssh_key=settings.repos_ssh_key,
                check_host_key=settings.repos_ssh_check_host_key,
                configuration=settings.repos_git_config,
                instance=self.instance,
            ),
        )
        self.loader = WorkflowLoader(
            configuration=settings.configuration_uri,
            instance=self.instance,
            deadline_s=settings.load_timeout_s,
            generation=GenerationSettings(
                folder=str(settings.state_directory.absolute() / "generated"),
                timeout_s=settings.jit_timeout_s,
                profile=settings.jit_profile,
                enabled=settings.jit_enabled,
            ),
            repositories=self.repositories,
        )
        await self.loader.start()
        self.catalogue = Catalogue(self.repositories, self.loader, self.configuration.vars)

    def _build_environments(self) -> None:
        settings = self.settings
        self._services = open_services(settings.configuration_uri, framework_id=self._framework_id)
        objects = vocabulary(self._services, STANDING_OBJECTS)
        plugin = FmqPlugin(settings.fmq_plugin, settings.fmq_plugin_search_path)
        acquirer = Acquirer(
            self.backend, self.roster, record=self._record_tasks, objects=objects, plugin=plugin,
            closed=self.drains.closed, reuses=settings.reuse_unlocked_tasks,
        )  # fmt: skip
        parts = Parts(
            journal=self.journal,
            acquirer=acquirer,
            commander=self.commander,
            roster=self.roster,
            plugins=self.plugins,
            run_numbers=self.configuration,
            new_id=new_id,
            publish=self.display.publish,
            changed=self.display.environment_changed,
            record=self._record,
            durations=self.durations,
            objects=objects,
            call_margin_s=settings.call_margin_s,
        )
        timings = Timings(
            deploy_s=settings.deploy_timeout_s,
            configure_s=settings.configure_timeout_s,
            transition_s=settings.transition_timeout_s,
            kill_s=settings.kill_timeout_s,
            destroy_s=settings.destroy_timeout_s,
            go_error_delay_s=settings.go_error_delay_s,
        )
        self.environments = EnvironmentManager(
            parts, self.loader, self.configuration, self.commander, self.roster, timings, self.repositories
        )
        self.display.environments = self.environments
        self.rehearsal = Rehearsal(
            Drafts(self.configuration, timings),
            self.loader,
            self.repositories,
            self.backend,
            self.roster,
            objects=lambda: vocabulary(self._services, {**STANDING_OBJECTS, **rehearsed_objects(self._services)}),
            plugins=self.plugins,
            holder=self.environments.holder,
            timeout_s=settings.load_timeout_s,
            closed=self.drains.closed,
            claims=acquirer.claims,
        )

    # ---- restart -----------------------------------------------------------------------------

    async def _restore(self) -> None:
        """Take up what an earlier life of the core left: tasks, executors, environments (design 1b)."""
        journal = self.journal
        await self.drains.restore()
        self.durations.restore(await journal.load(Table.DURATIONS))
        stories = {one: await journal.stimuli(one) for one in await journal.environments()}
        released = self.environments.restore(stories)
        records = (await journal.load(Table.TASKS)).values()
        tasks = [self.environments.as_last_seen(from_record(record)) for record in records]
        self.roster.restore(tasks)
        self.roster.listen(self._tasks_changed)
        self.roster.release(released)
        executors = (await journal.load(Table.EXECUTORS)).values()
        known = [msgspec.json.decode(record, type=KnownExecutor) for record in executors]
        reception = Reception(
            self.backend,
            self.roster,
            self.commander,
            on_device_events=self._device_events,
            on_host=lambda host: self.display.show_hosts(),
            on_output=self.outputs.took,
        )
        await self.backend.start(reception, known)
        for task in tasks:
            if not task.ended:
                self.backend.occupy(
                    task.host, task.task_id, Demand(cpus=task.cpus, memory_mb=task.memory_mb), task.ports
                )
        reception.check(self.backend.hosts())
        self._end_orphans(tasks)
        for task in tasks:
            self.environments.catch_up(change_of(None, self.roster.get(task.task_id) or task), task.environment_id)

    def _end_orphans(self, tasks: Sequence[Task]) -> None:
        """End tasks that were launched by an environment that never learned of it, or that is gone itself."""
        orphans = []
        for task in tasks:
            runner = self.environments.of_task(task.environment_id)
            if task.environment_id and (runner is None or task.task_id not in runner.environment.tasks):
                orphans.append(task.task_id)
        if orphans:
            log.warning("tasks without an environment are ended tasks=%s", ",".join(orphans))
            self.roster.release(orphans)
            self._own(self.commander.kill(orphans, timeout_s=self.settings.kill_timeout_s))

    async def _record_tasks(self, tasks: Sequence[Task]) -> None:
        await self.journal.append([Put(Table.TASKS, task.task_id, task.to_record()) for task in tasks])

    async def _record_executor(self, known: KnownExecutor) -> None:
        await self.journal.put(Table.EXECUTORS, known.executor_id, msgspec.json.encode(known))

    def _forget_executor(self, executor_id: str) -> None:
        self.journal.append_nowait([Delete(Table.EXECUTORS, executor_id)])

    def _backend_changed(self) -> None:
        self.display.show_core()
        self.display.show_hosts()

    # ---- what happens ------------------------------------------------------------------------

    def _record(self, environment_id: str, stimulus: AnyStimulus, decided: list[AnyInstruction]) -> None:
        self._recorder.record(environment_id, stimulus, decided)

    def _tasks_changed(self, changes: Sequence[RosterChange]) -> None:
        """Journal, show and hand on what changed about tasks."""
        touched: set[str] = set()
        hosts_changed = False
        records: list[Record] = []
        for change in changes:
            task, before = change.after, change.before
            hosts_changed = hosts_changed or change.is_of_life
            if task is None:
                assert before is not None
                records.append(Delete(Table.TASKS, before.task_id))
                self.display.picture.remove(model.Kind.TASK, before.task_id)
                continue
            self.display.task_changed(task)
            if change.cause == "metrics":
                touched.add(task.environment_id)
                continue
            self.display.publish_task(task, is_new=change.cause == "added")
            is_told = bool(task.environment_id and (before is None or before.environment_id))
            if is_told:
                self.environments.catch_up(change_of(before, task), task.environment_id)
            if not (change.cause in ("added", "claimed") or (change.cause == "result" and is_told)):
                # The acquirer records what it takes, before it launches; results are in the history of its environment.
                records.append(Put(Table.TASKS, task.task_id, task.to_record()))
        if records:
            self.journal.append_nowait(records)
        for environment_id in touched:
            if runner := self.environments.of_task(environment_id):
                self.display.metrics_changed(runner)
        if hosts_changed:
            self.display.show_hosts()

    def _device_events(self, events: Sequence[DeviceEvent]) -> None:
        for event in events:
            task = self.roster.get(event.task_id)
            runner = self.environments.of_task(task.environment_id if task else event.environment_id)
            if runner is None:
                continue
            ended = event.termination
            if event.type == BASIC_TASK_TERMINATED and ended:
                if task is not None:
                    self.display.publish_task(task, ended=ended.final_status)
                runner.post(
                    TaskTerminated(
                        at_ms=now_ms(), task_id=event.task_id, exit_code=ended.exit_code, stdout=ended.stdout,
                        stderr=ended.stderr, voluntary=ended.voluntary, final_status=ended.final_status,
                    )
                )  # fmt: skip
            else:
                runner.post(DeviceReported(at_ms=now_ms(), task_id=event.task_id, type=event.type))

    # ---- requests ----------------------------------------------------------------------------

    async def detached(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await work that goes on when its caller goes away: a client that hangs up stops nothing."""
        task = self._own(work)
        return await asyncio.shield(task)

    def create_in_background(self, asked: Creation) -> None:
        """Create an environment; how it ends is told by events only (core.md 2.9)."""
        self._own(self._create_and_tell(asked))

    async def _create_and_tell(self, asked: Creation) -> None:
        state, message = EnvironmentState.ERROR.value, "cannot create new environment"
        try:
            runner = await self.environments.create(asked)
            state, message, error = runner.environment.state.value, "created new environment", ""
        except AliecsError as failure:
            error = failure.message
        except Exception:  # a defect of ours, of which nobody else would tell the client
            log.exception("a creation failed unexpectedly env=%s", asked.environment_id)
            error = "internal error of the core; its log says more"
        self.display.publish(
            model.EnvironmentEvent(
                at_ms=now_ms(), environment_id=asked.environment_id, state=state, message=message, error=error
            )
        )
        if error:
            self.display.feeds.close(asked.environment_id)

    def _own(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def version(self) -> pb.Version:
        """Return our version as AliECS's clients read it."""
        text = version("aliecs")
        major, minor, patch, *_ = (*(int(part) for part in text.split(".")[:3]), 0, 0, 0)
        return pb.Version(major=major, minor=minor, patch=patch, productName="AliECS", versionStr=text)
