"""Our definitions are AliECS's: same bytes for the recorded samples, same names and numbers as the tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

from occ.api import occ_pb2
from server.api import apricot_pb2, common_pb2, events_pb2, o2control_pb2

pytestmark = pytest.mark.reference

FILES: tuple[FileDescriptor, ...] = (
    common_pb2.DESCRIPTOR,
    events_pb2.DESCRIPTOR,
    o2control_pb2.DESCRIPTOR,
    occ_pb2.DESCRIPTOR,
    apricot_pb2.DESCRIPTOR,
)
_SCALARS = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in ("int32", "int64", "uint32", "uint64", "bool", "string", "double", "float", "bytes")
}


def all_messages(file: FileDescriptor) -> Iterator[Descriptor]:
    for message in file.message_types_by_name.values():
        yield message
        yield from (it for it in message.nested_types if not it.GetOptions().map_entry)


@pytest.mark.parametrize("interface", ["o2control", "occ", "apricot"])
def test_every_recorded_sample_serialises_to_the_recorded_bytes(reference: Path, interface: str) -> None:
    samples = json.loads((reference / "golden" / "wire" / f"{interface}.json").read_text())
    known = {message.full_name: message for file in FILES for message in all_messages(file)}
    wrong = {}
    for sample in samples:
        message = message_factory.GetMessageClass(known[sample["message"]])()
        json_format.ParseDict(sample["json"], message)
        if message.SerializeToString(deterministic=True).hex() != sample["hex"]:
            wrong[sample["message"]] = message.SerializeToString(deterministic=True).hex()
    assert not wrong
    packages = {"o2control": ("common", "events", "o2control"), "occ": ("occ_pb",), "apricot": ("apricot",)}[interface]
    assert {sample["message"] for sample in samples} == {name for name in known if name.split(".")[0] in packages}


def type_name(field: FieldDescriptor) -> str:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        short = value.message_type.name if value.message_type is not None else type_name(value)
        return f"map<{type_name(key)},{short}>"
    if field.message_type is not None:
        return field.message_type.full_name
    if field.enum_type is not None:
        return field.enum_type.full_name
    return _SCALARS[field.type]


def describe(field: FieldDescriptor) -> str:
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    label = "rep " if field.is_repeated and not is_map else ""
    oneof = field.containing_oneof
    if oneof is not None:
        label = "opt " if oneof.name == f"_{field.name}" else f"oneof {oneof.name}: "
    return f"{field.name} {label}{type_name(field)} #{field.number}"


def rows(files: tuple[FileDescriptor, ...]) -> Iterator[str]:
    """Yield our definitions in the notation of the tables."""

    def enum_row(enum: EnumDescriptor) -> str:
        return f"enum `{enum.full_name}`: " + ", ".join(f"{value.name}={value.number}" for value in enum.values)

    for file in files:
        for enum in file.enum_types_by_name.values():
            yield enum_row(enum)
        for message in all_messages(file):
            yield f"`{message.full_name}`: " + ("; ".join(describe(it) for it in message.fields) or "(none)")
            yield from (enum_row(enum) for enum in message.enum_types)
        for service in file.services_by_name.values():
            methods = (
                f"{it.name}({it.input_type.name}) -> {'stream ' * it.server_streaming}{it.output_type.name}"
                for it in service.methods
            )
            yield f"service `{service.full_name}`: " + "; ".join(methods)


def test_names_numbers_and_types_equal_the_tables(reference: Path) -> None:
    text = (reference / "spec" / "wire-tables.md").read_text()
    packages = ("common.", "events.", "o2control.", "occ_pb.", "apricot.")
    theirs = {
        line.strip().removeprefix("- ")
        for line in text.splitlines()
        if (name := re.search(r"^\s*(?:- )?(?:enum |service )?`([\w.]+)`:", line)) and name[1].startswith(packages)
    }
    ours = set(rows(FILES))
    assert ours - theirs == set()
    assert theirs - ours == set()
