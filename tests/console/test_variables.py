"""Variables of an environment: the layer that counts, and what it stands over."""

from __future__ import annotations

from console.variables import effective, rows
from server.api.model import Variables

VARIABLES = Variables(
    environment_id="2abc",
    defaults={"rate": "5", "mode": "slow"},
    vars={"mode": "fast", "hosts": "[]"},
    user_vars={"mode": "ludicrous", "run_number": "7"},
)


def test_each_variable_has_the_value_that_counts_and_the_layer_it_comes_from() -> None:
    shown = [tuple(one) for one in rows(VARIABLES, {"mode": "ludicrous"})]
    assert shown == [
        ("hosts", "[]", "var", None),
        ("mode", "ludicrous", "user", "fast"),
        ("rate", "5", "default", None),
        ("run_number", "7", "runtime", None),
    ]


def test_what_the_user_gave_counts_over_all_else() -> None:
    assert dict(effective(VARIABLES)) == {"rate": "5", "mode": "ludicrous", "hosts": "[]", "run_number": "7"}
    assert dict(effective(None)) == {}
