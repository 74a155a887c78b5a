"""Who did what to a sheet, newest first: each change with what was there before and after."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.address import page_in_url
from pages.components.layout import Color
from pages.components.records import cell_text
from pages.components.words import ago, plain, words
from workbench_core import cached
from workbench_core.data_quality import words_of
from workbench_core.data_quality.rule_history import CHANGES
from workbench_core.history import Event
from workbench_core.sheets import Sheet
from workbench_core.sheets.changes import REFUSED, FieldChange, field_changes

PAGE_SIZE = 20
MOST = 500
LONG = 90  # characters above which a value is cut, and whole only on demand
_TOLD = {"before", "after", "changed", "version"}  # details that are told in another form
_COLORS: dict[str, Color] = {
    "create": "blue", "publish": "green", "unpublish": "gray", "archive": "gray", "restore": "blue", "delete": "red",
    "undelete": "blue", "update": "violet", "validate": "gray",
}  # fmt: skip


def show_history(sheet: Sheet) -> None:
    """All that happened, a page at a time."""
    events = cached.workbench().history.of("sheet", sheet.id, limit=MOST)
    place = st.container(gap="small")
    page = page_in_url(-(-len(events) // PAGE_SIZE), key="events")
    with place:
        for number, event in enumerate(events[PAGE_SIZE * (page - 1) : PAGE_SIZE * page]):
            show_event(event, key=f"data_event_{page}_{number}")
    if len(events) == MOST:
        st.caption(f"The last {MOST} events are listed.")


def show_event(event: Event, *, key: str) -> None:
    """One event: what, who and when, then what changed."""
    changes = field_changes(event)
    with st.container(border=True, gap="xsmall", key=key):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            color = "orange" if event.action.endswith(REFUSED) else _COLORS.get(event.action, "gray")
            st.badge(words(event.action), color=color)
            st.markdown(plain(event.by), width="content")
            st.caption(f"{ago(event.happened_at)} · {event.happened_at:%d %b %Y, %H:%M} UTC", width="content")
        if lines := [*change_lines(changes), *rule_lines(event)]:
            st.markdown("\n".join(lines))
        if details := other_details(event):
            st.caption(" · ".join(details))
        long = [change for change in changes if max(len(change.before), len(change.after)) > LONG]
        if long:
            with st.expander("Whole texts", icon=":material/notes:", key=f"{key}_whole", on_change="rerun") as opened:
                if opened.open:
                    show_whole(long)


def change_lines(changes: Sequence[FieldChange]) -> list[str]:
    """Each change as before → after."""
    return [f"- {plain(one.field)}: {short(one.before)} → {short(one.after)}" for one in changes]


def rule_lines(event: Event) -> list[str]:
    """What an event changed of the quality rules."""
    return [f"- {plain(line)}" for line in words_of(event.details)]


def other_details(event: Event) -> list[str]:
    """Everything else that was kept."""
    told = _TOLD | {CHANGES} if words_of(event.details) else _TOLD
    kept = {name: value for name, value in event.details.items() if name not in told and value not in ("", [])}
    return [f"{plain(name.replace('_', ' '))}: {short(cell_text(value))}" for name, value in kept.items()]


def short(text: str) -> str:
    """A value in a line, cut when it is long."""
    if not text:
        return ":gray[nothing]"
    return f"**{plain(text if len(text) <= LONG else text[:LONG].rstrip())}**{' …' if len(text) > LONG else ''}"


def show_whole(changes: Sequence[FieldChange]) -> None:
    """Long values in full, before beside after."""
    for change in changes:
        st.caption(plain(change.field))
        with st.grid(2, min_column_width=260):
            for title, text in (("Before", change.before), ("After", change.after)):
                with st.container(border=True, gap="xsmall"):
                    st.caption(title)
                    st.text(text or "nothing")
