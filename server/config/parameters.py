"""The parameters behind the ``?`` of a component's address: whether to process templates, and variables for them.

Grammar: workflows-config.md 9.3, second rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from occ.errors import ConfigError

_PAIR = re.compile(r'([A-Za-z0-9_-]+)=([A-Za-z0-9_,"\[\]-]+)')
_BOOLS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a parameter string says."""

    process: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)


def parse_parameters(text: str) -> Parameters:
    """Read ``key=value&key=value``.

    Raises:
        ConfigError: another form, an empty value, a key twice, or a ``process`` that is no bool.
    """
    pairs: dict[str, str] = {}
    for part in unquote_plus(text).split("&"):
        match = _PAIR.fullmatch(part)
        if match is None:
            raise ConfigError(
                f"bad parameters {text!r}: {part!r} is not key=value",
                hint='keys are letters, digits, _ and -; values besides , " [ ], and never empty',
            )
        if match[1] in pairs:
            raise ConfigError(f"bad parameters {text!r}: {match[1]} is given twice")
        pairs[match[1]] = match[2]
    process = pairs.pop("process", "true")
    if process not in _BOOLS:
        raise ConfigError(f"bad parameters {text!r}: process is {process!r}, no bool", hint="write true or false")
    return Parameters(_BOOLS[process], pairs)
