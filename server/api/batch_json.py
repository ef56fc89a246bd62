"""A batch of the live picture as protobuf JSON, for recordings. Fields are named as in live.proto."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format

from server.api import live_pb2
from server.api.convert import from_batch, to_batch
from server.api.model import Batch


def to_json(batch: Batch) -> dict[str, Any]:
    """Return the batch as JSON values; 64-bit numbers are texts there, as protobuf has it."""
    return json_format.MessageToDict(to_batch(batch), preserving_proto_field_name=True)


def from_json(value: dict[str, Any]) -> Batch:
    """Return the batch; what a newer version wrote and we do not know is left out.

    Raises:
        ValueError: a known field holds what it cannot hold; says which.
    """
    try:
        return from_batch(json_format.ParseDict(value, live_pb2.Batch(), ignore_unknown_fields=True))
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
