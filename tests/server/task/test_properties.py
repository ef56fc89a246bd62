"""Property maps and the wiring of channels (workflows-config.md 5.4 to 5.6, occ-executor-mesos.md 4.8, 4.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from occ.errors import ConfigError
from server.task.properties import (
    build_properties,
    effective_inbound,
    effective_outbound,
    environment_endpoints,
    merge_constraints,
)
from server.template.model import Constraint, Inbound, Outbound, TaskClass


@dataclass
class Placed:
    """A task as its wiring sees it."""

    role_path: str
    address: str
    endpoints: Mapping[str, str] = field(default_factory=dict)


def build(
    *, stack: Mapping[str, str] | None = None, inbound: Sequence[Inbound] = (), outbound: Sequence[Outbound] = (),
    local: Mapping[str, str] | None = None, endpoints: Mapping[str, str] | None = None,
    transports: Mapping[str, str] | None = None, **of_class: Any,
) -> dict[str, str]:  # fmt: skip
    task_class = TaskClass(identifier="repo/tasks/t@h", name="t", **of_class)
    return build_properties(
        task_class, stack or {}, task_id="T1", task_name="t#T1", hostname="flp001", environment_id="E1", role_path="w.t",
        inbound=inbound, outbound=outbound, local_endpoints=local or {}, endpoints=endpoints or {},
        transports=transports or {},
    ).render()  # fmt: skip


def test_the_least_property_map_names_the_environment() -> None:
    assert build() == {"environment_id": "E1"}


def test_class_properties_are_rendered_with_class_vars_over_class_defaults() -> None:
    found = build(
        properties={"p": "{{ a }}-{{ b }}-{{ c }}", "h": "{{ task_hostname }}"},
        defaults={"a": "default", "b": "default", "c": "{{ raw }}"},
        vars={"b": "var"},
        stack={"a": "role", "task_hostname": "no"},
    )
    assert found["p"] == "role-var-{{ raw }}"
    assert found["h"] == "flp001"


def test_the_orbit_reset_time_is_taken_from_the_override() -> None:
    assert build(stack={"pdp_override_run_start_time": "17"})["orbit-reset-time"] == "17"


def test_an_inbound_channel_binds_its_local_endpoint() -> None:
    channel = Inbound(name="in", type="push", snd_buf_size=4, transport="shmem", rate_logging="{{ rate }}")
    found = build(inbound=[channel], local={"in": "tcp://*:9000"}, stack={"rate": "7"})
    assert found == {
        "environment_id": "E1",
        "chans.in.numSockets": "1",
        "chans.in.0.address": "tcp://*:9000",
        "chans.in.0.method": "bind",
        "chans.in.0.rateLogging": "7",
        "chans.in.0.rcvBufSize": "1000",
        "chans.in.0.rcvKernelSize": "0",
        "chans.in.0.sndBufSize": "4",
        "chans.in.0.sndKernelSize": "0",
        "chans.in.0.transport": "shmem",
        "chans.in.0.type": "push",
        "chans.in.0.autoBind": "0",
    }


def test_an_inbound_target_is_a_static_address_or_nothing() -> None:
    assert (
        build(inbound=[Inbound(name="a", target="ipc://x")], local={"a": "tcp://*:1"})["chans.a.0.address"] == "ipc://x"
    )
    assert build(inbound=[Inbound(name="a", target="role:channel")], local={"a": "tcp://*:1"}) == {
        "environment_id": "E1"
    }
    assert build(inbound=[Inbound(name="a")]) == {"environment_id": "E1"}, "its endpoint is not known"


@pytest.mark.parametrize(
    ("target", "address", "transport"),
    [
        ("tcp://h:1", "tcp://h:1", "zeromq"),
        ("ipc://x", "ipc://x", "zeromq"),
        ("w.a:in", "tcp://10.0.0.1:9000", "shmem"),
        ("::alias", "ipc://@o2ipc-1", "zeromq"),
    ],
)
def test_an_outbound_channel_finds_its_counterpart(target: str, address: str, transport: str) -> None:
    found = build(
        outbound=[Outbound(name="out", type="pull", target=target, transport="zeromq")],
        endpoints={"w.a:in": "tcp://10.0.0.1:9000", "::alias": "ipc://@o2ipc-1"},
        transports={"w.a:in": "shmem"},
    )
    assert (found["chans.out.0.address"], found["chans.out.0.transport"]) == (address, transport)
    assert found["chans.out.0.method"] == "connect"
    assert "chans.out.0.autoBind" not in found


def test_an_outbound_channel_without_counterpart_is_refused_and_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"role w.t: outbound channel out .* 'w.b:in'") as caught:
        build(outbound=[Outbound(name="out", target="w.b:in")], endpoints={"w.a:in": "tcp://h:1"})
    assert "w.a:in" in caught.value.hint


def test_a_tree_of_properties_moves_to_a_key_of_its_syntax() -> None:
    found = build(properties={"qc": "{{ ToPtree(payload, 'json') }}", "other": "x"}, stack={"payload": '{"a": 1}'})
    assert found == {"environment_id": "E1", "other": "x", "__ptree__:json:qc": '{"a": 1}'}
    (key,) = [key for key in build(properties={"qc": "{{ ToPtree('x', 'yml') }}"}) if "ptree" in key]
    assert key == "__ptree__:json:qc"


def test_a_property_that_cannot_be_rendered_is_named() -> None:
    with pytest.raises(ConfigError, match=r"task class t, properties\.p: unknown name nope"):
        build(properties={"p": "{{ nope }}"})


def test_channels_of_roles_hide_those_of_the_class_by_name() -> None:
    role, of_class = Inbound(name="a", type="pub"), Inbound(name="a", type="push", alias="g")
    assert effective_inbound([role], [of_class, Inbound(name="b")]) == (role, Inbound(name="b"))
    assert effective_outbound([], [Outbound(name="c")]) == (Outbound(name="c"),)


def test_constraints_are_replaced_in_place_by_attribute() -> None:
    parent = [Constraint(attribute="a", value="1"), Constraint(attribute="b", value="1")]
    child = [Constraint(attribute="c", value="2"), Constraint(attribute="a", value="2")]
    merged = [(one.attribute, one.value) for one in merge_constraints(parent, child)]
    assert merged == [("a", "2"), ("b", "1"), ("c", "2")]


def test_endpoints_of_an_environment_are_known_by_role_and_by_alias() -> None:
    tasks = [
        Placed("w.a", "10.0.0.1", {"in": "tcp://*:9000", "::g": "tcp://*:9000"}),
        Placed("w.b", "10.0.0.2", {"in": "ipc://@o2ipc-1"}),
    ]
    assert environment_endpoints(tasks) == {
        "w.a:in": "tcp://10.0.0.1:9000",
        "::g": "tcp://10.0.0.1:9000",
        "w.b:in": "ipc://@o2ipc-1",
    }


def test_an_alias_that_is_bound_twice_is_refused_unless_it_is_the_same_place() -> None:
    first, second = Placed("w.a", "h", {"::g": "tcp://*:1"}), Placed("w.b", "h", {"::g": "tcp://*:2"})
    with pytest.raises(ConfigError, match=r"::g is bound twice"):
        environment_endpoints([first, second])
    assert environment_endpoints([first, first]) == {"::g": "tcp://h:1"}
