"""Watches on Consul, and what is kept until they tell of a change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from consul_agent import ConsulAgent
from consul_between import (
    frozen,
    opened,
    relaying,
    try_detector,
    wait_until,
)

from server.config.open import open_services, open_store
from server.config.store import Store


@pytest.fixture
def store(consul_agent: ConsulAgent) -> Iterator[Store]:
    with closing(open_store(consul_agent.uri)) as store:
        yield store


def test_a_watch_outlives_a_restart_of_consul_and_tells_of_it(own_consul: ConsulAgent) -> None:
    told = threading.Semaphore(0)
    with closing(opened(own_consul, deadline_s=60)) as store:
        watch = store.watch("o2/components", told.release)
        assert told.acquire(timeout=60)  # the first answer
        own_consul.kill()
        assert told.acquire(timeout=60)  # lost
        own_consul.start()
        assert told.acquire(timeout=60)  # there again
        store.put("o2/components/qc/ANY/any/a", "1")
        assert told.acquire(timeout=60)
        watch.close()


def test_a_watch_ends_at_once_while_consul_is_silent(own_consul: ConsulAgent) -> None:
    store = opened(own_consul, deadline_s=60)
    told = threading.Semaphore(0)
    store.watch("o2", told.release)
    assert told.acquire(timeout=60)
    with frozen(own_consul):
        started = time.monotonic()
        store.close()
        assert time.monotonic() - started < 20
    assert not [thread for thread in threading.enumerate() if thread.name == "watch o2/"]


def test_hosts_are_looked_up_in_one_read_until_the_inventory_changes(consul_agent: ConsulAgent, store: Store) -> None:
    for number in range(20):
        store.put(f"o2/hardware/detectors/D{number % 4}/flps/flp{number}/cards", "{}")
    with relaying(consul_agent) as (port, requests), closing(open_services(f"consul://127.0.0.1:{port}")) as services:
        assert services.detector_for_host("flp7") == "D3"
        wait_until(lambda: any(b"index=" in request for request in requests))  # the watch is on
        services.detector_for_host("flp7")
        before = len(requests)
        assert [services.detector_for_host(f"flp{number}") for number in range(20)] == [f"D{n % 4}" for n in range(20)]
        assert len(requests) == before
        store.put("o2/hardware/detectors/NEW/flps/flp99/cards", "{}")
        wait_until(lambda: "NEW" in try_detector(services.detector_for_host))


def test_a_changed_component_template_is_rendered_anew(store: Store) -> None:
    store.put("o2/components/qc/ANY/any/a", "{% include 'b' %}")
    store.put("o2/components/qc/ANY/any/b", "old {{ x }}")
    with closing(open_services(store.uri)) as services:
        assert services.get_component("qc/ANY/any/a", {"x": "1"}) == "old 1"
        store.put("o2/components/qc/ANY/any/b", "new {{ x }}")
        wait_until(lambda: services.get_component("qc/ANY/any/a", {"x": "1"}) == "new 1")
