"""What the store knows about sheets: lists of them, what stands on them, and who changed them when."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_core import rows
from workbench_core.errors import ChangedByOthers, NotFound
from workbench_core.history import Event, History
from workbench_core.ports import Json, Store, Value
from workbench_core.sheets.model import (
    COLUMNS,
    MOST_NAMES,
    Dependants,
    Sheet,
    SheetDraft,
    SheetStatus,
    row_of,
    sheet_from,
)

MAX_PAGE = 1_000
MOST_LABELLED = 20_000  # labelled items that are looked for in a joined source; SQLite takes 32,766 parameters
REFUSED = " refused"  # ends the action of an attempt that came too late
_KEPT = ("id", "is_demo", "created_by", "created_at")  # columns that never change
_MATCHING = (
    "WHERE status IN :statuses AND (:owner = '' OR created_by = :owner) "
    "AND LOWER(name || ' ' || description || ' ' || source) LIKE LOWER(:pattern) ESCAPE '!'"
)
_DEPENDANTS = {  # kind, and the statement that gives names with how many things each stands for
    "training sheets": "SELECT name, 1 AS things, created_at AS made_at, id FROM training_sheets WHERE sheet_id = :id",
    "canonical labels": (
        "SELECT label_type AS name, COUNT(*) AS things, MAX(labeled_at) AS made_at, label_type AS id "
        "FROM canonical_labels WHERE sheet_id = :id GROUP BY label_type"
    ),
    "gaps": "SELECT description AS name, 1 AS things, first_seen_at AS made_at, id FROM gaps WHERE sheet_id = :id",
    "labelling tasks": (
        "SELECT w.title AS name, 1 AS things, w.created_at AS made_at, w.id FROM labeling_tasks w "
        "JOIN training_sheets t ON t.id = w.training_sheet_id WHERE t.sheet_id = :id"
    ),
    "training jobs": (
        "SELECT j.model_name AS name, 1 AS things, j.created_at AS made_at, j.id FROM training_jobs j "
        "JOIN training_sheets t ON t.id = j.training_sheet_id WHERE t.sheet_id = :id"
    ),
}
_FIELD_WORDS = {
    "item_id_column": "identifier",
    "source": "source",
    "text_columns": "text columns",
    "image_columns": "picture columns",
    "metadata_columns": "other columns",
    "column_order": "order of columns",
    "sample_size": "sample",
    "sample_seed": "sample",
    "stratify_column": "sample",
}


def find(store: Store, *, status: SheetStatus | None, search: str, owner: str, limit: int, offset: int) -> list[Sheet]:
    """Sheets that match, last changed first."""
    found = store.query(
        f"SELECT {COLUMNS} FROM sheets {_MATCHING} ORDER BY updated_at DESC, id LIMIT :limit OFFSET :offset",
        limit=min(max(limit, 1), MAX_PAGE),
        offset=max(offset, 0),
        **_wanted(status, search, owner),
    )
    return [sheet_from(row) for row in found]


def total(store: Store, *, status: SheetStatus | None, search: str, owner: str) -> int:
    """How many sheets match."""
    found = store.query(f"SELECT COUNT(*) AS sheets FROM sheets {_MATCHING}", **_wanted(status, search, owner))
    return rows.whole(found[0], "sheets")


def get(store: Store, sheet_id: str) -> Sheet:
    """One sheet, deleted or not. Raises NotFound."""
    found = store.query(f"SELECT {COLUMNS} FROM sheets WHERE id = :id", id=sheet_id)
    if not found:
        raise NotFound("This sheet does not exist.", hint="Choose one on the Data page.")
    return sheet_from(found[0])


def save(store: Store, sheet: Sheet, *, expected: int) -> bool:
    """Write a changed sheet unless its stored version is another one than expected; whether it was written."""
    changing = {name: value for name, value in row_of(sheet).items() if name not in _KEPT}
    changed = store.execute(
        f"UPDATE sheets SET {', '.join(f'{name} = :{name}' for name in changing)} "
        "WHERE id = :id AND row_version = :expected",
        touches="sheets",
        id=sheet.id,
        expected=expected,
        **changing,
    )
    return bool(changed)


def owners(store: Store) -> list[str]:
    """Everybody who made a sheet that is not deleted, by name."""
    found = store.query("SELECT DISTINCT created_by FROM sheets WHERE status <> 'deleted' ORDER BY created_by")
    return [rows.text(row, "created_by") for row in found]


def has_name(store: Store, name: str, *, except_for: str) -> bool:
    """Whether another sheet that is not deleted has this name, whatever its case."""
    found = store.query(
        "SELECT COUNT(*) AS sheets FROM sheets "
        "WHERE status <> 'deleted' AND LOWER(name) = LOWER(:name) AND id <> :except_for",
        name=name.strip(),
        except_for=except_for,
    )
    return bool(found[0]["sheets"])


def dependants(store: Store, sheet_id: str) -> Dependants:
    """What stands on a sheet, in one statement; the newest are named."""
    parts = " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, name, CAST(SUM(things) OVER () AS BIGINT) AS every, "
        f"ROW_NUMBER() OVER (ORDER BY made_at DESC, id DESC) AS place FROM ({query}) part{number}"
        for number, (kind, query) in enumerate(_DEPENDANTS.items())
    )
    found = store.query(
        f"SELECT kind, name, every, place FROM ({parts}) parts WHERE place <= :most ORDER BY kind, place",
        id=sheet_id,
        most=MOST_NAMES,
    )
    counts = dict.fromkeys(_DEPENDANTS, 0)
    names: dict[str, tuple[str, ...]] = {}
    for row in found:
        kind = rows.text(row, "kind")
        counts[kind] = rows.whole(row, "every")
        names[kind] = (*names.get(kind, ()), rows.text(row, "name"))
    return Dependants(counts, names)


def generating(store: Store, sheet_id: str) -> list[str]:
    """The names of the training sheets that are being generated from a sheet."""
    found = store.query(
        "SELECT name FROM training_sheets WHERE sheet_id = :id AND status = 'generating' ORDER BY name",
        id=sheet_id,
    )
    return [rows.text(row, "name") for row in found]


def labelled_items(store: Store, sheet_id: str) -> list[str]:
    """Items of a sheet that have a canonical label, at most 20,000."""
    found = store.query(
        "SELECT DISTINCT item_ref FROM canonical_labels WHERE sheet_id = :id ORDER BY item_ref LIMIT :most",
        id=sheet_id,
        most=MOST_LABELLED,
    )
    return [rows.text(row, "item_ref") for row in found]


# --- who changed what ------------------------------------------------------------------------------------------------


def changed_fields(before: SheetDraft, after: SheetDraft) -> list[str]:
    """What differs between two drafts, in a person's words; the order only when columns of both changed places."""
    differing = [name for name in SheetDraft.__dataclass_fields__ if getattr(before, name) != getattr(after, name)]
    kept = set(before.columns) & set(after.columns)
    orders = ([name for name in draft.columns if name in kept] for draft in (before, after))
    if "column_order" in differing and next(orders) == next(orders):
        differing.remove("column_order")
    return list(dict.fromkeys(_FIELD_WORDS.get(name, name) for name in differing))


