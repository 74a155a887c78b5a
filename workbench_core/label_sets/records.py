"""What the store knows about label sets: lists of them and their rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime

from workbench_core import rows, usage
from workbench_core.errors import ChangedByOthers, NotFound
from workbench_core.label_sets.model import Facets, LabelClass, LabelSet, LabelSetFilter, LabelSetStatus
from workbench_core.label_sets.versions import numbers_of
from workbench_core.ports import Json, Row, Store, Value

_COLUMNS = (
    "id, lineage_id, parent_id, name, description, use_case, label_type, classes, response_schema, tags, "
    "allowed_uses, prohibited_uses, usage_reason, classification, may_serve, version, status, is_demo, row_version, "
    "created_by, created_at, updated_by, updated_at, published_by, published_at"
)
_MATCHES = (
    "status IN :statuses AND (:label_type = '' OR label_type = :label_type) "
    "AND (:use_case = '' OR use_case = :use_case) AND search_text LIKE :pattern ESCAPE '!'"
)
_NEVER_CHANGED = ("lineage_id", "parent_id", "label_type", "version", "is_demo", "created_by", "created_at")


def found(store: Store, wanted: LabelSetFilter, *, limit: int, offset: int) -> list[LabelSet]:
    """One page of the sets that match, last changed first."""
    where, params = _where(wanted)
    matching = store.query(
        f"SELECT {_COLUMNS} FROM label_sets WHERE {where} ORDER BY updated_at DESC, id LIMIT :limit OFFSET :offset",
        limit=limit,
        offset=offset,
        **params,
    )
    return [_label_set(row) for row in matching]


def counted(store: Store, wanted: LabelSetFilter) -> dict[LabelSetStatus, int]:
    """How many sets match, by status."""
    where, params = _where(wanted)
    matching = store.query(
        f"SELECT status, COUNT(*) AS sets FROM label_sets WHERE {where} GROUP BY status ORDER BY status", **params
    )
    counts = {rows.text(row, "status"): rows.whole(row, "sets") for row in matching}
    return {status: counts.get(status.value, 0) for status in LabelSetStatus}


def facets(store: Store) -> Facets:
    """What all sets can be filtered by."""
    stored = store.query(
        "SELECT DISTINCT label_type, use_case, tags FROM label_sets ORDER BY label_type, use_case, tags"
    )
    return Facets(
        label_types=tuple(sorted({rows.text(row, "label_type") for row in stored})),
        use_cases=tuple(sorted({rows.text(row, "use_case") for row in stored} - {""})),
        tags=tuple(sorted({tag for row in stored for tag in rows.json_texts(row, "tags")})),
    )


def one(store: Store, label_set_id: str) -> LabelSet:
    """One version of a label set. Raises NotFound."""
    stored = store.query(f"SELECT {_COLUMNS} FROM label_sets WHERE id = :id", id=label_set_id)
    if not stored:
        raise NotFound("This label set does not exist.", hint="Choose one on the Label sets page.")
    return _label_set(stored[0])


def newest_of_type(store: Store, label_type: str) -> LabelSet | None:
    """The published set of a label type that was published last."""
    stored = store.query(
        f"SELECT {_COLUMNS} FROM label_sets WHERE label_type = :label_type AND status = :published "
        "ORDER BY published_at DESC, id DESC LIMIT 1",
        label_type=label_type,
        published=LabelSetStatus.PUBLISHED,
    )
    return _label_set(stored[0]) if stored else None


def lineage(store: Store, lineage_id: str) -> list[LabelSet]:
    """All versions of one lineage, newest first."""
    stored = store.query(
        f"SELECT {_COLUMNS} FROM label_sets WHERE lineage_id = :lineage ORDER BY created_at DESC, id",
        lineage=lineage_id,
    )
    return sorted((_label_set(row) for row in stored), key=lambda each: numbers_of(each.version), reverse=True)


def add(store: Store, label_set: LabelSet) -> None:
    """Append a new version. Raises AlreadyExists for a number or an open draft that the lineage has already."""
    store.append("label_sets", [_row(label_set)])


def save(store: Store, label_set: LabelSet, *, expected: int, by: str, now: datetime) -> None:
    """Write every column that may change, if nobody else was faster. Raises ChangedByOthers."""
    values = _row(replace(label_set, row_version=expected + 1, updated_by=by, updated_at=now))
    kept = {name: value for name, value in values.items() if name not in _NEVER_CHANGED}
    assignments = ", ".join(f"{name} = :{name}" for name in kept if name != "id")
    changed = store.execute(
        f"UPDATE label_sets SET {assignments} WHERE id = :id AND row_version = :expected",
        touches="label_sets",
        expected=expected,
        **kept,
    )
    if not changed:
        there = one(store, label_set.id)
        raise ChangedByOthers(f"“{there.name}” was just changed by {there.updated_by}.", hint="Reload and try again.")


def remove(store: Store, label_set: LabelSet) -> None:
    """Delete a version, if nobody changed it since. Raises ChangedByOthers."""
    gone = store.execute(
        "DELETE FROM label_sets WHERE id = :id AND row_version = :expected",
        touches="label_sets",
        id=label_set.id,
        expected=label_set.row_version,
    )
    if not gone:
        raise ChangedByOthers(f"“{label_set.name}” was just changed by somebody else.", hint="Reload and try again.")


def classes_json(classes: tuple[LabelClass, ...]) -> list[Json]:
    """Classes as JSON, in their order."""
    return [dict(asdict(one)) for one in classes]


def _where(wanted: LabelSetFilter) -> tuple[str, dict[str, Value | list[LabelSetStatus]]]:
    """The condition of a filter, with one part for each tag, and its parameters."""
    tags = {f"tag{number}": _tag_pattern(tag) for number, tag in enumerate(wanted.tags)}
    of_tags = " OR ".join(f"tags LIKE :{name} ESCAPE '!'" for name in tags)
    return f"{_MATCHES} AND ({of_tags})" if tags else _MATCHES, {
        "statuses": [wanted.status] if wanted.status else list(LabelSetStatus),
        "label_type": wanted.label_type,
        "use_case": wanted.use_case,
        "pattern": rows.search_pattern(wanted.search.casefold()),
        **tags,
    }


def _tag_pattern(tag: str) -> str:
    """A whole tag within the JSON text of a list of them."""
    return rows.search_pattern(rows.to_json(tag))


def _row(label_set: LabelSet) -> dict[str, Value]:
    values = {entry.name: getattr(label_set, entry.name) for entry in fields(LabelSet) if entry.name != "usage"}
    return {
        **values,
        **label_set.usage.columns(),
        "classes": rows.to_json(classes_json(label_set.classes)),
        "response_schema": rows.to_json(dict(label_set.response_schema)),
        "tags": rows.to_json(label_set.tags),
        "search_text": _search_text(label_set),
    }


def _search_text(label_set: LabelSet) -> str:
    texts = (label_set.name, label_set.label_type, label_set.description, label_set.use_case, *label_set.tags)
    of_classes = (text for one in label_set.classes for text in (one.name, one.title))
    return "\n".join(text for text in (*texts, *of_classes) if text).casefold()


def _label_set(row: Row) -> LabelSet:
    return LabelSet(
        id=rows.text(row, "id"),
        lineage_id=rows.text(row, "lineage_id"),
        parent_id=rows.text(row, "parent_id") or None,
        name=rows.text(row, "name"),
        description=rows.text(row, "description"),
        use_case=rows.text(row, "use_case"),
        label_type=rows.text(row, "label_type"),
        classes=tuple(_class(entry) for entry in rows.json_list(row, "classes")),
        response_schema=_schema(rows.text(row, "response_schema")),
        tags=rows.json_texts(row, "tags"),
        usage=usage.from_row(row),
        may_serve=rows.flag(row, "may_serve"),
        version=rows.text(row, "version"),
        status=LabelSetStatus(rows.text(row, "status")),
        is_demo=rows.flag(row, "is_demo"),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        updated_by=rows.text(row, "updated_by"),
        updated_at=rows.time(row, "updated_at"),
        published_by=rows.text(row, "published_by"),
        published_at=rows.time_or_none(row, "published_at"),
    )


def _class(entry: Json) -> LabelClass:
    assert isinstance(entry, dict)
    return LabelClass(
        name=str(entry["name"]),
        title=str(entry.get("title", "")),
        colour=str(entry.get("colour", "")),
        description=str(entry.get("description", "")),
        hotkey=str(entry.get("hotkey", "")),
        threshold=float(str(entry.get("threshold", 0))),
    )


def _schema(text: str) -> Mapping[str, Json]:
    found: Json = json.loads(text or "{}")
    assert isinstance(found, dict)
    return found
