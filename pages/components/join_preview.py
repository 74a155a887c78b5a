"""What a join gives before it is saved: how many items match, its first rows and its query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import pandas as pd
import streamlit as st

from pages.components.charts import Look, stacked_bar
from pages.components.errors import guard_callback
from pages.components.identity import current_user
from pages.components.sheet_draft import opened
from pages.components.sheet_rows import frame_grid
from pages.components.words import ago, percent, plain
from workbench_core import cached
from workbench_core.sheets import Join, JoinPreview, JoinStats, Sheet, match_quality

Previewed: TypeAlias = "tuple[Join, str]"  # the join and the identifier that were looked at last
BOXES = {"good": st.success, "fair": st.warning, "poor": st.error}
ICONS: Mapping[str, str] = {"good": "check_circle", "fair": "warning", "poor": "error"}
LIMIT = 50


def show_match(sheet: Sheet, *, can_edit: bool) -> None:
    """The way to preview the join as it is staged now, and what the last preview said about it."""
    draft = opened(sheet).draft
    if draft.join is None:
        return
    st.subheader("Preview", anchor=False)
    staged, looked_at = (draft.join, draft.item_id_column), last_previewed(sheet.id)
    is_saved = draft.join == sheet.join and draft.item_id_column == sheet.item_id_column
    st.button(
        "Preview join", icon=":material/visibility:", key="data_preview", on_click=look_at,
        args=(sheet.id, staged), kwargs={"measures": is_saved and can_edit},
    )  # fmt: skip
    if looked_at == staged:
        show_preview(cached.join_preview(draft.join, draft.item_id_column, LIMIT), key=f"data_preview_{sheet.id}")
    elif looked_at is not None or not is_saved or sheet.is_join_stale:
        st.warning(
            "The join was changed since its numbers were counted.", title="Stale: preview again",
            icon=":material/update:",
        )  # fmt: skip
    elif sheet.join_stats is not None:
        match_banner(sheet.join_stats.stats, key="data_match_saved")
        st.caption(f"Counted by {plain(sheet.join_stats.measured_by)}, {ago(sheet.join_stats.measured_at)}.")
    else:
        st.caption("Preview the join to see how many items match.")


def look_at(sheet_id: str, staged: Previewed, *, measures: bool) -> None:
    """Preview a join; the numbers of one that is saved are kept for everybody."""
    st.session_state[_place(sheet_id)] = staged
    if measures:
        with guard_callback():
            cached.workbench().sheets.measure_join(sheet_id, by=current_user())


def last_previewed(sheet_id: str) -> Previewed | None:
    """What was previewed last in this session."""
    found: Previewed | None = st.session_state.get(_place(sheet_id))
    return found


def fans_out(sheet: Sheet) -> bool:
    """Whether the last preview, or the saved numbers, showed several rows for one item."""
    if looked_at := last_previewed(sheet.id):
        stats = cached.join_preview(*looked_at, LIMIT).stats
        return stats is not None and stats.repeated_rows > 0
    return sheet.join_stats is not None and sheet.join_stats.stats.repeated_rows > 0


def show_preview(preview: JoinPreview, *, key: str) -> None:
    """Match numbers, warnings, rows and query of one preview."""
    for problem in preview.problems:
        st.error(plain(problem), icon=":material/error:", title="This join cannot be made")
    if preview.stats is not None:
        match_banner(preview.stats, key=f"{key}_bar")
    for warning in preview.warnings:
        st.warning(plain(warning), icon=":material/warning:")
    if preview.rows is not None:
        if preview.rows.empty:
            st.caption("The result has no rows.")
        else:
            st.caption(f"The first {len(preview.rows):,} rows")
            frame_grid(preview.rows, key=f"{key}_rows")
        with st.expander("Query", icon=":material/code:", key=f"{key}_query", on_change="rerun") as opened_query:
            if opened_query.open:
                st.code(preview.query_text, language="sql", wrap_lines=True)


def match_banner(stats: JoinStats, *, key: str) -> None:
    """Matched and unmatched items, in the colour of the share (JN-2)."""
    quality = match_quality(stats)
    each = f", {stats.fan_out:.2f} for each matched item" if stats.matched_rows else ""
    BOXES[quality](
        f"{stats.matched_rows:,} of {stats.primary_rows:,} items find a match in every source; "
        f"{stats.unmatched_rows:,} do not. The result has {stats.joined_rows:,} rows{each}.",
        title=f"{percent(stats.share)} of the items match",
        icon=f":material/{ICONS[quality]}:",
    )
    frame = pd.DataFrame(
        {"what": ["Items"] * 2, "items": [stats.matched_rows, stats.unmatched_rows], "part": ["Matched", "Unmatched"]}
    )
    tones = {"Matched": {"good": "good", "fair": "warning", "poor": "bad"}[quality], "Unmatched": "neutral"}
    stacked_bar(
        frame, "what", "items", series="part", tones=tones, is_horizontal=True, key=key,
        alt=f"{stats.matched_rows:,} matched and {stats.unmatched_rows:,} unmatched items",
        look=Look(unit="items", height=110, high=float(stats.primary_rows or 1)),
    )  # fmt: skip


def _place(sheet_id: str) -> str:
    return f"data_previewed_{sheet_id}"
