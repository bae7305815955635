"""The rules that every part of the contract keeps (contract.md); each yields what breaks it.

A rule is about structure where it can be, so that what is added later is held to it unasked.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, MethodOptions
from google.rpc import code_pb2

from services.identity.permission import PERMISSIONS
from services.local.keys import SIGNERS
from tests.contract.declared import Contract, Rpc, field_named
from veritick.option.v1.access_pb2 import COST_CLASS_UNSPECIFIED, access, cost
from veritick.option.v1.field_pb2 import FieldRules
from veritick.option.v1.field_pb2 import field as field_rules
from veritick.option.v1.reason_pb2 import reason as reason_rules

Rule = Callable[[Contract], Iterator[str]]

MONEY = ".veritick.type.v1.Money"
FILE = ".google.api.HttpBody"
REASONS = "veritick.error.v1.ErrorReason"
BOOKS = "veritick.trading.v1"
"""The package where all money moves (architecture.md, "Books")."""

SERVICES = frozenset(SIGNERS) | {"payments", "tournaments"}
"""Who signs calls: those of today, and two that the design names and a later issue builds."""

IDEMPOTENT_WITHOUT_REQUEST_ID = {
    "veritick.trading.v1.AccountService.OpenAccounts": "by user",
    "veritick.trading.v1.AdjustmentService.ApproveAdjustment": "by proposal",
    "veritick.trading.v1.AdjustmentService.RejectAdjustment": "by proposal",
    "veritick.trading.v1.AdjustmentService.WithdrawAdjustment": "by proposal",
    "veritick.trading.v1.BookService.SettleOrders": "by order",
    "veritick.trading.v1.LimitService.ApplyProtection": "by version",
    "veritick.trading.v1.PersonalDataService.CloseAccounts": "by user",
    "veritick.trading.v1.TermsService.UpdateTerms": "terms.version",
}
"""Changes to a book that something else than a request id makes happen once, as they document."""

_VARIABLE = re.compile(r"\{([a-z0-9_.]+)\}")
_LOUD = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")
_EXAMPLE = re.compile(r"Example:\s*(\{.*\})", re.DOTALL)
_SECRETS = re.compile(r"password|secret|(?<!page)_token$|^token$")


def a_package_is_a_directory_is_a_version(contract: Contract) -> Iterator[str]:
    for file in contract.files:
        folder = file.name.rpartition("/")[0]
        if folder.replace("/", ".") != file.package or not re.search(r"\.v[1-9]\d*$", file.package):
            yield f"{file.name} declares the package {file.package}"


def everything_is_explained(contract: Contract) -> Iterator[str]:
    for name in sorted(contract.names):
        if not contract.comment(name).strip():
            yield f"{name} has no comment"


def what_can_be_called_or_sent_begins_with_its_name(contract: Contract) -> Iterator[str]:
    enums = (name for name in contract.enums)
    for name in sorted({rpc.name for rpc in contract.rpcs} | {*contract.messages} | {*enums}):
        own = name.rpartition(".")[2]
        if not contract.comment(name).strip().startswith(f"{own} "):
            yield f"the comment of {name} does not begin with {own}"


def comments_name_only_what_exists(contract: Contract) -> Iterator[str]:
    known = {value.name for enum in contract.enums.values() for value in enum.value}
    known |= set(code_pb2.Code.keys())
    for rpc in contract.rpcs:
        for word in _LOUD.findall(contract.comment(rpc.name)):
            if word not in known:
                yield f"{rpc.name} speaks of {word}, which is no reason and no value"


def every_rpc_says_who_may_call_it(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        rule = rpc.method.options.Extensions[access]
        people = rule.WhichOneof("people")
        if people in {"public", "user"} and not getattr(rule, people):
            yield f"{rpc.name} declares {people}: false, which means nothing"
        if people is None and not rule.services:
            yield f"{rpc.name} admits nobody"


def access_names_only_known_services(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        for name in rpc.method.options.Extensions[access].services:
            if name not in SERVICES:
                yield f"{rpc.name} admits the service {name}, which does not exist"


def access_names_only_permissions_that_a_role_has(contract: Contract) -> Iterator[str]:
    granted = frozenset().union(*PERMISSIONS.values())
    for rpc in contract.rpcs:
        permission = rpc.method.options.Extensions[access].permission
        if permission and permission not in granted:
            yield f"{rpc.name} asks for {permission}, which no role has"


def every_rpc_has_a_cost(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        if rpc.method.options.Extensions[cost] == COST_CLASS_UNSPECIFIED:
            yield f"{rpc.name} has no cost class"


def every_rpc_has_messages_of_its_own(contract: Contract) -> Iterator[str]:
    uses = Counter(
        type_name
        for rpc in contract.rpcs
        for type_name in (rpc.method.input_type, rpc.method.output_type)
    )
    for rpc in contract.rpcs:
        wanted = {
            "Request": rpc.method.input_type,
            "Response": rpc.method.output_type,
        }
        for suffix, type_name in wanted.items():
            if type_name != f".{rpc.file.package}.{rpc.method.name}{suffix}":
                yield f"{rpc.name} uses {type_name}"
            if uses[type_name] > 1:
                yield f"{rpc.name} shares {type_name}"


def every_change_of_money_carries_a_request_id(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        if not _moves_money(contract, rpc):
            continue
        if (how := IDEMPOTENT_WITHOUT_REQUEST_ID.get(rpc.name)) is not None:
            if how not in contract.comment(rpc.name):
                yield f"{rpc.name} does not say that it is idempotent {how}"
            continue
        field = field_named(_one_change(contract, rpc), "request_id")
        rules = field.options.Extensions[field_rules] if field else FieldRules()
        if not (rules.required and rules.format == FieldRules.UUID):
            yield f"{rpc.name} has no required request_id in the format UUID"
        if rpc.method.options.idempotency_level != MethodOptions.IDEMPOTENT:
            yield f"{rpc.name} is not declared IDEMPOTENT"


def _one_change(contract: Contract, rpc: Rpc) -> DescriptorProto:
    """What asks for one change: the request, or an item of a request that is nothing but a list."""
    request = contract.request(rpc)
    only = request.field[0] if len(request.field) == 1 else None
    if only is not None and only.label == FieldDescriptorProto.LABEL_REPEATED:
        return contract.messages.get(only.type_name.removeprefix("."), request)
    return request


def _moves_money(contract: Contract, rpc: Rpc) -> bool:
    """Whether it changes a book, or changes anything and is told an amount."""
    told = any(field.type_name == MONEY for field in contract.request(rpc).field)
    return rpc.changes and (rpc.file.package == BOOKS or told)


def exceptions_are_still_needed(contract: Contract) -> Iterator[str]:
    named = {rpc.name: rpc for rpc in contract.rpcs}
    for name in IDEMPOTENT_WITHOUT_REQUEST_ID:
        rpc = named.get(name)
        if rpc is None or field_named(contract.request(rpc), "request_id"):
            yield f"{name} needs no exception any more"


def nothing_is_a_float(contract: Contract) -> Iterator[str]:
    for name, field in contract.fields():
        if field.type in {FieldDescriptorProto.TYPE_FLOAT, FieldDescriptorProto.TYPE_DOUBLE}:
            yield f"{name} is a float"


def every_list_has_pages_and_an_order(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        if not rpc.method.name.startswith("List"):
            continue
        fields = {field.name for field in contract.request(rpc).field}
        words = _words_about(contract, rpc)
        if "no pages" in words:
            continue
        if not (_has_bounded_page_size(contract, rpc) and _has_a_key(contract, rpc, fields)):
            yield f"{rpc.name} neither has pages nor says that it has no pages"
        if not re.search(r"\bby\b|\bfirst\b|in order of", words):
            yield f"{rpc.name} does not say in which order"
        called_by_people = rpc.method.options.HasExtension(annotations_pb2.http)
        if called_by_people and not fields & {"filter", "after", "start"}:
            yield f"{rpc.name} has no filter"


def _has_bounded_page_size(contract: Contract, rpc: Rpc) -> bool:
    field = field_named(contract.request(rpc), "page_size")
    return field is not None and field.options.Extensions[field_rules].HasField("max")


def _has_a_key(contract: Contract, rpc: Rpc, fields: set[str]) -> bool:
    """Whether the next page is asked for by a token, a sequence or a time: never by an offset."""
    if field_named(contract.response(rpc), "next_page_token"):
        return "page_token" in fields
    return bool(fields & {"after", "after_sequence"} or {"start", "end"} <= fields)


def _words_about(contract: Contract, rpc: Rpc) -> str:
    answer = rpc.method.output_type.lstrip(".")
    names = [rpc.name, *(f"{answer}.{field.name}" for field in contract.response(rpc).field)]
    return " ".join(contract.comment(name) for name in names)


def what_people_call_is_on_rest_and_nothing_else_is(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        options = rpc.method.options
        # A stream is for gRPC, unless what it brings is the pieces of a file.
        fits = not rpc.streams or _is_file(contract, rpc)
        wanted = bool(options.Extensions[access].WhichOneof("people")) and fits
        # Staff tools that only operators use may stay off the edge.
        if options.Extensions[access].WhichOneof("people") == "permission":
            wanted = wanted and options.HasExtension(annotations_pb2.http)
        if options.HasExtension(annotations_pb2.http) != wanted:
            yield f"{rpc.name} {'lacks' if wanted else 'must not have'} a REST route"


def _is_file(contract: Contract, rpc: Rpc) -> bool:
    return any(field.type_name == FILE for field in contract.response(rpc).field)


def every_route_fits_its_messages(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        if not rpc.method.options.HasExtension(annotations_pb2.http):
            continue
        rule = rpc.method.options.Extensions[annotations_pb2.http]
        request, response = contract.request(rpc), contract.response(rpc)
        path = getattr(rule, rule.WhichOneof("pattern"))
        for variable in _VARIABLE.findall(path):
            field = contract.find_field(request, variable)
            if field is None or not field.options.Extensions[field_rules].required:
                yield f"{rpc.name}: {variable} in the path is no required field"
        if rule.body not in {"", "*"} and not field_named(request, rule.body):
            yield f"{rpc.name}: the body {rule.body} is no field"
        if rule.response_body and not field_named(response, rule.response_body):
            yield f"{rpc.name}: the response body {rule.response_body} is no field"


def every_route_uses_the_verb_for_what_it_does(contract: Contract) -> Iterator[str]:
    routes: Counter[tuple[str, str]] = Counter()
    for rpc in contract.rpcs:
        if not rpc.method.options.HasExtension(annotations_pb2.http):
            continue
        rule = rpc.method.options.Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        shape = (verb, _VARIABLE.sub("{}", getattr(rule, verb)))
        routes[shape] += 1
        if (verb == "get") == rpc.changes:
            yield f"{rpc.name} is a {verb} and {'changes' if rpc.changes else 'reads'}"
        if bool(rule.body) != (verb in {"post", "put", "patch"}):
            yield f"{rpc.name} is a {verb} {'with' if rule.body else 'without'} a body"
        if routes[shape] > 1:
            yield f"{rpc.name} shares the route {shape}"


def enum_values_read_well_in_json(contract: Contract) -> Iterator[str]:
    for name, enum in contract.enums.items():
        prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
        first, *rest = enum.value
        if first.number != 0 or first.name != f"{prefix}_UNSPECIFIED":
            yield f"{name} begins with {first.name}"
        for value in rest:
            if value.name.startswith(f"{prefix}_"):
                yield f"{name}.{value.name} repeats the name of its enum"


def every_reason_travels_and_has_an_example(contract: Contract) -> Iterator[str]:
    for value in contract.enums[REASONS].value:
        if value.number == 0:
            continue
        name = f"{REASONS}.{value.name}"
        if not value.options.Extensions[reason_rules].code:
            yield f"{name} has no status code"
        example = _example(contract.comment(name))
        if example.get("reason") != value.name or example.get("domain") != "veritick":
            yield f"{name} has no example of itself"
        metadata = example.get("metadata", {})
        if not all(isinstance(text, str) for text in metadata.values()):
            yield f"{name} shows metadata that is not text"


def _example(comment: str) -> dict[str, Any]:
    found = _EXAMPLE.search(comment)
    try:
        return dict(json.loads(found[1])) if found else {}
    except ValueError:
        return {}


def what_comes_in_has_a_bound(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        for field in contract.request(rpc).field:
            rules = field.options.Extensions[field_rules]
            where = f"{rpc.method.input_type.lstrip('.')}.{field.name}"
            many = field.label == FieldDescriptorProto.LABEL_REPEATED
            if many and not rules.max_items:
                yield f"{where} may have any number of items"
            shaped = rules.pattern or rules.format or rules.max_length
            if field.type == FieldDescriptorProto.TYPE_STRING and not (shaped or many):
                yield f"{where} may be of any length"


def patterns_are_about_the_whole_value(contract: Contract) -> Iterator[str]:
    # The servers match whole values; a JSON schema would look for the pattern anywhere in them.
    for rpc in contract.rpcs:
        for field in contract.request(rpc).field:
            pattern = field.options.Extensions[field_rules].pattern
            if pattern and not (pattern.startswith("^") and pattern.endswith("$")):
                yield f"{rpc.method.input_type.lstrip('.')}.{field.name} has a pattern without ends"


def ids_and_secrets_are_declared_as_such(contract: Contract) -> Iterator[str]:
    for rpc in contract.rpcs:
        for field in contract.request(rpc).field:
            rules = field.options.Extensions[field_rules]
            where = f"{rpc.method.input_type.lstrip('.')}.{field.name}"
            if field.name in {"account_id", "order_id"} and rules.format != (
                FieldRules.BOOK_SCOPED_ID
            ):
                yield f"{where} is not declared as the id of something in a book"
            if field.name.endswith(("user_id", "request_id")) and rules.format != FieldRules.UUID:
                yield f"{where} is not declared as a UUID"
            if _SECRETS.search(field.name) and not rules.secret:
                yield f"{where} is not declared as a secret"


RULES: tuple[Rule, ...] = (
    a_package_is_a_directory_is_a_version,
    everything_is_explained,
    what_can_be_called_or_sent_begins_with_its_name,
    comments_name_only_what_exists,
    every_rpc_says_who_may_call_it,
    access_names_only_known_services,
    access_names_only_permissions_that_a_role_has,
    every_rpc_has_a_cost,
    every_rpc_has_messages_of_its_own,
    every_change_of_money_carries_a_request_id,
    exceptions_are_still_needed,
    nothing_is_a_float,
    every_list_has_pages_and_an_order,
    what_people_call_is_on_rest_and_nothing_else_is,
    every_route_fits_its_messages,
    every_route_uses_the_verb_for_what_it_does,
    enum_values_read_well_in_json,
    every_reason_travels_and_has_an_example,
    what_comes_in_has_a_bound,
    patterns_are_about_the_whole_value,
    ids_and_secrets_are_declared_as_such,
)
