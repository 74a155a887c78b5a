"""How many of the rows a sheet takes: all, some at random, or some of each class, with what that picks."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.charts import Look, stacked_bar
from pages.components.errors import guard
from pages.components.sheet_draft import OpenSheet, change, opened, why_locked
from pages.components.words import percent
from workbench_core import cached
from workbench_core.sheets import Sheet, SheetDraft, Stratum

STRATEGIES = {"all": "All rows", "random": "Random", "stratified": "Stratified"}
MEANING = {
    "all": "The sheet has every row that the filter keeps.",
    "random": "So many rows, picked by a seed: the same seed always picks the same rows.",
    "stratified": "So many rows, with the classes of a column in their proportions and at least one row of each.",
}
USUAL_SIZE = 1_000
MOST_BARS = 12
MOST_CLASSES = 200


def edit_sampling(sheet: Sheet) -> None:
    """The sample with what it takes of each class."""
    kept, is_locked = opened(sheet), bool(why_locked(sheet))
    with guard():
        key = f"{kept.key}_strategy"
        strategy = st.segmented_control(
            "Sample", list(STRATEGIES), format_func=lambda one: STRATEGIES[one], key=key, required=True,
            default=strategy_of(kept.draft), label_visibility="collapsed", disabled=is_locked,
        )  # fmt: skip
        st.caption(MEANING[str(strategy)])
        draft = fields(kept, str(strategy), is_locked=is_locked)
        if draft != kept.draft and not is_locked:
            change(sheet.id, draft)
        if draft.sample_size is not None and (draft.stratify_column or strategy == "random"):
            show_strata(cached.sampling_preview(draft), draft, key=f"data_strata_{sheet.id}")


def strategy_of(draft: SheetDraft) -> str:
    """All, random or stratified."""
    if draft.sample_size is None:
        return "all"
    return "stratified" if draft.stratify_column else "random"


def fields(kept: OpenSheet, strategy: str, *, is_locked: bool) -> SheetDraft:
    """Size, class column and seed; the draft with what they say."""
    draft = kept.draft
    if strategy == "all":
        return replace(draft, sample_size=None, stratify_column="")
    every = cached.relation_columns(draft.relation)
    names = [column.name for column in every if column.kind not in {"nested", "binary"}]
    start, stratify = draft.stratify_column, ""
    with st.grid(3, min_column_width=170):
        size = st.number_input(
            "Rows", 1, value=draft.sample_size or USUAL_SIZE, key=f"{kept.key}_size", disabled=is_locked, step=1
        )
        if strategy == "stratified":
            stratify = st.selectbox(
                "Classes of", names, index=names.index(start) if start in names else None,
                key=f"{kept.key}_stratify", placeholder="Choose a column", disabled=is_locked,
            ) or ""  # fmt: skip
        seed = st.number_input("Seed", 0, value=draft.sample_seed, key=f"{kept.key}_seed", disabled=is_locked, step=1)
    if strategy == "stratified" and not stratify:
        st.caption("Choose the column whose classes keep their proportions.")
        return draft
    return replace(draft, sample_size=int(size or 1), sample_seed=int(seed or 0), stratify_column=stratify)


def show_strata(strata: list[Stratum], draft: SheetDraft, *, key: str) -> None:
    """What the sample takes of each class, as bars and as a table."""
    rows, sampled = sum(one.rows for one in strata), sum(one.sampled for one in strata)
    st.caption(f":green[:material/check_circle:] **{sampled:,} of {rows:,} rows** are picked.")
    if not draft.stratify_column:
        return
    shown = strata[:MOST_CLASSES]
    names = [one.title for one in shown]
    if len(strata) <= MOST_BARS:
        bars = pd.DataFrame(
            {
                "class": [*names, *names],
                "rows": [*(one.sampled for one in shown), *(one.rows - one.sampled for one in shown)],
                "part": [*["In the sample"] * len(shown), *["Not picked"] * len(shown)],
            }
        )
        stacked_bar(
            bars, "class", "rows", series="part", key=f"{key}_bars", is_horizontal=True,
            look=Look(unit="rows", height=0), tones={"In the sample": "info", "Not picked": "neutral"},
            alt="Rows of each class, picked and not picked",
        )  # fmt: skip
    table = pd.DataFrame(
        {
            draft.stratify_column: names,
            "Rows": [one.rows for one in shown],
            "In the sample": [one.sampled for one in shown],
            "Share": [percent(one.sampled / one.rows if one.rows else None) for one in shown],
        }
    )
    st.dataframe(table, hide_index=True, height=320 if len(shown) > 8 else "content", alt="Rows of each class")
    if len(strata) > MOST_CLASSES:
        st.caption(f"The {MOST_CLASSES} largest of {len(strata):,} classes are listed.")
