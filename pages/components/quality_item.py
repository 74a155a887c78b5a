"""One item of the fix queue: everything that is wrong with it beside its values, and the decision about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages.components.address import go_within
from pages.components.data_navigation import back_within
from pages.components.errors import guard, guard_callback
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, status_badge
from pages.components.quality_look import CRITICALITIES, KINDS, column_title, column_words, sentence
from pages.components.quality_values import EMPTY, demand, kinds_of, number, scanned_as, shown
from pages.components.records import LONG, LONGEST, cell_text, show_row
from pages.components.sheet_rows import pictures_of, places_of
from pages.components.words import ago, plain
from workbench_core import cached, cached_quality
from workbench_core.data_quality import Criticality, Decision, ItemDetails, ItemKind, ItemState, Problem, QueuePage
from workbench_core.sheets import Sheet

MAX_MEMBERS = 4
WALK = "quality_walk"  # the way through the queue: its list, and how many items were decided on it
_ICONS = {
    ItemKind.FAILING: "rule", ItemKind.DUPLICATES: "content_copy", ItemKind.NEAR_DUPLICATES: "difference",
    ItemKind.OUTLIERS: "scatter_plot",
}  # fmt: skip
CHOICES: Mapping[ItemState, Sequence[tuple[Decision, str, str, str]]] = {
    ItemState.OPEN: (
        (Decision.SET_ASIDE, "Set aside", "do_not_disturb_on", "S"), (Decision.ACCEPT, "Accept", "check_circle", "A"),
    ),
    ItemState.SET_ASIDE: ((Decision.REOPEN, "Reopen", "undo", "O"),),
    ItemState.ACCEPTED: ((Decision.REOPEN, "Reopen", "undo", "O"),),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Walk:
    """A way through the queue: its first items in their order, how many it has in all, how many were decided on it."""

    refs: Sequence[str]
    total: int
    decided: int

    def place(self, item_ref: str) -> str:
        """Where on the way an item stands; what was decided before counts on."""
        loaded = f" (the first {len(self.refs):,} are loaded)" if len(self.refs) < self.total else ""
        at = self.refs.index(item_ref) + 1 + self.decided
        return f"{at:,} of {self.total + self.decided:,}{loaded}"


def walk_through(name: str, found: QueuePage) -> Walk:
    """Go on through the list of this name, or begin with it."""
    if st.session_state.get(WALK, ("", 0))[0] != name:
        st.session_state[WALK] = (name, 0)
    return Walk([one.item_ref for one in found.items], found.total, st.session_state[WALK][1])


def end_walk() -> None:
    """Back at the list, the next way through it begins anew."""
    st.session_state.pop(WALK, None)


def show_item(sheet: Sheet, item_ref: str, walk: Walk, *, refusal: str) -> None:
    """One item, and the way to those beside it in the queue."""
    refs = walk.refs
    navigation(item_ref, refs)
    with guard():
        found = cached_quality.item(sheet.id, item_ref)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(f":material/tag: {plain(item_ref)}", anchor=False, width="content")
            status_badge(found.state.value)
            if item_ref in refs:
                st.caption(walk.place(item_ref), width="content")
            st.space("stretch")
            decide_buttons(sheet, found, refs, refusal=refusal)
        if refusal:
            st.caption(refusal)
        if found.reason:
            st.caption(plain(f"“{found.reason}”"))
        left, right = st.columns([2, 3], gap="large")
        with left:
            show_problems(sheet, found)
            show_decisions(found)
        with right:
            show_values(sheet, found)


def navigation(item_ref: str, refs: Sequence[str]) -> None:
    """Back, and to the items before and after; arrow keys do the same."""
    at = refs.index(item_ref) if item_ref in refs else -1
    before = refs[at - 1] if at > 0 else ""
    after = refs[at + 1] if 0 <= at < len(refs) - 1 else (refs[0] if at < 0 and refs else "")
    with st.container(horizontal=True, vertical_alignment="center"):
        back_within("Fix queue", item="")
        st.space("stretch")
        for label, icon, ref, shortcut in (
            ("Previous", "chevron_left", before, "Left"),
            ("Next", "chevron_right", after, "Right"),
        ):
            st.button(
                label, icon=f":material/{icon}:", key=f"quality_item_{label}", shortcut=shortcut, disabled=not ref,
                on_click=go_within, kwargs={"item": ref},
            )  # fmt: skip


# --- deciding --------------------------------------------------------------------------------------------------------


def decide_buttons(sheet: Sheet, found: ItemDetails, refs: Sequence[str], *, refusal: str) -> None:
    """Why, and then set aside or accept, or take that back; a key does the same, and the next item comes."""
    key = f"quality_item_why_{found.item_ref}_{found.state.value}"
    why = st.text_input(
        "Why", value=usual_reason(found), key=key, width=260, label_visibility="collapsed", placeholder="Why?",
        disabled=bool(refusal),
    )  # fmt: skip
    for place, (decision, label, icon, shortcut) in enumerate(CHOICES[found.state]):
        st.button(
            label, type="secondary" if place else "primary", icon=f":material/{icon}:", shortcut=shortcut,
            key=f"quality_item_{decision.value}", on_click=decide, args=(sheet.id, found.item_ref, refs, decision, key),
            disabled=bool(refusal), help=refusal or None,
        )  # fmt: skip
    if not refusal and not why:
        st.caption("A decision needs a reason.")


def usual_reason(found: ItemDetails) -> str:
    """The first thing that is wrong, as a reason to begin with."""
    if found.state is not ItemState.OPEN or not found.problems:
        return ""
    first = found.problems[0]
    place = f" in {first.columns}" if first.columns else ""
    return f"fails: {first.name}" if first.name else f"{scanned_as(first.kind)}{place}"


def decide(sheet_id: str, item_ref: str, refs: Sequence[str], decision: Decision, reason_key: str) -> None:
    """Store the decision with the reason in that field, and go on to the next item."""
    with guard_callback():
        result = cached.workbench().data_quality.fix_queue.decide(
            sheet_id, [item_ref], decision, reason=str(st.session_state.get(reason_key) or ""), by=current_user()
        )
        for reason in result.refused.values():
            flash(reason, icon=":material/info:")
        if result.done:
            name, decided = st.session_state.get(WALK, ("", 0))
            st.session_state[WALK] = (name, decided + (item_ref in refs))
            flash(f"{decision.value.replace('_', ' ').capitalize()}: {item_ref}.")
            go_within(item=following(item_ref, refs))


def following(item_ref: str, refs: Sequence[str]) -> str:
    """The item behind this one, else the one before; nothing when it was the last."""
    if item_ref not in refs:
        return item_ref
    at = refs.index(item_ref)
    return refs[at + 1] if at + 1 < len(refs) else (refs[at - 1] if at else "")


# --- what is wrong ---------------------------------------------------------------------------------------------------


def show_problems(sheet: Sheet, found: ItemDetails) -> None:
    """Everything wrong with the item."""
    st.markdown("**What is wrong**")
    if not found.problems:
        st.caption("The latest run found nothing wrong with it.")
    for problem in found.problems:
        with st.container(border=True, gap="xsmall"):
            show_problem(sheet, problem)


def show_problem(sheet: Sheet, problem: Problem) -> None:
    """One thing that is wrong: what should be, and what was found."""
    value = shown(problem.value, kinds_of(sheet).get(problem.columns, ""))
    column = column_title(sheet, problem.columns)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        title = problem.name or KINDS[problem.kind]
        st.markdown(f":material/{_ICONS[problem.kind]}: **{plain(title)}**", width="content")
        if problem.criticality:
            is_error = problem.criticality is Criticality.ERROR
            st.badge(CRITICALITIES[problem.criticality], color="red" if is_error else "orange")
    if problem.meaning:
        st.markdown(sentence(demand(problem.meaning, problem.columns, column_words(sheet))))
    if problem.kind is ItemKind.FAILING:
        st.caption(f"Found: {'empty' if value == EMPTY else plain(value)}")
    elif problem.kind is ItemKind.OUTLIERS:
        st.caption(plain(f"{column}: {value}, distance {number(f'{problem.score or 0:.1f}')} (modified z-score)"))
    else:
        near = f", {problem.score:.0%} similar" if problem.score is not None and problem.score < 1 else ""
        st.caption(plain(f"Group {problem.group}{near}"))


def show_decisions(found: ItemDetails) -> None:
    """What people decided about the item before."""
    if not found.decisions:
        return
    with st.expander("Decisions", icon=":material/history:"):
        for past in found.decisions:
            words = past.decision.value.replace("_", " ").capitalize()
            st.caption(plain(f"{words} by {past.decided_by}, {ago(past.decided_at)}: “{past.reason}”"))


# --- its values ------------------------------------------------------------------------------------------------------


def show_values(sheet: Sheet, found: ItemDetails) -> None:
    """The row of the item; beside the others of its group when it repeats them."""
    members = next((refs for refs in found.group_members.values() if len(refs) > 1), ())
    if found.values is None:
        empty_state("The source has no such row any more.", icon=":material/delete_sweep:")
        return
    st.markdown("**Its values**" if not members else f"**The {len(members)} items of its group**")
    if not members:
        places = places_of(sheet, pd.DataFrame([dict(found.values)]))
        pictures = {column_title(sheet, name): picture for name, picture in pictures_of(places, 0).items()}
        kinds = kinds_of(sheet)
        show_row(
            {
                column_title(sheet, name): shown(value, kinds.get(name, ""))
                for name, value in wrong_first(found).items()
            },
            images=pictures,
        )
        return
    kinds = kinds_of(sheet)
    others = [ref for ref in members if ref != found.item_ref][: MAX_MEMBERS - 1]
    rows: dict[str, Mapping[str, object]] = {found.item_ref: found.values}
    rows |= {ref: cached_quality.item(sheet.id, ref).values or {} for ref in others}
    frame = pd.DataFrame(
        {
            "Column": [column_title(sheet, name) for name in found.values],
            "Differs": ["≠" if differs(rows, name) else "" for name in found.values],
            **{
                ref: [shown(values.get(name), kinds.get(name, "")) for name in found.values]
                for ref, values in rows.items()
            },
        }
    )
    st.dataframe(frame, hide_index=True, height="content", alt="The items of the group side by side")
    show_long_texts(rows)
    if len(members) > MAX_MEMBERS:
        st.caption(f"{len(members) - MAX_MEMBERS:,} more are in this group.")


def show_long_texts(rows: Mapping[str, Mapping[str, object]]) -> None:
    """Texts too long for the table, in full beside each other."""
    names = dict.fromkeys(
        name for values in rows.values() for name, value in values.items() if len(cell_text(value)) > LONG
    )
    for name in names:
        st.caption(plain(name))
        for column, (ref, values) in zip(st.columns(len(rows)), rows.items(), strict=True):
            with column, st.container(border=True, height="stretch"):
                st.caption(plain(ref))
                st.text(cell_text(values.get(name))[:LONGEST])


def wrong_first(found: ItemDetails) -> dict[str, object]:
    """The values of the item, those of columns with a problem first."""
    values = found.values or {}
    named = {name for problem in found.problems for name in problem.columns.split(", ")}
    return dict(sorted(values.items(), key=lambda pair: pair[0] not in named))


def differs(rows: Mapping[str, Mapping[str, object]], name: str) -> bool:
    """Whether the items have different values in a column."""
    return len({cell_text(values.get(name)) for values in rows.values()}) > 1
