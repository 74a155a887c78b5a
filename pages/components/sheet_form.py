"""A new sheet in one look: its name, its identifier with the verdict, and what its columns are for; the rest folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from pages.components.column_editor import ROLES, chips
from pages.components.verdicts import identifier_verdict
from pages.components.words import plain
from workbench_core import cached
from workbench_core.catalog import Column
from workbench_core.sheets import MAX_DESCRIPTION, MAX_NAME, SheetDraft
from workbench_core.sheets.editing import ColumnRole, with_role

_UNUSED = "A column without a role stays out of the sheet, but can still be mapped or hold the answers."


@dataclass(frozen=True, slots=True)
class SheetForm:
    """What the fields say now, and whether it can be saved as far as can be seen."""

    draft: SheetDraft
    can_save: bool


def sheet_form(start: SheetDraft, columns: Sequence[Column], *, key: str) -> SheetForm:
    """Fields filled with `start` over the columns of its source."""
    names = [column.name for column in columns]
    left, right = st.columns(2, gap="medium")
    with left:
        name = st.text_input("Name", start.name, max_chars=MAX_NAME, key=f"{key}_name") or ""
        if name.strip() and cached.workbench().sheets.has_name(name.strip()):
            st.caption(":orange[:material/info:] There is a sheet of this name already.")
        tags_of(start)
    with right:
        identifier = st.selectbox(
            "Identifier", names, index=names.index(start.item_id_column) if start.item_id_column in names else 0,
            key=f"{key}_identifier",
            help="The column that names each item for good. Labels are tied to it, never to a position.",
        )  # fmt: skip
        is_unique = identifier_verdict(start.relation, identifier or "")
    draft = replace(start, name=name)
    if identifier and identifier != start.item_id_column:
        draft = replace(with_role(draft, identifier, ColumnRole.IDENTIFIER), column_order=())
    shown = st.container(gap="small")
    draft = details(draft, names, key=f"{key}_{identifier}")
    with shown:
        chips(draft)
    return SheetForm(draft, bool(name.strip()) and is_unique)


def tags_of(start: SheetDraft) -> None:
    """The tags of the source, which bind everything that is made from the sheet."""
    tags = cached.workbench().catalog.get(start.source).tags
    if tags:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.caption("Inherits", width="content")
            for tag in tags:
                st.badge(plain(tag), color="red", icon=":material/shield:")


def details(draft: SheetDraft, names: Sequence[str], *, key: str) -> SheetDraft:
    """Description and roles, folded: what is proposed is right most of the time."""
    with st.expander("Details", icon=":material/tune:", key=f"{key}_details"):
        description = st.text_area(
            "Description", draft.description, max_chars=MAX_DESCRIPTION, key=f"{key}_description", height=94
        )
        others = [name for name in names if name != draft.item_id_column]
        text = role_field(ColumnRole.TEXT, draft.text_columns, others, key=key, hint="Long texts that people read")
        image = role_field(ColumnRole.IMAGE, draft.image_columns, others, key=key, hint="Paths of pictures")
        metadata = role_field(ColumnRole.METADATA, draft.metadata_columns, others, key=key, hint=_UNUSED)
        st.caption("Filter, sample, order of columns and joins are set on the sheet itself.")
    return replace(
        draft,
        description=description or "",
        text_columns=tuple(text),
        image_columns=tuple(image),
        metadata_columns=tuple(metadata),
    )


def role_field(role: ColumnRole, start: Sequence[str], names: Sequence[str], *, key: str, hint: str) -> list[str]:
    """The columns of one role."""
    present = [name for name in start if name in names]
    return st.multiselect(f"{ROLES[role]} columns", names, default=present, key=f"{key}_{role}", help=hint)
