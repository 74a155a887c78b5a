"""JSON and JSON Lines as tables: one row per object, one column per key, nested values where their shapes agree."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from workbench_core.adapters.local.lake.column_names import MAX_COLUMNS, Names, repaired
from workbench_core.adapters.local.lake.engine import first_line
from workbench_core.adapters.local.lake.json_problems import LINES_HINT, OBJECTS_HINT, explain
from workbench_core.adapters.local.lake.table_readings import TableReading, columns_of, known_text_columns
from workbench_core.adapters.local.lake.value_types import NUMBERS, TIMES, WIDE, column_types, listed, literal, quoted
from workbench_core.errors import Invalid
from workbench_core.ports import IntakePlan

LINE_LIMIT = 20_000_000  # bytes of one object
DOCUMENT_LIMIT = 200_000_000  # bytes of a file that is one object: it is held in memory as a whole
HEAD_ROWS = 100  # rows whose keys come in the order of the file; keys that appear later follow by name
NESTED_FIELDS = 200  # above, an object is more likely a dictionary than a record
GROUP = 50  # columns whose shapes are found in one query
TEXT, BOOLEAN, NESTED, NUMBER = 1, 2, 4, 8
TRAILING_COMMA = r"regexp_matches(json, ',\s*[]}]')"  # perhaps in a text; DuckDB reads over one, but not in a list
WHOLE_PAST_DOUBLE = r"regexp_matches(CAST({value} AS VARCHAR), '[\[:,]\s*-?[0-9]{{16}}')"
PAST_BIGINT = r"regexp_matches(CAST({value} AS VARCHAR), '[0-9]{{19}}')"


@dataclass(frozen=True, slots=True)
class _Records:
    """A query of one column `json` with an object per row, and where it came from."""

    query: str
    format: str
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of JSON values, and which kinds of values it has."""

    name: str
    kinds: int

    @property
    def text(self) -> str:
        """Its values as text; texts without their quotes."""
        return f"({quoted(self.name)} ->> '$')"


def read_json_file(
    cursor: duckdb.DuckDBPyConnection, file: Path, *, original_name: str, plan: IntakePlan
) -> TableReading:
    """A JSON file in UTF-8 as a table. Raises Invalid naming line and reason, or the record."""
    is_lines = Path(original_name).suffix.lower() in (".jsonl", ".ndjson")
    try:
        records = _records(cursor, file, plan, is_lines=is_lines)
        return _table(cursor, records, plan)
    except duckdb.Error as error:
        raise explain(file, is_lines=is_lines or _has_lines(file)) or _unexplained(error) from error


def _unexplained(error: duckdb.Error) -> Invalid:
    if depth := re.search(r"maximum recursion depth of (\d+)", str(error)):
        return Invalid(
            f"The JSON in the file is nested more than {depth[1]} levels deep.",
            hint="Save the inner values as text, or on levels of their own.",
        )
    return Invalid(f"The file cannot be read as JSON: {first_line(error)}.", hint="Check the file in an editor.")


# --- records ---------------------------------------------------------------------------------------------------------


def _records(cursor: duckdb.DuckDBPyConnection, file: Path, plan: IntakePlan, *, is_lines: bool) -> _Records:
    with file.open(encoding="utf-8") as handle:
        start = next((text for line in iter(lambda: handle.readline(LINE_LIMIT), "") if (text := line.lstrip())), "")
    if start.startswith("{") and (is_lines or _has_lines(file)):
        return _checked(cursor, file, _Records(_objects(file, "newline_delimited"), "jsonl"))
    if start.startswith("["):
        if is_lines:
            raise explain(file, is_lines=True) or Invalid("Line 1 is a list, not an object.", hint=LINES_HINT)
        return _checked(cursor, file, _Records(_objects(file, "array"), "json"))
    if start.startswith("{"):
        return _document(cursor, file, plan)
    raise explain(file, is_lines=is_lines) or Invalid("The file is not JSON.", hint=OBJECTS_HINT)


def _has_lines(file: Path) -> bool:
    """Whether a file has one object a line, whatever its name says."""
    with file.open(encoding="utf-8") as handle:
        lines = (line for line in iter(lambda: handle.readline(LINE_LIMIT), "") if line.strip())
        first, second = next(lines, ""), next(lines, "")
    try:
        return bool(second) and isinstance(json.loads(first), dict)
    except ValueError:
        return False


def _objects(file: Path, form: str, *, limit: int = LINE_LIMIT) -> str:
    options = f"format = {literal(form)}, maximum_object_size = {limit}"
    return f"SELECT json FROM read_json_objects({literal(str(file))}, {options})"


def _checked(cursor: duckdb.DuckDBPyConnection, file: Path, records: _Records) -> _Records:
    """The records again. Raises Invalid when there is none, one that is no object, or one that is not strict JSON."""
    counts = (
        f"SELECT COUNT(*), COUNT(*) FILTER (WHERE json_type(json) = 'OBJECT'), bool_or({TRAILING_COMMA}) "
        f"FROM ({records.query})"
    )
    every, objects, has_trailing_comma = cursor.sql(counts).fetchall()[0]
    if has_trailing_comma and (problem := explain(file, is_lines=records.format == "jsonl")):
        raise problem
    if every != objects:
        raise explain(file, is_lines=records.format == "jsonl") or Invalid(
            f"{every - objects:,} of {every:,} values are not objects.", hint=OBJECTS_HINT
        )
    if not every:
        raise Invalid("The list in the file is empty.", hint="Choose a file with rows.")
    return records


