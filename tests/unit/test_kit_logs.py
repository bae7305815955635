import json
import logging
import sys
from collections.abc import Iterator
from contextvars import Context, copy_context
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog

from services.kit.logs import configure_logs
from services.kit.request_id import bind_request_id
from services.kit.settings import LogFormat
from tests.logs import logging_as_before

pytestmark = pytest.mark.security


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    with logging_as_before():
        yield


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def test_a_line_tells_what_happened_when_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("trading", "json")

    structlog.stdlib.get_logger("book").info("order settled", order_id="demo_1", orders=3)

    line = last_line(capsys)
    assert line["event"] == "order settled"
    assert (line["order_id"], line["orders"]) == ("demo_1", 3)
    assert (line["service"], line["level"], line["logger"]) == ("trading", "info", "book")
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_the_request_id_joins_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("trading", "json")

    def request() -> None:
        bind_request_id("request-1")
        logging.getLogger("library").warning("slow: %d ms", 12)

    copy_context().run(request)

    line = last_line(capsys)
    assert (line["event"], line["request_id"]) == ("slow: 12 ms", "request-1")


def test_outside_of_requests_no_line_names_one(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("trading", "json")
    Context().run(logging.getLogger("library").warning, "idle")
    assert "request_id" not in last_line(capsys)


@pytest.mark.parametrize(
    "key",
    [
        "password", "new_password", "refresh_token", "accessToken", "client_secret",
        "Authorization", "set-cookie", "database_url", "VERITICK_MIGRATION_URL", "api_key",
    ],
)  # fmt: skip
def test_what_is_named_like_a_secret_is_not_written(
    capsys: pytest.CaptureFixture[str], key: str
) -> None:
    configure_logs("identity", "json")
    log = structlog.stdlib.get_logger()

    log.info("signed in", **{key: "hunter2"})
    log.info("signed in", headers={key: "hunter2"}, attempts=[{key: ["hunter2"]}])
    logging.getLogger("library").info("signed in", extra={key: "hunter2"})

    assert "hunter2" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "cannot reach postgresql://svc:hunter2@db:5432/quotes",
        "redis://:hunter2@cache/0 is away",
        "sent Authorization: Bearer hunter2.hunter2.hunter2",
    ],
)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_secret_inside_a_text_is_not_written(
    capsys: pytest.CaptureFixture[str], text: str, log_format: LogFormat
) -> None:
    configure_logs("quotes", log_format)
    log = structlog.stdlib.get_logger()

    log.info(text)
    log.info("failed", reason=text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")

    written = capsys.readouterr().out
    assert "hunter2" not in written
    assert written.count("***") >= 3


def test_an_exception_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("quotes", "json")

    try:
        raise LookupError("no tick")
    except LookupError:
        structlog.stdlib.get_logger().exception("fixing failed")

    assert "LookupError: no tick" in last_line(capsys)["exception"]


def test_a_value_json_does_not_know_is_still_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("quotes", "json")

    structlog.stdlib.get_logger().info(
        "odd", number=2**80, kind=object, by_number={1: "one"}, text="\ud800"
    )

    assert last_line(capsys)["by_number"] == {"1": "one"}


def test_a_process_whose_output_is_an_answer_logs_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("trading", "json", sys.stderr)

    logging.getLogger("library").warning("slow")

    written = capsys.readouterr()
    assert written.out == ""
    assert json.loads(written.err)["event"] == "slow"


def test_people_get_a_readable_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("quotes", "console")

    structlog.stdlib.get_logger().info("serving", address="127.0.0.1:7001")

    line = capsys.readouterr().out
    assert "serving" in line
    assert "address=127.0.0.1:7001" in line


def test_a_value_that_contains_itself_does_not_stop_the_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("quotes", "json")
    endless: dict[str, object] = {"number": 1}
    endless["itself"] = endless

    structlog.stdlib.get_logger().info("odd", value=endless)

    assert last_line(capsys)["value"]["number"] == 1
