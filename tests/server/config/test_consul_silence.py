"""Consul silent or away, answers that are lost, and what is left of a compare-and-set without one."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest
from consul_agent import ConsulAgent
from consul_between import (
    DEADLINE_S,
    answering,
    frozen,
    is_connected,
    losing,
    opened,
    swallowing,
    wait_until,
)

from occ.errors import DeadlineError, LinkError
from server.config.consul import ConsulStore
from server.config.open import open_store
from server.config.runs import new_run_number
from server.config.store import RUN_NUMBER
from server.config.stored import StoreConfiguration


def test_a_consul_that_is_not_there_is_told_at_once(own_consul: ConsulAgent) -> None:
    own_consul.kill()
    with closing(opened(own_consul, deadline_s=60)) as store:
        for ask in (store.prepare, lambda: store.get("a"), lambda: store.put("a", "1"), lambda: store.delete("a")):
            with pytest.raises(LinkError, match=rf"{own_consul.uri} cannot be reached to .* a?.*: Connection refused"):
                ask()


def test_a_consul_that_is_silent_is_told_within_the_deadline(own_consul: ConsulAgent) -> None:
    with closing(opened(own_consul)) as store, frozen(own_consul):
        started = time.monotonic()
        with pytest.raises(DeadlineError, match=rf"{own_consul.uri}: no answer within 0\.5 s, asked to read o2/x"):
            store.get("o2/x")
        assert time.monotonic() - started < 20


def test_a_silent_consul_may_have_written_and_that_is_said(own_consul: ConsulAgent) -> None:
    with closing(opened(own_consul)) as store, closing(opened(own_consul, deadline_s=60)) as patient:
        patient.put("o2/x", "1")
        with frozen(own_consul), pytest.raises(DeadlineError, match="no answer"):
            store.put("o2/x", "2")
        assert patient.get("o2/x") in ("1", "2")


def test_a_request_in_flight_ends_when_the_store_is_closed(own_consul: ConsulAgent) -> None:
    store = opened(own_consul, deadline_s=60)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            store.get("a")
        except LinkError as error:
            failed.append(error)

    with frozen(own_consul):
        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: is_connected(own_consul.port))
        store.close()
        asking.join(60)
    assert failed


def test_a_server_that_is_no_consul_is_named_as_such() -> None:
    with answering(lambda request: b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno") as port:
        with closing(ConsulStore("127.0.0.1", port, deadline_s=60)) as store:
            with pytest.raises(LinkError, match=r"does not answer as Consul does, asked to read a.*Consul agent"):
                store.get("a")


@pytest.mark.parametrize(
    ("index", "body"),
    [
        ("7", b'{"Key":"a"}'),
        ("7", b"[1]"),
        ("7", b'[{"Key":"a","Value":"MQ==","ModifyIndex":"x","Flags":0}]'),
        ("7", b'[{"Key":"a","Value":"MQ==","ModifyIndex":null,"Flags":0}]'),
        ("seven", b"[]"),
    ],
)
def test_whatever_a_server_answers_is_an_item_or_an_error_that_names_it(index: str, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Consul-Index: %s\r\nContent-Length: %d\r\n\r\n" % (index.encode(), len(body))
    asked = threading.Event()

    def reply(request: bytes) -> bytes:
        asked.set()
        return head + body

    with answering(reply) as port, closing(ConsulStore("127.0.0.1", port, deadline_s=60)) as store:
        for question in (store.get, store.exists, store.snapshot, store.get_tree):
            try:
                question("a")
            except LinkError as error:
                assert "does not answer as Consul does" in error.message
        asked.clear()
        watch = store.watch("a", lambda: None)
        assert asked.wait(60)
        watch.close()  # filterwarnings: what ends its thread by surprise fails the test


def test_a_cluster_without_a_leader_is_named_as_such() -> None:
    reply = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 17\r\n\r\nNo cluster leader"
    with answering(lambda request: reply) as port, closing(ConsulStore("127.0.0.1", port, deadline_s=60)) as store:
        with pytest.raises(LinkError, match=r"has no leader, asked to read a"):
            store.get("a")
        with pytest.raises(LinkError, match=r"has no leader"):
            store.put_if("a", "1", None)


def test_a_read_is_repeated_once_when_the_connection_was_lost() -> None:
    asked: list[bytes] = []

    def reply(request: bytes) -> bytes:
        asked.append(request)
        body = b'[{"Key":"a","Value":"MQ==","ModifyIndex":7,"Flags":0}]'
        head = b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: %d\r\n\r\n" % len(body)
        return b"" if len(asked) == 1 else head + body

    with answering(reply) as port, closing(ConsulStore("127.0.0.1", port, deadline_s=60)) as store:
        assert store.get("a") == "1"
    assert len(asked) == 2


async def test_a_store_that_hangs_stops_nothing_but_its_own_calls(own_consul: ConsulAgent) -> None:
    configuration = StoreConfiguration(opened(own_consul, deadline_s=60), deadline_s=60)
    await configuration.prepare()
    configuration._deadline_s = DEADLINE_S
    with frozen(own_consul):
        for _ in range(6):  # more than it has threads
            with pytest.raises(DeadlineError, match=r"no answer within 0\.5 s"):
                await configuration.vars()
        await configuration.close()


# ---- compare-and-set -------------------------------------------------------------------------


def test_a_compare_and_set_whose_answer_is_lost_is_looked_up_and_counts_once(consul_agent: ConsulAgent) -> None:
    with losing(consul_agent, lambda request: b"PUT" in request) as (port, _):
        with closing(ConsulStore("127.0.0.1", port, deadline_s=60)) as store:
            assert [new_run_number(store) for _ in range(3)] == [1, 2, 3]
    assert consul_agent.request("GET", f"/v1/kv/{RUN_NUMBER}?raw") == b"3"


def test_the_same_text_written_by_another_core_is_not_taken_for_ones_own(consul_agent: ConsulAgent) -> None:
    def lose(request: bytes) -> bool:
        if b"PUT" not in request:
            return False
        consul_agent.request("PUT", f"/v1/kv/{RUN_NUMBER}", "1")  # another core, after our write
        return True

    with losing(consul_agent, lose) as (port, _), closing(ConsulStore("127.0.0.1", port, deadline_s=60)) as store:
        with pytest.raises(DeadlineError, match=r"write o2/runtime/run_number.*may have happened"):
            new_run_number(store)
    with closing(open_store(consul_agent.uri)) as another:
        assert new_run_number(another) == 2


def test_a_compare_and_set_that_never_arrived_is_an_error_and_not_repeated(own_consul: ConsulAgent) -> None:
    with swallowing(own_consul, lambda request: b"PUT" in request) as port:
        with closing(ConsulStore("127.0.0.1", port, deadline_s=60)) as store:
            with pytest.raises(DeadlineError, match="had not when it was read again"):
                new_run_number(store)
    assert own_consul.request("GET", f"/v1/kv/{RUN_NUMBER}?raw") == b""


def test_run_numbers_go_on_where_they_were_when_consul_comes_back(own_consul: ConsulAgent) -> None:
    with closing(opened(own_consul, deadline_s=60)) as store:
        assert new_run_number(store) == 1
        own_consul.kill()
        with pytest.raises(LinkError, match="cannot be reached"):
            new_run_number(store)
        own_consul.start()
        assert new_run_number(store) == 2


def test_no_number_is_given_twice_while_consul_is_stopped_and_goes_on(own_consul: ConsulAgent) -> None:
    taken: list[int] = []
    over = threading.Event()

    def take() -> None:
        with closing(opened(own_consul)) as store:
            while not over.is_set():
                try:
                    taken.append(new_run_number(store, attempts=1000))
                except (DeadlineError, LinkError):
                    continue

    takers = [threading.Thread(target=take) for _ in range(3)]
    for taker in takers:
        taker.start()
    for reached in (5, 10):
        wait_until(lambda reached=reached: len(taken) > reached)
        with frozen(own_consul):
            over.wait(DEADLINE_S * 1.5)
    own_consul.kill()
    own_consul.start()
    so_far = len(taken)
    wait_until(lambda: len(taken) > so_far + 5)
    over.set()
    for taker in takers:
        taker.join(60)
    assert len(taken) == len(set(taken))
