"""One training sheet in full: its counts, the items that failed, and how it was made."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import Look, stacked_bar
from pages.components.layout import metric_row
from workbench_core import cached
from workbench_core.pairs import PairFilter
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import TrainingSheet

MAX_ERRORS = 50
SOURCES = {
    AnswerSource.EXISTING_COLUMN: "A column of the sheet",
    AnswerSource.MANUAL: "People write it",
    AnswerSource.AI_GENERATED: "A language model proposes it",
    AnswerSource.CANONICAL: "Canonical labels only",
}
STATUS_TONES = {
    "Approved": "good", "Edited": "info", "Pending": "neutral", "Flagged": "warning", "Rejected": "bad",
}  # fmt: skip


def show_counts(sheet: TrainingSheet) -> None:
    """Pairs by review status and where their answers came from."""
    counts = sheet.counts
    metric_row(
        [
            ("Pairs", f"{counts.total:,}", f"of {sheet.selected_items:,} selected items"),
            ("Canonical", f"{counts.auto_approved:,}", "Approved without anybody being asked again"),
            ("To review", f"{counts.pending:,}"),
            ("Errors", f"{counts.errors:,}", "Items whose question or answer could not be made"),
        ]
    )
    if not counts.total:
        return
    numbers = {name: getattr(counts, name.lower()) for name in STATUS_TONES}
    frame = pd.DataFrame({"Pairs": "", "Status": list(numbers), "Count": list(numbers.values())})
    stacked_bar(
        frame[frame["Count"] > 0], "Pairs", "Count", series="Status", key="generate_counts", tones=STATUS_TONES,
        alt=", ".join(f"{count:,} {name.lower()}" for name, count in numbers.items()), is_horizontal=True,
        look=Look(height=110, unit="pairs"),
    )  # fmt: skip
    if sheet.left_out_items:
        st.caption(f"{sheet.left_out_items:,} more items were above the row limit of {sheet.row_limit:,}.")


def show_failures(sheet: TrainingSheet) -> None:
    """Items that failed, each with its reason."""
    if not sheet.counts.errors:
        return
    failed = cached.workbench().pairs.find(sheet.id, PairFilter(has_error=True), limit=MAX_ERRORS)
    st.subheader("Items that failed", anchor=False)
    frame = pd.DataFrame(
        {"Item": [pair.item_ref for pair in failed], "Reason": [pair.generation_error for pair in failed]}
    )
    st.dataframe(frame, hide_index=True, height="content", alt="Items that failed, with reasons")
    if sheet.counts.errors > MAX_ERRORS:
        st.caption(f"The first {MAX_ERRORS} of {sheet.counts.errors:,}.")


def details(sheet: TrainingSheet) -> pd.DataFrame:
    """How a training sheet was made, to read."""
    source = SOURCES[sheet.answer_source]
    lines = {
        "Sheet": cached.workbench().sheets.get(sheet.sheet_id).name,
        "Template": f"{sheet.template.name} v{sheet.template_version}",
        "Label type": sheet.label_type,
        "Mapping": ", ".join(f"{name} ← {column}" for name, column in sheet.mapping.items()),
        "Answers": f"{source}: {sheet.answer_column}" if sheet.answer_column else source,
        "Model": sheet.model_title,
        "Filter": sheet.filter,
        "Row limit": f"{sheet.row_limit:,}",
    }
    told = [(name, value) for name, value in lines.items() if value]
    return pd.DataFrame(told, columns=["Detail", "Value"])
