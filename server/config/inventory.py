"""Detectors, readout hosts, cards, their endpoints and links in a store (workflows-config.md 9.8).

Beside AliECS's keys a host may have our own, which the local backend reads: ``o2/hardware/flps/<host>/aliecs/`` with
``address``, ``cpus``, ``memory`` (MB) and ``attributes/<name>``; all optional.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from occ.errors import ConfigError
from server.config.store import COMPONENTS, DETECTORS, FLPS, HARDWARE, Store

NOT_A_READOUT_DETECTOR = "TRG"
"""Left out of the list of detectors unless all are asked for."""

DETECTOR_CODES = frozenset(
    "PDP EPN FLP TPC TRD TOF HMP PHS CPV MCH ZDC TRG EMC TST ITS FDD FT0 FV0 MFT MID DCS FOC FIT NIL".split()
)
"""What may be called a detector or system (workflows-config.md 10)."""

READOUT_CARDS = f"{COMPONENTS}/readoutcard"
_LINK = re.compile(r"link([0-9]+)")

DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_CPUS = 8.0
"""Cores of a host that says nothing; bookkeeping only, nothing is limited to them."""
DEFAULT_MEMORY_MB = 16_384.0


class HostEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A host of the inventory, as the local backend sees it."""

    name: str
    address: str = DEFAULT_ADDRESS
    detector: str = ""
    """"" if no detector has it."""
    attributes: Mapping[str, str] = {}
    """Always with ``machine_id``, the host's name unless told otherwise."""
    cpus: float = DEFAULT_CPUS
    memory_mb: float = DEFAULT_MEMORY_MB


def detectors(store: Store, *, every: bool = False) -> list[str]:
    """Return the detectors in the store's order, without TRG unless every one is asked for."""
    return [name for name in store.names(DETECTORS) if every or name != NOT_A_READOUT_DETECTOR]


def hosts_of(store: Store, detector: str = "") -> list[str]:
    """Return the hosts of a detector, all readout hosts for ""; none for a detector that is not known."""
    return store.names(f"{DETECTORS}/{detector}/flps" if detector else FLPS)


def detector_inventory(store: Store) -> dict[str, list[str]]:
    """Return the hosts of every detector, TRG too."""
    read = store.snapshot(DETECTORS)
    return {detector: hosts_of(read, detector) for detector in detectors(read, every=True)}


def detector_for_host(store: Store, host: str) -> str:
    """Return the detector that has the host.

    Raises:
        ConfigError: none has it.
    """
    for detector, hosts in detector_inventory(store).items():
        if host in hosts:
            return detector
    raise ConfigError(f"detector not found for host {host}", hint=_known_hosts(store))


def detectors_for_hosts(store: Store, hosts: Sequence[str]) -> list[str]:
    """Return the detectors of the hosts, each once, sorted.

    Raises:
        ConfigError: a host that no detector has.
    """
    by_host = {host: detector for detector, members in reversed(detector_inventory(store).items()) for host in members}
    unknown = [host for host in hosts if host not in by_host]
    if unknown:
        raise ConfigError(f"detector not found for host {unknown[0]}", hint=_known_hosts(store))
    return sorted({by_host[host] for host in hosts})


def cru_cards(store: Store, host: str) -> list[str]:
    """Return the serial numbers of the cards of a host, each once, sorted."""
    return sorted({str(card.get("serial", "")) for card in _cards(store, host)})


def endpoints_of_card(store: Store, host: str, serial: str) -> list[str]:
    """Return the endpoints of a card, sorted as numbers; none for a card that is not known."""
    found = {str(card.get("endpoint", "")) for card in _cards(store, host) if str(card.get("serial", "")) == serial}
    return sorted(found, key=lambda endpoint: (len(endpoint), endpoint))


def link_ids(store: Store, host: str, serial: str, endpoint: str, *, only_enabled: bool = False) -> list[str]:
    """Return the numbers of the links of a card's endpoint, sorted as numbers.

    Raises:
        ConfigError: no configuration of that endpoint, or one that is no JSON object of sections.
    """
    key = f"{READOUT_CARDS}/{host}/cru/{serial}/{endpoint}"
    found = []
    for name, section in _json_object(store, key, "configuration of a card").items():
        match = _LINK.fullmatch(name)
        enabled = section.get("enabled") if isinstance(section, dict) else None
        if match and isinstance(enabled, str) and (enabled == "true" or not only_enabled):
            found.append(match[1])
    return sorted(found, key=lambda number: (len(number), number))


