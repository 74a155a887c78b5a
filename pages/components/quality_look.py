"""Moving about on the Data quality page, and the words and colours that all its parts share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.layout import Color, plain
from workbench_core.data_quality.results import ItemKind, QualityRun, ScoreColour, ScoreWord
from workbench_core.data_quality.rules import Criticality, Origin

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.elements.lib.column_types import ColumnConfig

TONES: Mapping[ScoreColour, str] = {
    ScoreColour.GREEN: "good", ScoreColour.AMBER: "warning", ScoreColour.RED: "bad",
}  # fmt: skip
BADGES: Mapping[ScoreColour, Color] = {
    ScoreColour.GREEN: "green", ScoreColour.AMBER: "orange", ScoreColour.RED: "red",
}  # fmt: skip
WORD_COLORS: Mapping[ScoreWord, Color] = {
    ScoreWord.EXCELLENT: "green", ScoreWord.GOOD: "blue", ScoreWord.FAIR: "orange", ScoreWord.POOR: "red",
}  # fmt: skip
CRITICALITIES: Mapping[Criticality, str] = {Criticality.ERROR: "Error", Criticality.WARN: "Warning"}
ORIGINS: Mapping[Origin, str] = {
    Origin.PROFILE: "Profile", Origin.AI: "Sentence", Origin.MANUAL: "By hand", Origin.IMPORTED: "Imported",
}  # fmt: skip
KINDS: Mapping[ItemKind, str] = {
    ItemKind.FAILING: "Failing", ItemKind.DUPLICATES: "Duplicates", ItemKind.NEAR_DUPLICATES: "Near-duplicates",
    ItemKind.OUTLIERS: "Outliers",
}  # fmt: skip
KIND_ICONS: Mapping[str, str] = {
    "string": ":material/match_case:", "number": ":material/tag:", "boolean": ":material/toggle_on:",
    "time": ":material/schedule:", "nested": ":material/data_object:", "binary": ":material/image:",
}  # fmt: skip


def go(**query: str) -> None:
    """Put another part of this page into the address; in a callback that is all, elsewhere rerun after it."""
    st.query_params.from_dict(query)


def go_within(**query: str) -> None:
    """Change some of the address and keep the rest; an empty value removes its part."""
    kept = {**st.query_params.to_dict(), **query}
    st.query_params.from_dict({name: value for name, value in kept.items() if value})


def pick(
    frame: pd.DataFrame,
    opened: Callable[[int], None],
    *,
    key: str,
    alt: str,
    columns: Mapping[str, ColumnConfig | str | None] | None = None,
) -> None:
    """A list whose rows open: a click calls `opened` with the number of the row."""

    def open_row() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows and rows[0] < len(frame):
            opened(rows[0])

    st.dataframe(
        frame, key=key, hide_index=True, height="content", on_select=open_row, selection_mode="single-row",
        column_config=dict(columns or {}), alt=alt,
    )  # fmt: skip


def back(label: str, **query: str) -> None:
    """The way back to a list."""
    st.button(
        label, type="tertiary", icon=":material/arrow_back:", key="quality_back", on_click=go_within, kwargs=query
    )


def score_badge(run: QualityRun) -> None:
    """The word of a run in the colour of its pass rate."""
    st.badge("No rows" if run.is_empty else run.word.value, color="gray" if run.is_empty else BADGES[run.colour])


def rate(share: float) -> str:
    """A pass rate as people read it: what does not fully pass is never rounded up to 100 %."""
    if 0.999 <= share < 1.0:
        return f"{min(100 * share, 99.99):.2f} %"
    return f"{100 * share:.1f} %"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its word: 1 rule, 2 rules."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """A clause from data as a sentence, inert; it may begin with the name of a column, so it keeps its case."""
    return plain(text) + "."
