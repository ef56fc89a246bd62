"""Values and their protobuf form say the same."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.api import events_pb2, live_pb2, ops_pb2
from server.api import model as m
from server.api import model_plan as plans
from server.api.convert import from_batch, from_event, to_batch, to_change, to_event
from server.api.convert_plan import from_plan, to_plan
from server.api.kept import MAX_KEPT, KeptBytes

# Values that survive the wire: an id of 0 and an absent one differ in events, not in the live picture.
_UINT = st.integers(1, 2**31 - 1)
_LIVE_USER = st.builds(m.User, name=st.text(max_size=8), external_id=_UINT, id=st.none())
_STRATEGIES: dict[Any, st.SearchStrategy[Any]] = {
    "int": _UINT,
    "str": st.text(max_size=8),
    "float": st.floats(0, 1e15),
    "bool": st.booleans(),
    "int | None": st.none() | st.integers(0, 2**31 - 1),
}


def built(kind: type[Any], **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that fills every field, so that a forgotten one cannot hide behind its default."""
    chosen = dict(fixed)
    for field in fields(kind):
        if field.name not in chosen:
            chosen[field.name] = _strategy(str(field.type))
    return st.builds(kind, **chosen)


def _strategy(text: str) -> st.SearchStrategy[Any]:
    if text in _STRATEGIES:
        return _STRATEGIES[text]
    if text.startswith("tuple["):
        return st.lists(_strategy(text.removeprefix("tuple[").removesuffix(", ...]")), max_size=3).map(tuple)
    if text.startswith("Mapping"):
        return st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
    if text.endswith("| None"):
        return st.none() | _strategy(text.removesuffix(" | None"))
    named = getattr(m, text, None) or getattr(plans, text)
    return built(named) if is_dataclass(named) else st.sampled_from(list(named))


_EVENTS = st.one_of([built(kind) for kind in get_args(m.Event)])
_THINGS = st.one_of(
    [
        built(kind, **({"owner": _LIVE_USER, "last_user": _LIVE_USER} if kind is m.Environment else {}))
        for kind in (*get_args(m.Thing), m.Removal)
    ]
)


@settings(max_examples=50, deadline=None)
@given(_EVENTS)
def test_an_event_comes_back_as_it_was(event: m.Event) -> None:
    message = events_pb2.Event.FromString(to_event(event).SerializeToString())
    assert from_event(message) == event
    assert message.timestampNano == message.timestamp * 1_000_000


@settings(max_examples=50, deadline=None)
@given(st.lists(st.builds(m.Change, _THINGS | _EVENTS, _UINT), max_size=4), st.sampled_from(list(m.Part)))
def test_a_batch_comes_back_as_it_was(changes: list[m.Change], part: m.Part) -> None:
    batch = m.Batch("epoch", 17, part, tuple(changes), 1_700_000_000_000)
    assert from_batch(live_pb2.Batch.FromString(to_batch(batch).SerializeToString())) == batch


@settings(max_examples=50, deadline=None)
@given(built(plans.Plan))
def test_a_plan_comes_back_as_it_was(plan: plans.Plan) -> None:
    assert from_plan(ops_pb2.Plan.FromString(to_plan(plan).SerializeToString())) == plan


def test_steps_that_stay_the_same_are_serialised_once_and_others_anew() -> None:
    made: list[str] = []

    def make(value: m.Move) -> live_pb2.Move:
        made.append(value.event)
        return live_pb2.Move(event=value.event)

    kept = KeptBytes(make)
    one, equal = m.Move("RESET"), m.Move("RESET")
    assert kept(one) == kept(one) == kept(equal) == live_pb2.Move(event="RESET").SerializeToString()
    assert made == ["RESET", "RESET"]
    for number in range(3 * MAX_KEPT):
        kept(m.Move(f"{number}"))
    assert kept(one) == kept(equal)


@pytest.mark.parametrize(
    "message",
    [
        m.Environment, m.Task, m.Role, m.Host, m.Core, m.Service, m.Variables, m.History, m.TransitionProgress,
        m.TransitionRecord, m.Step, m.StepCall,
    ],
)  # fmt: skip
def test_every_field_of_the_live_picture_has_one_of_the_same_name(message: type[Any]) -> None:
    ours = {field.name for field in fields(message)}
    assert ours == set(getattr(live_pb2, message.__name__).DESCRIPTOR.fields_by_name)


def test_kinds_and_parts_have_the_numbers_of_the_wire() -> None:
    kinds = {f"KIND_{kind.name}": int(kind) for kind in m.Kind}
    assert kinds == dict(live_pb2.Kind.items())
    assert {part.name: int(part) for part in m.Part} == dict(live_pb2.Part.items())
    assert {status.name: int(status) for status in m.OpStatus} == dict(events_pb2.OpStatus.items())


def test_a_change_of_a_kind_not_known_here_is_left_out() -> None:
    from_a_newer_core = live_pb2.Change(revision=3)
    batch = live_pb2.Batch(changes=[from_a_newer_core, to_change(m.Change(m.Host(name="flp001"), 4))])
    assert from_batch(batch).changes == (m.Change(m.Host(name="flp001"), 4),)


def test_an_event_of_a_kind_not_shown_is_none() -> None:
    assert from_event(events_pb2.Event(mesosHeartbeatEvent=events_pb2.Ev_MetaEvent_MesosHeartbeat())) is None


def test_the_names_of_call_events_that_are_keywords_here_reach_the_wire() -> None:
    event = m.CallEvent(
        at_ms=1, environment_id="2abc", path="r", func="f()", call_status=m.OpStatus.STARTED, return_name="result",
        traits=m.Traits(trigger="before_CONFIGURE", await_="after_CONFIGURE"),
    )  # fmt: skip
    call = to_event(event).callEvent
    assert getattr(call, "return") == "result"
    assert getattr(call.traits, "await") == "after_CONFIGURE"
