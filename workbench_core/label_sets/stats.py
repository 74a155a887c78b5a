"""What stands on label sets, counted in the store: labels, sheets, training sheets, tasks, templates (LS-5)."""

from __future__ import annotations

from collections.abc import Collection

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabel
from workbench_core.canonical_labels.model import LABEL_COLUMNS, label_from
from workbench_core.label_sets.model import ClassCount, LabelSet, LabelSetStats, UsedBy
from workbench_core.ports import Store

MOST_USES = 50  # of each kind
_MOST_NAMES = 3
_COUNTS = """
SELECT (SELECT COUNT(*) FROM canonical_labels WHERE label_type = :label_type) AS labels,
       (SELECT COUNT(*) FROM sheets s WHERE EXISTS (SELECT 1 FROM canonical_labels c
        WHERE c.sheet_id = s.id AND c.label_type = :label_type)) AS sheets,
       (SELECT COUNT(*) FROM training_sheets WHERE label_type = :label_type) AS training_sheets,
       (SELECT COUNT(*) FROM labeling_tasks t JOIN training_sheets s ON s.id = t.training_sheet_id
        WHERE s.label_type = :label_type) AS labeling_tasks,
       (SELECT COUNT(*) FROM prompt_templates WHERE label_type = :label_type AND status <> 'archived') AS templates
"""
_USES = """
SELECT kind, id, name, details FROM (
    SELECT 1 AS place, 'template' AS kind, id, name, version || ', ' || status AS details, updated_at AS changed
    FROM prompt_templates WHERE label_type = :label_type AND status <> 'archived'
    UNION ALL
    SELECT 2, 'training_sheet', id, name, status, updated_at
    FROM training_sheets WHERE label_type = :label_type
    UNION ALL
    SELECT 3, 'labeling_task', t.id, t.title, t.status, t.created_at
    FROM labeling_tasks t JOIN training_sheets s ON s.id = t.training_sheet_id WHERE s.label_type = :label_type
    UNION ALL
    SELECT 4, 'sheet', id, name, CAST(labels AS TEXT) || ' labelled', updated_at FROM (
        SELECT s.id, s.name, s.updated_at, (SELECT COUNT(*) FROM canonical_labels c
            WHERE c.sheet_id = s.id AND c.label_type = :label_type) AS labels
        FROM sheets s) labelled WHERE labels > 0
) uses ORDER BY place, changed DESC, id LIMIT :most
"""
_STANDING = (  # what keeps a version from being deleted: singular, plural, and the statement for names and numbers
    (
        "canonical label",
        "canonical labels",
        "SELECT name, things FROM (SELECT s.name AS name, (SELECT COUNT(*) FROM canonical_labels c "
        "WHERE c.sheet_id = s.id AND c.label_type = :label_type) AS things FROM sheets s) labelled WHERE things > 0",
    ),
    (
        "training sheet",
        "training sheets",
        "SELECT t.name AS name, 1 AS things FROM training_sheets t JOIN label_sets l ON l.label_type = t.label_type "
        "WHERE l.id = :id AND l.published_at IS NOT NULL",
    ),
    ("later version", "later versions", "SELECT version AS name, 1 AS things FROM label_sets WHERE parent_id = :id"),
)


def stats_of(store: Store, label_set: LabelSet) -> LabelSetStats:
    """Counts of what uses the label type of a set, its classes in their order."""
    counted = store.query(_COUNTS, label_type=label_set.label_type)[0]
    return LabelSetStats(
        labels=rows.whole(counted, "labels"),
        classes=_by_class(store, label_set),
        sheets=rows.whole(counted, "sheets"),
        training_sheets=rows.whole(counted, "training_sheets"),
        labeling_tasks=rows.whole(counted, "labeling_tasks"),
        templates=rows.whole(counted, "templates"),
    )


