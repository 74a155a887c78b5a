"""The fix queue: items that a run found, one by one or many at once, each set aside or accepted with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import streamlit as st

from pages.components.errors import guard
from pages.components.grid import GridColumn, clear_selection, read_grid
from pages.components.identity import current_user
from pages.components.layout import (
    ago,
    choose_in_url,
    close_popover,
    empty_state,
    flash,
    plain,
    work_popover,
)
from pages.components.quality_item import show_item
from pages.components.quality_look import KINDS, counted, go_within
from workbench_core import cached, cached_quality
from workbench_core.data_quality import Decision, DecisionResult, ItemKind, ItemState, QueueItem, QueuePage
from workbench_core.sheets import Sheet

GRID = "quality_fix_grid"
PAGE_SIZE = 50
MOST_IN_A_ROW = 500  # items that “next” goes through
STATES = {"open": "Open", "set_aside": "Set aside", "accepted": "Accepted"}
STATE_COLORS = {"Open": "red", "Set aside": "orange", "Accepted": "green"}
ALL = "all"
EMPTY = {
    ItemKind.FAILING: "No failing item is open. Run the checks after the rows or the rules have changed.",
    ItemKind.DUPLICATES: "No duplicate is open. Switch on duplicates beside “Run checks” to look for them.",
    ItemKind.NEAR_DUPLICATES: "No near-duplicate is open. Choose a text column beside “Run checks” to look for them.",
    ItemKind.OUTLIERS: "No outlier is open. Switch on outliers beside “Run checks” to look for them.",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What the queue lists: a kind of finding or everything decided, a state, a check and a search."""

    kind: str
    state: ItemState
    rule: str
    search: str

    @property
    def is_decided(self) -> bool:
        """All decided items, whatever was wrong with them."""
        return self.kind == ALL


def show_fix_queue(sheet: Sheet, *, refusal: str) -> None:
    """The queue, or one item of it."""
    if item := st.query_params.get("item", ""):
        refs = [one.item_ref for one in page_of(sheet, filter_of_address(), 1, size=MOST_IN_A_ROW).items]
        show_item(sheet, item, refs, refusal=refusal)
        return
    wanted = choose_filter(sheet)
    total = page_of(sheet, wanted, 1).total
    list_items(sheet, wanted, page_of(sheet, wanted, page_number(total)), refusal=refusal)


