"""What a run looks for beside the rules, chosen in a popover: each switch says why it is off where it cannot be on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.components.quality_look import column_title
from workbench_core import cached
from workbench_core.data_quality import ItemKind, ScanOptions
from workbench_core.data_quality.outliers import LIMITS
from workbench_core.data_quality.scans import MOST_ROWS
from workbench_core.sheets import Sheet

SCANS = {
    "Duplicates": "The same values in all columns with a role",
    "Outliers": "In all number columns with a role. The 200 that lie farthest out are listed.",
}
FAR_OUT = (
    "The modified z-score of Iglewicz and Hoaglin (1993): 0.6745 times the distance from the median, divided by the "
    "median distance of all values. They propose 3.5. Where more than half of the values are the same, Tukey's fences "
    "(1977): 1.5 quartile distances outside the quartiles, and more in proportion."
)


def scan_options(sheet: Sheet, *, refusal: str) -> ScanOptions:
    """What a run looks for beside the rules, chosen in a popover; it starts as the last run was."""
    last = cached.workbench().data_quality.scan_options(sheet.id)
    key, reasons = f"quality_scan_{sheet.id}", why_not_to_look(sheet)
    texts = [column.name for column in cached.sheet_columns(sheet.id) if column.kind == "string"]
    count = chosen_scans(last, key, reasons, texts)
    with st.popover(
        f"Also look for · {count}" if count else "Also look for", icon=":material/tune:", key=f"{key}_popover",
        disabled=bool(refusal), help=refusal or None,
    ):  # fmt: skip
        st.caption("Beside the rules, a run can look for rows to have a second look at. They fail no row.")
        duplicates = scan_switch("Duplicates", reasons[ItemKind.DUPLICATES], f"{key}_duplicates", last.find_duplicates)
        near, similarity = choose_near(sheet, last, key, texts)
        outliers = scan_switch("Outliers", reasons[ItemKind.OUTLIERS], f"{key}_outliers", last.find_outliers)
        distance = last.outlier_distance
        if outliers:
            distance = st.slider(
                "Far out from", *LIMITS, min(max(distance, LIMITS[0]), LIMITS[1]), 0.5, key=f"{key}_far", help=FAR_OUT
            )
        st.caption(
            f"For sheets of up to {MOST_ROWS:,} rows. Near-duplicates among so many short texts take more than a "
            "minute, and half a gigabyte of memory."
        )
    return ScanOptions(duplicates, near, similarity, outliers, last.outlier_columns, float(distance))


def why_not_to_look(sheet: Sheet) -> dict[ItemKind, str]:
    """Why a run cannot look for duplicates or outliers in a sheet; empty where it can."""
    kinds = {column.name: column.kind for column in cached.sheet_columns(sheet.id)}
    roles = [name for name in sheet.columns if name != sheet.item_id_column]
    flat = [name for name in roles if kinds.get(name) in {"string", "number", "boolean", "time"}]
    numbers = [name for name in roles if kinds.get(name) == "number"]
    many = f"The sheet has more than {MOST_ROWS:,} items." if (sheet.item_count or 0) > MOST_ROWS else ""
    return {
        ItemKind.DUPLICATES: many or ("" if flat else "No column of the sheet has a role, so rows cannot be compared."),
        ItemKind.NEAR_DUPLICATES: many or ("" if "string" in kinds.values() else "The sheet has no text column."),
        ItemKind.OUTLIERS: many or ("" if numbers else "No number column of the sheet has a role."),
    }


def chosen_scans(last: ScanOptions, key: str, reasons: Mapping[ItemKind, str], texts: Sequence[str]) -> int:
    """How many things are chosen beside the rules, before the widgets are drawn."""
    state = st.session_state
    near = state.get(f"{key}_near", last.near_duplicate_column if last.near_duplicate_column in texts else "")
    return (
        (not reasons[ItemKind.DUPLICATES] and bool(state.get(f"{key}_duplicates", last.find_duplicates)))
        + (not reasons[ItemKind.NEAR_DUPLICATES] and bool(near))
        + (not reasons[ItemKind.OUTLIERS] and bool(state.get(f"{key}_outliers", last.find_outliers)))
    )


def scan_switch(label: str, reason: str, key: str, was_on: bool) -> bool:
    """A switch for one scan; disabled with its reason, whatever it was the last time."""
    is_on = st.toggle(label, was_on and not reason, key=key, disabled=bool(reason), help=SCANS[label])
    if reason:
        st.caption(reason)
    return bool(is_on) and not reason


def choose_near(sheet: Sheet, last: ScanOptions, key: str, texts: Sequence[str]) -> tuple[str, float]:
    """The text column to look for near-duplicates in, and from where on texts are similar."""
    reason = why_not_to_look(sheet)[ItemKind.NEAR_DUPLICATES]
    near = st.selectbox(
        "Near-duplicates in", ["", *texts], key=f"{key}_near", disabled=bool(reason),
        format_func=lambda name: column_title(sheet, name) if name else "No column",
        index=texts.index(last.near_duplicate_column) + 1 if last.near_duplicate_column in texts else 0,
    )  # fmt: skip
    if reason:
        st.caption(reason)
    if not near or reason:
        return "", last.similarity
    like = st.slider("Similar from", 0.5, 0.95, last.similarity, 0.05, key=f"{key}_like", format="percent")
    return str(near), float(like)