def _document(cursor: duckdb.DuckDBPyConnection, file: Path, plan: IntakePlan) -> _Records:
    """A file that is one object: the list of objects in it, one of several lists, or itself the only row."""
    size = file.stat().st_size
    if size > DOCUMENT_LIMIT:
        raise Invalid(
            f"The file is one object of {size / 1e6:,.0f} MB; at most {DOCUMENT_LIMIT / 1e6:,.0f} MB can be read.",
            hint="Save it as JSON Lines: one object per line.",
        )
    whole = _objects(file, "unstructured", limit=max(size + 16, LINE_LIMIT))
    counts = f"SELECT COUNT(*), bool_or({TRAILING_COMMA}) FROM ({whole})"
    documents, has_trailing_comma = cursor.sql(counts).fetchall()[0]
    if has_trailing_comma and (problem := explain(file, is_lines=False)):
        raise problem
    if documents > 1:  # objects one after the other, each over several lines
        return _checked(cursor, file, _Records(whole, "json"))
    lists = (
        f"SELECT key FROM (SELECT unnest(json_keys(json)) AS key, json FROM ({whole})) WHERE {_is_table('json', 'key')}"
    )
    parts = tuple(key for (key,) in cursor.sql(lists).fetchall())
    if not parts:
        return _checked(cursor, file, _Records(whole, "json", ("The file is one object; it becomes one row.",)))
    part = plan.part or parts[0]
    if part not in parts:
        raise Invalid(f"The file has no list “{part}”.", hint=f"Lists: {', '.join(parts)}.")
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE records AS SELECT unnest(from_json(json_extract(json, "
        f"{literal(_pointer(part))}), '[\"JSON\"]')) AS json FROM ({whole})"
    )
    note = f"The rows are the list “{part}” of the object in the file; what stands beside it is left out."
    return _checked(
        cursor, file, _Records("SELECT json FROM records", "json", (note,), parts if len(parts) > 1 else ())
    )


def _is_table(document: str, key: str) -> str:
    """Whether the value of a key is a list that begins with an object."""
    escaped = f"replace(replace({key}, '~', '~0'), '/', '~1')"
    return f"json_type(json_extract({document}, concat('/', {escaped}, '/0'))) = 'OBJECT'"


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


# --- columns ---------------------------------------------------------------------------------------------------------


def _table(cursor: duckdb.DuckDBPyConnection, records: _Records, plan: IntakePlan) -> TableReading:
    names = repaired(_keys(cursor, records.query))
    kept = known_text_columns(plan, names.names)
    source = _values(cursor, records.query, names)
    columns = _columns(cursor, source, names.names)
    rows = f"SELECT {', '.join(f'{column.text} AS {quoted(column.name)}' for column in columns)} FROM ({source})"
    candidates = {column.name: () if column.name in kept else _candidates(column.kinds) for column in columns}
    found = column_types(cursor, rows, candidates)
    types = found.types
    nested = [column for column in columns if column.kinds == NESTED and column.name not in kept]
    shapes = _shapes(cursor, source, nested)
    chosen = ", ".join(
        f"{_expression(column, types[column.name], shapes.get(column.name))} AS {quoted(column.name)}"
        for column in columns
    )
    query = f"SELECT {chosen} FROM ({source})"
    notes = (*records.notes, *names.notes, *found.notes, *_mixed_notes(columns), *_shape_notes(nested, shapes))
    described = columns_of(cursor, query, names.originals)
    return TableReading(records.format, query, described, notes, records.parts)


def _expression(column: _Column, data_type: str, shape: str | None) -> str:
    if shape is not None:
        return f"from_json({quoted(column.name)}, {literal(shape)})"
    return column.text if data_type == "VARCHAR" else f"CAST({column.text} AS {data_type})"


def _keys(cursor: duckdb.DuckDBPyConnection, records: str) -> list[str]:
    """All keys of all objects, those of the first rows in their order."""
    first = cursor.sql(f"SELECT json_keys(json) FROM ({records}) LIMIT {HEAD_ROWS}").fetchall()
    keys = dict.fromkeys(key for (row,) in first for key in row)
    every = f"SELECT DISTINCT unnest(json_keys(json)) AS key FROM ({records}) LIMIT {MAX_COLUMNS + 1}"
    late = sorted({key for (key,) in cursor.sql(every).fetchall()} - set(keys))
    if not keys and not late:
        raise Invalid("The objects in the file are empty.", hint=OBJECTS_HINT)
    return [*keys, *late]


def _values(cursor: duckdb.DuckDBPyConnection, records: str, names: Names) -> str:
    """The records with a column of JSON per key; kept for a wide table, whose objects are slow to parse again."""
    together = _together(names.originals)
    structure = json.dumps(dict.fromkeys(sorted(together), "JSON"), ensure_ascii=False)
    parsed = f"SELECT json, json_transform(json, {literal(structure)}) AS parsed FROM ({records})"
    values = ", ".join(
        f"{f'struct_extract(parsed, {literal(key)})' if key in together else _extracted(key)} AS {quoted(name)}"
        for key, name in zip(names.originals, names.names, strict=True)
    )
    query = f"SELECT {values} FROM ({parsed})"
    if len(names.names) <= WIDE:
        return query
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE json_values AS {query}")
    return "SELECT * FROM json_values"


def _together(keys: Sequence[str]) -> set[str]:
    """The keys that one struct can hold: of those that differ in nothing but case the first."""
    seen: dict[str, str] = {}
    for key in keys:
        seen.setdefault(key.casefold(), key)
    return {key for key in seen.values() if key}


def _extracted(key: str) -> str:
    return f"NULLIF(json_extract(json, {literal(_pointer(key))}), 'null')"


def _columns(cursor: duckdb.DuckDBPyConnection, source: str, names: Sequence[str]) -> list[_Column]:
    """The columns with the kinds of their values, over all rows."""
    kind = (
        f"CASE json_type(value) WHEN 'VARCHAR' THEN {TEXT} WHEN 'BOOLEAN' THEN {BOOLEAN} WHEN 'OBJECT' THEN {NESTED} "
        f"WHEN 'ARRAY' THEN {NESTED} ELSE {NUMBER} END"
    )
    values = ", ".join(f"{quoted(name)} AS {quoted(f'c{number}')}" for number, name in enumerate(names))
    by_value = f"UNPIVOT (SELECT {values} FROM ({source})) ON COLUMNS(*) INTO NAME place VALUE value"
    kinds = dict(cursor.sql(f"SELECT place, bit_or({kind}) FROM ({by_value}) GROUP BY place").fetchall())
    return [_Column(name, kinds.get(f"c{number}", 0)) for number, name in enumerate(names)]


def _candidates(kinds: int) -> tuple[str, ...]:
    """The types that a column of these kinds may have. Digits in quotes were meant as text."""
    return {NUMBER: NUMBERS, BOOLEAN: ("BOOLEAN",), TEXT: TIMES}.get(kinds, ())


def _shapes(cursor: duckdb.DuckDBPyConnection, source: str, columns: Sequence[_Column]) -> dict[str, str]:
    """The structure of each nested column in DuckDB's JSON notation; none for values that differ in shape.

    Numbers of 19 digits and more have no type that keeps them beside smaller ones, nor has a DOUBLE all whole numbers
    of 16, so that they count as different.
    """
    shapes: dict[str, str] = {}
    for start in range(0, len(columns), GROUP):
        group = columns[start : start + GROUP]
        asked = ", ".join(
            f"json_group_structure({value}), bool_or({PAST_BIGINT.format(value=value)}), "
            f"bool_or({WHOLE_PAST_DOUBLE.format(value=value)})"
            for value in (quoted(column.name) for column in group)
        )
        found = cursor.sql(f"SELECT {asked} FROM ({source})").fetchall()[0]
        for column, structure, *are_large in zip(group, found[0::3], found[1::3], found[2::3], strict=True):
            is_kept = not (are_large[0] or (are_large[1] and '"DOUBLE"' in (structure or "")))
            if structure and is_kept and (shape := _agreed(json.loads(structure))) is not None:
                shapes[column.name] = json.dumps(shape, ensure_ascii=False)
    return shapes


def _agreed(structure: object) -> object | None:
    """A structure with types that Parquet has; None when values differ in shape or a field has no name of its own."""
    count = [0]
    shape = _typed(structure, count)
    return shape if count[0] <= NESTED_FIELDS else None


def _typed(structure: object, count: list[int]) -> object | None:
    if isinstance(structure, Mapping):
        count[0] += len(structure)
        fields = {str(key): _typed(value, count) for key, value in structure.items()}
        is_sound = (
            None not in fields.values() and all(fields) and len({key.casefold() for key in fields}) == len(fields)
        )
        return fields if is_sound else None
    if isinstance(structure, list):
        inner = _typed(structure[0], count)
        return None if inner is None else [inner]
    replaced = {"NULL": "VARCHAR", "UBIGINT": "BIGINT", "HUGEINT": "BIGINT"}.get(str(structure), str(structure))
    return None if replaced == "JSON" else replaced


def _mixed_notes(columns: Sequence[_Column]) -> list[str]:
    mixed = [column.name for column in columns if column.kinds not in (0, TEXT, BOOLEAN, NESTED, NUMBER)]
    return [f"{_named(mixed)} mixed kinds of values and became text."] if mixed else []


def _shape_notes(nested: Sequence[_Column], shapes: Mapping[str, str]) -> list[str]:
    other = [column.name for column in nested if column.name not in shapes]
    return (
        [f"{_named(other)} nested values of different shapes or numbers of many digits and became JSON text."]
        if other
        else []
    )


def _named(names: Sequence[str]) -> str:
    return f"{listed(names)} {'has' if len(names) == 1 else 'have'}"
