"""The configuration that DPL commands name: which payloads are read, how, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from dpl_machine import Machine

from server.template.render import names_in, render
from server.workflow.payloads import payload_addresses


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_payload_is_processed_as_its_address_says(machine: Machine) -> None:
    machine.services.payloads["qc/PHYSICS/any/a/b"] = "x"
    head = "components/qc/PHYSICS/any/a/b"
    for address in (
        f"apricot://h/{head}",
        f"consul-json://h/{head}",
        f'"apricot://h/{head}?run_type=PHYSICS&detectors=%5B%22ITS%22%5D"',
        f"'apricot://h/{head}?process=false'",
        f"consul-json://h/{head}?beam_type=pp|o2-fake",
    ):
        machine.generate(f"o2-fake --config {address}")
    assert [variables for _, variables in machine.services.asked] == [
        {},
        None,
        {"run_type": "PHYSICS", "detectors": '["ITS"]'},
        None,
        {"beam_type": "pp"},
    ]


def test_only_the_first_two_addresses_count(machine: Machine) -> None:
    machine.services.payloads["qc/ANY/any/a"] = "x"
    address = "apricot://h/components/qc/ANY/any/a"
    machine.generate(f"o2-fake --config {address} | o2-fake --config {address} | o2-fake --config apricot://h/nonsense")
    assert len(machine.services.asked) == 2


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("apricot://h/qc/ANY/any/a", "no components/ in the address"),
        ("apricot://h/components/qc/ANY/any", "bad component configuration key format"),
        ("apricot://h/components/qc/NOTYPE/any/a", "bad component configuration key format"),
        ("apricot://h/components/qc/ANY/any/a?beam_type=", "'beam_type=' is not key=value"),
        ("apricot://h/components/qc/ANY/any/a?", "is not key=value"),
        ("apricot://h/components/qc/ANY/any/a?x=1&x=2", "x is given twice"),
        ("apricot://h/components/qc/ANY/any/a?process=maybe", "no bool"),
        ("apricot://h/components/qc/ANY/any/gone", "no payload at configuration path"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(machine: Machine, address: str, problem: str) -> None:
    error = machine.refused(f"o2-fake --count {machine.runs} --config {address}", detector="ITS")
    assert problem in error.message
    assert "DPL command its (detector ITS): apricot://h/" in error.message
    assert not machine.runs.exists()


@pytest.mark.reference
def test_every_production_command_renders_and_names_configuration_that_can_be_read(reference: Path) -> None:
    found = 0
    for path in sorted((reference / "corpus").glob("*/jit/*")):
        command = path.read_text(encoding="utf-8")
        rendered = render(command, dict.fromkeys(names_in(command), "x1"))
        assert "{{" not in rendered
        addresses = payload_addresses(rendered)
        assert len(addresses) == min(2, rendered.count("apricot://") + rendered.count("consul-json://"))
        for address in addresses:
            assert address.path.startswith("qc/")
        found += len(addresses)
    assert found > 50
