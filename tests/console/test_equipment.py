"""What variables say of the equipment that takes part."""

from __future__ import annotations

from console.equipment import equipment, hosts_of


def test_a_template_that_knows_no_equipment_has_none() -> None:
    assert set(equipment({})) == {"-"}


def test_a_global_run_with_everything_on() -> None:
    parts = equipment(
        {"epn_enabled": "true", "odc_enabled": "true", "odc_n_epns": "280", "dcs_enabled": "true", "trg_enabled": "true",
         "trg_global_run_enabled": "true", "ctp_readout_enabled": "true", "dd_enabled": "true", "ddsched_enabled": "true",
         "qcdd_enabled": "true"}
    )  # fmt: skip
    assert parts == ("280", "on", "CTP", "on", "on", "on")


def test_what_is_switched_off_is_off_and_a_detector_alone_has_its_own_trigger() -> None:
    parts = equipment({"epn_enabled": "false", "odc_enabled": "true", "dcs_enabled": "False", "trg_enabled": "true"})
    assert parts.epns == "off" and parts.dcs == "off" and parts.trigger == "LTU"


def test_hosts_are_a_json_list_or_nothing() -> None:
    assert hosts_of({"hosts": '["flp001","flp002"]'}) == ("flp001", "flp002")
    assert hosts_of({"hosts": "flp001"}) == hosts_of({"hosts": "[1]"}) == hosts_of({}) == ()
