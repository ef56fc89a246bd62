"""Placement: by example, and its invariants by Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from server.deploy.backend import Offer
from server.deploy.match import Want, match, unsatisfied
from server.template.model import Constraint

PORTS = ((9000, 9099), (30000, 30099))


def offer(host: str, *, cpus: float = 4, memory_mb: float = 1000, ports: object = PORTS, **attributes: str) -> Offer:
    return Offer(
        offer_id=f"o-{host}", host=host, address="127.0.0.1", agent_id=f"a-{host}", cpus=cpus, memory_mb=memory_mb,
        ports=ports, attributes={"machine_id": host, **attributes},  # type: ignore[arg-type]
    )  # fmt: skip


def on(host: str) -> Constraint:
    return Constraint(attribute="machine_id", value=host)


FLPS = [offer("flp001", machine_type="flp"), offer("flp002", machine_type="flp,qc"), offer("qc01", machine_type="qc")]


def test_a_want_that_names_its_host_goes_there() -> None:
    matched = match([Want(key=1, constraints=(on("flp002"),))], FLPS)
    assert {key: one.host for key, one in matched.placed.items()} == {1: "flp002"}
    assert not matched.unplaced


def test_nothing_is_placed_on_a_host_that_is_closed_and_the_reason_says_why() -> None:
    closed = {"flp001": "is drained by me", "flp002": "is drained by you"}
    matched = match([Want(key=1, constraints=(on("flp002"),)), Want(key=2)], FLPS, closed)
    assert matched.unplaced == {1: "host flp002: is drained by you"}
    assert matched.placed[2].host == "qc01"
    nowhere = match([Want(key=1)], FLPS[:2], closed)
    assert nowhere.unplaced == {1: "no host fits: flp001: is drained by me; flp002: is drained by you"}


def test_a_host_that_does_not_exist_is_named_with_those_that_do() -> None:
    matched = match([Want(key=1, constraints=(on("flp009"),))], FLPS)
    assert matched.unplaced == {1: "no host flp009 (machine_id) in the inventory: known hosts are flp001, flp002, qc01"}


def test_all_constraints_must_hold_not_only_the_last() -> None:
    wrong_first = (Constraint(attribute="machine_type", value="flp"), on("qc01"))
    matched = match([Want(key=1, constraints=wrong_first)], FLPS)
    assert matched.unplaced == {1: "host qc01: machine_type is qc, wanted flp"}


def test_an_attribute_with_commas_is_a_set() -> None:
    matched = match([Want(key=1, constraints=(Constraint(attribute="machine_type", value="qc"),))], FLPS)
    assert matched.placed[1].host == "flp002"


def test_a_missing_attribute_does_not_satisfy() -> None:
    reason = unsatisfied((Constraint(attribute="rack", value="7"),), {"machine_id": "flp001"})
    assert reason == "has no attribute rack, wanted 7"


def test_no_constraints_are_satisfied_by_every_host() -> None:
    assert unsatisfied((), {}) == ""
    assert match([Want(key=1)], [offer("x")]).placed[1].host == "x"


def test_an_unsatisfiable_want_does_not_make_the_others_on_its_host_vanish() -> None:
    wants = [
        Want(key=1, constraints=(on("flp001"),), cpu=99),
        Want(key=2, constraints=(on("flp001"),)),
        Want(key=3, constraints=(on("flp001"),), memory_mb=5000),
    ]
    matched = match(wants, FLPS)
    assert list(matched.placed) == [2]
    assert matched.unplaced == {
        1: "host flp001: needs 99 cpus, 4 are left",
        3: "host flp001: needs 5000 MB of memory, 1000 are left",
    }


def test_resources_add_up_over_the_tasks_of_a_host() -> None:
    wants = [Want(key=key, constraints=(on("flp001"),), cpu=1.5) for key in range(3)]
    matched = match(wants, FLPS)
    assert set(matched.placed) == {0, 1}
    assert matched.unplaced[2] == "host flp001: needs 1.5 cpus, 1 are left"


def test_static_ports_are_whole_ranges_taken_once() -> None:
    wants = [Want(key=key, constraints=(on("flp001"),), static_ports=((9010, 9012),)) for key in range(2)]
    matched = match(wants, FLPS)
    assert list(matched.placed) == [0]
    assert matched.unplaced[1] == "host flp001: ports 9010-9012 are not free"


def test_static_ports_may_be_exactly_what_is_offered() -> None:
    want = Want(key=1, static_ports=((9000, 9099),), needs_control_port=False)
    assert match([want], [offer("x", ports=((9000, 9099),))]).placed


def test_channels_and_control_ports_are_counted() -> None:
    few = [offer("x", ports=((9000, 9002), (30000, 30001)))]
    matched = match([Want(key=1, channel_count=2), Want(key=2, channel_count=2), Want(key=3)], few)
    assert set(matched.placed) == {1, 3}
    assert matched.unplaced[2] == "no host fits: x: needs 2 ports for channels, 1 are left"
    assert match([Want(key=4)], [offer("x", ports=((9000, 9001),))]).unplaced[4].endswith("no control port is left")


def test_a_critical_want_goes_before_one_that_is_not() -> None:
    wants = [Want(key=1, cpu=4, critical=False), Want(key=2, cpu=4)]
    matched = match(wants, [offer("x")])
    assert list(matched.placed) == [2]


def test_a_want_for_any_host_that_fits_nowhere_says_why_for_each() -> None:
    matched = match([Want(key=1, cpu=10)], [offer("a"), offer("b", cpus=1)])
    assert matched.unplaced == {1: "no host fits: a: needs 10 cpus, 4 are left; b: needs 10 cpus, 1 are left"}


def test_an_empty_inventory_is_said_in_words() -> None:
    assert match([Want(key=1)], []).unplaced == {1: "there is no host in the inventory"}


WANTS = st.lists(
    st.builds(
        Want,
        key=st.just(0),
        constraints=st.lists(
            st.builds(Constraint, attribute=st.sampled_from(["machine_id", "kind"]), value=st.sampled_from("abcx")),
            max_size=2,
        ).map(tuple),
        cpu=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        memory_mb=st.sampled_from([0.0, 10.0, 60.0]),
        static_ports=st.sampled_from([(), ((9000, 9001),), ((9001, 9003),)]),
        channel_count=st.integers(0, 3),
        needs_control_port=st.booleans(),
        critical=st.booleans(),
    ),
    max_size=12,
)
OFFERS = st.lists(
    st.builds(
        offer,
        host=st.sampled_from("abc"),
        cpus=st.sampled_from([0.5, 2.0, 4.0]),
        memory_mb=st.sampled_from([50.0, 100.0]),
        ports=st.sampled_from([(), ((9000, 9005), (30000, 30001)), ((9002, 9004),)]),
        kind=st.sampled_from(["a", "b,c", ""]),
    ),
    max_size=3,
    unique_by=lambda one: one.host,
)


@given(WANTS, OFFERS)
def test_every_want_is_classified_and_no_host_is_overcommitted(wants: Sequence[Want], offers: Sequence[Offer]) -> None:
    numbered = [
        Want(
            key=key, constraints=w.constraints, cpu=w.cpu, memory_mb=w.memory_mb, static_ports=w.static_ports,
            channel_count=w.channel_count, needs_control_port=w.needs_control_port, critical=w.critical,
        )
        for key, w in enumerate(wants)
    ]  # fmt: skip
    matched = match(numbered, offers)
    assert set(matched.placed) | set(matched.unplaced) == set(range(len(wants)))
    assert not set(matched.placed) & set(matched.unplaced)
    assert all(matched.unplaced.values())
    for one in offers:
        here = [want for want in numbered if matched.placed.get(want.key) is one]
        assert sum(want.cpu for want in here) <= one.cpus
        assert sum(want.memory_mb for want in here) <= one.memory_mb
        free = {port for low, high in one.ports for port in range(low, high + 1)}
        static = [port for want in here for low, high in want.static_ports for port in range(low, high + 1)]
        assert len(static) == len(set(static)) and set(static) <= free
        data = {port for port in free if port < 30000} - set(static)
        assert sum(want.channel_count for want in here) <= len(data)
        assert sum(want.needs_control_port for want in here) <= len([port for port in free if port >= 30000])
        for want in here:
            assert unsatisfied(want.constraints, dict(one.attributes)) == ""
