"""The export of a training sheet: what goes out and why the rest stays, its progress, files and earlier exports."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import SHARES_IN_ROWS, Look, bar_chart, stacked_bar
from pages.components.errors import guard
from pages.components.export_files import earlier_exports, show_files
from pages.components.export_options import ask_request
from pages.components.identity import current_user
from pages.components.layout import flash, metric_row, run_progress
from pages.components.rights import why_not
from pages.components.words import counted, plain, words
from workbench_core import cached, cached_exports
from workbench_core.exports import Export, ExportPreview, ExportRequest, not_exportable
from workbench_core.permissions import Action
from workbench_core.training_sheets import TrainingSheet

MOST_REASONS = 8
PART_TONES = {"Train": "info", "Validation": "warning", "Test": "good"}


def training_sheet_export(sheet: TrainingSheet) -> None:
    """All of it, for one training sheet; the service checks the role again."""
    found = cached.workbench().exports.find(sheet.id)
    active = next((export for export in found if export.is_active), None)
    if active:
        follow(active.id)
    elif found:
        show_last(found[0])
    if locked := not_exportable(sheet):
        st.info(f"{plain(locked)} Close its review first.", icon=":material/lock:")
    else:
        configure(sheet, is_busy=active is not None)
    earlier_exports([export for export in found if export.is_done][1:])


def configure(sheet: TrainingSheet, *, is_busy: bool) -> None:
    """What to export on the left, what that means on the right."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        request = ask_request(sheet)
    with right, guard():
        preview = cached_exports.export_preview(request.checked())
        show_preview(request, preview, key=f"export_{sheet.id}")
        start_button(request, preview, is_busy=is_busy)


# --- what it means ---------------------------------------------------------------------------------------------------


def show_preview(request: ExportRequest, preview: ExportPreview, *, key: str) -> None:
    """Counts in and out, the parts, and why pairs stay out."""
    with st.container(border=True):
        st.subheader("What goes out", anchor=False)
        left_out = preview.total - preview.exported
        metric_row(
            [
                ("Pairs", f"{preview.total:,}"),
                ("Exported", f"{preview.exported:,}"),
                ("Left out", f"{left_out:,}"),
            ],
            width=90,
        )
        if request.is_split:
            show_parts(preview, key=key)
        if preview.pictures:
            st.caption(
                f":material/image_not_supported: The pictures of {preview.pictures:,} pairs are not in the files."
            )
        if preview.excluded:
            show_reasons(preview, key=key)
        elif preview.total:
            st.caption(":material/check: Every pair goes out.")


def show_parts(preview: ExportPreview, *, key: str) -> None:
    """The files that will come, as one bar."""
    counts = {words(part): count for part, count in preview.by_part.items()}
    frame = pd.DataFrame({"what": "Pairs", "part": list(counts), "pairs": list(counts.values())})
    told = ", ".join(f"{count:,} {part.lower()}" for part, count in counts.items())
    stacked_bar(
        frame, "what", "pairs", series="part", key=f"{key}_parts", alt=f"Parts of the export: {told}",
        tones=PART_TONES, is_horizontal=True, look=Look(height=130),
    )  # fmt: skip
    about = "" if preview.is_exact else "About "
    st.caption(f"{about}{told}. All pairs of an item are in the same part.")


def show_reasons(preview: ExportPreview, *, key: str) -> None:
    """What goes out and what stays out by reason, as shares of all pairs; the numbers stand below."""
    listed = preview.excluded[:MOST_REASONS]
    rest = sum(excluded.count for excluded in preview.excluded[MOST_REASONS:])
    rows = [("Exported", preview.exported, "good")]
    rows += [(words_of(excluded.reason), excluded.count, tone_of(excluded.reason)) for excluded in listed]
    rows += [("Other reasons", rest, "neutral")] if rest else []
    frame = pd.DataFrame(rows, columns=["what", "pairs", "tone"])
    frame["share"] = frame["pairs"] / max(preview.total, 1)
    told = ", ".join(f"{count:,} {what}" for what, count, _ in rows)
    bar_chart(
        frame, "what", "share", key=f"{key}_reasons", alt=f"What becomes of {preview.total:,} pairs: {told}",
        tones="tone", is_horizontal=True, look=SHARES_IN_ROWS,
    )  # fmt: skip
    with st.expander(f"{counted(len(preview.excluded), 'reason')} in numbers", icon=":material/rule:"):
        st.dataframe(
            pd.DataFrame(
                {
                    "Pairs": [excluded.count for excluded in preview.excluded],
                    "Left out because": [words_of(excluded.reason) for excluded in preview.excluded],
                }
            ),
            hide_index=True,
            alt="Why pairs stay out, with their number",
        )


def words_of(reason: str) -> str:
    """A reason as people read it, with its stated cause as it was written."""
    return reason[:1].upper() + reason[1:]


def tone_of(reason: str) -> str:
    """Prohibitions in the colour of what must not be, open reviews in that of what may still come."""
    if "prohibited" in reason or "not among the allowed" in reason:
        return "bad"
    return "warning" if reason in {"not reviewed yet", "flagged"} or reason.startswith("marked") else "neutral"


def start_button(request: ExportRequest, preview: ExportPreview, *, is_busy: bool) -> None:
    """The one thing to do here, with its reason when it cannot be done."""
    refusal = why_not(Action.EXPORT) or preview.problem or ("An export is under way." if is_busy else "")
    if refusal:
        st.caption(f":material/block: {plain(refusal)}")
    label = f"Export {counted(preview.exported, 'pair')}"
    if st.button(
        label, type="primary", icon=":material/download:", key="export_start", disabled=bool(refusal), width="stretch",
        help=refusal or None,
    ):  # fmt: skip
        with guard():
            cached.workbench().exports.start(request, by=current_user())
            flash("The export is queued.")
            st.rerun()


# --- on its way, and done --------------------------------------------------------------------------------------------


@st.fragment(run_every="2s")
def follow(export_id: str) -> None:
    """Progress of an export; the whole page comes back when it has ended."""
    export = cached.workbench().exports.get(export_id)
    if export.run is None or not export.is_active:
        st.rerun()
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(export.run.title)}** as {export.request.format}", width="stretch")
            cancel_button(export)
        run_progress(export.run, unit="pairs")


def cancel_button(export: Export) -> None:
    """End it; nothing of it stays."""
    if st.button("Cancel", icon=":material/stop_circle:", key=f"export_cancel_{export.id}", help="Nothing of it stays"):
        with guard():
            cached.workbench().exports.cancel(export.id, by=current_user())
            flash("The export is cancelled.")
            st.rerun()


def show_last(export: Export) -> None:
    """The newest export: its files, or why there are none."""
    if export.is_done:
        show_files(export)
    elif export.run and export.run.error:
        st.error(f"The last export failed. {plain(export.run.error)}", icon=":material/error:")
    elif export.status == "cancelled":
        st.caption(":material/stop_circle: The last export was cancelled; nothing of it was kept.")