def aliased_link_ids(store: Store, detector: str, *, only_enabled: bool = False) -> list[str]:
    """Return the aliases of all links of a detector's hosts, sorted.

    Raises:
        ConfigError: a card, a configuration or an alias is missing anywhere; names it.
    """
    found = []
    hardware, configured = store.snapshot(HARDWARE), store.snapshot(READOUT_CARDS)
    for host in hosts_of(hardware, detector) if detector else []:
        aliases = _Aliases(hardware, f"{DETECTORS}/{detector}/flps/{host}/aliases")
        for serial in cru_cards(hardware, host):
            for endpoint in endpoints_of_card(hardware, host, serial):
                links = link_ids(configured, host, serial, endpoint, only_enabled=only_enabled)
                found += [aliases.of(f"{serial}:{endpoint}", link) for link in links]
    return sorted(found)


class _Aliases:
    """The names that a detector gives to the links of one host; the text is read when the first is asked for."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._content: dict[str, Any] | None = None

    def of(self, card: str, link: str) -> str:
        """Return the alias of a link of the card ``serial:endpoint``."""
        if self._content is None:
            self._content = _json_object(self._store, self._key, "aliases")
        found: Any = self._content
        for name in ("cards", card, "links", link, "alias"):
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, str):
            raise ConfigError(f"no alias of link {link} of card {card} in {self._key}")
        return found


def host_entries(store: Store) -> list[HostEntry]:
    """Return every host below o2/hardware/flps and of every detector, with its facts.

    Raises:
        ConfigError: a number that is none; names the key.
    """
    read = store.snapshot(HARDWARE)
    return entries_of(read, hosts_of(read), detector_inventory(read))


def entries_of(store: Store, hosts: Sequence[str], by_detector: Mapping[str, Sequence[str]]) -> list[HostEntry]:
    """Return the hosts and those of the detectors, with the facts that a store has about them.

    Raises:
        ConfigError: a number that is none; names the key.
    """
    by_host: dict[str, str] = dict.fromkeys(hosts, "")
    for detector, members in reversed(list(by_detector.items())):
        by_host.update(dict.fromkeys(members, detector))
    return [_host_entry(store, host, detector) for host, detector in by_host.items()]


def _host_entry(store: Store, host: str, detector: str) -> HostEntry:
    folder = f"{FLPS}/{host}/aliecs"
    facts = store.get_tree(folder)
    head = "attributes/"
    attributes = {key.removeprefix(head): value for key, value in facts.items() if key.startswith(head)}
    return HostEntry(
        name=host,
        address=facts.get("address", "").strip() or DEFAULT_ADDRESS,
        detector=detector,
        attributes={"machine_id": host} | attributes,
        cpus=_number(facts, "cpus", DEFAULT_CPUS, folder),
        memory_mb=_number(facts, "memory", DEFAULT_MEMORY_MB, folder),
    )


def _number(facts: Mapping[str, str], key: str, default: float, folder: str) -> float:
    text = facts.get(key, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigError(f"{folder}/{key}: {text!r} is not valid", hint="expected a number, 0 or more")
    return value


def _cards(store: Store, host: str) -> list[dict[str, Any]]:
    key = f"{FLPS}/{host}/cards"
    cards = _json_object(store, key, "cards")
    if not all(isinstance(card, dict) for card in cards.values()):
        raise ConfigError(f"{key}: expected a JSON object of cards")
    return list(cards.values())


def _json_object(store: Store, key: str, what: str) -> dict[str, Any]:
    text = store.get(key)
    if text is None:
        raise ConfigError(f"no {what} at {key}", hint=_known_hosts(store))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{key} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{key}: expected a JSON object")
    return content


def _known_hosts(store: Store) -> str:
    names = sorted({host for hosts in detector_inventory(store).values() for host in hosts})
    return f"hosts of detectors: {', '.join(names) or 'none'}"
