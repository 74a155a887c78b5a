"""The fields of a structured answer as the rows of a table: made from an output schema and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from workbench_core.data_quality import Json
from workbench_core.metrics import FieldType
from workbench_core.prompt_templates import OutputField

COLUMNS = ["name", "type", "required", "options", "description", "rules"]
_EMPTY = {
    "name": "", "type": FieldType.STRING.value, "required": True, "options": "", "description": "", "rules": "",
}  # fmt: skip


def schema_frame(schema: tuple[OutputField, ...]) -> pd.DataFrame:
    """An output schema as a table: options with commas between them, or as JSON when they hold some; rules as JSON."""
    entries = [
        (
            field.name, field.type.value, field.required, _options_text(field.options), field.description,
            json.dumps(dict(field.rules), ensure_ascii=False) if field.rules else "",
        )
        for field in schema
    ]  # fmt: skip
    return pd.DataFrame(entries, columns=COLUMNS).astype({"required": bool})


def schema_of(rows: pd.DataFrame) -> tuple[OutputField, ...]:
    """The output schema in the table; a new row may have empty cells, rules that cannot be read count as none.

    A row in which nothing was typed yet is no field.
    """
    return tuple(
        OutputField(
            name=str(row["name"]).strip(),
            type=FieldType(row["type"]),
            description=str(row["description"]).strip(),
            required=bool(row["required"]),
            options=_options_of(str(row["options"])),
            rules=rules_of(str(row["rules"])) or {},
        )
        for row in _filled(rows).to_dict("records")
        if any(str(row[name]).strip() for name in ("name", "options", "description", "rules"))
    )


def rule_faults(rows: pd.DataFrame) -> list[str]:
    """Rules that cannot be read, as sentences."""
    return [
        f'The rules of “{row["name"] or "a field without a name"}” are no JSON object, such as {{"minimum": 0}}.'
        for row in _filled(rows).to_dict("records")
        if rules_of(str(row["rules"])) is None
    ]


def rules_of(text: str) -> Mapping[str, Json] | None:
    """The rules in a cell; none for an empty cell, None when they cannot be read."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _options_text(options: tuple[str, ...]) -> str:
    text = ", ".join(options)
    return text if _options_of(text) == options else json.dumps(options, ensure_ascii=False)


def _options_of(text: str) -> tuple[str, ...]:
    if text.startswith("["):
        try:
            return tuple(str(option) for option in json.loads(text))
        except ValueError:
            pass  # an option that only begins like a list
    return tuple(option.strip() for option in text.split(",")) if text.strip() else ()


def _filled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.fillna(_EMPTY)
