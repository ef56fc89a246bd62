"""The key-value store of one Consul agent through python-consul, with what that lacks: deadlines, typed errors, an end.

Only its synchronous calls are used, and only those of KV: the client object itself would let CONSUL_HTTP_ADDR win over the
address given. What keys mean is not here: consul.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import consul
import requests
from urllib3.exceptions import NewConnectionError

from occ.errors import AliecsError, ConfigError, DeadlineError, LinkError
from server.config.address import Address
from server.config.interruptible import InterruptibleAdapter
from server.config.store import to_bytes

_T = TypeVar("_T")

ATTEMPTS_TO_READ = 2
CHUNK_BYTES = 1 << 16
WATCHED_S = 60.0
"""How long a watch waits for a change before it asks again."""


@dataclass(frozen=True, slots=True)
class Item:
    """A key with its text; bytes that are not UTF-8 are kept as surrogates."""

    key: str
    text: str
    index: int
    """Of its last change (ModifyIndex)."""
    flags: int


class ConsulKv:
    """Requests to one agent. Safe to use from several threads.

    All methods raise ConfigError for what Consul refuses, LinkError if it cannot be reached or has no leader, and
    DeadlineError if it did not answer; after a DeadlineError of a write, and only then, the write may have happened.

    Args:
        host, port: of the agent.
        deadline_s: longest time for one call, with its second attempt.
        token: for its access control lists; "" for none.
    """

    def __init__(self, host: str, port: int, *, deadline_s: float, token: str = "") -> None:
        address = Address("consul", host=host, port=port)
        self.uri = address.uri
        self._base = f"http://{address.endpoint}"
        self._deadline_s = deadline_s
        self._adapter = InterruptibleAdapter()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies: Consul is asked directly
        self._session.mount("http://", self._adapter)
        if token:
            self._session.headers["X-Consul-Token"] = token

    def close(self) -> None:
        """End all requests, also those that wait for an answer."""
        self._adapter.interrupt()
        self._session.close()

    def item(self, key: str, *, is_consistent: bool = False) -> Item | None:
        """Return a key's text, None if there is none.

        Args:
            is_consistent: ask a leader that has proved that it is one.
        """
        mode = "consistent" if is_consistent else None
        return self._read(f"read {key}", lambda kv: _item_or_none(kv.get(key, consistency=mode)[1]))

    def items(self, prefix: str) -> list[Item]:
        """Return all keys that begin with a prefix, in Consul's order, in one request."""
        return self._read(
            f"read all below {prefix}", lambda kv: [_item(one) for one in kv.get(prefix, recurse=True)[1] or ()]
        )

    def keys(self, prefix: str, *, separator: str = "") -> list[str]:
        """Return all keys that begin with a prefix, each cut after the first separator that follows it."""
        return self._read(
            f"list {prefix}",
            lambda kv: [str(key) for key in kv.get(prefix, keys=True, separator=separator)[1] or ()],
        )

    def next_index(self, prefix: str, index: int | None, *, wait_s: float = WATCHED_S) -> int:
        """Return the index of the last change below a prefix; wait for one after ``index`` if that is given."""
        until_s = self._deadline_s if index is None else wait_s * 17 / 16 + self._deadline_s  # Consul adds a sixteenth
        wait = f"{wait_s:g}s"

        def question(kv: Any) -> int:
            found, _ = kv.get(prefix, keys=True, index=index, wait=wait)
            return int(found)

        found = self._ask(f"watch {prefix}", question, is_write=False, attempts=1, deadline_s=until_s)
        return max(found, 1)  # with 0 Consul would not wait

    def put(self, key: str, text: str, *, index: int | None = None, flags: int | None = None) -> bool:
        """Set a key's text; tell whether it was set.

        Args:
            index: set it only if this is the index of its last change; 0 = only if there is none.
            flags: a number kept with the text.
        """
        data = to_bytes(key, text)
        return bool(self._write(f"write {key}", lambda kv: kv.put(key, data, cas=index, flags=flags)))

    def delete(self, key: str, *, is_prefix: bool = False) -> None:
        """Remove a key, or all keys that begin so."""
        self._write(f"delete {key}", lambda kv: kv.delete(key, recurse=is_prefix or None))

    def _read(self, what: str, question: Callable[[Any], _T]) -> _T:
        return self._ask(what, question, is_write=False, attempts=ATTEMPTS_TO_READ, deadline_s=self._deadline_s)

    def _write(self, what: str, question: Callable[[Any], _T]) -> _T:
        return self._ask(what, question, is_write=True, attempts=1, deadline_s=self._deadline_s)

    def _ask(self, what: str, question: Callable[[Any], _T], *, is_write: bool, attempts: int, deadline_s: float) -> _T:
        until = time.monotonic() + deadline_s
        while True:
            attempts -= 1
            agent = _Agent(_Http(self._session, self._base, until))
            try:
                return question(consul.Consul.KV(agent))
            except _Unanswered as error:
                if attempts and time.monotonic() < until:
                    continue
                raise self._unanswered(what, error, is_write=is_write, deadline_s=deadline_s) from error
            except consul.ConsulException as error:
                raise self._refused(what, error, is_write=is_write) from error
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                message = f"{self.uri} does not answer as Consul does, asked to {what}: {type(error).__name__} {error}"
                raise LinkError(message, hint="is it the HTTP address of a Consul agent?") from error

    def _unanswered(self, what: str, error: _Unanswered, *, is_write: bool, deadline_s: float) -> AliecsError:
        hint = "is the agent running there, and reachable from this host?"
        if is_write and error.is_sent:
            message = f"{self.uri}: no answer, asked to {what}: {error}; it may have happened"
            return DeadlineError(message, hint="look at the key before trying again")
        if error.is_sent and error.is_late:
            return DeadlineError(f"{self.uri}: no answer within {deadline_s:g} s, asked to {what}", hint=hint)
        return LinkError(f"{self.uri} cannot be reached to {what}: {error}", hint=hint)

    def _refused(self, what: str, error: consul.ConsulException, *, is_write: bool) -> AliecsError:
        text = " ".join(str(error).split()) or "no reason given"
        if isinstance(error, consul.ACLPermissionDenied):
            hint = "give a token that has the right to it, in the environment variable CONSUL_HTTP_TOKEN"
            return ConfigError(f"{self.uri} does not permit to {what}: {text}", hint=hint)
        if text.startswith("413"):
            message = f"{self.uri} refused to {what}: the text is longer than Consul takes"
            return ConfigError(f"{message}: {text}", hint="split it into several entries")
        if isinstance(error, consul.base.ClientError | consul.base.BadRequest | consul.ACLDisabled):
            hint = "does a name have characters that Consul does not print?" if text == "400" else ""
            return ConfigError(f"{self.uri} refused to {what}: {text}", hint=hint)
        if "No cluster leader" in text:
            message = f"{self.uri} has no leader, asked to {what}"
            return LinkError(message, hint="its servers are electing one, or too few of them are running")
        if is_write:
            return DeadlineError(f"{self.uri} failed to {what}: {text}; it may have happened")
        return LinkError(f"{self.uri} failed to {what}: {text}")


