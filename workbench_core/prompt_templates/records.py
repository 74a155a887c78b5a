"""What the store knows about prompt templates: lists of them, their rows, and what stands on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime

from workbench_core import rows, usage
from workbench_core.errors import ChangedByOthers, NotFound
from workbench_core.ports import Row, Store, Value
from workbench_core.prompt_templates.fields import (
    examples_json,
    fields_json,
    inputs_json,
    read_examples,
    read_fields,
    read_inputs,
)
from workbench_core.prompt_templates.template import AnswerSource, PromptTemplate, TemplateStatus
from workbench_core.prompt_templates.versions import numbers_of

_COLUMNS = (
    "id, lineage_id, parent_id, name, description, label_type, system_prompt, user_prompt, label_classes, "
    "output_schema, examples, answer_source, temperature, max_tokens, model, inputs, feature_columns, target_column, "
    "tags, allowed_uses, prohibited_uses, usage_reason, classification, version, status, is_demo, row_version, "
    "created_by, created_at, updated_by, updated_at"
)
_MATCHES = (
    "status IN :statuses AND (:label_type = '' OR label_type = :label_type) "
    "AND LOWER(name || ' ' || description || ' ' || tags) LIKE LOWER(:pattern) ESCAPE '!'"
)
_NEVER_CHANGED = ("lineage_id", "parent_id", "version", "is_demo", "created_by", "created_at")
_DEPENDANTS = (  # what stands on a version: the kind in the singular and the plural, and the statement for the names
    ("training sheet", "training sheets", "SELECT name FROM training_sheets WHERE prompt_template_id = :id"),
    (
        "sheet that it is attached to",
        "sheets that it is attached to",
        "SELECT s.name FROM attached_templates a JOIN sheets s ON s.id = a.sheet_id "
        "WHERE a.prompt_template_id = :id AND s.status <> 'deleted'",
    ),
    (
        "canonical label",
        "canonical labels",
        "SELECT label_type AS name FROM canonical_labels WHERE prompt_template_id = :id",
    ),
    ("later version", "later versions", "SELECT version AS name FROM prompt_templates WHERE parent_id = :id"),
)
_MOST_NAMES = 3


def found(
    store: Store, *, status: TemplateStatus | None, label_type: str, search: str, limit: int, offset: int
) -> list[PromptTemplate]:
    """One page of the templates that match, last changed first."""
    matching = store.query(
        f"SELECT {_COLUMNS} FROM prompt_templates WHERE {_MATCHES} "
        "ORDER BY updated_at DESC, id LIMIT :limit OFFSET :offset",
        limit=limit,
        offset=offset,
        **_wanted(status, label_type, search),
    )
    return [_template(row) for row in matching]


def counted(store: Store, *, status: TemplateStatus | None, label_type: str, search: str) -> int:
    """How many templates match."""
    matching = store.query(
        f"SELECT COUNT(*) AS templates FROM prompt_templates WHERE {_MATCHES}", **_wanted(status, label_type, search)
    )
    return rows.whole(matching[0], "templates")


def one(store: Store, template_id: str) -> PromptTemplate:
    """One template version. Raises NotFound."""
    stored = store.query(f"SELECT {_COLUMNS} FROM prompt_templates WHERE id = :id", id=template_id)
    if not stored:
        raise NotFound("This prompt template does not exist.", hint="Choose one on the Prompt templates page.")
    return _template(stored[0])


def several(store: Store, template_ids: Sequence[str]) -> list[PromptTemplate]:
    """These template versions in this order, each once. Raises NotFound when one is missing."""
    wanted = list(dict.fromkeys(template_ids))
    stored = store.query(f"SELECT {_COLUMNS} FROM prompt_templates WHERE id IN :ids ORDER BY id", ids=wanted)
    by_id = {rows.text(row, "id"): row for row in stored} if wanted else {}
    if len(by_id) < len(wanted):
        raise NotFound("One of these prompt templates does not exist.", hint="Reload the list.")
    return [_template(by_id[template_id]) for template_id in wanted]


def lineage(store: Store, lineage_id: str) -> list[PromptTemplate]:
    """All versions of one lineage, newest first."""
    stored = store.query(
        f"SELECT {_COLUMNS} FROM prompt_templates WHERE lineage_id = :lineage ORDER BY created_at DESC, id",
        lineage=lineage_id,
    )
    return sorted((_template(row) for row in stored), key=lambda t: numbers_of(t.version), reverse=True)


def add(store: Store, template: PromptTemplate) -> None:
    """Append a new version. Raises AlreadyExists for a number or an open draft that the lineage has already."""
    store.append("prompt_templates", [_row(template)])


def save(store: Store, template: PromptTemplate, *, expected: int, by: str, now: datetime) -> None:
    """Write every column that may change, if nobody else was faster. Raises ChangedByOthers."""
    values = _row(replace(template, row_version=expected + 1, updated_by=by, updated_at=now))
    kept = {name: value for name, value in values.items() if name not in _NEVER_CHANGED}
    assignments = ", ".join(f"{name} = :{name}" for name in kept if name != "id")
    changed = store.execute(
        f"UPDATE prompt_templates SET {assignments} WHERE id = :id AND row_version = :expected",
        touches="prompt_templates",
        expected=expected,
        **kept,
    )
    if not changed:
        there = one(store, template.id)
        raise ChangedByOthers(f"“{there.name}” was just changed by {there.updated_by}.", hint="Reload and try again.")


def remove(store: Store, template_id: str) -> list[str]:
    """Delete a version, and take it off sheets that are deleted themselves; give the ids of those sheets."""
    sheets = store.query(
        "SELECT sheet_id FROM attached_templates WHERE prompt_template_id = :id ORDER BY sheet_id", id=template_id
    )
    store.execute(
        "DELETE FROM attached_templates WHERE prompt_template_id = :id", touches="attached_templates", id=template_id
    )
    store.execute("DELETE FROM prompt_templates WHERE id = :id", touches="prompt_templates", id=template_id)
    return [rows.text(row, "sheet_id") for row in sheets]


def dependants(store: Store, template_id: str) -> str:
    """What stands on a version, such as “2 training sheets (May, June), 1 later version (1.1.0)”; empty for nothing."""
    parts = " UNION ALL ".join(
        f"SELECT {number} AS kind, name, CAST(SUM(things) OVER () AS BIGINT) AS every, "
        "ROW_NUMBER() OVER (ORDER BY name) AS place "
        f"FROM (SELECT name, COUNT(*) AS things FROM ({query}) each{number} GROUP BY name) part{number}"
        for number, (_, _, query) in enumerate(_DEPENDANTS)
    )
    standing = store.query(
        f"SELECT kind, name, every FROM ({parts}) parts WHERE place <= :most ORDER BY kind, place",
        id=template_id,
        most=_MOST_NAMES,
    )
    words = []
    for number, (singular, plural, _) in enumerate(_DEPENDANTS):
        mine = [row for row in standing if rows.whole(row, "kind") == number]
        if mine:
            count = rows.whole(mine[0], "every")
            names = ", ".join(rows.text(row, "name") for row in mine)
            words.append(f"{count:,} {plural if count > 1 else singular} ({names}{', …' if count > len(mine) else ''})")
    return ", ".join(words)


def _wanted(status: TemplateStatus | None, label_type: str, search: str) -> dict[str, str | list[TemplateStatus]]:
    """The parameters of `_MATCHES`."""
    return {
        "statuses": [status] if status else list(TemplateStatus),
        "label_type": label_type,
        "pattern": rows.search_pattern(search),
    }


def _row(template: PromptTemplate) -> dict[str, Value]:
    values = {entry.name: getattr(template, entry.name) for entry in fields(PromptTemplate) if entry.name != "usage"}
    return {
        **values,
        **template.usage.columns(),
        "label_classes": rows.to_json(template.label_classes),
        "output_schema": rows.to_json(fields_json(template.output_schema)),
        "examples": rows.to_json(examples_json(template.examples)),
        "inputs": rows.to_json(inputs_json(template.inputs)),
        "feature_columns": rows.to_json(template.feature_columns),
        "tags": rows.to_json(template.tags),
    }


def _template(row: Row) -> PromptTemplate:
    return PromptTemplate(
        id=rows.text(row, "id"),
        lineage_id=rows.text(row, "lineage_id"),
        parent_id=rows.text(row, "parent_id") or None,
        name=rows.text(row, "name"),
        description=rows.text(row, "description"),
        label_type=rows.text(row, "label_type"),
        system_prompt=rows.text(row, "system_prompt"),
        user_prompt=rows.text(row, "user_prompt"),
        label_classes=rows.json_texts(row, "label_classes"),
        output_schema=read_fields(rows.json_list(row, "output_schema")),
        examples=read_examples(rows.json_list(row, "examples")),
        answer_source=AnswerSource(rows.text(row, "answer_source")),
        temperature=rows.number(row, "temperature"),
        max_tokens=rows.whole(row, "max_tokens"),
        model=rows.text(row, "model"),
        inputs=read_inputs(rows.json_list(row, "inputs")),
        feature_columns=rows.json_texts(row, "feature_columns"),
        target_column=rows.text(row, "target_column"),
        tags=rows.json_texts(row, "tags"),
        usage=usage.from_row(row),
        version=rows.text(row, "version"),
        status=TemplateStatus(rows.text(row, "status")),
        is_demo=rows.flag(row, "is_demo"),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        updated_by=rows.text(row, "updated_by"),
        updated_at=rows.time(row, "updated_at"),
    )
