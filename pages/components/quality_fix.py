"""The fix queue: items that a run found, one by one or many at once, each set aside or accepted with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeAlias

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, go_within, page_in_url, search_in_url
from pages.components.errors import guard_callback
from pages.components.grid import GridColumn, clear_selection, read_grid
from pages.components.identity import current_user
from pages.components.layout import close_popover, empty_state, flash, work_popover
from pages.components.quality_item import end_walk, show_item, walk_through
from pages.components.quality_look import KINDS, column_title
from pages.components.quality_results import WARNINGS, show_stale
from pages.components.quality_values import kinds_of, number, shown
from pages.components.words import ago, counted, plain
from workbench_core import cached, cached_quality
from workbench_core.data_quality import (
    Criticality,
    Decision,
    DecisionResult,
    ItemKind,
    ItemState,
    QueueFilter,
    QueueItem,
    QueuePage,
)
from workbench_core.sheets import Sheet

GRID = "quality_fix_grid"
PAGE_SIZE = 50
Act: TypeAlias = Callable[..., DecisionResult]  # with reason= and by=
MOST_IN_A_ROW = 500  # items that “next” goes through
STATES = {"open": "Open", "set_aside": "Set aside", "accepted": "Accepted"}
STATE_COLORS = {"Open": "red", "Set aside": "orange", "Accepted": "green"}
ALL = "all"
TITLES = {
    "failing": "Errors", WARNINGS: "Warnings",
    **{kind.value: title for kind, title in KINDS.items() if kind is not ItemKind.FAILING}, ALL: "Everything",
}  # fmt: skip
OF_CHECKS = ("failing", WARNINGS)
EVERY = "quality_every"
EMPTY = {
    "failing": "No item that fails an error is open. Run the checks after the rows or the rules have changed.",
    WARNINGS: "No item that fails warnings alone is open. Warnings fail no row.",
    ItemKind.DUPLICATES: "No duplicate is open. Switch on duplicates beside “Run checks” to look for them.",
    ItemKind.NEAR_DUPLICATES: "No near-duplicate is open. Choose a text column beside “Run checks” to look for them.",
    ItemKind.OUTLIERS: "No outlier is open. Switch on outliers beside “Run checks” to look for them.",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What the queue lists: a kind of finding or everything decided, a state, a check, a search."""

    kind: str
    state: ItemState
    rule: str
    search: str

    @property
    def is_decided(self) -> bool:
        """All decided items, whatever was wrong with them."""
        return self.kind == ALL

    @property
    def listed(self) -> QueueFilter:
        """The same for the service; not for all decided items."""
        if self.kind in OF_CHECKS:
            return QueueFilter(ItemKind.FAILING, self.state, self.rule, self.search, self.severity)
        return QueueFilter(ItemKind(self.kind), self.state, self.rule, self.search)

    @property
    def severity(self) -> Criticality:
        """Whether items that fail errors are listed, or those that fail warnings alone."""
        return Criticality.WARN if self.kind == WARNINGS else Criticality.ERROR


