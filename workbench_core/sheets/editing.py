"""Small changes of a draft: the role and the place of a column, and one person's changes on top of another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from workbench_core.errors import Invalid
from workbench_core.sheets.model import SheetDraft

_COLUMN_FIELDS = ("item_id_column", "text_columns", "image_columns", "metadata_columns")


class ColumnRole(StrEnum):
    """What a column of a sheet is for; without a role it stays out of the sheet, but can be mapped."""

    IDENTIFIER = "identifier"
    TEXT = "text"
    IMAGE = "image"
    METADATA = "metadata"
    NONE = "none"


_FIELDS: Mapping[ColumnRole, str] = {
    ColumnRole.TEXT: "text_columns",
    ColumnRole.IMAGE: "image_columns",
    ColumnRole.METADATA: "metadata_columns",
}


def roles_of(draft: SheetDraft) -> dict[str, ColumnRole]:
    """The columns with a role, in the order of the sheet."""
    role = {name: role for role, field in _FIELDS.items() for name in getattr(draft, field)}
    return {**{name: role.get(name, ColumnRole.NONE) for name in draft.columns if name}, **_identifier(draft)}


def with_role(draft: SheetDraft, column: str, role: ColumnRole) -> SheetDraft:
    """The draft with another role for a column; the others keep their places, and a new one comes last.

    The former identifier becomes metadata. Raises Invalid when the sheet would have no identifier left.
    """
    roles = roles_of(draft)
    if roles.get(column) is ColumnRole.IDENTIFIER and role is not ColumnRole.IDENTIFIER:
        raise Invalid(f"{column} is the identifier.", hint="Make another column the identifier first.")
    if role is ColumnRole.IDENTIFIER and draft.item_id_column:
        roles[draft.item_id_column] = ColumnRole.METADATA
    roles[column] = role
    return _with_roles(draft, roles, order=tuple(roles))


def placed(draft: SheetDraft, order: Sequence[str]) -> SheetDraft:
    """The draft with its columns in this order; those that the order does not name follow."""
    named = [name for name in dict.fromkeys(order) if name in draft.columns]
    return replace(draft, column_order=tuple(dict.fromkeys((*named, *draft.columns))))


def shifted(draft: SheetDraft, column: str, *, by: int) -> SheetDraft:
    """The draft with one column so many places later, or earlier for a negative number."""
    order = [name for name in draft.columns if name != column]
    place = max(0, min(len(order), draft.columns.index(column) + by))
    return placed(draft, [*order[:place], column, *order[place:]])


def combined(base: SheetDraft, mine: SheetDraft, theirs: SheetDraft) -> SheetDraft:
    """What `mine` changed of `base`, put on top of `theirs`; all three over the same join.

    Roles are compared column by column, so that two people can each move columns without giving one two roles.
    """
    changed = {
        name: getattr(mine, name)
        for name in SheetDraft.__dataclass_fields__
        if name not in _COLUMN_FIELDS and getattr(mine, name) != getattr(base, name)
    }
    before, after, roles = roles_of(base), roles_of(mine), roles_of(theirs)
    for column in {**before, **after}:
        if after.get(column) != before.get(column):
            roles[column] = after.get(column, ColumnRole.NONE)
    identifier = theirs.item_id_column if mine.item_id_column == base.item_id_column else mine.item_id_column
    roles = {name: ColumnRole.METADATA if role is ColumnRole.IDENTIFIER else role for name, role in roles.items()}
    roles |= {identifier: ColumnRole.IDENTIFIER} if identifier else {}
    return replace(_with_roles(theirs, roles, order=theirs.column_order), **changed)


def _with_roles(draft: SheetDraft, roles: Mapping[str, ColumnRole], *, order: Sequence[str]) -> SheetDraft:
    def having(wanted: ColumnRole) -> tuple[str, ...]:
        return tuple(name for name, role in roles.items() if role is wanted)

    changed = replace(
        draft,
        item_id_column=next(iter(having(ColumnRole.IDENTIFIER)), ""),
        text_columns=having(ColumnRole.TEXT),
        image_columns=having(ColumnRole.IMAGE),
        metadata_columns=having(ColumnRole.METADATA),
    )
    return replace(changed, column_order=tuple(name for name in order if name in changed.columns))


def _identifier(draft: SheetDraft) -> dict[str, ColumnRole]:
    return {draft.item_id_column: ColumnRole.IDENTIFIER} if draft.item_id_column else {}
