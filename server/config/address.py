"""Addresses of the configuration: what the core's setting configServiceUri may be (workflows-config.md 9.1, core.md 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from occ.errors import ConfigError

EXPECTED = (
    "expected file:///path of a YAML or JSON file, consul://host:port, apricot://host:port of a configuration service, "
    "or mock:// for an empty store"
)
SERVICE_PORT = 32101
"""Of a configuration service whose address names none."""
CONSUL_PORT = 8500
"""Of a Consul agent whose address names none."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the configuration is."""

    scheme: str
    path: Path = Path()
    """Of a file; absolute."""
    host: str = ""
    port: int = 0

    @property
    def endpoint(self) -> str:
        """``host:port``; "" of what has none."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if host else ""

    @property
    def uri(self) -> str:
        """The address as it is shown and given to other processes."""
        return f"{self.scheme}://{self.path if self.scheme == 'file' else self.endpoint}"


def parse_address(uri: str) -> Address:
    """Read an address; a plain absolute path is that of a file.

    Raises:
        ConfigError: another scheme or form.
    """
    text = uri.strip()
    if text.startswith("/") and not text.startswith("//"):
        text = f"file://{text}"
    scheme, _, rest = text.partition("://")
    if scheme == "mock" and rest in ("", "/"):
        return Address("mock")
    if scheme == "file" and rest.startswith("/") and not rest.endswith("/"):
        return Address("file", path=Path(rest))
    if scheme == "consul" and (agent := _host_and_port(text, CONSUL_PORT)):
        return Address("consul", host=agent[0], port=agent[1])
    if scheme == "apricot" and (service := _host_and_port(text, SERVICE_PORT)):
        return Address("apricot", host=service[0], port=service[1])
    raise ConfigError(f"address of the configuration {uri!r} is not supported", hint=EXPECTED)


def _host_and_port(text: str, default: int) -> tuple[str, int] | None:
    """Return both of ``scheme://host[:port][/]``, None for anything else."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    is_plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    return (host, default if port is None else port) if host and is_plain and port != 0 else None
