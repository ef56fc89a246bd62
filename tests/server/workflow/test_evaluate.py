"""Evaluating the call of an integrated service (core.md 2.8.2)."""

from __future__ import annotations

import pytest

from occ.errors import ConfigError
from server.workflow.evaluate import evaluate_call


def fail() -> str:
    raise ConfigError("the service said no")


FUNCTIONS = {"plug": {"Name": lambda: "done", "Fail": fail}}


def test_a_call_returns_its_output_and_the_rendered_name_of_its_variable() -> None:
    assert evaluate_call("plug.Name()", "r_{{ det }}", {"det": "its"}, FUNCTIONS) == ("done", "r_its")


def test_a_call_is_an_expression_like_any_other() -> None:
    assert evaluate_call("on == 'true' ? plug.Name() + '!' : ''", "", {"on": "true"}, FUNCTIONS) == ("done!", "")
    assert evaluate_call("['a', plug.Name()]", "", {}, FUNCTIONS)[0] == '["a","done"]'


@pytest.mark.parametrize("func", ["plug.Other()", "other.Name()", "plug.Name('x')", "plug.Name(", "", "a + b"])
def test_a_call_that_cannot_be_evaluated_is_an_error_that_shows_it(func: str) -> None:
    with pytest.raises(ConfigError):
        evaluate_call(func, "", {}, FUNCTIONS)


def test_an_error_of_the_service_comes_through() -> None:
    with pytest.raises(ConfigError, match="said no"):
        evaluate_call("plug.Fail()", "", {}, FUNCTIONS)
