"""The configuration that a DPL command names: its addresses, and the payloads behind them (workflows-config.md 7.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from occ.errors import AliecsError, ConfigError
from server.config.components import parse_query
from server.config.parameters import Parameters, parse_parameters
from server.template.services import Services

MAX_ADDRESSES = 2
"""So many of one command are looked at."""

_ADDRESS = re.compile(r"""['"]?(?:consul-json|apricot)://[^ |\n]*""")
_COMPONENTS = "components/"


@dataclass(frozen=True, slots=True)
class PayloadAddress:
    """One address in a command.

    Attributes:
        text: as it stands there, without quotes.
        path: ``component/RUNTYPE/role/entry``.
    """

    text: str
    path: str
    parameters: Parameters

    def fetch(self, services: Services) -> str:
        """Return the payload.

        Raises:
            ConfigError: it cannot be had; names the address.
        """
        try:
            if self.parameters.process:
                return services.get_component(self.path, self.parameters.variables)
            return services.get_component_raw(self.path)
        except AliecsError as error:
            raise ConfigError(f"{self.text}: {error.message}", hint=error.hint) from error


def payload_addresses(command: str) -> list[PayloadAddress]:
    """Return the addresses in a command, at most two.

    Raises:
        ConfigError: one that names no entry of a component; names it.
    """
    return [_read(match[0]) for match, _ in zip(_ADDRESS.finditer(command), range(MAX_ADDRESSES), strict=False)]


def _read(found: str) -> PayloadAddress:
    text = found.lstrip("'\"")
    if len(text) < len(found) and found.endswith(found[0]):
        text = text[:-1]
    head, mark, rest = text.partition(_COMPONENTS)
    if not mark:
        raise ConfigError(
            f"{text}: no {_COMPONENTS} in the address", hint="expected …/o2/components/component/RUNTYPE/role/entry"
        )
    path, mark, written = rest.partition("?")
    try:
        query = parse_query(path)
        parameters = parse_parameters(written) if mark else Parameters(process=head.startswith("apricot"))
    except ConfigError as error:
        raise ConfigError(f"{text}: {error.message}", hint=error.hint) from error
    return PayloadAddress(text, query.path, parameters)
