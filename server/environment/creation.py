"""From a request for an environment to what it begins as: the layers of its variables, its detectors (core.md 2.9).

Who loads, reserves and runs it: manager.py. A plan of it, which is not carried out: rehearsal.py.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from occ.errors import AliecsError
from server.api.errors import CoreError, Reason
from server.clock import now_ms
from server.config.configuration import Configuration
from server.environment.detectors import held_detectors, json_strings
from server.environment.environment import Environment
from server.environment.stimuli import Created, Requester, Timings
from server.template.model import LoadedWorkflow

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Creation:
    """What a client asks for."""

    template: str
    user_vars: Mapping[str, str]
    requester: Requester
    is_auto: bool = False
    environment_id: str = ""
    """Given by NewEnvironmentAsync, which has answered with it already."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The variables above the root of a workflow.

    Attributes:
        user_vars: of the client.
        known: the same with what the core adds while the workflow loads.
        dropped: names of variables of the client that are not used, for they have a colon (workflows-config.md 1.4).
    """

    created_ms: int
    defaults: dict[str, str]
    vars: dict[str, str]
    user_vars: dict[str, str]
    known: dict[str, str]
    dropped: tuple[str, ...]

    @property
    def for_loading(self) -> dict[str, str]:
        """The layer of vars while the workflow loads."""
        return self.vars | {"__fmq_cleanup_count": "0"}


class Drafts:
    """Makes the beginnings of environments."""

    def __init__(self, configuration: Configuration, timings: Timings) -> None:
        self._configuration = configuration
        self._timings = timings

    async def layers(self, environment_id: str, asked: Creation) -> Layers:
        """Return the layers; variables with a colon are not used."""
        defaults = await self._configuration.defaults()
        variables = await self._configuration.vars()
        user_vars = {key: value for key, value in asked.user_vars.items() if ":" not in key}
        if dropped := tuple(sorted(asked.user_vars.keys() - user_vars.keys())):
            log.warning("variables with a colon are not used env=%s names=%s", environment_id, ",".join(dropped))
        created_ms = now_ms()
        known = user_vars | {
            "environment_id": environment_id,
            "enter_state_time_ms": str(created_ms),
            "last_request_user": asked.requester.to_variable(),
        }
        return Layers(created_ms, defaults, variables, user_vars, known, dropped)

    async def created(self, environment_id: str, asked: Creation, layers: Layers, workflow: LoadedWorkflow) -> Created:
        """Return the first stimulus of the environment, with the detectors that it needs; they are not reserved yet.

        Raises:
            CoreError: HOST_UNKNOWN.
        """
        draft = Created(
            at_ms=layers.created_ms,
            environment_id=environment_id,
            workflow=workflow,
            defaults=layers.defaults | await self._detectors_default(workflow, layers),
            vars=layers.vars,
            user_vars=layers.user_vars,
            detectors=(),
            requester=asked.requester,
            timings=self._timings,
            created_ms=layers.created_ms,
            is_auto=asked.is_auto,
            request_id=f"{environment_id}/create",
        )
        tree = Environment.begin(draft).tree
        return msgspec.structs.replace(draft, detectors=held_detectors(tree.stack(tree.root)))

    async def _detectors_default(self, workflow: LoadedWorkflow, layers: Layers) -> dict[str, str]:
        """Return the default of ``detectors``: those of the hosts (core.md 2.9, step 9).

        Raises:
            CoreError: a host has no detector.
        """
        root = workflow.root
        stack = layers.defaults | root.defaults | layers.vars | root.vars | layers.known
        hosts = json_strings(stack.get("hosts", ""))
        if not hosts:
            return {}
        try:
            detectors = await self._configuration.detectors_for_hosts(hosts)
        except AliecsError as error:
            message = f"cannot acquire detectors in loaded workflow template: {error.message}"
            host = next((host for host in hosts if host in error.message), "")
            raise CoreError(Reason.HOST_UNKNOWN, message, hint=error.hint, host=host) from error
        return {"detectors": json.dumps(detectors, separators=(",", ":"))}