class _Unanswered(Exception):
    """A request got no answer.

    Attributes:
        is_sent: the request went out, at least in part.
        is_late: the time was up.
    """

    def __init__(self, text: str, *, is_sent: bool, is_late: bool = False) -> None:
        super().__init__(text)
        self.is_sent = is_sent
        self.is_late = is_late


@dataclass(frozen=True, slots=True)
class _Agent:
    """What python-consul's KV needs of its client."""

    http: _Http
    token: None = None
    """Goes in a header, not into addresses that are logged."""
    dc: None = None
    consistency: str = "default"


class _Http:
    """Sends the requests of one call before its time is up."""

    def __init__(self, session: requests.Session, base: str, until: float) -> None:
        self._session = session
        self._base = base
        self._until = until

    def get(self, callback: Callable[[Any], _T], path: str, params: Sequence[tuple[str, Any]] = ()) -> _T:
        return callback(self._send("GET", path, params, None))

    def put(
        self, callback: Callable[[Any], _T], path: str, params: Sequence[tuple[str, Any]] = (), data: bytes = b""
    ) -> _T:
        return callback(self._send("PUT", path, params, data))

    def delete(self, callback: Callable[[Any], _T], path: str, params: Sequence[tuple[str, Any]] = ()) -> _T:
        return callback(self._send("DELETE", path, params, None))

    def _send(self, method: str, path: str, params: Sequence[tuple[str, Any]], data: bytes | None) -> Any:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise _Unanswered("no connection in time", is_sent=False, is_late=True)
        url = f"{self._base}{quote(path, safe='/')}"
        try:
            with self._session.request(
                method, url, params=params, data=data, timeout=left_s, stream=True, allow_redirects=False
            ) as reply:
                body = self._body(reply)
                return consul.base.Response(reply.status_code, reply.headers, body.decode("utf-8"))
        except requests.ConnectTimeout as error:
            raise _Unanswered("no connection in time", is_sent=False, is_late=True) from error
        except requests.Timeout as error:
            raise _Unanswered("no answer in time", is_sent=True, is_late=True) from error
        except requests.RequestException as error:
            is_late = time.monotonic() >= self._until
            raise _Unanswered(_cause(error), is_sent=not _is_unsent(error), is_late=is_late) from error

    def _body(self, reply: requests.Response) -> bytes:
        parts = []
        for part in reply.iter_content(CHUNK_BYTES):
            parts.append(part)
            if time.monotonic() > self._until:
                raise _Unanswered("the answer did not end in time", is_sent=True, is_late=True)
        return b"".join(parts)


def _item_or_none(found: Mapping[str, Any] | None) -> Item | None:
    return _item(found) if found else None


def _item(found: Mapping[str, Any]) -> Item:
    data = found["Value"] or b""
    return Item(
        key=found["Key"],
        text=data.decode("utf-8", "surrogateescape"),
        index=int(found["ModifyIndex"]),
        flags=int(found["Flags"]),
    )


def _is_unsent(error: requests.RequestException) -> bool:
    """Tell whether no connection was made at all."""
    return any(isinstance(one, NewConnectionError) for one in _chain(error)) or isinstance(error, requests.URLRequired)


def _cause(error: BaseException) -> str:
    """Return what the operating system says of a failed connection, without the wrappings of the libraries."""
    for one in _chain(error):
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    return "the connection was lost"


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found
