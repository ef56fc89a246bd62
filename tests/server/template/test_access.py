"""``config``, ``inventory`` and ``runtime`` in expressions: they answer errors as text (workflows-config.md 6.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from occ.errors import ConfigError
from server.template.access import service_objects
from server.template.render import render


class Facility:
    """A small configuration and inventory."""

    def __init__(self) -> None:
        self.runtime: dict[str, str] = {}

    def get_component(self, path: str, variables: Mapping[str, str]) -> str:
        return f"{path} for {variables['who']}"

    def get_component_raw(self, path: str) -> str:
        return "raw {{ who }}" if path.endswith("/good") else "raw {{ nobody }}"

    def resolve(self, component: str, run_type: str, role: str, entry: str) -> str:
        if entry == "none":
            raise ConfigError(
                f"could not resolve configuration path o2/components/{component}/{run_type}/{role}/{entry}"
            )
        return f"{component}/{run_type}/any/{entry}"

    def detector_for_host(self, host: str) -> str:
        if host != "flp001":
            raise ConfigError(f"detector not found for host {host}")
        return "ITS"

    def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        return [self.detector_for_host(host) for host in hosts]

    def cru_cards_for_host(self, host: str) -> list[str]:
        if host != "flp001":
            raise ConfigError("no such host")
        return ["0228", "0229"]

    def endpoints_for_cru_card(self, host: str, serial: str) -> list[str]:
        return ["0", "1"] if serial == "0228" else []

    def runtime_get(self, component: str, key: str) -> str:
        try:
            return self.runtime[f"{component}/{key}"]
        except KeyError:
            raise ConfigError(f"nil response for key o2/runtime/{component}/{key}") from None

    def runtime_set(self, component: str, key: str, value: str) -> None:
        self.runtime[f"{component}/{key}"] = value

    def defaults(self) -> dict[str, str]:
        return {}

    def vars(self) -> dict[str, str]:
        return {}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("config.Get('qc/ANY/any/a/b')", "qc/ANY/any/a/b for me"),
        ("config.Get('qc/any/any/a')", '{"error":"bad component configuration key format"}'),
        ("config.Get('qc/BOGUS/any/a')", '{"error":"bad component configuration key format"}'),
        ("config.Get('a b/ANY/any/a')", '{"error":"bad component configuration key format"}'),
        ("config.GetLegacy('qc/ANY/any/good')", "raw me"),
        ("config.GetLegacy('qc/ANY/any/bad')", "raw {{ nobody }}"),
        ("config.Resolve('qc', 'PHYSICS', 'flp', 'e')", "qc/PHYSICS/any/e"),
        ("config.Resolve('qc', 'BOGUS', 'flp', 'e')", "qc/NULL/any/e"),
        (
            "config.Resolve('qc', 'ANY', 'flp', 'none')",
            '{"error":"could not resolve configuration path o2/components/qc/ANY/flp/none"}',
        ),
        ("config.ResolvePath('qc/ANY/any/e')", "qc/ANY/any/e"),
        ("inventory.DetectorForHost('flp001')", "ITS"),
        ("inventory.DetectorForHost(nobody)", '{"error":"detector not found for host "}'),
        ("strings.ToLower(inventory.DetectorForHost('x'))", '{"error":"detector not found for host x"}'),
        ('inventory.DetectorsForHosts(\'["flp001","flp001"]\')', '["ITS"]'),
        (
            "inventory.DetectorsForHosts('[1]')",
            '{"error":"DetectorsForHosts function: json: cannot unmarshal number into Go value of type string"}',
        ),
        ("inventory.CRUCardsForHost('flp001')", '["0228","0229"]'),
        ("inventory.CRUCardsForHost('x')", '["error: no such host"]'),
        ("inventory.EndpointsForCRUCard('flp001', '0228')", "0 1"),
        ("inventory.EndpointsForCRUCard('flp001', '1')", ""),
        ("runtime.Set('a/b', 'k', 'v') + runtime.Get('a/b', 'k')", "vv"),
        ("runtime.Get('a', 'k')", '{"error":"nil response for key o2/runtime/a/k"}'),
        ("GetConfig(nobody)", '{"error":"bad component configuration key format"}'),
        ("DetectorForHost('flp001')", "ITS"),
    ],
)
def test_functions_of_services(expression: str, expected: str) -> None:
    assert render("{{ " + expression + " }}", {"who": "me"}, service_objects(Facility())) == expected
