"""The contract as it is declared: descriptors with their comments, easy to walk and to break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from proto.generate import comments_of, named

PREFIX = "veritick."


@dataclass(frozen=True)
class Rpc:
    """One RPC with where it stands."""

    name: str
    """`veritick.trading.v1.OrderService.PlaceOrder`."""

    file: FileDescriptorProto
    method: MethodDescriptorProto

    @property
    def streams(self) -> bool:
        return self.method.server_streaming or self.method.client_streaming

    @property
    def changes(self) -> bool:
        """Whether it is declared to have side effects."""
        return self.method.options.idempotency_level != self.method.options.NO_SIDE_EFFECTS


@dataclass(frozen=True)
class Contract:
    """Every file of ours; names are full names, `veritick.…`."""

    files: tuple[FileDescriptorProto, ...]

    @classmethod
    def of(cls, image: bytes) -> Contract:
        """Return the contract that a descriptor set with source information holds."""
        every = FileDescriptorSet.FromString(image).file
        return cls(tuple(file for file in every if file.package.startswith(PREFIX)))

    @cached_property
    def comments(self) -> dict[str, str]:
        return {name: text for file in self.files for name, text in comments_of(file)}

    @cached_property
    def names(self) -> frozenset[str]:
        """Everything that can carry a comment."""
        return frozenset(f"{file.package}.{name}" for file in self.files for _, name in named(file))

    @cached_property
    def messages(self) -> dict[str, DescriptorProto]:
        return {
            name: message
            for file in self.files
            for top in file.message_type
            for name, message in _messages(top, file.package)
        }

    @cached_property
    def enums(self) -> dict[str, EnumDescriptorProto]:
        top = {
            f"{file.package}.{enum.name}": enum for file in self.files for enum in file.enum_type
        }
        nested = {
            f"{name}.{enum.name}": enum
            for name, message in self.messages.items()
            for enum in message.enum_type
        }
        return top | nested

    @cached_property
    def rpcs(self) -> tuple[Rpc, ...]:
        return tuple(
            Rpc(f"{file.package}.{service.name}.{method.name}", file, method)
            for file in self.files
            for service in file.service
            for method in service.method
        )

    def comment(self, name: str) -> str:
        return self.comments.get(name, "")

    def request(self, rpc: Rpc) -> DescriptorProto:
        return self.messages[rpc.method.input_type.lstrip(".")]

    def response(self, rpc: Rpc) -> DescriptorProto:
        return self.messages[rpc.method.output_type.lstrip(".")]

    def fields(self) -> Iterator[tuple[str, FieldDescriptorProto]]:
        for name, message in self.messages.items():
            for field in message.field:
                yield f"{name}.{field.name}", field

    def find_field(self, message: DescriptorProto, path: str) -> FieldDescriptorProto | None:
        """Return the field at a path such as `terms.instrument`."""
        head, _, rest = path.partition(".")
        field = field_named(message, head)
        if field is None or not rest:
            return field
        inner = self.messages.get(field.type_name.lstrip("."))
        return self.find_field(inner, rest) if inner else None


def field_named(message: DescriptorProto, name: str) -> FieldDescriptorProto | None:
    return next((field for field in message.field if field.name == name), None)


def _messages(message: DescriptorProto, scope: str) -> Iterator[tuple[str, DescriptorProto]]:
    name = f"{scope}.{message.name}"
    yield name, message
    for nested in message.nested_type:
        if not nested.options.map_entry:
            yield from _messages(nested, name)
