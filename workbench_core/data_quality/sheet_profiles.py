"""The profile of a sheet as it is kept: what its columns are like, and what it was computed from (DQ-1)."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import datetime

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.data_quality.suggestions import Reference
from workbench_core.ports import ColumnProfile, Join, Json, Lake, Row, SourceRole, Store, Watch
from workbench_core.sheets import Sheet

INLINE_CELLS = 1_000_000  # rows times columns up to which a person waits for a profile: one or two seconds
_COLUMNS = "sheet_id, sheet_version, item_count, profile, seconds, computed_by, computed_at"


@dataclass(frozen=True, slots=True)
class SheetProfile:
    """Profiles of all columns over the rows of a sheet, and the version of the sheet that they were computed from."""

    sheet_id: str
    sheet_version: int
    rows: int
    columns: tuple[ColumnProfile, ...]
    references: tuple[Reference, ...]
    seconds: float
    computed_by: str
    computed_at: datetime

    def is_stale(self, sheet: Sheet) -> bool:
        """The sheet was changed since, so that these numbers may not be its own any more."""
        return sheet.row_version != self.sheet_version

    def column(self, name: str) -> ColumnProfile | None:
        """The profile of one column."""
        return next((one for one in self.columns if one.column == name), None)


def compute(lake: Lake, sheet: Sheet, *, by: str, clock: Clock, watch: Watch | None = None) -> SheetProfile:
    """Profile all rows of a sheet as they are now. Raises Stopped when `watch` says so."""
    began = time.monotonic()
    columns = tuple(lake.profile(sheet.selection(), watch=watch))
    references = tuple(_references(lake, sheet.join)) if sheet.join is not None else ()
    return SheetProfile(
        sheet_id=sheet.id,
        sheet_version=sheet.row_version,
        rows=columns[0].rows if columns else 0,
        columns=columns,
        references=references,
        seconds=round(time.monotonic() - began, 3),
        computed_by=by,
        computed_at=clock(),
    )


def _references(lake: Lake, join: Join) -> list[Reference]:
    """Keys of a join whose sampled values were all found on the other side."""
    others = {source.alias: source.table for source in join.sources if source.role is not SourceRole.PRIMARY}
    found = []
    for key in join.keys:
        left, right = (key.left, key.right) if key.left.alias == join.primary.alias else (key.right, key.left)
        if left.alias != join.primary.alias or right.alias not in others:
            continue
        same_pair = [one for one in join.keys if {one.left.alias, one.right.alias} == {left.alias, right.alias}]
        if len(same_pair) > 1:
            continue  # one column of a key of several says little
        table = others[right.alias]
        compared = lake.compare_keys(join.primary.table, left.column, table, right.column)
        if compared.containment >= 1.0 and compared.left_values:
            found.append(Reference(left.name, table, right.column))
    return found


def keep(store: Store, profile: SheetProfile) -> None:
    """Keep a profile in place of the former one of its sheet."""
    text = rows.to_json(
        {
            "columns": [_column_json(column) for column in profile.columns],
            "references": [asdict(reference) for reference in profile.references],
        }
    )
    store.execute(
        f"INSERT INTO quality_profiles ({_COLUMNS}) VALUES (:sheet, :version, :items, :profile, :seconds, :by, :now) "
        "ON CONFLICT (sheet_id) DO UPDATE SET sheet_version = excluded.sheet_version, "
        "item_count = excluded.item_count, profile = excluded.profile, seconds = excluded.seconds, "
        "computed_by = excluded.computed_by, computed_at = excluded.computed_at",
        touches="quality_profiles",
        sheet=profile.sheet_id,
        version=profile.sheet_version,
        items=profile.rows,
        profile=text,
        seconds=profile.seconds,
        by=profile.computed_by,
        now=profile.computed_at,
    )


def kept(store: Store, sheet_id: str) -> SheetProfile | None:
    """The last profile of a sheet; None when there is none."""
    found = store.query(f"SELECT {_COLUMNS} FROM quality_profiles WHERE sheet_id = :sheet", sheet=sheet_id)
    return _profile_from(found[0]) if found else None


def _profile_from(row: Row) -> SheetProfile:
    content = rows.json_object(row, "profile")
    columns, references = content["columns"], content["references"]
    assert isinstance(columns, list) and isinstance(references, list)
    return SheetProfile(
        sheet_id=rows.text(row, "sheet_id"),
        sheet_version=rows.whole(row, "sheet_version"),
        rows=rows.whole(row, "item_count"),
        columns=tuple(_column_from(entry) for entry in columns),
        references=tuple(Reference(**_texts(entry)) for entry in references),
        seconds=rows.number(row, "seconds"),
        computed_by=rows.text(row, "computed_by"),
        computed_at=rows.time(row, "computed_at"),
    )


def _column_json(column: ColumnProfile) -> dict[str, object]:
    values = asdict(column)
    if column.quantiles is not None:
        values["quantiles"] = {str(share): value for share, value in column.quantiles.items()}
    return values


def _column_from(entry: Json) -> ColumnProfile:
    assert isinstance(entry, dict)
    values = dict(entry)
    quantiles, tops, bins = values.pop("quantiles"), values.pop("top_values"), values.pop("histogram")
    assert isinstance(tops, list) and isinstance(bins, list)
    return ColumnProfile(
        **values,  # type: ignore[arg-type]  # as `asdict` gave it
        quantiles={float(share): float(str(value)) for share, value in quantiles.items()}
        if isinstance(quantiles, dict)
        else None,
        top_values=tuple((str(one[0]), int(str(one[1]))) for one in tops if isinstance(one, list)),
        histogram=tuple(
            (float(str(one[0])), float(str(one[1])), int(str(one[2]))) for one in bins if isinstance(one, list)
        ),
    )


def _texts(entry: Json) -> dict[str, str]:
    assert isinstance(entry, dict)
    return {name: str(value) for name, value in entry.items()}
