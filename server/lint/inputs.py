"""What templates are loaded with: variables, and the configuration behind their functions; nothing is ever written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import yaml

from occ.errors import AliecsError, ConfigError
from server.config import inventory
from server.config.inventory import HostEntry
from server.config.open import open_services, open_store
from server.config.services import computed_defaults
from server.template.access import service_objects
from server.template.documents import followed, mapping, parse, sequence, text
from server.template.functions import UTILITIES
from server.template.scope import Function
from server.template.services import Services

ENGINE = {"environment_id": "2oDvieFrVTi", "enter_state_time_ms": "0", "last_request_user": "{}"}
"""Variables that every environment has (workflows-config.md 1.5)."""
AT_RUN_TIME = frozenset({
    "detectors", "run_number", "runNumber", "last_run_number", "lhc_period", "pdp_n_hbf_per_tf", "run_start_time_ms",
    "run_start_completion_time_ms", "run_end_time_ms", "run_end_completion_time_ms",
})  # fmt: skip
"""Variables that an environment gets later; calls may name them."""


class NoConfiguration:
    """The Services of a repository that is looked at without a configuration: nothing is known."""

    def close(self) -> None:
        pass

    def get_component(self, path: str, variables: Mapping[str, str]) -> str:
        self._refuse()

    def get_component_raw(self, path: str) -> str:
        self._refuse()

    def resolve(self, component: str, run_type: str, role: str, entry: str) -> str:
        self._refuse()

    def detector_for_host(self, host: str) -> str:
        self._refuse()

    def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        self._refuse()

    def cru_cards_for_host(self, host: str) -> list[str]:
        self._refuse()

    def endpoints_for_cru_card(self, host: str, serial: str) -> list[str]:
        self._refuse()

    def runtime_get(self, component: str, key: str) -> str:
        self._refuse()

    def runtime_set(self, component: str, key: str, value: str) -> None:
        self._refuse()

    def defaults(self) -> dict[str, str]:
        return computed_defaults("", "mock://")

    def vars(self) -> dict[str, str]:
        return {}

    def _refuse(self) -> NoReturn:
        raise AliecsError("no configuration was given")


@dataclass(frozen=True)
class Inputs:
    """Variables by layer, the configuration, and the hosts of its inventory."""

    user_vars: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    vars: Mapping[str, str] = field(default_factory=dict)
    services: Services = field(default_factory=NoConfiguration)
    hosts: Sequence[HostEntry] | None = None
    """None: not known."""
    objects: Mapping[str, object] = field(default_factory=dict)
    """Object functions of services, beyond those that always are there."""

    def plugins(self) -> dict[str, object]:
        """Return what replaces functions that would write, and the objects of services."""
        util, runtime = UTILITIES["util"], service_objects(self.services)["runtime"]
        assert isinstance(util, Mapping) and isinstance(runtime, Mapping)
        dump = Function(("string", "string"), lambda value, file: value)
        keep = Function(("string",) * 3, lambda component, key, value: value)
        odc = {name: Function((), lambda: "") for name in ("GenerateEPNTopologyFullname", "GenerateEPNWorkflowScript")}
        return {
            "odc": odc, "testplugin": {"test": ""}, **self.objects,
            "util": {**util, "Dump": dump}, "Dump": dump, "runtime": {**runtime, "Set": keep},
        }  # fmt: skip


def read_inputs(
    pairs: Sequence[str], *, defaults: Path | None = None, vars: Path | None = None, configuration: str = ""
) -> Inputs:
    """Return the inputs of a command line; files lie over the configuration.

    Args:
        pairs: ``name=value``.
        configuration: address of a configuration store, "" for none.

    Raises:
        AliecsError: something cannot be read.
    """
    services: Services = open_services(configuration) if configuration else NoConfiguration()
    return Inputs(
        user_vars=dict(map(_pair, pairs)),
        defaults={**services.defaults(), **read_variables(defaults)},
        vars={**services.vars(), **read_variables(vars)},
        services=services,
        hosts=inventory.host_entries(open_store(configuration)) if configuration else None,
    )


def read_variables(path: Path | None) -> dict[str, str]:
    """Read a YAML or JSON mapping of names to texts; a list becomes its JSON text. None: no variables.

    Raises:
        AliecsError: the file cannot be read, or is no such mapping.
    """
    if path is None:
        return {}
    try:
        place = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    found = {}
    for name, node in mapping(place, place.root, "a file of variables").items():
        if isinstance(followed(node), yaml.SequenceNode):
            found[name] = json.dumps([text(place, one, name) for one in sequence(place, node, name)])
        else:
            found[name] = text(place, node, name)
    return found


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"{text!r} is no variable", hint="write it name=value")
    return name, value
