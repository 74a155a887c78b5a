"""A label set in numbers: how often each class was given, what uses it, and its labels."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import page_in_url, search_in_url
from pages.components.label_set_look import class_bars, class_buttons
from pages.components.layout import empty_state, metric_row
from pages.components.words import plain, words
from workbench_core import cached, cached_label_sets
from workbench_core.label_sets import LabelSet, LabelSetStatus, UsedBy

LABELS_ON_A_PAGE = 50
LONGEST = 120  # characters of an answer in the list
KINDS = {
    "template": ("Prompt templates", "prompt_templates.py", "template", ":material/edit_note:"),
    "training_sheet": ("Training sheets", "label.py", "sheet", ":material/rate_review:"),
    "labeling_task": ("Labelling tasks", "improve.py", "task", ":material/assignment:"),
    "sheet": ("Sheets with labels", "data.py", "sheet", ":material/table_view:"),
}


def overview_part(label_set: LabelSet) -> None:
    """Numbers, the distribution of the classes, the buttons, and where the set is used."""
    stats = cached_label_sets.stats(label_set.id)
    metric_row(
        [
            ("Labels", f"{stats.labels:,}", "Canonical labels of this label type"),
            ("Sheets", f"{stats.sheets:,}", "Sheets that have such labels"),
            ("Templates", f"{stats.templates:,}", "Templates of this label type that are not archived"),
            ("Training sheets", f"{stats.training_sheets:,}"),
            ("Labelling tasks", f"{stats.labeling_tasks:,}"),
        ],
        width=130,
    )
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(border=True):
        st.subheader("How often each class was given", anchor=False)
        if label_set.classes:
            class_bars(label_set.classes, stats)
        if stats.others and label_set.classes:
            st.caption(
                "Other answers are none of these classes: they were given before the set, or in another spelling."
            )
        elif not label_set.classes:
            st.caption("Answers follow the response schema; there are no classes to count.")
        if not stats.labels:
            st.caption("No item has a label of this type yet.")
    with right:
        if label_set.classes:
            with st.container(border=True):
                st.subheader("What annotators see", anchor=False)
                class_buttons(label_set.classes)
        with st.container(border=True):
            _where_used(label_set, cached_label_sets.used_in(label_set.id))


def _where_used(label_set: LabelSet, uses: list[UsedBy]) -> None:
    st.subheader("Where it is used", anchor=False)
    st.caption(_standing(label_set))
    if not uses:
        st.caption(f"Nothing has the label type {plain(label_set.label_type)} yet.")
    for kind, (title, page, param, icon) in KINDS.items():
        mine = [use for use in uses if use.kind == kind]
        if mine:
            st.markdown(f"**{title}**")
        for use in mine:
            label = f"{plain(use.name)} :gray[{plain(words(use.details))}]"
            st.page_link(page, label=label, icon=icon, query_params={param: use.id})


def _standing(label_set: LabelSet) -> str:
    """Whether this is the version that counts, in words."""
    present = cached.workbench().label_sets.for_type(label_set.label_type)
    kind = plain(label_set.label_type)
    if present is None:
        return f"No set is published for {kind} yet, so answers of this type follow none."
    if present.id == label_set.id:
        return f":material/verified: Answers of {kind} follow this version."
    other = f"“{plain(present.name)}” {present.version}"
    if label_set.status is LabelSetStatus.PUBLISHED:
        return f"Answers of {kind} follow {other}, which was published later."
    return f"Answers of {kind} follow {other}."


def labels_part(label_set: LabelSet) -> None:
    """The canonical labels of the label type, page by page (LS-4)."""
    label_sets = cached.workbench().label_sets
    search = search_in_url("find", label="Search labels", placeholder="Search item or answer")
    total = cached_label_sets.count_labels(label_set.id, search)
    if not total:
        if search:
            empty_state("No label matches. Change the search.", icon=":material/search_off:")
            return
        with empty_state(
            "No item has a label of this type yet. Labels are made while pairs are reviewed.", icon=":material/label:"
        ):
            st.page_link("label.py", label="Review pairs")
        return
    place = st.container()
    page = page_in_url(-(-total // LABELS_ON_A_PAGE))
    found = label_sets.labels(label_set.id, search=search, limit=LABELS_ON_A_PAGE, offset=LABELS_ON_A_PAGE * (page - 1))
    names = {one.name: one.shown for one in label_set.classes}
    sheets = {sheet.id: sheet.name for sheet in cached.sheets(limit=1_000)}
    frame = pd.DataFrame(
        {
            "Item": [one.item_ref for one in found],
            "Sheet": [sheets.get(one.sheet_id, "–") for one in found],
            "Answer": [names.get(one.answer) or one.answer[:LONGEST] for one in found],
            "Remark": ["" if one.answer in names else "Not a class" for one in found],
            "Reused": [one.reuse_count for one in found],
            "Labelled by": [one.labeled_by for one in found],
            "Changed": [one.updated_at for one in found],
        }
    )
    with place:
        st.caption(f"{total:,} labels")
        st.dataframe(
            frame, hide_index=True, height="content", alt="Canonical labels of this label type",
            column_order=[name for name in frame.columns if name != "Remark" or (names and any(frame["Remark"]))],
            column_config={"Changed": st.column_config.DatetimeColumn(format="distance")},
        )  # fmt: skip
