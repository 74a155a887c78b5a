"""The parts of one sheet: its rows, its settings, what it may be used for, and its history."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.errors import guard
from pages.components.gallery import gallery
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, plain, words
from pages.components.records import cell_text
from pages.components.rights import why_not
from pages.components.sheet_form import sheet_form
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.sheets import Sheet, SheetStatus
from workbench_core.usage import UsageRules

ROWS_PER_PAGE = 25


def tags_note(rules: UsageRules) -> None:
    """What the tags of a source impose, if anything."""
    if rules.reason:
        uses = ", ".join(sorted(use.replace("_", " ") for use in rules.prohibited))
        st.warning(
            f"Prohibited uses of everything made from it: {uses}. Classification: {rules.classification}.",
            icon=":material/shield:",
            title=f"{rules.reason[:1].upper()}{plain(rules.reason[1:])}",
        )


def show_rows(sheet: Sheet, total: int) -> None:
    """The rows of the sheet, one page at a time."""
    pages = max(1, -(-total // ROWS_PER_PAGE))
    page = st.pagination(pages, key=f"data_rows_{sheet.id}") if pages > 1 else 1
    with guard():
        rows = cached.sheet_page(sheet.id, ROWS_PER_PAGE, ROWS_PER_PAGE * (page - 1))
        if sheet.source_kind == "volume":
            gallery(sheet.source, rows["item_ref"].tolist(), key="data_items", total=total)
        else:
            st.dataframe(rows.drop(columns="item_ref"), hide_index=True, height="content", alt=f"Rows of {sheet.name}")


def show_settings(sheet: Sheet) -> None:
    """Roles, filter and sample: to change while it is a draft, to read otherwise."""
    refusal = why_not(Action.EDIT_SHEETS)
    if sheet.status is not SheetStatus.DRAFT or refusal:
        reason = refusal or f"The sheet is {sheet.status}: only a draft can be changed."
        st.caption(f":material/lock: {reason}")
        st.dataframe(settings_list(sheet), hide_index=True, height="content", alt="Settings of the sheet")
        return
    opened = st.session_state.setdefault(f"data_opened_{sheet.id}", sheet)
    columns = cached.workbench().catalog.columns(sheet.source)
    form = sheet_form(opened.draft, columns, key=f"data_edit_{sheet.id}_{opened.row_version}")
    if st.button("Save", type="primary", key="data_save", disabled=not form.can_save or form.draft == opened.draft):
        with guard():
            cached.workbench().sheets.update(sheet.id, form.draft, by=current_user(), row_version=opened.row_version)
            del st.session_state[f"data_opened_{sheet.id}"]
            flash("Saved.")
            st.rerun()


def settings_list(sheet: Sheet) -> pd.DataFrame:
    """The settings of a sheet to read."""
    sample = f"{sheet.sample_size:,} rows, seed {sheet.sample_seed}" if sheet.sample_size else "All rows"
    lines = {
        "Source": sheet.source,
        "Identifier": sheet.item_id_column,
        "Text columns": ", ".join(sheet.text_columns) or "–",
        "Picture columns": ", ".join(sheet.image_columns) or "–",
        "Other columns": ", ".join(sheet.metadata_columns) or "–",
        "Filter": sheet.filter or "–",
        "Sample": f"{sample}, in the proportions of {sheet.stratify_column}" if sheet.stratify_column else sample,
    }
    return pd.DataFrame({"Setting": list(lines), "Value": list(lines.values())})


def show_usage(sheet: Sheet, rules: UsageRules) -> None:
    """What its content may be used for, and what was made from it."""
    st.markdown(f"**{plain(rules.summary())}** · {words(rules.classification)}")
    st.caption("From the tags of the source. Labels and pairs made from this sheet inherit it.")
    made = cached.training_sheets(sheet.id)
    if not made:
        with empty_state("Nothing is made from this sheet yet.", icon=":material/auto_awesome:"):
            st.page_link("generate.py", label="Generate pairs", query_params={"sheet": sheet.id})
        return
    st.subheader("Training sheets", anchor=False)
    for training_sheet in made:
        counts = training_sheet.counts
        st.page_link(
            "generate.py",
            label=f"{plain(training_sheet.name)} · {words(training_sheet.status)} · {counts.total:,} pairs",
            icon=":material/dataset:",
            query_params={"training_sheet": training_sheet.id},
        )


def show_history(sheet: Sheet) -> None:
    """Who did what to the sheet, newest first."""
    events = cached.workbench().history.of("sheet", sheet.id)
    frame = pd.DataFrame(
        {
            "When": [event.happened_at for event in events],
            "Who": [event.by for event in events],
            "What": [words(event.action) for event in events],
            "Details": [
                ", ".join(f"{name}: {cell_text(value)}" for name, value in event.details.items()) for event in events
            ],
        }
    )
    st.dataframe(frame, hide_index=True, height="content", alt="History of the sheet")