def show_fix_queue(sheet: Sheet, *, refusal: str) -> None:
    """The queue, or one item of it."""
    if item := st.query_params.get("item", ""):
        found = page_of(sheet, filter_of_address(), 1, size=MOST_IN_A_ROW)
        walk = walk_through(f"{sheet.id} {filter_of_address()}", found)
        show_item(sheet, item, walk, refusal=refusal)
        return
    end_walk()
    if latest := cached_quality.latest(sheet.id):
        show_stale(sheet, latest)
    wanted = choose_filter(sheet)
    pages = -(-page_of(sheet, wanted, 1).total // PAGE_SIZE)
    list_items(sheet, wanted, page_of(sheet, wanted, page_in_url(pages)), refusal=refusal)


def filter_of_address() -> Filter:
    """What the address says, where nothing is drawn to choose it."""
    query = st.query_params
    state = query.get("state", "open") if query.get("state") in STATES else "open"
    kind = query.get("kind", "")
    known = kind in TITLES and (kind != ALL or state != "open")
    kind = kind if known else ItemKind.FAILING.value
    return Filter(kind, ItemState(state), query.get("of", ""), query.get("search", ""))


def choose_filter(sheet: Sheet) -> Filter:
    """Kind, state, check and search, all in the address."""
    with st.container(horizontal=True, vertical_alignment="center"):
        state = ItemState(choose_in_url("State", list(STATES), key="state", default="open", titles=STATES))
        kinds = [kind for kind in TITLES if kind != ALL or state is not ItemState.OPEN]
        shown_counts = counts_of(sheet) if state is ItemState.OPEN else {}
        kind = choose_in_url("Kind", kinds, key="kind", default=kinds[0], counts=shown_counts, titles=TITLES)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = search_in_url("search", label="Search", placeholder="Search item or value")
        chosen = Filter(kind, state, "", search)
        rule = choose_rule(sheet, chosen.severity) if kind in OF_CHECKS else ""
    return replace(chosen, rule=rule)


def counts_of(sheet: Sheet) -> dict[str, int]:
    """How many items of each kind are open; a kind that no run looked for is left out."""
    by_severity = cached_quality.counts_by_severity(sheet.id)
    found = {kind.value: count for kind, count in cached_quality.counts(sheet.id).items()}
    if by_severity:
        found |= {"failing": by_severity[Criticality.ERROR], WARNINGS: by_severity[Criticality.WARN]}
    return found


def choose_rule(sheet: Sheet, severity: Criticality) -> str:
    """Only the items that fail one check."""
    latest = cached_quality.latest(sheet.id)
    failing = [one for one in latest.outcomes if one.failed] if latest else []
    names = [one.name for one in failing if one.criticality is severity]
    wanted = st.query_params.get("of", "")
    st.session_state["quality_of"] = wanted if wanted in names else ""

    def write() -> None:
        go_within(of=st.session_state["quality_of"], page="")

    rule = st.selectbox(
        "Check", ["", *names], key="quality_of", on_change=write, width=320, label_visibility="collapsed",
        format_func=lambda name: name or "Every check",
    )  # fmt: skip
    return str(rule or "")


def page_of(sheet: Sheet, wanted: Filter, number: int, *, size: int = PAGE_SIZE) -> QueuePage:
    """One page of the queue."""
    offset = size * (number - 1)
    if wanted.is_decided:
        return cached_quality.decided(sheet.id, wanted.state, wanted.search, size, offset)
    return cached_quality.queue(sheet.id, wanted.listed, size, offset)


# --- the list --------------------------------------------------------------------------------------------------------


def list_items(sheet: Sheet, wanted: Filter, found: QueuePage, *, refusal: str) -> None:
    """The items as a grid: tick some to decide about them together, or open one."""
    if not found.items:
        is_narrowed = bool(wanted.search or wanted.rule)
        if is_narrowed:
            empty_state("No item matches. Change the search or the check.", icon=":material/search_off:")
        elif wanted.state is ItemState.OPEN:
            empty_state(EMPTY[wanted.kind], icon=":material/task_alt:")
        else:
            empty_state(f"No item is {STATES[wanted.state].lower()}.", icon=":material/task_alt:")
        return
    if found.note:
        st.warning(plain(found.note), icon=":material/content_cut:")
    bar = st.container()
    kinds = kinds_of(sheet)
    chosen = read_grid(
        pd.DataFrame([line(sheet, item, kinds) for item in found.items]), key=GRID, row_id="id",
        columns=columns_of(wanted), selection="multi", height=min(560, 46 + 38 * max(len(found.items), 3)),
    )  # fmt: skip
    st.caption(counted(found.total, "item"))
    with bar:
        bulk_bar(sheet, wanted, found, chosen, refusal=refusal)


def line(sheet: Sheet, item: QueueItem, kinds: Mapping[str, str]) -> dict[str, object]:
    """One line of the grid."""
    return {
        "id": item.item_ref,
        "item": item.item_ref,
        "problems": item.problems,
        "what": "; ".join(
            dict.fromkeys(problem.name or column_title(sheet, problem.columns) for problem in item.shown)
        ),
        "value": "; ".join(dict.fromkeys(shown(one.value, kinds.get(one.columns, "")) for one in item.shown)),
        "group": f"Group {item.group}" if item.group is not None else "",
        "score": None if item.score is None else number(f"{item.score:.2f}"),
        "state": STATES[item.state.value],
        "reason": item.reason,
        "decided": f"{item.decided_by}, {ago(item.decided_at)}" if item.decided_at else "",
    }


def columns_of(wanted: Filter) -> list[GridColumn]:
    """The columns that say something about this kind and state."""
    columns = [GridColumn("item", "Item", width=210, kind="mono")]
    if wanted.kind in OF_CHECKS:
        columns.append(GridColumn("what", "Fails", share=3, least=240))
    elif wanted.kind in {ItemKind.DUPLICATES, ItemKind.NEAR_DUPLICATES}:
        columns.append(GridColumn("group", "Group", width=110))
        if wanted.kind == ItemKind.NEAR_DUPLICATES:
            columns.append(GridColumn("score", "Similarity", width=110))
    elif wanted.kind == ItemKind.OUTLIERS:
        columns += [
            GridColumn("what", "Column", width=170),
            GridColumn("score", "Distance", width=120),
        ]
    columns.append(GridColumn("value", "Value", share=2, least=180))
    if wanted.kind in OF_CHECKS:
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
        for action in decisions_for(wanted.state):
            decide_popover(sheet, chosen, action, refusal=refusal)
        if not wanted.is_decided:
            decide_every(sheet, wanted, found, refusal=refusal)
    if refusal:
        st.caption(refusal)


def decisions_for(state: ItemState) -> list[tuple[Decision, str, str]]:
    """What can be done with items in this state."""
    if state is ItemState.OPEN:
        return [(Decision.SET_ASIDE, "Set aside", "do_not_disturb_on"), (Decision.ACCEPT, "Accept", "check_circle")]
    return [(Decision.REOPEN, "Reopen", "undo")]


def decide_popover(sheet: Sheet, chosen: Sequence[str], action: tuple[Decision, str, str], *, refusal: str) -> None:
    """Why, and then one decision about the ticked items; nothing can be decided before some are ticked."""
    decision, label, icon = action
    key = f"quality_bulk_{decision.value}"
    kind: Literal["primary", "secondary"] = "primary" if decision is Decision.SET_ASIDE else "secondary"
    with work_popover(label, key=key, icon=f":material/{icon}:", kind=kind, disabled=bool(refusal) or not chosen):
        st.markdown(f"The **{counted(len(chosen), 'ticked item')}**")
        act: Act = partial(cached.workbench().data_quality.fix_queue.decide, sheet.id, chosen, decision)
        confirm(act, key, f"{label} {counted(len(chosen), 'item')}", label)


def decide_every(sheet: Sheet, wanted: Filter, found: QueuePage, *, refusal: str) -> None:
    """One decision about everything that the filter lists in the run that is shown, after naming how many that are."""
    actions = {decision: label for decision, label, _ in decisions_for(wanted.state)}
    label = f"All {counted(found.total, 'item')}"
    with work_popover(label, key=EVERY, icon=":material/select_all:", disabled=bool(refusal)):
        decision = next(iter(actions))
        if len(actions) > 1:
            decision = st.segmented_control(
                "Decision", list(actions), default=decision, key=f"{EVERY}_decision", required=True,
                format_func=actions.__getitem__, label_visibility="collapsed",
            )  # fmt: skip
        decision = Decision(decision or Decision.SET_ASIDE)
        keep_first = True
        if decision is Decision.SET_ASIDE and wanted.kind in {ItemKind.DUPLICATES, ItemKind.NEAR_DUPLICATES}:
            keep_first = bool(
                st.toggle(
                    "Keep the first of each group", True, key=f"{EVERY}_first",
                    help="The first that is not set aside already: one of each group is always left",
                )
            )  # fmt: skip
        count = cached_quality.count_of_all(sheet.id, decision, wanted.listed, keep_first)
        beyond = ", also those that this page does not show" if found.total > len(found.items) else ""
        st.markdown(f"This is about **{counted(count, 'item')}**{which(wanted)}{beyond}.")
        if found.note and decision is not Decision.REOPEN:
            st.caption("There are more than are listed: only those that are kept are decided.")
        act: Act = partial(
            cached.workbench().data_quality.fix_queue.decide_all, sheet.id, decision, wanted.listed,
            shown_run=found.run_id, keep_first=keep_first,
        )  # fmt: skip
        confirm(act, EVERY, f"{actions[decision]} {counted(count, 'item')}", actions[decision])


def confirm(act: Act, key: str, title: str, label: str) -> None:
    """The reason, and the button that names what it will do."""
    why = st.text_input("Why", key=f"{key}_reason", live="300ms", placeholder="For example: known sensor fault")
    st.button(
        title, type="primary", key=f"{key}_now", disabled=not (why or "").strip(), on_click=carry_out,
        args=(act, key, label),
    )  # fmt: skip


def carry_out(act: Act, key: str, label: str) -> None:
    """Decide as the page said when the button was pressed: a callback has what was shown, not what is newest."""
    with guard_callback():
        tell(act(reason=str(st.session_state.get(f"{key}_reason") or ""), by=current_user()), label)
        clear_selection(GRID)
        close_popover(key)


def which(wanted: Filter) -> str:
    """How the list is narrowed, in words."""
    narrowed = [f"“{wanted.search}”"] if wanted.search else []
    narrowed += [f"failing {wanted.rule}"] if wanted.rule else []
    return f" {plain('that match ' + ' and '.join(narrowed))}" if narrowed else ""


def tell(done: DecisionResult, label: str) -> None:
    """What was done, and what was not."""
    flash(f"{label}: {counted(done.done, 'item')}.")
    if done.refused:
        flash(f"{counted(len(done.refused), 'item')} left: {next(iter(done.refused.values()))}", icon=":material/info:")
    if done.note:
        flash(done.note, icon=":material/content_cut:")
