"""The fields of a sheet, with a verdict beside each that can be wrong: identifier, filter and sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.components.layout import plain
from workbench_core import cached
from workbench_core.catalog import Column
from workbench_core.sheets import MAX_DESCRIPTION, MAX_NAME, SheetDraft

_UNUSED = "A column without a role stays out of the preview, but can still be mapped or hold the answers."


@dataclass(frozen=True, slots=True)
class SheetForm:
    """What the fields say now, and whether it can be saved as far as can be seen."""

    draft: SheetDraft
    can_save: bool


def sheet_form(start: SheetDraft, columns: Sequence[Column], *, key: str, taken_names: Sequence[str] = ()) -> SheetForm:
    """Fields filled with `start` over the columns of its source."""
    names = [column.name for column in columns]
    left, right = st.columns(2, gap="medium")
    with left:
        name = st.text_input("Name", start.name, max_chars=MAX_NAME, key=f"{key}_name")
        if name.strip() in taken_names:
            st.caption(":orange[:material/info:] There is a sheet of this name already.")
        description = st.text_area(
            "Description", start.description, max_chars=MAX_DESCRIPTION, key=f"{key}_description", height=94
        )
        identifier, is_unique = _identifier(start, names, key=key)
    with right:
        text = _role("Text", start.text_columns, names, key=f"{key}_text", hint="Long texts that people read")
        image = _role("Picture", start.image_columns, names, key=f"{key}_image", hint="Paths of pictures")
        metadata = _role("Other", start.metadata_columns, names, key=f"{key}_metadata", hint=_UNUSED)
    where, is_readable = _filter(start, key=key)
    size, seed, stratify = _sample(start, names, key=key)
    draft = SheetDraft(
        name=name,
        source=start.source,
        item_id_column=identifier,
        description=description,
        text_columns=tuple(text),
        image_columns=tuple(image),
        metadata_columns=tuple(metadata),
        filter=where,
        sample_size=size,
        sample_seed=seed,
        stratify_column=stratify,
    )
    return SheetForm(draft, bool(name.strip()) and is_unique and is_readable)


def _identifier(start: SheetDraft, names: Sequence[str], *, key: str) -> tuple[str, bool]:
    """The identifier and whether it tells every row from every other one (INV-3)."""
    chosen = st.selectbox(
        "Identifier",
        names,
        index=names.index(start.item_id_column) if start.item_id_column in names else 0,
        key=f"{key}_identifier",
        help="The column that names each item for good. Labels are tied to it, never to a position.",
    )
    check = cached.identifier_check(start.source, chosen)
    if check.is_valid:
        st.caption(f":green[:material/check_circle:] Unique and never empty in all {check.rows:,} rows.")
        return chosen, True
    faults = [
        f"empty in {check.nulls:,} rows" if check.nulls else "",
        f"repeats itself in {check.duplicates:,} rows" if check.duplicates else "",
    ]
    reason = " and ".join(fault for fault in faults if fault) or "the source has no rows"
    st.caption(f":red[:material/error:] {plain(chosen)}: {reason}. Labels need an identifier that is unique.")
    return chosen, False


def _role(label: str, start: Sequence[str], names: Sequence[str], *, key: str, hint: str) -> list[str]:
    present = [name for name in start if name in names]
    return st.multiselect(f"{label} columns", names, default=present, key=key, help=hint)


def _filter(start: SheetDraft, *, key: str) -> tuple[str, bool]:
    """The filter and whether it can be read (SH-11)."""
    where = st.text_input(
        "Filter",
        start.filter,
        key=f"{key}_filter",
        placeholder="Optional, for example: topic = 'general' AND length > 20",
        help="One condition on the columns. Texts go in single quotes.",
        live="600ms",
    )
    verdict = cached.filter_verdict(start.source, where or "")
    if verdict.problem:
        st.caption(f":red[:material/error:] {plain(verdict.problem)} {plain(verdict.hint)}")
        return where or "", False
    mark = ":green[:material/check_circle:]" if verdict.kept else ":orange[:material/warning:]"
    st.caption(f"{mark} {verdict.kept:,} of {verdict.every:,} rows.")
    return where or "", True


def _sample(start: SheetDraft, names: Sequence[str], *, key: str) -> tuple[int | None, int, str]:
    """Sample size (None means all rows), seed and the column whose proportions are kept."""
    with st.expander("Sample", expanded=start.sample_size is not None, key=f"{key}_sample"), st.grid(3):
        size = st.number_input(
            "Rows", 1, value=start.sample_size, key=f"{key}_size", placeholder="All rows", help="Empty takes all rows"
        )
        stratify = st.selectbox(
            "Keep the proportions of",
            names,
            index=names.index(start.stratify_column) if start.stratify_column in names else None,
            key=f"{key}_stratify",
            placeholder="No column",
            disabled=size is None,
        )
        seed = st.number_input(
            "Seed", 0, value=start.sample_seed, key=f"{key}_seed", help="The same seed picks the same rows",
            disabled=size is None,
        )  # fmt: skip
    return size, int(seed or 0), (stratify or "") if size is not None else ""