def page_number(total: int) -> int:
    """The page of a long queue."""
    pages = -(-total // PAGE_SIZE)
    return st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1


def filter_of_address() -> Filter:
    """What the address says, where nothing is drawn to choose it."""
    query = st.query_params
    state = query.get("state", "open") if query.get("state") in STATES else "open"
    kind = query.get("kind", "")
    known = kind in {*ItemKind, ALL} and (kind != ALL or state != "open")
    return Filter(kind if known else ItemKind.FAILING, ItemState(state), query.get("of", ""), query.get("search", ""))


def choose_filter(sheet: Sheet) -> Filter:
    """Kind, state, check and search, all in the address."""
    counts = cached_quality.counts(sheet.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        state = ItemState(choose_in_url("State", list(STATES), key="state", default="open", titles=STATES))
        kinds = [kind.value for kind in ItemKind]
        titles = {kind.value: title for kind, title in KINDS.items()}
        if state is not ItemState.OPEN:
            kinds, titles = [*kinds, ALL], {**titles, ALL: "Everything"}
        shown = {kind.value: count for kind, count in counts.items()} if state is ItemState.OPEN else {}
        kind = choose_in_url("Kind", kinds, key="kind", default=kinds[0], counts=shown, titles=titles)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search", key="search", bind="query-params", type="search", live="300ms", width=320,
            placeholder="Search item or value", label_visibility="collapsed",
        )  # fmt: skip
        rule = choose_rule(sheet) if kind == ItemKind.FAILING else ""
    return Filter(kind, state, rule, search or "")


def choose_rule(sheet: Sheet) -> str:
    """Only the items that fail one check."""
    latest = cached_quality.latest(sheet.id)
    names = [one.name for one in latest.outcomes if one.failed] if latest else []
    wanted = st.query_params.get("of", "")
    st.session_state["quality_of"] = wanted if wanted in names else ""

    def write() -> None:
        go_within(of=st.session_state["quality_of"])

    return st.selectbox(
        "Check", ["", *names], key="quality_of", on_change=write, width=320, label_visibility="collapsed",
        format_func=lambda name: name or "Every check",
    ) or ""  # fmt: skip


def page_of(sheet: Sheet, wanted: Filter, number: int, *, size: int = PAGE_SIZE) -> QueuePage:
    """One page of the queue."""
    offset = size * (number - 1)
    if wanted.is_decided:
        return cached_quality.decided(sheet.id, wanted.state, wanted.search, size, offset)
    kind = ItemKind(wanted.kind)
    return cached_quality.queue(sheet.id, (kind, wanted.state, wanted.rule, wanted.search), size, offset)


# --- the list --------------------------------------------------------------------------------------------------------


def list_items(sheet: Sheet, wanted: Filter, found: QueuePage, *, refusal: str) -> None:
    """The items as a grid: tick some to decide about them together, or open one."""
    if not found.items:
        is_narrowed = bool(wanted.search or wanted.rule)
        if is_narrowed:
            empty_state("No item matches. Change the search or the check.", icon=":material/search_off:")
        elif wanted.state is ItemState.OPEN:
            empty_state(EMPTY[ItemKind(wanted.kind)], icon=":material/task_alt:")
        else:
            empty_state(f"No item is {STATES[wanted.state].lower()}.", icon=":material/task_alt:")
        return
    bar = st.container()
    chosen = read_grid(
        pd.DataFrame([line(item) for item in found.items]), key=GRID, row_id="id", columns=columns_of(wanted),
        selection="multi", height=min(560, 46 + 38 * max(len(found.items), 3)),
    )  # fmt: skip
    st.caption(counted(found.total, "item"))
    with bar:
        bulk_bar(sheet, wanted, found, chosen, refusal=refusal)


def line(item: QueueItem) -> dict[str, object]:
    """One line of the grid."""
    return {
        "id": item.item_ref,
        "item": item.item_ref,
        "problems": item.problems,
        "what": "; ".join(dict.fromkeys(problem.name or problem.columns for problem in item.shown)),
        "value": "; ".join(dict.fromkeys(problem.value for problem in item.shown if problem.value)),
        "group": f"Group {item.group}" if item.group is not None else "",
        "score": None if item.score is None else round(item.score, 2),
        "state": STATES[item.state.value],
        "reason": item.reason,
        "decided": f"{item.decided_by}, {ago(item.decided_at)}" if item.decided_at else "",
    }


def columns_of(wanted: Filter) -> list[GridColumn]:
    """The columns that say something about this kind and state."""
    columns = [GridColumn("item", "Item", width=210, kind="mono")]
    if wanted.kind == ItemKind.FAILING:
        columns.append(GridColumn("what", "Fails", share=3, least=240))
    elif wanted.kind in {ItemKind.DUPLICATES, ItemKind.NEAR_DUPLICATES}:
        columns.append(GridColumn("group", "Group", width=110))
        if wanted.kind == ItemKind.NEAR_DUPLICATES:
            columns.append(GridColumn("score", "Similarity", width=110, kind="number"))
    elif wanted.kind == ItemKind.OUTLIERS:
        columns += [
            GridColumn("what", "Column", width=170),
            GridColumn("score", "How far out", width=120, kind="number"),
        ]
    columns.append(GridColumn("value", "Value", share=2, least=180))
    if wanted.kind == ItemKind.FAILING:
        columns.append(GridColumn("problems", "Problems", width=110, kind="number"))
    if wanted.state is not ItemState.OPEN:
        columns += [
            GridColumn("state", "State", width=110, kind="badge", colors=STATE_COLORS),
            GridColumn("reason", "Why", share=2, least=180),
            GridColumn("decided", "By", width=200),
        ]
    return columns


# --- many at once ----------------------------------------------------------------------------------------------------


def bulk_bar(sheet: Sheet, wanted: Filter, found: QueuePage, chosen: Sequence[str], *, refusal: str) -> None:
    """Open one, decide about the ticked ones, or about everything that the filter lists."""
    with st.container(horizontal=True, vertical_alignment="center"):
        hint = ":small[:gray[Tick items to decide about them together]]"
        st.markdown(f"**{counted(len(chosen), 'item')} ticked**" if chosen else hint, width="content")
        st.space("stretch")
        first = chosen[0] if chosen else found.items[0].item_ref
        st.button(
            "Open" if chosen else "Open the first", icon=":material/open_in_full:", key="quality_open_item",
            on_click=go_within, kwargs={"item": first}, disabled=len(chosen) > 1,
        )  # fmt: skip
        for decision, label, icon in decisions_for(wanted.state):
            decide_popover(sheet, wanted, found, chosen, (decision, label, icon), refusal=refusal)
    if refusal:
        st.caption(refusal)


def decisions_for(state: ItemState) -> list[tuple[Decision, str, str]]:
    """What can be done with items in this state."""
    if state is ItemState.OPEN:
        return [(Decision.SET_ASIDE, "Set aside", "do_not_disturb_on"), (Decision.ACCEPT, "Accept", "check_circle")]
    return [(Decision.REOPEN, "Reopen", "undo")]


def decide_popover(
    sheet: Sheet, wanted: Filter, found: QueuePage, chosen: Sequence[str], action: tuple[Decision, str, str], *,
    refusal: str,
) -> None:  # fmt: skip
    """Which items, and why; then one decision about all of them."""
    decision, label, icon = action
    key = f"quality_bulk_{decision.value}"
    kind: Literal["primary", "secondary"] = "primary" if decision is Decision.SET_ASIDE else "secondary"
    with work_popover(label, key=key, icon=f":material/{icon}:", kind=kind, disabled=bool(refusal)):
        options = ["all"] if not chosen else ["ticked", "all"]
        can_all = not wanted.is_decided
        options = options if can_all else [one for one in options if one != "all"]
        if not options:
            st.caption("Tick the items first.")
            return
        titles = {"ticked": f"The {counted(len(chosen), 'ticked item')}", "all": everything(wanted, found)}
        scope = st.radio(
            "Which", options, key=f"{key}_scope_{len(chosen) > 0}", format_func=titles.__getitem__,
            label_visibility="collapsed",
        )  # fmt: skip
        keeps_first = scope == "all" and wanted.kind in {ItemKind.DUPLICATES, ItemKind.NEAR_DUPLICATES}
        is_first_kept = keeps_first and st.toggle("Keep the first of each group", True, key=f"{key}_first")
        why = st.text_input("Why", key=f"{key}_reason", live="300ms", placeholder="For example: known sensor fault")
        if st.button(label, type="primary", key=f"{key}_now", disabled=not (why or "").strip()):
            with guard():
                done = (
                    decide_all(sheet, wanted, decision, why or "", keep_first=bool(is_first_kept))
                    if scope == "all"
                    else cached.workbench().data_quality.fix_queue.decide(
                        sheet.id, chosen, decision, reason=why or "", by=current_user()
                    )
                )
                tell(done, label)
                clear_selection(GRID)
                close_popover(key)
                st.rerun()


def everything(wanted: Filter, found: QueuePage) -> str:
    """All that the filter lists, in words."""
    narrowed = [f"“{wanted.search}”"] if wanted.search else []
    narrowed += [f"failing {wanted.rule}"] if wanted.rule else []
    which = f" that match {' and '.join(narrowed)}" if narrowed else ""
    return plain(f"All {counted(found.total, 'item')}{which}")


def decide_all(sheet: Sheet, wanted: Filter, decision: Decision, why: str, *, keep_first: bool) -> DecisionResult:
    """One decision about everything that the filter lists."""
    return cached.workbench().data_quality.fix_queue.decide_all(
        sheet.id, decision, reason=why, by=current_user(), kind=ItemKind(wanted.kind), rule=wanted.rule,
        search=wanted.search, only_errors=False, keep_first=keep_first,
    )  # fmt: skip


def tell(done: DecisionResult, label: str) -> None:
    """What was done, and what was not."""
    flash(f"{label}: {counted(done.done, 'item')}.")
    if done.refused:
        flash(f"{counted(len(done.refused), 'item')} left: {next(iter(done.refused.values()))}", icon=":material/info:")
