"""What is special about Consul: its folders, its limits, its silence, its absence, and what is left of a lost answer."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from consul_agent import ConsulAgent

from occ.errors import ConfigError, DeadlineError, LinkError
from server.config import inventory
from server.config.consul import ConsulStore
from server.config.open import open_services, open_store
from server.config.runs import new_run_number
from server.config.store import RUN_NUMBER, Store, TextChange
from server.config.stored import StoreConfiguration
from server.config.transfer import content

DEADLINE_S = 0.5


@pytest.fixture
def store(consul_agent: ConsulAgent) -> Iterator[Store]:
    with closing(open_store(consul_agent.uri)) as store:
        yield store


def opened(agent: ConsulAgent, *, deadline_s: float = DEADLINE_S, token: str = "") -> ConsulStore:
    return ConsulStore("127.0.0.1", agent.port, deadline_s=deadline_s, token=token)


# ---- keys ------------------------------------------------------------------------------------


def test_keys_of_folders_are_folders_and_no_texts(consul_agent: ConsulAgent, store: Store) -> None:
    for key in ("o2/", "o2/hardware/detectors/", "o2/hardware/detectors/ITS/flps/flp1/", "o2/x/"):
        consul_agent.request("PUT", f"/v1/kv/{key}", "ignored")
    store.put("o2/hardware/detectors/ITS/flps/flp2/cards", "{}")
    assert store.names("o2") == ["hardware", "x"]
    assert store.names("o2/x") == []
    assert store.exists("o2/x")
    assert store.get("o2/x") is None
    assert store.keys("o2") == ["o2/hardware/detectors/ITS/flps/flp2/cards"]
    assert store.get_tree("o2/hardware/detectors/ITS") == {"flps/flp2/cards": "{}"}
    assert inventory.detector_inventory(store) == {"ITS": ["flp1", "flp2"]}
    with pytest.raises(ConfigError, match="it is a folder"):
        store.put("o2/x", "text")
    assert store.delete("o2/x")
    assert not store.exists("o2/x")


def test_what_others_wrote_as_text_and_folder_of_one_name_is_shown_as_both(
    consul_agent: ConsulAgent, store: Store
) -> None:
    consul_agent.request("PUT", "/v1/kv/a/b", "text")
    consul_agent.request("PUT", "/v1/kv/a/b/c", "below")
    assert store.names("a") == ["b"]
    assert store.get_tree("a") == {"b": "text", "b/c": "below"}
    store.put("a/b", "changed")
    store.put("a/b/c", "changed too")
    assert store.get_tree("a") == {"b": "changed", "b/c": "changed too"}
    assert store.snapshot("a").names("a/b") == ["c"]


def test_keys_that_have_no_name_here_are_left_out_and_told(
    consul_agent: ConsulAgent, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    operation = {"KV": {"Verb": "set", "Key": "a//b", "Value": base64.b64encode(b"x").decode()}}
    consul_agent.request("PUT", "/v1/txn", json.dumps([operation]))
    store.put("a/c", "1")
    assert store.get_tree("a") == {"c": "1"}
    assert "key='a//b'" in caplog.text


@pytest.mark.parametrize("key", ["a/../b", "./a", "a/.", "a\nb", "a/\x7f"])
def test_a_name_that_leads_elsewhere_is_refused(store: Store, key: str) -> None:
    for ask in (store.get, store.exists, store.keys, store.names, store.delete, lambda key: store.put(key, "x")):
        with pytest.raises(ConfigError, match="is not a name"):
            ask(key)


def test_a_text_longer_than_consul_takes_is_refused_with_its_key(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"refused to write a/big: the text is longer than Consul takes.*524288"):
        store.put("a/big", "x" * 524_289)
    assert store.get("a/big") is None


def test_addresses_in_the_environment_do_not_lead_elsewhere(
    consul_agent: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with closing(open_store(consul_agent.uri)) as store:
        store.put("a", "1")
    assert consul_agent.request("GET", "/v1/kv/a?raw") == b"1"


# ---- rights ----------------------------------------------------------------------------------


def test_what_the_token_does_not_permit_is_refused_with_the_key_and_what_to_do(
    consul_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConsulAgent(consul_program, tmp_path / "acl", token="7d1b3d2e-0001-4c53-a2a1-5d0c6a4ad0aa") as agent:
        with closing(open_store(agent.uri)) as stranger:
            with pytest.raises(ConfigError, match=rf"does not permit to read {RUN_NUMBER}.*CONSUL_HTTP_TOKEN"):
                stranger.prepare()
            with pytest.raises(ConfigError, match=r"does not permit to write o2/x.*CONSUL_HTTP_TOKEN"):
                stranger.put("o2/x", "1")
            with pytest.raises(ConfigError, match="does not permit"):
                new_run_number(stranger)
        monkeypatch.setenv("CONSUL_HTTP_TOKEN", "7d1b3d2e-0001-4c53-a2a1-5d0c6a4ad0aa")
        with closing(open_store(agent.uri)) as friend:
            friend.prepare()
            assert new_run_number(friend) == 1


def test_a_token_for_what_is_aliecs_own_is_enough(
    consul_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConsulAgent(consul_program, tmp_path / "acl", token="7d1b3d2e-0001-4c53-a2a1-5d0c6a4ad0aa") as agent:
        policy = {"Name": "aliecs", "Rules": 'key_prefix "o2/" { policy = "write" }'}
        agent.request("PUT", "/v1/acl/policy", json.dumps(policy))
        token = json.loads(agent.request("PUT", "/v1/acl/token", json.dumps({"Policies": [{"Name": "aliecs"}]})))
        monkeypatch.setenv("CONSUL_HTTP_TOKEN", token["SecretID"])
        with closing(open_store(agent.uri)) as store:
            store.prepare()
            assert new_run_number(store) == 1
            store.put("o2/components/qc/ANY/any/a", "1")
            assert store.put_all([TextChange("o2/hardware/detectors/ITS/flps/flp1/", "", None)]) == []
            assert content(store) == {
                "o2/components/qc/ANY/any/a": "1",
                "o2/hardware/detectors/ITS/flps/flp1/": "",
                "o2/runtime/run_number": "1",
            }
            assert store.delete("o2/components")


# ---- silence and absence ---------------------------------------------------------------------


def test_a_consul_that_is_not_there_is_told_at_once(own_consul: ConsulAgent) -> None:
    own_consul.kill()
    with closing(opened(own_consul)) as store:
        for ask in (store.prepare, lambda: store.get("a"), lambda: store.put("a", "1"), lambda: store.delete("a")):
            with pytest.raises(LinkError, match=rf"{own_consul.uri} cannot be reached to .* a?.*: Connection refused"):
                ask()


def test_a_consul_that_is_silent_is_told_within_the_deadline(own_consul: ConsulAgent) -> None:
    with closing(opened(own_consul)) as store, frozen(own_consul):
        started = time.monotonic()
        with pytest.raises(DeadlineError, match=rf"{own_consul.uri}: no answer within 0\.5 s, asked to read o2/x"):
            store.get("o2/x")
        assert time.monotonic() - started < DEADLINE_S * 3


def test_a_silent_consul_may_have_written_and_that_is_said(own_consul: ConsulAgent) -> None:
    with closing(opened(own_consul)) as store:
        store.put("o2/x", "1")
        with frozen(own_consul), pytest.raises(DeadlineError, match="no answer"):
            store.put("o2/x", "2")
        assert store.get("o2/x") in ("1", "2")


def test_a_request_in_flight_ends_when_the_store_is_closed(own_consul: ConsulAgent) -> None:
    store = opened(own_consul, deadline_s=30)
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
        asking.join(5)
    assert failed


def test_a_server_that_is_no_consul_is_named_as_such() -> None:
    with answering(lambda request: b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno") as port:
        with closing(ConsulStore("127.0.0.1", port, deadline_s=5)) as store:
            with pytest.raises(LinkError, match=r"does not answer as Consul does, asked to read a.*Consul agent"):
                store.get("a")


def test_a_cluster_without_a_leader_is_named_as_such() -> None:
    reply = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 17\r\n\r\nNo cluster leader"
    with answering(lambda request: reply) as port, closing(ConsulStore("127.0.0.1", port, deadline_s=5)) as store:
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

    with answering(reply) as port, closing(ConsulStore("127.0.0.1", port, deadline_s=5)) as store:
        assert store.get("a") == "1"
    assert len(asked) == 2


# ---- compare-and-set -------------------------------------------------------------------------


def test_a_compare_and_set_whose_answer_is_lost_is_looked_up_and_counts_once(consul_agent: ConsulAgent) -> None:
    with losing(consul_agent, lambda request: b"PUT" in request) as (port, _):
        with closing(ConsulStore("127.0.0.1", port, deadline_s=5)) as store:
            assert [new_run_number(store) for _ in range(3)] == [1, 2, 3]
    assert consul_agent.request("GET", f"/v1/kv/{RUN_NUMBER}?raw") == b"3"


def test_the_same_text_written_by_another_core_is_not_taken_for_ones_own(consul_agent: ConsulAgent) -> None:
    def lose(request: bytes) -> bool:
        if b"PUT" not in request:
            return False
        consul_agent.request("PUT", f"/v1/kv/{RUN_NUMBER}", "1")  # another core, after our write
        return True

    with losing(consul_agent, lose) as (port, _), closing(ConsulStore("127.0.0.1", port, deadline_s=5)) as store:
        with pytest.raises(DeadlineError, match=r"write o2/runtime/run_number.*may have happened"):
            new_run_number(store)
    with closing(open_store(consul_agent.uri)) as another:
        assert new_run_number(another) == 2


def test_a_compare_and_set_that_never_arrived_is_an_error_and_not_repeated(own_consul: ConsulAgent) -> None:
    with swallowing(own_consul, lambda request: b"PUT" in request) as port:
        with closing(ConsulStore("127.0.0.1", port, deadline_s=5)) as store:
            with pytest.raises(DeadlineError, match="had not when it was read again"):
                new_run_number(store)
    assert own_consul.request("GET", f"/v1/kv/{RUN_NUMBER}?raw") == b""


def test_run_numbers_go_on_where_they_were_when_consul_comes_back(own_consul: ConsulAgent) -> None:
    with closing(opened(own_consul, deadline_s=5)) as store:
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
        taker.join(10)
    assert len(taken) == len(set(taken))


# ---- watches and what is kept ----------------------------------------------------------------


def test_a_watch_outlives_a_restart_of_consul_and_tells_of_it(own_consul: ConsulAgent) -> None:
    told = threading.Semaphore(0)
    with closing(opened(own_consul, deadline_s=5)) as store:
        watch = store.watch("o2/components", told.release)
        assert told.acquire(timeout=10)  # the first answer
        own_consul.kill()
        assert told.acquire(timeout=10)  # lost
        own_consul.start()
        assert told.acquire(timeout=10)  # there again
        store.put("o2/components/qc/ANY/any/a", "1")
        assert told.acquire(timeout=10)
        watch.close()


def test_a_watch_ends_at_once_while_consul_is_silent(own_consul: ConsulAgent) -> None:
    store = opened(own_consul, deadline_s=30)
    told = threading.Semaphore(0)
    store.watch("o2", told.release)
    assert told.acquire(timeout=10)
    with frozen(own_consul):
        started = time.monotonic()
        store.close()
        assert time.monotonic() - started < 2
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


# ---- defaults --------------------------------------------------------------------------------


def test_every_environment_is_told_where_consul_is(consul_agent: ConsulAgent, store: Store) -> None:
    store.put("o2/runtime/aliecs/defaults/consul_endpoint", "elsewhere:1")
    with closing(open_services(consul_agent.uri)) as services:
        defaults = services.defaults()
    assert defaults["consul_base_uri"] == consul_agent.uri
    assert defaults["consul_hostname"] == "127.0.0.1"
    assert defaults["consul_port"] == str(consul_agent.port)
    assert defaults["consul_endpoint"] == f"127.0.0.1:{consul_agent.port}"


async def test_a_store_that_hangs_stops_nothing_but_its_own_calls(own_consul: ConsulAgent) -> None:
    configuration = StoreConfiguration(opened(own_consul, deadline_s=10), deadline_s=DEADLINE_S)
    await configuration.prepare()
    with frozen(own_consul):
        for _ in range(6):  # more than it has threads
            with pytest.raises(DeadlineError, match=r"no answer within 0\.5 s"):
                await configuration.vars()
        await configuration.close()


# ---- between the store and Consul ------------------------------------------------------------


@contextmanager
def frozen(agent: ConsulAgent) -> Iterator[None]:
    agent.freeze()
    try:
        yield
    finally:
        agent.thaw()


def wait_until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    until = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        pause.wait(0.01)


def try_detector(ask: Callable[[str], str]) -> str:
    try:
        return ask("flp99")
    except ConfigError:
        return ""


def is_connected(port: int) -> bool:
    """Tell whether a connection to a port of loopback stands."""
    with open("/proc/net/tcp") as file:
        return any(f":{port:04X} 01" in line.split(maxsplit=2)[2] for line in file.readlines()[1:])


Reply = Callable[[bytes], bytes]


@contextmanager
def answering(reply: Reply) -> Iterator[int]:
    """Serve a port: one request, one reply, and the connection ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with connection:
                if request := whole_request(connection):
                    connection.sendall(reply(request))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def whole_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def passed_on(agent: ConsulAgent, request: bytes) -> bytes:
    """Return Consul's answer to a request."""
    with socket.create_connection(("127.0.0.1", agent.port), timeout=70) as onward:
        onward.sendall(request.replace(b"Connection: keep-alive", b"Connection: close"))
        answer = b""
        while part := onward.recv(65536):
            answer += part
        return answer


@contextmanager
def relaying(agent: ConsulAgent) -> Iterator[tuple[int, list[bytes]]]:
    requests: list[bytes] = []

    def relay(request: bytes) -> bytes:
        requests.append(request)
        return passed_on(agent, request)

    with answering(relay) as port:
        yield port, requests


@contextmanager
def losing(agent: ConsulAgent, is_lost: Callable[[bytes], bool]) -> Iterator[tuple[int, list[bytes]]]:
    """Pass requests on, and lose the answers to some."""
    requests: list[bytes] = []

    def relay(request: bytes) -> bytes:
        requests.append(request)
        answer = passed_on(agent, request)
        return b"" if is_lost(request) else answer

    with answering(relay) as port:
        yield port, requests


@contextmanager
def swallowing(agent: ConsulAgent, is_swallowed: Callable[[bytes], bool]) -> Iterator[int]:
    """Pass requests on, but not some."""
    with answering(lambda request: b"" if is_swallowed(request) else passed_on(agent, request)) as port:
        yield port
