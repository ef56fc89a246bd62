"""The dry run of a creation: what would be loaded, placed, started and wired, by the very code that does it.

Nothing is deployed, reserved, journalled or published. Ids and ports that are not chosen yet have names: ENVID, TASK1, PORT1.
Which answers it gives: server/api/model_plan.py. How its values are put together: planned.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from occ.errors import AliecsError, DeadlineError
from server.api.errors import CoreError, Reason
from server.api.model_plan import Plan, PlanProblem
from server.deploy.backend import Backend
from server.environment.configure import Wiring
from server.environment.creation import Creation, Drafts
from server.environment.deployment import on_acquired, silent_calls
from server.environment.detectors import json_strings
from server.environment.environment import Environment
from server.environment.hooks import call_stack
from server.environment.planned import problem, task_problem, view
from server.environment.stimuli import Acquired
from server.environment.turn import Turn
from server.environment.wanted import assignment, wanted_tasks
from server.integration.base import Plugin
from server.integration.registry import REGISTERED
from server.task.claims import Claims, may_be_claimed
from server.task.placement import Closed, Placement
from server.task.properties import UnrenderedProperties
from server.task.rehearsed import RehearsedRoom
from server.task.roster import Roster
from server.task.task import Task
from server.template.errors import ExpressionError
from server.template.model import RoleKind
from server.workflow.evaluate import evaluate_call
from server.workflow.loader import WorkflowLoader
from server.workflow.register import Repositories

ENVIRONMENT_ID = "ENVID"
"""Stands for the id of the environment."""


class Rehearsal:
    """Plans environments.

    Args:
        objects: all that expressions may call, made anew for every plan; must change nothing.
        plugins: the integrated services that calls may name.
        holder: the environment that holds a detector, "" if none does.
        timeout_s: for placing tasks and making their properties.
        closed: returns the hosts on which nothing is placed now, with the reason in words.
        claims: which tasks would be taken over; None: none is.
    """

    def __init__(
        self, drafts: Drafts, loader: WorkflowLoader, repositories: Repositories, backend: Backend, roster: Roster, *,
        objects: Callable[[], Mapping[str, object]], plugins: Iterable[Plugin], holder: Callable[[str], str],
        timeout_s: float, closed: Closed = dict, claims: Claims | None = None,
    ) -> None:  # fmt: skip
        self._drafts = drafts
        self._loader = loader
        self._repositories = repositories
        self._backend = backend
        self._roster = roster
        self._objects = objects
        self._plugins = plugins
        self._holder = holder
        self._timeout_s = timeout_s
        self._closed = closed
        self._claims = claims

    async def plan(self, asked: Creation) -> Plan:
        """Return what the creation would come to. What would go wrong in it is part of the answer.

        Raises:
            CoreError: there is no such template, or nothing can be said about it.
            DeadlineError: something that must be asked does not answer.
        """
        layers = await self._drafts.layers(ENVIRONMENT_ID, asked)
        loaded = await self._loader.rehearse(
            asked.template,
            user_vars=layers.known,
            defaults=layers.defaults,
            vars=layers.for_loading,
            repos=self._repositories.describe(),
        )
        workflow = loaded.workflow
        template = workflow.template
        plan = Plan(
            template=asked.template,
            name=template.name,
            description=template.description,
            repo=template.repo,
            revision=template.revision,
            hash=template.hash,
            disabled=tuple(loaded.disabled),
            warnings=(*workflow.warnings, *(f"variable {name} is not used: it has a colon" for name in layers.dropped)),
        )
        if loaded.errors:
            return replace(plan, problems=tuple(map(problem, loaded.errors)))
        try:
            created = await self._drafts.created(ENVIRONMENT_ID, asked, layers, workflow)
        except CoreError as error:
            return replace(plan, problems=(problem(error),))
        problems = [problem(error) for error in self._taken(created.detectors)]
        environment = Environment.begin(created)
        stack = environment.tree.stack(environment.tree.root)
        plan = replace(plan, hosts=tuple(json_strings(stack.get("hosts", ""))), detectors=created.detectors)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._placed(plan, environment, problems)
        except TimeoutError:
            raise DeadlineError(f"planning {asked.template} took longer than {self._timeout_s:g} s") from None

    async def _placed(self, plan: Plan, environment: Environment, problems: list[PlanProblem]) -> Plan:
        tree, objects, numbers = environment.tree, self._objects(), count(1)
        orders = [role.order for role in tree.task_roles()]
        descriptors, undeployable = await asyncio.to_thread(wanted_tasks, environment, orders)
        claimed = self._claims.find(descriptors) if self._claims else {}
        left = [descriptor for descriptor in descriptors if descriptor.key not in claimed]
        ended = [task for task in self._roster.all() if not (self._claims and may_be_claimed(task))]
        room = RehearsedRoom(self._backend, ended)
        placed = await Placement(room, objects, closed=self._closed).place(left, lambda: f"TASK{next(numbers)}")
        undeployable |= placed.undeployable
        # Nobody else has this environment: what follows is done beside the loop.
        return await asyncio.to_thread(
            self._seen, plan, environment, claimed | placed.tasks, undeployable, problems, objects
        )

    def _seen(
        self, plan: Plan, environment: Environment, tasks: Mapping[int, Task], undeployable: Mapping[int, str],
        problems: list[PlanProblem], objects: Mapping[str, object],
    ) -> Plan:  # fmt: skip
        """Return the plan with its roles and all that is wrong with them."""
        tree = environment.tree
        roster = Roster()
        roster.add(tasks.values())
        acquired = Acquired(
            at_ms=environment.created.at_ms,
            token="",
            assignments=tuple(assignment(order, task) for order, task in tasks.items()),
            undeployable=dict(undeployable),
        )
        on_acquired(Turn(environment, acquired.at_ms), acquired)
        problems += [
            task_problem(tree[order], Reason.DEPLOYMENT_FAILED, reason) for order, reason in undeployable.items()
        ]
        problems += [
            task_problem(role, Reason.DEPLOYMENT_FAILED, "it has no trigger, so it can never become active")
            for role in silent_calls(environment)
        ]
        properties, failed = _properties(environment, roster, objects)
        problems += [*failed, *self._calls(environment, objects)]
        views = [view(role, environment, roster, undeployable, properties) for role in tree.ordered]
        return replace(plan, roles=tuple(views), problems=tuple(problems))

    def _calls(self, environment: Environment, objects: Mapping[str, object]) -> Iterator[PlanProblem]:
        """Yield what is wrong with calls: they are evaluated with functions of services that do nothing.

        A variable that is missing may be there when the call is due.
        """
        for role in environment.tree.leaves():
            if role.kind is not RoleKind.CALL:
                continue
            stack = call_stack(environment, role)
            functions = {
                plugin.id: dict.fromkeys(plugin.functions(_NoEnvironment(), stack), lambda: "")
                for plugin in self._plugins
            }
            try:
                evaluate_call(role.loaded.func, role.loaded.return_var, stack, functions, objects)
            except ExpressionError as error:
                if error.missing in REGISTERED:
                    text = f"call {role.loaded.func} needs the service {error.missing}, which is not loaded"
                    yield task_problem(role, Reason.TRANSITION_FAILED, text, hint="see the setting integrationPlugins")
                elif not error.missing:
                    text = f"call {role.loaded.func} would fail: {error.message}"
                    yield task_problem(role, Reason.TRANSITION_FAILED, text, hint=error.hint)

    def _taken(self, detectors: Iterable[str]) -> Iterator[CoreError]:
        for detector in detectors:
            if holder := self._holder(detector):
                message = f"detector {detector} is already in use by environment {holder}"
                yield CoreError(Reason.DETECTOR_IN_USE, message, environment=holder)


class _NoEnvironment:
    """An EnvironmentPort to nothing."""

    environment_id = ENVIRONMENT_ID

    def set_variable(self, key: str, value: str) -> None:
        """Nothing is written."""

    def append_variable(self, key: str, item: str) -> None:
        """Nothing is written."""


def _properties(
    environment: Environment, roster: Roster, objects: Mapping[str, object]
) -> tuple[dict[str, tuple[UnrenderedProperties, dict[str, str]]], list[PlanProblem]]:
    """Return what CONFIGURE would bring to each task, unrendered and rendered, and what would fail then."""
    made: dict[str, tuple[UnrenderedProperties, dict[str, str]]] = {}
    problems: list[PlanProblem] = []
    try:
        wiring = Wiring(environment, roster)
    except AliecsError as error:
        return made, [PlanProblem(reason=Reason.TRANSITION_FAILED.value, message=error.message, hint=error.hint)]
    for task in wiring.tasks:
        try:
            if one := wiring.properties(task):
                made[task.task_id] = one, {}
                made[task.task_id] = one, one.render(objects)
        except AliecsError as error:
            role = environment.role_of(task.task_id)
            text = f"CONFIGURE would fail: {error.message}"
            problems.append(task_problem(role, Reason.TRANSITION_FAILED, text, hint=error.hint))
    return made, problems