def _by_class(store: Store, label_set: LabelSet) -> tuple[ClassCount, ...]:
    if not label_set.classes:
        return ()
    found = store.query(
        "SELECT answer, COUNT(*) AS labels FROM canonical_labels WHERE label_type = :label_type AND answer IN :names "
        "GROUP BY answer ORDER BY answer",
        label_type=label_set.label_type,
        names=label_set.class_names,
    )
    counts = {rows.text(row, "answer"): rows.whole(row, "labels") for row in found}
    return tuple(ClassCount(name, counts.get(name, 0)) for name in label_set.class_names)


def labels_of_types(store: Store, label_types: Collection[str]) -> dict[str, int]:
    """How many canonical labels there are of each of these types."""
    if not label_types:
        return {}
    found = store.query(
        "SELECT label_type, COUNT(*) AS labels FROM canonical_labels WHERE label_type IN :label_types "
        "GROUP BY label_type ORDER BY label_type",
        label_types=sorted(label_types),
    )
    counts = {rows.text(row, "label_type"): rows.whole(row, "labels") for row in found}
    return {label_type: counts.get(label_type, 0) for label_type in label_types}


def labels_of(store: Store, label_set: LabelSet, *, search: str, limit: int, offset: int) -> list[CanonicalLabel]:
    """One page of the labels of the label type of a set, last changed first (LS-4).

    The inner statement is answered by the index alone, however far the page is.
    """
    found = store.query(
        f"SELECT {LABEL_COLUMNS} FROM canonical_labels WHERE id IN (SELECT id FROM canonical_labels "
        f"WHERE label_type = :label_type {_searched(search)} ORDER BY updated_at DESC, id DESC LIMIT :limit "
        "OFFSET :offset) ORDER BY updated_at DESC, id DESC",
        label_type=label_set.label_type,
        limit=limit,
        offset=offset,
        **_pattern(search),
    )
    return [label_from(row) for row in found]


def count_labels(store: Store, label_set: LabelSet, *, search: str) -> int:
    """How many labels `labels_of` has in all its pages."""
    found = store.query(
        f"SELECT COUNT(*) AS labels FROM canonical_labels WHERE label_type = :label_type {_searched(search)}",
        label_type=label_set.label_type,
        **_pattern(search),
    )
    return rows.whole(found[0], "labels")


def _searched(search: str) -> str:
    """The condition of a search; none without one, because the index then answers alone."""
    return "AND LOWER(item_ref || ' ' || answer) LIKE LOWER(:pattern) ESCAPE '!'" if search.strip() else ""


def _pattern(search: str) -> dict[str, str]:
    return {"pattern": rows.search_pattern(search)} if search.strip() else {}


def uses_of(store: Store, label_set: LabelSet) -> list[UsedBy]:
    """Templates, training sheets, labelling tasks and sheets of the label type, at most 4 times `MOST_USES`."""
    found = store.query(_USES, label_type=label_set.label_type, most=4 * MOST_USES)
    return [UsedBy(*(rows.text(row, name) for name in ("kind", "id", "name", "details"))) for row in found]


def dependants(store: Store, label_set: LabelSet) -> str:
    """What keeps a version from being deleted, such as “212 canonical labels (Mails), 1 later version (1.1.0)”."""
    words = []
    for singular, plural, names_of in _STANDING:
        named = f"SELECT name, SUM(things) AS things FROM ({names_of}) each_one GROUP BY name"
        found = store.query(
            f"SELECT name, CAST(SUM(things) OVER () AS BIGINT) AS every, COUNT(*) OVER () AS names "
            f"FROM ({named}) named ORDER BY name LIMIT :most",
            most=_MOST_NAMES,
            **{key: value for key, value in _parameters(label_set).items() if f":{key}" in names_of},
        )
        if found:
            count = rows.whole(found[0], "every")
            more = ", …" if rows.whole(found[0], "names") > len(found) else ""
            names = ", ".join(rows.text(row, "name") for row in found)
            words.append(f"{count:,} {plural if count > 1 else singular} ({names}{more})")
    return ", ".join(words)


def _parameters(label_set: LabelSet) -> dict[str, str]:
    return {"label_type": label_set.label_type, "id": label_set.id}
