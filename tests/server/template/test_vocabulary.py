"""Which texts may ask services when they are evaluated."""

from __future__ import annotations

import pytest
from golden_workflows import RecordedServices

from server.template.access import SERVICE_NAMES, service_objects
from server.template.vocabulary import asks_services, vocabulary


def test_every_function_that_asks_services_is_known_by_name() -> None:
    assert set(service_objects(RecordedServices({}, {}))) | {"$env"} == SERVICE_NAMES


@pytest.mark.parametrize(
    "text",
    [
        "a {{ config.Get('x') }}",
        "{{ strings.ToUpper(GetConfig(x)) }}",
        "{{ a ?? runtime.Get('a', 'b') }}",
        "{{ $env[x] }}",
    ],
)
def test_a_text_that_names_one_asks(text: str) -> None:
    assert asks_services(["plain", text])


@pytest.mark.parametrize(
    "text", ["config.Get('x')", "{{ configuration }}", "{{ a.config }}", "{{ strings.ToUpper(x)", "{{ ) }}"]
)
def test_other_texts_do_not(text: str) -> None:
    assert not asks_services([text])


def test_without_services_there_is_no_configuration() -> None:
    assert "config" not in vocabulary()
    assert {"config", "strings"} <= vocabulary(RecordedServices({}, {})).keys()
