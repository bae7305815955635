"""Logs: one event a line on standard output, as JSON for machines or coloured for people.

Code logs an event and its values: `log.info("order settled", order_id=…)`. The request id joins
every line of that request. Lines of libraries, which use the standard logging, come out the same
way. Secrets never do.
"""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from services.kit.request_id import add_request_id
from services.kit.settings import LogFormat

REDACTED = "***"

_SECRET_KEY = re.compile(
    r"passw|token|secret|authorization|cookie|private_key|api_key|dsn|(database|migration|redis)_url",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_BEARER = re.compile(r"\b(Bearer|Basic) [A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_NESTING_MAX = 6

# Libraries that tell more than anyone operates by. The pool's complaints, one per attempt, come
# once per outage from `database` instead.
_QUIET = {
    "alembic": logging.WARNING,
    "httpx": logging.WARNING,
    "psycopg.pool": logging.ERROR,
    "uvicorn.access": logging.WARNING,
    "websockets": logging.WARNING,
}


def configure_logs(service: str, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Route all logging of this process to standard output; every line names the service.

    A process whose output is an answer gives another stream.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_common(service),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(log_format),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(service),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank what is named like a secret, and passwords inside URLs and bearer tokens anywhere."""
    return {key: _redacted(key, value, 0) for key, value in event.items()}


def without_secrets(text: str) -> str:
    """Blank the passwords of URLs and the bearer tokens in a text."""
    return _BEARER.sub(rf"\1 {REDACTED}", _URL_PASSWORD.sub(rf"\1{REDACTED}@", text))


def _common(service: str) -> list[Processor]:
    def name_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        name_service,
    ]


def _rendering(log_format: LogFormat) -> list[Processor]:
    """Write an exception out before redacting, for its message may quote a DSN."""
    if log_format == "console":
        return [
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), timestamp_key="time"),
        ]
    return [
        structlog.processors.format_exc_info,
        redact,
        structlog.processors.JSONRenderer(default=str),
    ]


def _redacted(key: object, value: object, depth: int) -> object:
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict | list | tuple) and depth == _NESTING_MAX:
        return "…"
    if isinstance(value, dict):
        return {str(name): _redacted(name, item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(None, item, depth + 1) for item in value]
    return value
