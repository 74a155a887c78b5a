"""The canonical labels of a sheet: how far it is labelled, and how often its labels were reused (SH-13)."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import SHARES_IN_ROWS, Look, bar_chart
from pages.components.errors import guard
from pages.components.layout import empty_state, metric_row
from pages.components.words import percent
from workbench_core import cached
from workbench_core.canonical_labels import CanonicalLabel, Coverage
from workbench_core.sheets import Sheet

EVERY = "All label types"
LONGEST = 80  # characters of an answer in the list


def show_labels(sheet: Sheet) -> None:
    """Coverage and reuse for each label type, and the labels that saved most work."""
    with guard():
        stats = cached.label_stats(sheet.id)
        if not stats.total:
            with empty_state(
                "No item of this sheet has a canonical label yet. A label is given once, while pairs are reviewed, and "
                "reused by everything that is generated later.",
                icon=":material/label:",
            ):
                st.page_link("generate.py", label="Generate pairs", query_params={"sheet": sheet.id})
            return
        types = [one.label_type for one in stats.coverage]
        chosen = EVERY
        if len(types) > 1:
            chosen = str(st.selectbox("Label type", [EVERY, *types], key=f"data_label_type_{sheet.id}", width=260))
        if chosen != EVERY:
            stats = cached.label_stats(sheet.id, chosen)
        metric_row(
            [
                ("Labels", f"{stats.total:,}"),
                ("Best coverage", percent(max(one.share for one in stats.coverage)), "Labelled items among all items"),
                ("Average reuse", f"{stats.average_reuse:.2f}", "Pairs that a label answered without new work"),
                ("Label types", f"{len(stats.coverage):,}"),
                ("People", f"{len(stats.contributors):,}"),
            ]
        )
        bars(list(stats.coverage))
        most_reused(list(stats.most_reused))


def bars(coverage: list[Coverage]) -> None:
    """Coverage and average reuse of each label type."""
    frame = pd.DataFrame(
        {
            "type": [one.label_type for one in coverage],
            "share": [one.share for one in coverage],
            "reuse": [one.average_reuse for one in coverage],
        }
    )
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        st.markdown("**Coverage**")
        bar_chart(
            frame, "type", "share", key="data_label_coverage", is_horizontal=True, look=SHARES_IN_ROWS,
            alt="Labelled items among all items, for each label type",
        )  # fmt: skip
    with right, st.container(border=True):
        st.markdown("**Average reuse**")
        bar_chart(
            frame, "type", "reuse", key="data_label_reuse", is_horizontal=True, look=Look(digits=2, height=0),
            alt="Pairs that each label answered on average, for each label type",
        )  # fmt: skip


def most_reused(labels: list[CanonicalLabel]) -> None:
    """The labels that saved most work."""
    if not labels:
        st.caption("No label was reused yet.")
        return
    st.subheader("Most reused", anchor=False)
    frame = pd.DataFrame(
        {
            "Item": [one.item_ref for one in labels],
            "Label type": [one.label_type for one in labels],
            "Answer": [one.answer if len(one.answer) <= LONGEST else f"{one.answer[:LONGEST]} …" for one in labels],
            "Reused": [one.reuse_count for one in labels],
            "Labelled by": [one.labeled_by for one in labels],
        }
    )
    st.dataframe(frame, hide_index=True, height="content", alt="The labels that were reused most")
