"""Messages survive their protobuf form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.api import executor_pb2 as pb
from executor.api.convert import command_from_pb, command_to_pb, report_from_pb, report_to_pb
from executor.api.messages import (
    Command,
    CommandReply,
    ControlMode,
    DeviceEvent,
    DeviceEvents,
    Forget,
    Hello,
    Kill,
    Launch,
    MetricSample,
    MetricSamples,
    OutputPiece,
    Ping,
    Pong,
    ReadOutput,
    Report,
    Shutdown,
    Target,
    TaskReport,
    TaskReports,
    TaskResult,
    TaskSpec,
    Termination,
    Transition,
    TriggerHooks,
    Welcome,
)
from occ.errors import LinkError

# protobuf: strings without surrogates, integers of its own sizes, no NaN (it equals nothing)
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
st.register_type_strategy(float, st.floats(allow_nan=False))

WIDE = st.integers(-(2**63), 2**63 - 1)
NARROW = st.integers(-(2**31), 2**31 - 1)
TASK_REPORTS = st.builds(
    TaskReport, pid=NARROW, exit_code=st.none() | NARROW, signal=st.none() | NARROW, timestamp_ms=WIDE
)
SPECS = st.builds(TaskSpec, control_port=st.integers(0, 2**32 - 1))
TERMINATIONS = st.builds(Termination, exit_code=NARROW)
EVENTS = st.builds(DeviceEvent, type=NARROW, termination=st.none() | TERMINATIONS, timestamp_ms=WIDE)


def tuples(of: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(of, max_size=3).map(tuple)


COMMANDS = st.one_of(
    st.builds(Welcome),
    st.builds(Launch, tasks=tuples(SPECS)),
    st.builds(
        Transition, targets=tuples(st.builds(Target, arguments=st.dictionaries(st.from_type(str), st.from_type(str))))
    ),
    st.builds(TriggerHooks),
    st.builds(Kill),
    st.builds(Forget),
    st.builds(Shutdown),
    st.builds(Ping, sent_ms=WIDE),
    st.builds(
        ReadOutput, offset=st.none() | WIDE, lines=st.integers(0, 2**32 - 1), limit_bytes=st.integers(0, 2**32 - 1)
    ),
)
REPORTS = st.one_of(
    st.builds(Hello, pid=NARROW, started_ms=WIDE, tasks=tuples(TASK_REPORTS)),
    st.builds(TaskReports, tasks=tuples(TASK_REPORTS)),
    st.builds(CommandReply, results=tuples(st.builds(TaskResult))),
    st.builds(DeviceEvents, events=tuples(EVENTS)),
    st.builds(MetricSamples, samples=tuples(st.builds(MetricSample)), timestamp_ms=WIDE),
    st.builds(Pong, sent_ms=WIDE),
    st.builds(OutputPiece, offset=WIDE, size=WIDE, data=st.binary(max_size=8)),
)


@given(COMMANDS)
def test_a_command_comes_back_the_same(command: Command) -> None:
    assert command_from_pb(pb.Command.FromString(command_to_pb(command).SerializeToString())) == command


@given(REPORTS)
def test_a_report_comes_back_the_same(report: Report) -> None:
    assert report_from_pb(pb.Report.FromString(report_to_pb(report).SerializeToString())) == report


def test_what_a_newer_version_says_is_an_error_of_the_link() -> None:
    with pytest.raises(LinkError, match="unknown kind"):
        command_from_pb(pb.Command())
    with pytest.raises(LinkError, match="unknown kind"):
        report_from_pb(pb.Report())


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("FairMQ", ControlMode.FAIRMQ),
        ("HOOK", ControlMode.HOOK),
        ("", ControlMode.DIRECT),
        ("kubectl_x", ControlMode.DIRECT),
    ],
)
def test_a_control_mode_is_read_in_any_case_and_an_unknown_one_is_direct(text: str, mode: ControlMode) -> None:
    launch = command_from_pb(pb.Command(launch=pb.Launch(tasks=[pb.TaskSpec(task_id="t", mode=text)])))
    assert isinstance(launch, Launch)
    assert launch.tasks[0].mode is mode
