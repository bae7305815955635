"""The contract keeps its rules, and each rule is seen to catch what breaks it."""

from collections.abc import Callable

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    MethodOptions,
)

from tests.contract import rules
from tests.contract.declared import Contract
from tests.contract.rules import RULES, Rule
from veritick.option.v1.access_pb2 import access, cost
from veritick.option.v1.field_pb2 import field as field_rules
from veritick.option.v1.reason_pb2 import reason

pytestmark = pytest.mark.security

Break = Callable[[Contract], None]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_contract_keeps_the_rule(image: bytes, rule: Rule) -> None:
    assert list(rule(Contract.of(image))) == []


def test_what_is_walked_is_the_whole_contract(image: bytes) -> None:
    contract = Contract.of(image)

    assert len(contract.files) >= 20
    assert len(contract.rpcs) >= 30
    assert "veritick.quotes.v1.Schedule.Window" in contract.messages
    assert "veritick.trading.v1.Order.Outcome" in contract.enums


# ---- each rule catches what it is there for -----------------------------------------------------


def test_every_rule_is_tried() -> None:
    assert {rule for rule, _, _ in BREAKS} == set(RULES)


def file(contract: Contract, name: str) -> FileDescriptorProto:
    return next(file for file in contract.files if file.name.endswith(name))


def rpc(contract: Contract, name: str) -> MethodDescriptorProto:
    return next(rpc.method for rpc in contract.rpcs if rpc.method.name == name)


def message(contract: Contract, name: str) -> DescriptorProto:
    return next(m for full, m in contract.messages.items() if full.endswith(f".{name}"))


def enum(contract: Contract, name: str) -> EnumDescriptorProto:
    return next(e for full, e in contract.enums.items() if full.endswith(f".{name}"))


def field(contract: Contract, path: str) -> FieldDescriptorProto:
    holder, _, name = path.rpartition(".")
    return next(f for f in message(contract, holder).field if f.name == name)


def uncomment(contract: Contract, name: str) -> None:
    del file(contract, name).source_code_info.location[:]


def recomment(contract: Contract, old: str, new: str) -> None:
    for declared in contract.files:
        for location in declared.source_code_info.location:
            location.leading_comments = location.leading_comments.replace(old, new)


def move_package(contract: Contract) -> None:
    file(contract, "ledger_service.proto").package = "veritick.ledger.v1"


def admit_nobody(contract: Contract) -> None:
    rpc(contract, "PlaceOrder").options.ClearExtension(access)


def admit_a_stranger(contract: Contract) -> None:
    rpc(contract, "PlaceOrder").options.Extensions[access].services.append("casino")


def ask_for_a_strange_permission(contract: Contract) -> None:
    rpc(contract, "UpdateTerms").options.Extensions[access].permission = "terms.burn"


def cost_nothing(contract: Contract) -> None:
    rpc(contract, "PlaceOrder").options.ClearExtension(cost)


def share_a_request(contract: Contract) -> None:
    rpc(contract, "GetProposal").input_type = ".veritick.trading.v1.PlaceOrderRequest"


def drop_a_request_id(contract: Contract) -> None:
    field(contract, "PlaceOrderRequest.request_id").name = "nonce"


def make_a_request_id_optional(contract: Contract) -> None:
    options = field(contract, "TransferRequest.request_id").options
    options.Extensions[field_rules].required = False


def charge_by_quotes(contract: Contract) -> None:
    """A change far from the books that is told an amount moves money as well."""
    fee = message(contract, "CreateInstrumentRequest").field.add(name="fee", number=9)
    fee.type, fee.type_name = FieldDescriptorProto.TYPE_MESSAGE, rules.MONEY


def add_a_request_id(contract: Contract) -> None:
    message(contract, "SettleOrdersRequest").field.add(name="request_id", number=9)


def hold_a_price_in_a_double(contract: Contract) -> None:
    field(contract, "Schedule.Window.open_minute").type = FieldDescriptorProto.TYPE_DOUBLE


def list_without_pages(contract: Contract) -> None:
    field(contract, "ListOrdersRequest.page_token").name = "offset"


def list_without_a_bound(contract: Contract) -> None:
    field(contract, "ListOrdersRequest.page_size").options.ClearExtension(field_rules)


def list_without_an_order(contract: Contract) -> None:
    recomment(contract, "newest first", "all of them")


def list_without_a_filter(contract: Contract) -> None:
    field(contract, "ListTermsRequest.filter").name = "colour"


def hide_from_rest(contract: Contract) -> None:
    rpc(contract, "PlaceOrder").options.ClearExtension(annotations_pb2.http)


def stream_over_rest(contract: Contract) -> None:
    rpc(contract, "WatchTicks").options.Extensions[annotations_pb2.http].get = "/v1/ticks"


def route_by_an_unknown_field(contract: Contract) -> None:
    rule = rpc(contract, "GetOrder").options.Extensions[annotations_pb2.http]
    rule.get = "/v1/orders/{number}"


def answer_an_unknown_field(contract: Contract) -> None:
    rpc(contract, "GetOrder").options.Extensions[annotations_pb2.http].response_body = "nothing"


def read_by_a_change(contract: Contract) -> None:
    rpc(contract, "GetOrder").options.idempotency_level = MethodOptions.IDEMPOTENT


def share_a_route(contract: Contract) -> None:
    rule = rpc(contract, "GetOrder").options.Extensions[annotations_pb2.http]
    rule.get = "/v1/accounts/{account_id}"


def prefix_a_value(contract: Contract) -> None:
    enum(contract, "Direction").value[1].name = "DIRECTION_UP"


