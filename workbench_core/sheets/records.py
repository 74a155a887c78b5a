"""What the store knows about sheets: lists of them, what stands on them, and what goes on with them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from workbench_core import rows
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import Row, Store
from workbench_core.sheets.model import (
    COLUMNS,
    MOST_NAMES,
    Dependants,
    Sheet,
    SheetList,
    SheetStatus,
    UnreadableSheet,
    row_of,
    sheet_from,
)

log = logging.getLogger(__name__)

MAX_PAGE = 1_000
LABELLED_TOGETHER = 50_000  # labelled items that are looked for in a source at once
_KEPT = ("id", "is_demo", "created_by", "created_at")  # columns that never change
_MATCHING = (
    "WHERE (:owner = '' OR created_by = :owner) "
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
_BUSY = (  # what is going on with a sheet right now, in the words of a sentence
    "SELECT name AS what, 'is being generated' AS doing FROM training_sheets "
    "WHERE sheet_id = :id AND status = 'generating' "
    "UNION ALL SELECT w.title, 'is an open labelling task' FROM labeling_tasks w "
    "JOIN training_sheets t ON t.id = w.training_sheet_id "
    "WHERE t.sheet_id = :id AND w.status NOT IN ('completed', 'cancelled') "
    "UNION ALL SELECT j.model_name, 'is being trained' FROM training_jobs j "
    "JOIN training_sheets t ON t.id = j.training_sheet_id "
    "WHERE t.sheet_id = :id AND j.status IN ('pending', 'queued', 'running') "
    "UNION ALL SELECT e.model_name, 'is being evaluated' FROM evaluations e "
    "JOIN training_sheets t ON t.id = e.training_sheet_id "
    "WHERE t.sheet_id = :id AND e.status IN ('queued', 'running') "
    "UNION ALL SELECT r.title, 'is running' FROM runs r "
    "WHERE r.subject_id = :id AND r.kind IN :kinds AND r.status IN ('queued', 'running')"
)
_RUNS = ("check_quality", "profile_sheet")  # long work on a sheet itself
_CHECKING = ("create", "update", "publish", "validate")  # actions that check a sheet
MOST_BUSY = 6


def listed(
    store: Store, *, statuses: Sequence[SheetStatus], search: str, owner: str, limit: int, offset: int
) -> SheetList:
    """One page of the sheets that match, last changed first, and how many there are of each status."""
    found = store.query(
        f"SELECT {COLUMNS} FROM sheets {_MATCHING} AND status IN :statuses "
        "ORDER BY updated_at DESC, id LIMIT :limit OFFSET :offset",
        statuses=[str(status) for status in statuses],
        limit=min(max(limit, 1), MAX_PAGE),
        offset=max(offset, 0),
        owner=owner,
        pattern=rows.search_pattern(search),
    )
    read, every = [_read(row) for row in found], counts(store, search=search, owner=owner)
    return SheetList(
        sheets=tuple(one for one in read if isinstance(one, Sheet)),
        unreadable=tuple(one for one in read if isinstance(one, UnreadableSheet)),
        total=sum(every.get(status, 0) for status in statuses),
        counts=every,
    )


def counts(store: Store, *, search: str, owner: str) -> dict[SheetStatus, int]:
    """How many sheets match, by status."""
    found = store.query(
        f"SELECT status, COUNT(*) AS sheets FROM sheets {_MATCHING} GROUP BY status ORDER BY status",
        owner=owner,
        pattern=rows.search_pattern(search),
    )
    return {SheetStatus(rows.text(row, "status")): rows.whole(row, "sheets") for row in found}


def _read(row: Row) -> Sheet | UnreadableSheet:
    """A sheet, or what is known of one that another version wrote or that is damaged: it spoils no list."""
    try:
        return sheet_from(row)
    except (Invalid, ValueError) as error:
        sheet_id = rows.text(row, "id")
        log.warning("Sheet %s cannot be read: %s", sheet_id, type(error).__name__)
        problem = error.message if isinstance(error, Invalid) else "Its columns cannot be read."
        return UnreadableSheet(sheet_id, rows.text(row, "name"), problem)


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


def busy(store: Store, sheet_id: str) -> list[str]:
    """What is going on with a sheet right now: “January” is being generated. At most six of them."""
    found = store.query(
        f"SELECT what, doing FROM ({_BUSY}) work ORDER BY doing, what LIMIT :most",
        id=sheet_id,
        kinds=list(_RUNS),
        most=MOST_BUSY,
    )
    return [f"“{rows.text(row, 'what')}” {rows.text(row, 'doing')}" for row in found]


def last_checked_by(store: Store, sheet_id: str) -> str:
    """Who did last what a sheet is checked at; empty when nobody did."""
    found = store.query(
        "SELECT by_user FROM history WHERE subject_kind = 'sheet' AND subject_id = :id AND action IN :checking "
        "ORDER BY happened_at DESC, id LIMIT 1",
        id=sheet_id,
        checking=list(_CHECKING),
    )
    return rows.text(found[0], "by_user") if found else ""


def labelled_items(store: Store, sheet_id: str) -> Iterator[list[str]]:
    """All items of a sheet that have a canonical label, each once, some ten thousand at a time."""
    after = ""
    while True:
        found = store.query(
            "SELECT DISTINCT item_ref FROM canonical_labels WHERE sheet_id = :id AND item_ref > :after "
            "ORDER BY item_ref LIMIT :most",
            id=sheet_id,
            after=after,
            most=LABELLED_TOGETHER,
        )
        if not found:
            return
        page = [rows.text(row, "item_ref") for row in found]
        yield page
        after = page[-1]
