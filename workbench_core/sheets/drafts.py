"""What a person filled in for a sheet, checked: every refusal names the field."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import Lake
from workbench_core.sheets.model import MAX_DESCRIPTION, MAX_NAME, Sheet, SheetDraft, SheetStatus
from workbench_core.sheets.proposals import HIDDEN
from workbench_core.text_encodings import check_encodable

MAX_NUMBER = 2**31 - 1  # what an INTEGER column holds in every store


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """A draft that can be stored: its filter normalised, with the kind of its (primary) source and all tags."""

    draft: SheetDraft
    source_kind: str
    tags: tuple[str, ...]


def checked(lake: Lake, draft: SheetDraft) -> CheckedDraft:
    """The draft as it is stored. Raises Invalid naming the field, NotFound for a table that is not there."""
    if draft.join is not None:
        draft = replace(draft, source=draft.join.primary.table)
    entry = lake.entry(draft.source)
    tables = (draft.source,) if draft.join is None else draft.join.tables
    tags = dict.fromkeys(tag for table in tables for tag in lake.entry(table).tags)
    known = [column.name for column in lake.columns(draft.relation)]
    draft = replace(draft, name=draft.name.strip(), description=draft.description.strip())
    _check_texts(draft)
    _check_sample(draft)
    _check_roles(draft, known)
    _check_identifier(draft)
    accepted = lake.check_filter(draft.relation, draft.filter) if draft.filter.strip() else ""
    order = tuple(name for name in dict.fromkeys(draft.column_order) if name in draft.columns)
    return CheckedDraft(replace(draft, filter=accepted, column_order=order), entry.kind, tuple(tags))


def new_sheet(checked: CheckedDraft, *, sheet_id: str, by: str, now: datetime, is_demo: bool) -> Sheet:
    """A sheet made of a checked draft."""
    return Sheet(
        **{entry.name: getattr(checked.draft, entry.name) for entry in fields(SheetDraft)},
        id=sheet_id,
        source_kind=checked.source_kind,
        join_stats=None,
        is_join_stale=False,
        tags=checked.tags,
        is_demo=is_demo,
        status=SheetStatus.DRAFT,
        item_count=None,
        validated_at=None,
        row_version=1,
        created_by=by,
        created_at=now,
        updated_by=by,
        updated_at=now,
    )


def applied(checked: CheckedDraft, sheet: Sheet) -> Sheet:
    """The sheet with what a checked draft says; what was counted before counts no more."""
    draft = checked.draft
    return replace(
        sheet,
        **{entry.name: getattr(draft, entry.name) for entry in fields(SheetDraft)},
        source_kind=checked.source_kind,
        join_stats=sheet.join_stats if draft.join else None,
        is_join_stale=draft.join is not None and (sheet.is_join_stale or draft.join != sheet.join),
        tags=checked.tags,
        item_count=None,
        validated_at=None,
    )


def tags_of(lake: Lake, sheet: Sheet) -> tuple[str, ...]:
    """The tags that a sheet has kept, and those that its sources have now."""
    tags = dict.fromkeys(sheet.tags)
    for table in sheet.tables:
        try:
            tags |= dict.fromkeys(lake.entry(table).tags)
        except NotFound:
            continue
    return tuple(tags)


def _check_texts(draft: SheetDraft) -> None:
    if not 1 <= len(draft.name) <= MAX_NAME:
        raise Invalid(f"The name must have 1 to {MAX_NAME} characters.", hint="Change the name.")
    check_encodable(draft.name, draft.description, what="The name or the description")
    if len(draft.description) > MAX_DESCRIPTION:
        raise Invalid(
            f"The description has {len(draft.description):,} characters; at most {MAX_DESCRIPTION:,} are kept.",
            hint="Shorten it.",
        )


def _check_sample(draft: SheetDraft) -> None:
    if draft.sample_size is not None and not 1 <= draft.sample_size <= MAX_NUMBER:
        raise Invalid(f"The sample size must be between 1 and {MAX_NUMBER:,}.", hint="Leave it empty for all rows.")
    if not 0 <= draft.sample_seed <= MAX_NUMBER:
        raise Invalid(f"The seed must be between 0 and {MAX_NUMBER:,}.", hint="Any number will do, for example 42.")
    if draft.stratify_column and draft.sample_size is None:
        raise Invalid("A stratified sample needs a size.", hint="Enter how many rows to pick.")


def _check_roles(draft: SheetDraft, known: Sequence[str]) -> None:
    roles = [*draft.text_columns, *draft.image_columns, *draft.metadata_columns]
    used = [draft.item_id_column, *roles, *([draft.stratify_column] if draft.stratify_column else [])]
    present: Collection[str] = set(known)
    unknown = [column for column in dict.fromkeys(used) if column not in present]
    if unknown:
        raise Invalid(f"The source has no column {', '.join(unknown)}.", hint=f"It has: {', '.join(known[:20])}.")
    if HIDDEN in roles and draft.item_id_column != HIDDEN:
        raise Invalid(
            f"The column “{HIDDEN}” cannot be shown, because every row already carries its identifier under this name.",
            hint=f"Make {HIDDEN} the identifier, or leave the column out.",
        )
    repeated = sorted({column for column in roles if roles.count(column) > 1})
    if repeated:
        raise Invalid(f"{', '.join(repeated)} has two roles.", hint="Give each column one role.")


def _check_identifier(draft: SheetDraft) -> None:
    """The rows of the primary source are the items, so one of its columns names them."""
    if draft.join is None:
        return
    primary = draft.join.primary
    if not draft.item_id_column.startswith(f"{primary.alias}__"):
        raise Invalid(
            f"{draft.item_id_column} cannot identify items: it is no column of the primary source “{primary.alias}”.",
            hint=f"Choose a column that begins with {primary.alias}__.",
        )
