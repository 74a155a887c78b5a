"""Review the pairs of training sheets; every decision becomes a canonical label. `?sheet=<id>` opens a training sheet.

`?status=` and `?search=` filter the list; inside, `?view=focus|list` and `?show=pending|flagged|...|all` choose.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, page_in_url, pick_row, search_in_url
from pages.components.errors import guard
from pages.components.grid import GridColumn, clear_selection, read_grid
from pages.components.identity import current_user
from pages.components.layout import STATUS_COLORS, empty_state, flash, metric_row, page_header, run_progress
from pages.components.pair_details import pair_details
from pages.components.review_card import CardView, carry_out_decisions, review_card
from pages.components.usage_editor import usage_editor
from pages.components.words import ago, plain, words
from workbench_core import cached
from workbench_core.pairs import Decision, Pair, PairFilter, ResponseSource, ReviewStatus
from workbench_core.permissions import Action
from workbench_core.training_sheets import TrainingSheet, TrainingSheetStatus

WINDOW = 40  # items the card holds; decided ones make room for the next
PAGE_SIZE = 100
SHOWS = ["pending", "flagged", "approved", "edited", "rejected", "all"]
LISTED = ["review", "generating", "approved", "trained", "rejected", "failed", "all"]
BULK = [("approve", ":material/check:"), ("reject", ":material/close:"), ("flag", ":material/flag:")]

workbench, user = cached.workbench(), current_user()
sheets, pairs = workbench.training_sheets, workbench.pairs
may_review = workbench.permissions.allows(user, Action.REVIEW)


def show_list() -> None:
    """All training sheets with how far their review is."""
    page_header("Label", "Every approved answer becomes the canonical label of its item and is reused everywhere.")
    with st.container(horizontal=True, vertical_alignment="center"):
        status = choose_in_url("Status", LISTED, key="status", default="review")
        search = search_in_url("search", label="Search", placeholder="Search by name or label type")
    found = sheets.find(status=None if status == "all" else TrainingSheetStatus(status), search=search)
    if found:
        pick_row(
            pd.DataFrame([list_line(sheet) for sheet in found]),
            [sheet.id for sheet in found],
            param="sheet",
            alt="Training sheets and how far their review is",
            columns={
                "Reviewed": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small"),
                "Created": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
            },
        )
        return
    is_filtered = bool(search) or status != "review"
    message = "No training sheet matches." if is_filtered else "Nothing waits for review."
    with empty_state(message):
        if not is_filtered:
            st.page_link("generate.py", label="Generate a training sheet", icon=":material/auto_awesome:")


def list_line(sheet: TrainingSheet) -> dict[str, object]:
    """One line of the list."""
    counts = sheet.counts
    return {
        "Training sheet": sheet.name,
        "Status": words(sheet.status),
        "Reviewed": 1 - counts.pending / counts.total if counts.total else 0.0,
        "Pairs": counts.total,
        "Pending": counts.pending,
        "Flagged": counts.flagged,
        "Labelled": counts.labelled,
        "Rejected": counts.rejected,
        "Label type": sheet.label_type,
        "Created": sheet.created_at,
    }


def show_sheet(sheet: TrainingSheet) -> None:
    """One training sheet: where it stands, and its pairs one by one or as a list."""
    source = workbench.sheets.get(sheet.sheet_id)
    if st.button("All training sheets", type="tertiary", icon=":material/arrow_back:", key="label_back"):
        st.query_params.clear()
        st.rerun()
    parts = [source.name, f"{sheet.template.name} v{sheet.template_version}", sheet.label_type]
    actions = page_header(plain(sheet.name), plain(" · ".join(parts)), status=sheet.status, is_demo=sheet.is_demo)
    with actions:
        sheet_actions(sheet)
    if sheet.status is TrainingSheetStatus.GENERATING:
        follow_generation(sheet.id)
        return
    counts = sheet.counts
    metric_row(
        [
            ("Pending", f"{counts.pending:,}"),
            ("Approved", f"{counts.approved:,}"),
            ("Edited", f"{counts.edited:,}"),
            ("Rejected", f"{counts.rejected:,}"),
            ("Flagged", f"{counts.flagged:,}"),
            (
                "Canonical",
                f"{counts.by_source.get(ResponseSource.CANONICAL, 0):,}",
                "Answers taken over from canonical labels, without asking anybody again",
            ),
        ],
        width=105,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        view = choose_in_url("View", ["focus", "list"], key="view", default="focus")
        numbers = {status.value: getattr(counts, status.value) for status in ReviewStatus}
        show = choose_in_url("Show", SHOWS, key="show", default="pending", counts=numbers | {"all": counts.total})
    if view == "focus":
        show_focus(sheet, show)
    else:
        show_pairs(sheet, show)


def sheet_actions(sheet: TrainingSheet) -> None:
    """Training, and the steps in the life of the training sheet that are possible now."""
    can_train = sheet.status in {TrainingSheetStatus.APPROVED, TrainingSheetStatus.TRAINED}
    if can_train and st.button("Train a model", type="primary", icon=":material/model_training:", key="label_train"):
        st.switch_page("train.py", query_params={"training_sheet": sheet.id})
    if "close_review" in sheet.actions:
        with st.popover("Close review", icon=":material/task_alt:", disabled=not may_review):
            close_review(sheet)
    if "reopen" in sheet.actions and st.button("Reopen", key="label_reopen", disabled=not may_review):
        move(sheet, "reopen", "The review is open again.")
    if "reject" in sheet.actions or "archive" in sheet.actions:
        with st.popover("More", icon=":material/more_horiz:"):
            other_steps(sheet)


def close_review(sheet: TrainingSheet) -> None:
    """Close the review, with what is undecided left out."""
    counts = sheet.counts
    open_pairs = counts.pending + counts.flagged
    st.markdown(f"**{counts.labelled:,}** labelled pairs can be used for training.")
    leave_out = False
    if open_pairs:
        st.caption(f"{counts.pending:,} pairs are pending and {counts.flagged:,} are flagged.")
        leave_out = st.checkbox(f"Leave out {open_pairs:,} undecided pairs", key="label_leave_out")
    if st.button("Close review", type="primary", key="label_close", disabled=bool(open_pairs) and not leave_out):
        move(sheet, "close_review", "The review is closed: the pairs can train a model.", leave_out=leave_out)


def other_steps(sheet: TrainingSheet) -> None:
    """Reject the whole training sheet, or put it away."""
    if "reject" in sheet.actions:
        note = st.text_input("Reason", key="label_reject_note", placeholder="What is wrong with the whole sheet?")
        if st.button("Reject the training sheet", key="label_reject", disabled=not may_review):
            move(sheet, "reject", "The training sheet is rejected.", note=note or "")
    if "archive" in sheet.actions and st.button("Archive", key="label_archive"):
        move(sheet, "archive", "The training sheet is archived.")


def move(sheet: TrainingSheet, action: str, message: str, *, note: str = "", leave_out: bool = False) -> None:
    """One step in the life of the training sheet."""
    with guard():
        sheets.move(sheet.id, action, by=user, note=note, leave_out=leave_out)
        flash(message)
        st.rerun()


@st.fragment(run_every="2s")
def follow_generation(training_sheet_id: str) -> None:
    """Progress of a generation; the whole page comes back when it has ended."""
    run = sheets.run_of(training_sheet_id)
    if run is None or not run.is_active:
        st.rerun()
    else:
        run_progress(run, unit="pairs")


def show_focus(sheet: TrainingSheet, show: str) -> None:
    """The review card over the queue."""
    source = workbench.sheets.get(sheet.sheet_id)
    is_pending = show == "pending"
    statuses = list(ReviewStatus) if show == "all" else [ReviewStatus(show)]
    limit = WINDOW if is_pending else PAGE_SIZE
    queue = pairs.queue(sheet.id, statuses=statuses, limit=limit + 1)
    asked = review_card(
        queue[:limit],
        CardView(
            training_sheet_id=sheet.id,
            queue=show,
            kind=sheet.template.answer_kind,
            classes=sheet.template.label_classes,
            pending=sheet.counts.pending,
            total=sheet.counts.total,
            is_cut=len(queue) > limit,
            is_pending_queue=is_pending,
            locked=reason_locked(sheet),
            done_title="Everything is reviewed" if is_pending else f"No {show} pairs",
            done_text="Close the review to train a model on the labelled pairs." if is_pending else "",
            volume=source.source if source.source_kind == "volume" else "",
            labels=workbench.canonical_labels.lookup(
                sheet.sheet_id, [pair.item_ref for pair in queue], sheet.label_type
            ),
        ),
        service=pairs,
        by=user,
    )
    if not is_pending and len(queue) > limit:
        st.caption(f"The first {limit} pairs; the list shows all of them.")
    if asked:
        show_details(asked)


def reason_locked(sheet: TrainingSheet) -> str:
    """Why pairs cannot be decided now; empty when they can."""
    if not may_review:
        return "Your role may read pairs, but not review them."
    if sheet.status is not TrainingSheetStatus.REVIEW:
        hint = " Reopen it to change decisions." if sheet.status is TrainingSheetStatus.APPROVED else ""
        return f"The training sheet is {sheet.status}.{hint}"
    return ""


@st.dialog("Pair", width="large")
def show_details(pair_id: str) -> None:
    """Everything about one pair."""
    pair = pairs.get(pair_id)
    st.subheader(plain(pair.item_ref), anchor=False)
    pair_details(pair)


def show_pairs(sheet: TrainingSheet, show: str) -> None:
    """The pairs as a list: search, select, decide in bulk, set usage."""
    with st.container(horizontal=True, vertical_alignment="center"):
        search = search_in_url(
            "pair_search", label="Search pairs", placeholder="Search item, answer or source", width=300
        )
        source = st.selectbox(
            "Source", [None, *ResponseSource], key="label_source", label_visibility="collapsed", width=200,
            format_func=lambda value: "Every source" if value is None else words(value),
        )  # fmt: skip
        failed = st.toggle("Only without a generated answer", key="label_failed")
    wanted = PairFilter(
        status=None if show == "all" else ReviewStatus(show),
        source=source,
        search=search,
        has_error=True if failed else None,
    )
    total = pairs.count(sheet.id, wanted)
    if not total:
        empty_state("No pair matches.", icon=":material/filter_alt_off:")
        return
    number = page_in_url(-(-total // PAGE_SIZE))
    found = pairs.find(sheet.id, wanted, limit=PAGE_SIZE, offset=PAGE_SIZE * (number - 1))
    bar = st.container()
    chosen = read_grid(
        pd.DataFrame([pair_line(pair) for pair in found]), key="label_grid", row_id="id", columns=pair_columns(sheet),
        selection="multi", height=520,
    )  # fmt: skip
    st.caption(f"{total:,} pairs" + (f", page {number}" if total > PAGE_SIZE else ""))
    with bar:
        bulk_bar(sheet, chosen)
    st.session_state["label_versions"] = {pair.id: pair.row_version for pair in found}


def pair_line(pair: Pair) -> dict[str, object]:
    """One line of the pair list."""
    shown = " · ".join(value for value in pair.variables.values() if value)
    return {
        "id": pair.id,
        "item": pair.item_ref,
        "source_text": shown[:300],
        "answer": pair.answer[:300],
        "status": words(pair.review_status),
        "source": words(pair.response_source),
        "usage": pair.usage.summary(),
        "note": pair.generation_error or pair.review_note,
        "reviewed_by": pair.reviewed_by,
        "reviewed_at": ago(pair.reviewed_at) if pair.reviewed_at else "",
    }


def pair_columns(sheet: TrainingSheet) -> list[GridColumn]:
    """The columns of the pair list."""
    colors = {words(status): STATUS_COLORS[status] for status in ReviewStatus}
    is_label = bool(sheet.template.label_classes)
    return [
        GridColumn("item", "Item", width=130, kind="mono", is_pinned=True),
        GridColumn("source_text", "Source", share=3, least=340),
        GridColumn("answer", "Answer", width=140 if is_label else 0, share=2, least=240),
        GridColumn("status", "Status", width=120, kind="badge", colors=colors),
        GridColumn("source", "Answer from", width=140),
        GridColumn("usage", "Usage", width=170),
        GridColumn("note", "Note", width=180),
        GridColumn("reviewed_by", "Reviewed by", width=150),
        GridColumn("reviewed_at", "When", width=110),
    ]


def bulk_bar(sheet: TrainingSheet, chosen: list[str]) -> None:
    """What can be done with the selected pairs."""
    locked = reason_locked(sheet)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(chosen):,} selected**" if chosen else ":gray[Select pairs to decide about them]")
        st.space("stretch")
        if st.button("Details", icon=":material/history:", disabled=len(chosen) != 1, key="label_details"):
            show_details(chosen[0])
        for action, icon in BULK[:2]:
            if st.button(words(action), icon=icon, disabled=not chosen or bool(locked), key=f"label_bulk_{action}"):
                decide(chosen, action)
        with st.popover("Flag", icon=":material/flag:", disabled=not chosen or bool(locked)):
            note = st.text_input("Reason", key="label_flag_note", placeholder="What needs a second look?")
            if st.button("Flag", type="primary", key="label_bulk_flag"):
                decide(chosen, "flag", note=note or "")
        may_govern = workbench.permissions.allows(user, Action.GOVERN)
        with st.popover("Usage", icon=":material/policy:", disabled=not chosen or not may_govern):
            set_usage(chosen)
        if st.button("Undo", icon=":material/undo:", disabled=bool(locked), key="label_undo"):
            undo(sheet)
    if locked:
        st.caption(locked)
    show_refused()


def decide(chosen: list[str], action: str, *, note: str = "") -> None:
    """One decision about all selected pairs, on the versions that the list showed."""
    versions = st.session_state.get("label_versions", {})
    with guard():
        result = pairs.decide(
            [Decision(pair_id, action, versions[pair_id], note=note) for pair_id in chosen if pair_id in versions],
            by=user,
        )
        st.session_state["label_refused"] = dict(result.refused)
        flash(f"{words(action)}: {len(result.done):,} done, {len(result.refused):,} refused.")
        clear_selection("label_grid")
        st.rerun()


def show_refused() -> None:
    """Why pairs of the last bulk decision were left as they are."""
    refused = st.session_state.pop("label_refused", {})
    if not refused:
        return
    reasons = list(dict.fromkeys(refused.values()))
    lines = [f"- {plain(reason)}" for reason in reasons[:10]]
    more = [f"- and {len(reasons) - 10:,} more reasons"] if len(reasons) > 10 else []
    st.warning("\n".join(lines + more), title=f"{len(refused):,} pairs were not changed", icon=":material/block:")


def set_usage(chosen: list[str]) -> None:
    """What the selected pairs may be used for."""
    rules = usage_editor(key="label_usage")
    if st.button(f"Set for {len(chosen):,} pairs", type="primary", key="label_set_usage"):
        with guard():
            changed = pairs.set_usage(chosen, rules, by=user)
            flash(f"Usage of {changed:,} pairs changed.")
            clear_selection("label_grid")
            st.rerun()


def undo(sheet: TrainingSheet) -> None:
    """Take my latest decision back."""
    with guard():
        undone = pairs.undo(sheet.id, by=user)
        flash(f"Undone: {undone.action} of item {pairs.get(undone.pair_id).item_ref}.", icon=":material/undo:")
        st.rerun()


if opened := st.query_params.get("sheet"):
    carry_out_decisions(opened, pairs, by=user)
    show_sheet(sheets.get(opened))
else:
    show_list()