def outrun(history: History, sheet: Sheet, *, had: int) -> ChangedByOthers:
    """What the second of two people is told: who changed what since the version that they had."""
    changes = changes_since(history, sheet.id, had) or sheet.updated_by
    return ChangedByOthers(f"“{sheet.name}” was just changed by {changes}.", hint="Reload and try again.")


def note_refusal(history: History, sheet: Sheet, action: str, *, by: str, had: int) -> None:
    """What the first of two people finds in the history; call it outside the transaction that failed."""
    reason = f"{by} had version {had}, older than that of {sheet.updated_by}"
    history.add("sheet", sheet.id, f"{action}{REFUSED}", by=by, reason=reason, version=sheet.row_version)


def changes_since(history: History, sheet_id: str, version: int) -> str:
    """Who did what to a sheet since that version: “ben@example.com: filter, name; cleo@example.com: publish”."""
    later = [event for event in history.of("sheet", sheet_id) if _version(event) > version]
    by_person: dict[str, dict[str, None]] = {}
    for event in reversed(later):
        by_person.setdefault(event.by, {}).update(dict.fromkeys(_words(event)))
    return "; ".join(f"{person}: {', '.join(words)}" if words else person for person, words in by_person.items())


def _version(event: Event) -> int:
    value = event.details.get("version")
    return value if isinstance(value, int) and not event.action.endswith(REFUSED) else 0


def _words(event: Event) -> Sequence[str]:
    changed: Json = event.details.get("changed")
    return [str(name) for name in changed] if isinstance(changed, list) else [event.action]


def _wanted(status: SheetStatus | None, search: str, owner: str) -> dict[str, Value | Sequence[Value]]:
    every = [known.value for known in SheetStatus if known is not SheetStatus.DELETED]
    return {
        "statuses": [str(status)] if status else every,
        "owner": owner,
        "pattern": rows.search_pattern(search),
    }
