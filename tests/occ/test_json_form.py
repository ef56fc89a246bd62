"""OCC's messages as JSON text."""

from __future__ import annotations

import pytest

from occ import json_form
from occ.api import occ_pb2


def test_requests_have_no_blanks_all_strings_and_no_empty_list() -> None:
    request = occ_pb2.TransitionRequest(srcState="IDLE", transitionEvent="END")
    assert json_form.encode_transition(request) == b'{"srcState":"IDLE","transitionEvent":"END"}'
    request.arguments.add(key="k\u00e9", value="\u2192")
    request.arguments.add(key="empty")
    text = (
        '{"srcState":"IDLE","transitionEvent":"END","arguments":[{"key":"ké","value":"→"},{"key":"empty","value":""}]}'
    )
    assert json_form.encode_transition(request) == text.encode()
    assert json_form.encode_empty(occ_pb2.GetStateRequest()) == b"{}"


def test_a_transition_survives_both_ways() -> None:
    request = occ_pb2.TransitionRequest(srcState="DEVICE READY", transitionEvent="INIT TASK")
    request.arguments.add(key='a "quoted" key', value="line\nbreak")
    decoded = json_form.decode_transition(json_form.encode_transition(request))
    assert decoded == ("DEVICE READY", "INIT TASK", [('a "quoted" key', "line\nbreak")])


def test_absent_members_read_as_their_defaults() -> None:
    assert json_form.decode_state(b'{"state":"IDLE"}') == occ_pb2.GetStateReply(state="IDLE")
    outcome = json_form.decode_outcome(b'{"trigger":2,"state":"ERROR","transitionEvent":"BIND","ok":false}')
    assert (outcome.trigger, outcome.state, outcome.transitionEvent, outcome.ok) == (2, "ERROR", "BIND", False)
    assert json_form.decode_event(b'{"event":{"type":3}}').event.type == 3
    assert json_form.decode_event(b"{}").event.type == 0
    assert json_form.decode_state_change(b'{"type":1,"state":"BINDING"}').type == 1
    assert json_form.decode_transition(
        b'{"srcState":"A","transitionEvent":"B","arguments":[{"value":"x"},{"key":"k"}],"more":1}'
    ) == ("A", "B", [("k", "")])
    assert json_form.decode_transition(b'{"srcState":"A","transitionEvent":"B","arguments":null}') == ("A", "B", [])


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"garbage", b"[]", b"null", b"{}", b'{"srcState":1,"transitionEvent":"RUN"}', b'{"transitionEvent":"RUN"}',
        b'{"srcState":"A","transitionEvent":"B","arguments":[1]}',
        b'{"srcState":"A","transitionEvent":"B","arguments":[{"key":1}]}',
        b'{"srcState":"A","transitionEvent":"B","arguments":[{"key":"a","value":7}]}',
        b'{"srcState":"A","transitionEvent":"B","arguments":5}',
        b'{"srcState":"A","transitionEvent":"B","arguments":{"a":"b"}}',
    ],
)  # fmt: skip
def test_what_is_no_transition_is_an_error(payload: bytes) -> None:
    with pytest.raises(ValueError):
        json_form.decode_transition(payload)


@pytest.mark.parametrize("payload", [b"[]", b'{"state":1}', b'{"state":"A","pid":"7"}', b'{"state":"A","pid":true}'])
def test_what_is_no_reply_is_an_error(payload: bytes) -> None:
    with pytest.raises(ValueError):
        json_form.decode_state(payload)


def test_an_event_that_is_no_object_is_an_error() -> None:
    with pytest.raises(ValueError):
        json_form.decode_event(b'{"event":3}')
