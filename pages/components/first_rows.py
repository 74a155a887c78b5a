"""The first rows of a table, as many as a person wants to see."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url
from pages.components.words import counted
from workbench_core import cached
from workbench_core.catalog import Preview

STEPS = (20, 50, 100)
EXACT = 2**53 - 1  # the largest whole number that a browser keeps exactly


def first_rows(preview: Preview) -> None:
    """Twenty rows, or by `?rows=` up to a hundred where there are so many."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("First rows", anchor=False)
        offered = [
            str(step) for number, step in enumerate(STEPS) if not number or preview.row_count > STEPS[number - 1]
        ]
        wanted = STEPS[0]
        if len(offered) > 1:
            st.space("stretch")
            wanted = int(choose_in_url("Rows shown", offered, key="rows", default=offered[0]))
    shown = preview if wanted == STEPS[0] else cached.table_preview(preview.entry.name, wanted)
    st.dataframe(exact(shown.rows), hide_index=True, alt=f"The first rows of {preview.entry.name}")
    if preview.row_count > len(shown.rows):
        st.caption(f"{counted(len(shown.rows), 'row')} of {preview.row_count:,}; a sheet shows all of them.")


def exact(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns with whole numbers that a browser would mark as too large become texts."""
    whole = rows.select_dtypes("integer")
    large = [name for name in whole.columns if ((whole[name] > EXACT) | (whole[name] < -EXACT)).any()]
    return rows.astype(dict.fromkeys(large, "string"))
