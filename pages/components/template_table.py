"""A small table that is edited in place and keeps what was typed while it is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import streamlit as st

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.elements.lib.column_types import ColumnConfig


def kept_table(
    key: str,
    columns: Mapping[str, ColumnConfig | str | None],
    *,
    alt: str,
    is_open: bool,
    rows: Literal["fixed", "dynamic"] = "dynamic",
) -> pd.DataFrame:
    """Edit the frame that the session keeps under `key`; give it as it is now, and keep it there.

    The browser reports its edits against the frame that it was first given: while the table is shown, that frame must
    stay, or every edit would count twice. Only a table that is shown again starts from what is kept.
    """
    widget, start, turn = f"{key}_table", f"{key}_start", f"{key}_turn"
    number = st.session_state.get(turn, 0)
    if f"{widget}_{number}" not in st.session_state:
        st.session_state[start] = st.session_state[key]
    edited: pd.DataFrame = st.data_editor(
        st.session_state[start],
        key=f"{widget}_{number}",
        num_rows=rows if is_open else "fixed",
        hide_index=True,
        disabled=not is_open,
        alt=alt,
        column_config=dict(columns),
    )
    st.session_state[key] = edited
    return edited


def set_table(key: str, frame: pd.DataFrame) -> None:
    """Put another frame into a table; the next time it is drawn it begins anew with it."""
    st.session_state[key] = frame
    st.session_state[f"{key}_turn"] = st.session_state.get(f"{key}_turn", 0) + 1
