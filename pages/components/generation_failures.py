"""The items of a training sheet that failed: each with its reason and former answers, and the way to ask once more."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.generation_limits import Limits, UsedUp, choose_limits
from pages.components.generation_run import GENERATING, act_button
from pages.components.grid import GridColumn, read_grid
from pages.components.identity import current_user
from pages.components.layout import close_popover, work_popover
from pages.components.records import show_messages
from pages.components.rights import why_not
from pages.components.words import ago, counted, plain, words
from workbench_core import cached, cached_generation
from workbench_core.pairs import Pair, PairFilter
from workbench_core.permissions import Action
from workbench_core.training_sheets import ReplacedAnswer, TrainingSheet, TrainingSheetStatus

MAX_ERRORS = 500
_NONE_AGAIN = "The questions of these items could not be made: another template version is needed."


def show_failures(sheet: TrainingSheet) -> None:
    """Items that failed, each with its reason, and the way to try them once more."""
    errors = sheet.counts.errors
    if not errors:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Items that failed", anchor=False, width="stretch")
        _retry_button(sheet)
    failed = cached.workbench().pairs.find(sheet.id, PairFilter(has_error=True), limit=MAX_ERRORS)
    frame = pd.DataFrame(
        {
            "id": [pair.id for pair in failed],
            "Item": [pair.item_ref for pair in failed],
            "Reason": [pair.generation_error for pair in failed],
        }
    )
    columns = (GridColumn("Item", width=180, kind="mono"), GridColumn("Reason", share=3))
    chosen = read_grid(frame, key=f"generate_failed_{sheet.id}", row_id="id", columns=columns, selection="single")
    if errors > MAX_ERRORS:
        st.caption(f"The first {MAX_ERRORS} of {errors:,}.")
    if pair := next((one for one in failed if one.id in chosen), None):
        _show_pair(pair)
    else:
        st.caption("Select an item to read its question and what it answered before.")


# --- ask once more ---------------------------------------------------------------------------------------------------


def _retry_button(sheet: TrainingSheet) -> None:
    """Ask again about what a model gave no answer for; with a limit that is used up, after it was raised or lifted."""
    again = cached.workbench().training_sheets.retryable(sheet.id)
    title = "Retry the failed item" if again == 1 else f"Retry the {again:,} failed items" if again else "Retry"
    reason = _why_not_again(sheet, again)
    used_up = _used_up(sheet, again)
    state = f"{sheet.id}_{sheet.row_version}_{again}_{sheet.spent.calls}"
    if not used_up or reason or why_not(Action.GENERATE):
        act_button(
            title, icon="refresh", reason=reason, key=f"generate_retry_{state}",
            sentence="Asks the model for these items only; nothing else changes", act=lambda: _retry(sheet),
        )  # fmt: skip
        return
    key = f"generate_retry_raise_{sheet.id}"
    with work_popover(title, key=key, icon=":material/refresh:"):
        limits = choose_limits(used_up, key=f"{key}_{state}")
        act_button(
            f"Ask again about {counted(again, 'item')}", icon="refresh", kind="primary", width="stretch",
            key=f"{key}_go_{state}", sentence="Asks the model for these items only; nothing else changes",
            act=lambda: _retry(sheet, limits), then=lambda _: close_popover(key),
        )  # fmt: skip


def _why_not_again(sheet: TrainingSheet, again: int) -> str:
    """Why nothing can be tried again now; empty when it can."""
    if sheet.status in (GENERATING, TrainingSheetStatus.FAILED):
        return "Resume it to the end first."
    if sheet.status is not TrainingSheetStatus.REVIEW:
        return f"The training sheet is {sheet.status}."
    return "" if again else _NONE_AGAIN


def _used_up(sheet: TrainingSheet, again: int) -> UsedUp | None:
    """The limit of the sheet that leaves no room for one more call, if any, and what the failed items would take."""
    if not (limit := sheet.allowance.used_up(sheet.spent)):
        return None
    growth = 1 + 1.1 * again / sheet.spent.calls if sheet.spent.calls else None
    return UsedUp(limit, sheet.spent, sheet.budget, sheet.call_limit, growth)


def _retry(sheet: TrainingSheet, limits: Limits | None = None) -> str:
    training_sheets, limits = cached.workbench().training_sheets, limits or Limits(None, None)
    training_sheets.retry_failed(sheet.id, by=current_user(), budget=limits.budget, call_limit=limits.call_limit)
    answering = training_sheets.answering_of(sheet.id)
    return f"{counted(answering.total if answering else 0, 'failed item')}: the model is asked once more."


# --- one of them -----------------------------------------------------------------------------------------------------


def _show_pair(pair: Pair) -> None:
    """The question of a failed item, its answer if it has one, and the answers that were replaced."""
    with st.container(border=True):
        st.markdown(f"**Item {plain(pair.item_ref)}**")
        st.markdown(f":small[:red[:material/error: {plain(pair.generation_error)}]]")
        show_messages(pair.messages, pair.answer)
        for former in cached_generation.replaced_answers(pair.id):
            _show_former(former)


def _show_former(former: ReplacedAnswer) -> None:
    """One earlier answer: what it was, who had given it, and who had it replaced."""
    by = f" by {plain(former.model)}" if former.model else f" ({words(former.response_source).lower()})"
    said = f"“{plain(former.answer)}”" if former.answer else f"no answer. {plain(former.error)}"
    st.markdown(
        f":material/history: Earlier answer{by if former.answer else ''}: {said}  \n"
        f":small[:gray[Replaced {ago(former.replaced_at)}, asked for by {plain(former.replaced_by)}]]"
    )
