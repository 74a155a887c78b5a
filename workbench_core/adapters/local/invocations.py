"""What a caller sends to an endpoint: records in one of three forms of Databricks Model Serving, and who asks."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, TypeAlias

from workbench_core.errors import Invalid
from workbench_core.ports import Json

SOURCES = ("playground", "api", "demo")
FORMS = "dataframe_records, dataframe_split or inputs"

Record: TypeAlias = "dict[str, Json]"
Body: TypeAlias = "dict[str, Json]"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One request. `problem` says why it cannot be answered; then `records` is empty, and it is logged all the same."""

    request_id: str
    records: tuple[Record, ...] = ()
    requested_by: str = ""
    source: str = "api"
    item_refs: tuple[str, ...] = ()
    client_request_id: str = ""
    problem: Invalid | None = None


def read_invocation(raw: bytes) -> Invocation:
    """Read a request body; never raises.

    `request_id`, `requested_by`, `source` and `item_refs` are optional. A caller that may only use Databricks' own
    fields sends the last three as a JSON object in `client_request_id`.
    """
    invocation = Invocation(str(uuid.uuid4()))
    try:
        body = read_object(raw)
        invocation = _without_records(body, invocation.request_id)
        return replace(invocation, records=read_records(body))
    except Invalid as problem:
        return replace(invocation, problem=problem)


def read_object(raw: bytes) -> Body:
    """Parse a JSON object. Raises Invalid."""
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The request is not valid JSON: {error}.", hint=f"Send an object with {FORMS}.") from None
    if not isinstance(body, dict):
        raise Invalid("The request is not a JSON object.", hint=f"Send an object with {FORMS}.")
    return body


def read_records(body: Body) -> tuple[Record, ...]:
    """The records of a request, whatever form they came in. Raises Invalid."""
    forms = [form for form in ("dataframe_records", "dataframe_split", "inputs") if form in body]
    if len(forms) != 1:
        raise Invalid(f"The request has {len(forms)} kinds of records.", hint=f"Send exactly one of {FORMS}.")
    value = body[forms[0]]
    if forms[0] == "dataframe_split":
        records = _split_records(value)
    elif forms[0] == "inputs" and isinstance(value, dict):
        records = _column_records(value)
    else:
        records = _plain_records(forms[0], value)
    if not records:
        raise Invalid("The request has no records.", hint="Send at least one record.")
    return records


def _plain_records(form: str, value: Json) -> tuple[Record, ...]:
    if not isinstance(value, list):
        raise Invalid(f"“{form}” is not a list.", hint="Send a list of objects, one object a record.")
    records = tuple(record for record in value if isinstance(record, dict))
    if len(records) < len(value):
        raise Invalid(f"“{form}” has a record that is not an object.", hint="Send each record as an object.")
    return records


def _split_records(value: Json) -> tuple[Record, ...]:
    columns = value.get("columns") if isinstance(value, dict) else None
    rows = value.get("data") if isinstance(value, dict) else None
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise Invalid("“dataframe_split” needs the lists “columns” and “data”.", hint="See pandas' orient “split”.")
    records: list[Record] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(columns):
            raise Invalid(f"Row {number} does not have {len(columns)} values.", hint="Give one value a column.")
        records.append({str(column): cell for column, cell in zip(columns, row, strict=True)})
    return tuple(records)


def _column_records(columns: Mapping[str, Json]) -> tuple[Record, ...]:
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}
    if len(lists) < len(columns) or len({len(values) for values in lists.values()}) > 1:
        raise Invalid("The columns in “inputs” are not lists of one length.", hint="Give each column as many values.")
    return tuple(dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True))


def _without_records(body: Body, new_request_id: str) -> Invocation:
    caller = _caller(body)
    return Invocation(
        request_id=_request_id(body, new_request_id),
        requested_by=_text(caller, "requested_by", ""),
        source=_source(caller),
        item_refs=_item_refs(caller),
        client_request_id=_text(body, "client_request_id", ""),
    )


def _request_id(body: Body, otherwise: str) -> str:
    given = _text(body, "request_id", otherwise)
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise Invalid("“request_id” is not a UUID.", hint="Leave it out, and one is made.") from None


def _caller(body: Body) -> Body:
    """The body, completed by what a JSON object in `client_request_id` says."""
    try:
        inner = json.loads(_text(body, "client_request_id", ""))
    except ValueError:
        return body  # any other text is the caller's own identifier
    return {**inner, **body} if isinstance(inner, dict) else body


def _source(caller: Body) -> str:
    source = _text(caller, "source", "api")
    if source not in SOURCES:
        raise Invalid(f"“{source}” is not a source.", hint=f"Use one of: {', '.join(SOURCES)}.")
    return source


def _item_refs(caller: Body) -> tuple[str, ...]:
    given = caller.get("item_refs", [])
    if not isinstance(given, list):
        raise Invalid("“item_refs” is not a list.", hint="Send a list of item identifiers.")
    return tuple(str(item_ref) for item_ref in given)


def _text(body: Body, name: str, otherwise: str) -> str:
    value = body.get(name)
    if value is None:
        return otherwise
    if not isinstance(value, str):
        raise Invalid(f"“{name}” is not a text.", hint="Send it as a string.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed in JSON")
