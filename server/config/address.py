"""Addresses of the configuration: what the core's setting configServiceUri may be (workflows-config.md 9.1, core.md 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from occ.errors import ConfigError

EXPECTED = "expected file:///path of a YAML or JSON file, or mock:// for an empty store"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the configuration is."""

    scheme: str
    path: Path = Path()
    """Of a file; absolute."""

    @property
    def uri(self) -> str:
        """The address as it is shown and given to other processes."""
        return f"{self.scheme}://{self.path if self.scheme == 'file' else ''}"


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
    raise ConfigError(f"address of the configuration {uri!r} is not supported", hint=EXPECTED)