def begin_an_enum_at_one(contract: Contract) -> None:
    del enum(contract, "Direction").value[0]


def lose_a_status_code(contract: Contract) -> None:
    enum(contract, "ErrorReason").value[3].options.ClearExtension(reason)


def show_another_reason(contract: Contract) -> None:
    recomment(contract, '"reason": "MARKET_CLOSED"', '"reason": "MARKET_OPEN"')


def show_broken_json(contract: Contract) -> None:
    recomment(contract, '{"reason": "MARKET_CLOSED"', '{reason: "MARKET_CLOSED"')


def take_any_text(contract: Contract) -> None:
    field(contract, "TransferRequest.note").options.ClearExtension(field_rules)


def look_for_a_pattern_anywhere(contract: Contract) -> None:
    rules = field(contract, "GetProposalRequest.instrument").options.Extensions[field_rules]
    rules.pattern = "[A-Z0-9]{2,20}"


def take_any_number_of_points(contract: Contract) -> None:
    field(contract, "BatchGetFixingsRequest.points").options.ClearExtension(field_rules)


def take_any_account(contract: Contract) -> None:
    options = field(contract, "GetAccountRequest.account_id").options
    options.Extensions[field_rules].ClearField("format")


def log_a_password(contract: Contract) -> None:
    field(contract, "LogInRequest.password").options.Extensions[field_rules].secret = False


def log_a_token(contract: Contract) -> None:
    options = field(contract, "RefreshSessionRequest.refresh_token").options
    options.Extensions[field_rules].secret = False


BREAKS: list[tuple[Rule, Break, str]] = [
    (rules.a_package_is_a_directory_is_a_version, move_package, "veritick.ledger.v1"),
    (rules.everything_is_explained, lambda c: uncomment(c, "money.proto"), "Money.minor_units"),
    (
        rules.what_can_be_called_or_sent_begins_with_its_name,
        lambda c: recomment(c, "PlaceOrder buys", "It buys"),
        "OrderService.PlaceOrder",
    ),
    (
        rules.comments_name_only_what_exists,
        lambda c: recomment(c, "INSUFFICIENT_FUNDS", "TOO_POOR"),
        "TOO_POOR",
    ),
    (rules.every_rpc_says_who_may_call_it, admit_nobody, "PlaceOrder admits nobody"),
    (rules.access_names_only_known_services, admit_a_stranger, "casino"),
    (
        rules.access_names_only_permissions_that_a_role_has,
        ask_for_a_strange_permission,
        "terms.burn",
    ),
    (rules.every_rpc_has_a_cost, cost_nothing, "PlaceOrder"),
    (rules.every_rpc_has_messages_of_its_own, share_a_request, "shares"),
    (rules.every_change_of_money_carries_a_request_id, drop_a_request_id, "PlaceOrder"),
    (rules.every_change_of_money_carries_a_request_id, make_a_request_id_optional, "Transfer"),
    (rules.every_change_of_money_carries_a_request_id, charge_by_quotes, "CreateInstrument"),
    (rules.exceptions_are_still_needed, add_a_request_id, "SettleOrders"),
    (rules.nothing_is_a_float, hold_a_price_in_a_double, "open_minute"),
    (rules.every_list_has_pages_and_an_order, list_without_pages, "neither has pages"),
    (rules.every_list_has_pages_and_an_order, list_without_a_bound, "neither has pages"),
    (rules.every_list_has_pages_and_an_order, list_without_an_order, "in which order"),
    (rules.every_list_has_pages_and_an_order, list_without_a_filter, "no filter"),
    (rules.what_people_call_is_on_rest_and_nothing_else_is, hide_from_rest, "PlaceOrder lacks"),
    (rules.what_people_call_is_on_rest_and_nothing_else_is, stream_over_rest, "WatchTicks must"),
    (rules.every_route_fits_its_messages, route_by_an_unknown_field, "number"),
    (rules.every_route_fits_its_messages, answer_an_unknown_field, "nothing"),
    (rules.every_route_uses_the_verb_for_what_it_does, read_by_a_change, "GetOrder"),
    (rules.every_route_uses_the_verb_for_what_it_does, share_a_route, "shares the route"),
    (rules.enum_values_read_well_in_json, prefix_a_value, "DIRECTION_UP"),
    (rules.enum_values_read_well_in_json, begin_an_enum_at_one, "begins with"),
    (rules.every_reason_travels_and_has_an_example, lose_a_status_code, "no status code"),
    (rules.every_reason_travels_and_has_an_example, show_another_reason, "MARKET_CLOSED"),
    (rules.every_reason_travels_and_has_an_example, show_broken_json, "MARKET_CLOSED"),
    (rules.what_comes_in_has_a_bound, take_any_text, "TransferRequest.note"),
    (rules.what_comes_in_has_a_bound, take_any_number_of_points, "BatchGetFixingsRequest.points"),
    (
        rules.patterns_are_about_the_whole_value,
        look_for_a_pattern_anywhere,
        "GetProposalRequest.instrument",
    ),
    (rules.ids_and_secrets_are_declared_as_such, take_any_account, "GetAccountRequest.account_id"),
    (rules.ids_and_secrets_are_declared_as_such, log_a_password, "LogInRequest.password"),
    (rules.ids_and_secrets_are_declared_as_such, log_a_token, "refresh_token"),
]


@pytest.mark.parametrize(("rule", "break_it", "complaint"), BREAKS)
def test_a_broken_contract_is_noticed(
    image: bytes, rule: Rule, break_it: Break, complaint: str
) -> None:
    broken = Contract.of(image)
    break_it(broken)

    problems = list(rule(Contract(broken.files)))

    assert any(complaint in problem for problem in problems), problems
