"""The reference pages: the OpenAPI document and the reasons, for people, without any script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from edge.rest.openapi import document
from edge.rest.reasons import meaning_of, status_of, title_of
from services.kit.contract import reason_rule
from services.kit.reason import Reason

STYLE = Path(__file__).with_name("docs.css")

_ELSEWHERE = "[OpenAPI](/openapi.json) · [AsyncAPI](/asyncapi.json) · [Reasons](/docs/errors)"
_ABOUT_REASONS = (
    "Every refusal names one of these as its `reason`, in a problem document over HTTP and as "
    "`google.rpc.ErrorInfo` over gRPC."
)
_MARKS = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\[([^\]]+)\]\((/[^)\s]*)\)"), r'<a href="\2">\1</a>'),
)


@cache
def reference() -> str:
    """Return the page of all calls and shapes."""
    api = document()
    operations = list(_operations(api))
    return _page(
        "Reference",
        [
            f"<h1>{escape(api['info']['title'])}: reference</h1>",
            _prose(api["info"]["description"]),
            _prose(_ELSEWHERE),
            *(_section(tag, operations) for tag in api["tags"]),
            "<h2 id='schemas'>Shapes</h2>",
            *(_schema(name, schema) for name, schema in api["components"]["schemas"].items()),
        ],
        [(f"#{_operation_anchor(item)}", label) for label, item in _index(operations)],
    )


@cache
def errors() -> str:
    """Return the page of all reasons."""
    return _page(
        "Reasons",
        [
            "<h1>Reasons</h1>",
            _prose(_ABOUT_REASONS),
            *map(_reason, Reason),
        ],
        [(f"#{reason}", escape(reason.value)) for reason in Reason],
    )


def _page(title: str, parts: Iterable[str], index: Iterable[tuple[str, str]]) -> str:
    links = "".join(f'<li><a href="{href}">{label}</a></li>' for href, label in index)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Veritick</title>"
        '<link rel="stylesheet" href="/docs/style.css"></head><body>'
        f'<nav aria-label="Contents"><ul>{links}</ul></nav><main>{"".join(parts)}</main>'
        "</body></html>"
    )


def _operations(api: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, verbs in api["paths"].items():
        for verb, operation in verbs.items():
            yield {**operation, "verb": verb.upper(), "path": path}


def _index(operations: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in operations:
        yield f"<b>{item['verb']}</b> {escape(item['path'])}", item


def _operation_anchor(operation: dict[str, Any]) -> str:
    return escape(operation["operationId"])


def _section(tag: dict[str, Any], operations: Iterable[dict[str, Any]]) -> str:
    inside = "".join(_operation(item) for item in operations if tag["name"] in item["tags"])
    return f"<h2>{escape(tag['name'])}</h2>{_prose(tag['description'])}{inside}"


def _operation(operation: dict[str, Any]) -> str:
    answers = operation["responses"]
    refusals = [answer["description"] for status, answer in answers.items() if status != "200"]
    return (
        f'<section id="{_operation_anchor(operation)}">'
        f"<h3><b>{operation['verb']}</b> <code>{escape(operation['path'])}</code></h3>"
        f"<p>{_line(operation['summary'])}.</p>{_prose(operation.get('description', ''))}"
        f"<p class='meta'>{_who(operation)} Counts as {operation['x-cost-class']}.</p>"
        f"{_parameters(operation)}{_body(operation)}"
        f"<p>Answers {_type(_content(answers['200']))}: {_line(answers['200']['description'])}</p>"
        f"<details><summary>Refusals</summary><ul>{_items(refusals)}</ul></details></section>"
    )


def _who(operation: dict[str, Any]) -> str:
    ways = operation["security"]
    if {} in ways:
        return "Anybody may call."
    permission = next(iter(ways[0].values()))
    return (
        f"Needs the permission <code>{permission[0]}</code>." if permission else "Signed-in users."
    )


def _parameters(operation: dict[str, Any]) -> str:
    rows = [
        (item["name"], item["in"], item["schema"], item["required"], item.get("description", ""))
        for item in operation.get("parameters", ())
    ]
    return _table(rows)


def _body(operation: dict[str, Any]) -> str:
    body = operation.get("requestBody")
    return f"<p>Takes {_type(_content(body))}.</p>" if body else ""


def _content(holder: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = next(iter(holder["content"].values()))["schema"]
    return schema


def _schema(name: str, schema: dict[str, Any]) -> str:
    head = f'<section id="{escape(name)}"><h3>{escape(name)}</h3>'
    needed = set(schema.get("required", ()))
    rows = [
        (field, "", shape, field in needed, shape.get("description", ""))
        for field, shape in schema.get("properties", {}).items()
    ]
    return f"{head}{_prose(schema.get('description', ''))}{_table(rows)}</section>"


def _table(rows: Iterable[tuple[str, str, dict[str, Any], bool, str]]) -> str:
    lines = "".join(
        f"<tr><th><code>{escape(name)}</code>{' <i>' + where + '</i>' if where else ''}</th>"
        f"<td>{_type(shape)}{'' if needed else ' <i>optional</i>'}</td>"
        f"<td>{_line(text)} {_bounds(shape)}</td></tr>"
        for name, where, shape, needed, text in rows
    )
    return f"<table>{lines}</table>" if lines else ""


def _type(shape: dict[str, Any]) -> str:
    if "$ref" in shape:
        name = escape(shape["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if shape.get("type") == "array":
        return f"list of {_type(shape['items'])}"
    form = shape.get("format")
    return escape(f"{shape.get('type', 'any')}{f' ({form})' if form else ''}")


def _bounds(shape: dict[str, Any]) -> str:
    known = ("minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern")
    found = [f"{name} <code>{escape(str(shape[name]))}</code>" for name in known if name in shape]
    return f"<small>{', '.join(found)}</small>" if found else ""


def _reason(reason: Reason) -> str:
    status = status_of(reason)
    again = " · the same call may succeed later" if reason_rule(reason).retryable else ""
    return (
        f'<section id="{reason}"><h3><code>{reason}</code> {escape(title_of(reason))}</h3>'
        f"<p class='meta'>{status.value} {escape(status.phrase)}{again}</p>"
        f"{_prose(meaning_of(reason))}</section>"
    )


def _items(texts: Iterable[str]) -> str:
    return "".join(f"<li>{_line(text)}</li>" for text in texts)


def _prose(text: str) -> str:
    """Return paragraphs, `- ` lists and indented examples as HTML."""
    return "".join(map(_block, re.split(r"\n\n+|\n(?=- )", text))) if text else ""


def _block(block: str) -> str:
    if block.startswith("- "):
        return f"<ul><li>{_line(block[2:])}</li></ul>"
    head, _, example = block.partition("\n    ")
    shown = f"<pre>{escape(example)}</pre>" if example else ""
    return f"<p>{_line(head)}</p>{shown}"


def _line(text: str) -> str:
    marked = escape(text, quote=False)
    for pattern, replacement in _MARKS:
        marked = pattern.sub(replacement, marked)
    return marked
