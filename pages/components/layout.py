"""The parts that give every page the same shape: header, tiles, empty states, messages, progress, status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import streamlit as st

from pages.components.errors import guard_callback, show_kept_errors
from workbench_core import cached
from workbench_core.lifecycle import Lifecycle
from workbench_core.runs import Run

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.elements.lib.column_types import ColumnConfig
    from streamlit.elements.lib.mutable_popover_container import PopoverContainer

Color: TypeAlias = Literal["gray", "blue", "green", "orange", "red", "violet"]
STATUS_COLORS: Mapping[str, Color] = {
    "draft": "gray", "pending": "gray", "queued": "gray", "stopped": "gray", "archived": "gray", "dismissed": "gray",
    "generating": "blue", "running": "blue", "in_progress": "blue", "task_created": "blue", "assigned": "blue",
    "updating": "blue", "creating": "blue", "canonical": "violet", "review": "orange", "flagged": "orange",
    "acknowledged": "orange", "interrupted": "orange", "identified": "orange", "medium": "orange", "improved": "blue",
    "active": "green", "published": "green", "approved": "green", "edited": "green", "succeeded": "green",
    "ready": "green", "trained": "green", "completed": "green", "resolved": "green", "healthy": "green",
    "closed": "green", "better": "green", "failed": "red", "rejected": "red", "cancelled": "gray", "open": "red",
    "critical": "red", "high": "red", "worse": "red", "not_closed": "red", "degraded": "orange", "warning": "orange",
}  # fmt: skip


def page_header(
    title: str, subtitle: str, *, status: str = "", is_demo: bool = False
) -> st.delta_generator.DeltaGenerator:
    """Draw title, status and one sentence; give the container on the right for the page's actions."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.title(title, anchor=False, width="content")
            if status:
                status_badge(status)
            if is_demo:
                st.badge("Demo", color="violet", icon=":material/science:")
        st.caption(subtitle)
    with right:
        return st.container(horizontal=True, horizontal_alignment="right", gap="small")


def words(name: str) -> str:
    """A status or action as people read it: `task_created` becomes `Task created`."""
    return name.replace("_", " ").capitalize()


def status_badge(status: str) -> None:
    """A status in its colour, the same on every page."""
    st.badge(words(status), color=STATUS_COLORS.get(status, "gray"))


def choose_in_url(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: str,
    counts: Mapping[str, int] | None = None,
    titles: Mapping[str, str] | None = None,
) -> str:
    """A choice that stands in the address as `?key=option`, so that links, reload and the back button work.

    `bind="query-params"` would put the shown words into the address instead of the option; `counts` follow the words.
    `titles` are shown instead of the options where given.
    """
    widget, shown = f"{key}_in_url", counts or {}
    present = st.query_params.get(key, default)
    st.session_state[widget] = present if present in options else default

    def write() -> None:
        if st.session_state[widget] == default:
            st.query_params.pop(key, None)
        else:
            st.query_params[key] = st.session_state[widget]

    def title(option: str) -> str:
        name = (titles or {}).get(option) or words(option)
        return f"{name} {shown[option]:,}" if option in shown else name

    chosen = st.segmented_control(
        label, options, key=widget, required=True, format_func=title, label_visibility="collapsed", on_change=write
    )
    return str(chosen or default)


def search_in_url(key: str, *, label: str, placeholder: str, width: int = 320) -> str:
    """A search that stands in the address as `?key=text` and may be changed by a callback too; without outer blanks.

    `bind="query-params"` would refuse every other writer of this part of the address.
    """
    widget, present = f"{key}_in_url", st.query_params.get(key, "")
    if st.session_state.get(widget) != present:  # else a person who types on would be overtaken
        st.session_state[widget] = present

    def write() -> None:
        if typed := st.session_state[widget]:
            st.query_params[key] = typed
        else:
            st.query_params.pop(key, None)

    typed = st.text_input(
        label, key=widget, placeholder=placeholder, icon=":material/search:", label_visibility="collapsed",
        live="300ms", on_change=write, width=width,
    )  # fmt: skip
    return (typed or "").strip()


def pick_row(
    frame: pd.DataFrame,
    ids: Sequence[str],
    *,
    param: str,
    alt: str,
    columns: Mapping[str, ColumnConfig | str | None] | None = None,
) -> None:
    """A list whose rows open: a click puts the row's id into the address as `?param=id`."""
    widget = f"{param}_row"

    def open_row() -> None:
        rows = st.session_state[widget]["selection"]["rows"]
        if rows and rows[0] < len(ids):
            st.query_params[param] = ids[rows[0]]

    st.dataframe(
        frame,
        key=widget,
        hide_index=True,
        height="content",
        on_select=open_row,
        selection_mode="single-row",
        column_config=dict(columns or {}),
        alt=alt,
    )


def flash(message: str, *, icon: str = ":material/check_circle:") -> None:
    """Keep a message for the next run: a toast right before a rerun would never show."""
    st.session_state.setdefault("flash", []).append((message, icon))


def show_flashes() -> None:
    """Show the kept messages; the router calls it at the top of each run."""
    for message, icon in st.session_state.pop("flash", []):
        st.toast(message, icon=icon)
    show_kept_errors()


def empty_state(message: str, *, icon: str = ":material/inbox:") -> st.delta_generator.DeltaGenerator:
    """Say why a list is empty; give the container for the one useful next action."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown(icon, width="content")
        st.markdown(message, width="content", text_alignment="center")
        return st.container(horizontal=True, horizontal_alignment="center")


def work_popover(
    label: str, *, key: str, icon: str, kind: Literal["primary", "secondary"] = "secondary", disabled: bool = False
) -> PopoverContainer:
    """A popover with work to do in it; `close_popover(key)` before a rerun closes it, so that it covers no result."""
    if st.session_state.pop(f"{key}_close", False):
        st.session_state[key] = False
    return st.popover(label, key=key, icon=icon, type=kind, disabled=disabled, on_change="rerun")


def close_popover(key: str) -> None:
    """Close a popover in the next run."""
    st.session_state[f"{key}_close"] = True


def metric_row(tiles: Sequence[tuple[str, str] | tuple[str, str, str]], *, width: int = 150) -> None:
    """A row of tiles (label, value, optional help) that wraps below `width` pixels: two by two on a phone."""
    with st.grid(len(tiles), min_column_width=width):
        for label, value, *rest in tiles:
            st.metric(label, value, border=True, help=rest[0] if rest else None)


def lifecycle_buttons(
    status: str, lifecycle: Lifecycle[str], *, key: str, act: Callable[[str], None], hide: Sequence[str] = ()
) -> None:
    """One button for each action that the state machine allows now; the first is the primary one."""
    for number, action in enumerate(action for action in lifecycle.actions(status) if action not in hide):
        st.button(
            words(action),
            key=f"{action}_{key}",
            type="primary" if number == 0 else "secondary",
            on_click=_carry_out,
            args=(act, action),
        )


def _carry_out(act: Callable[[str], None], action: str) -> None:
    with guard_callback():
        act(action)


def run_progress(run: Run, *, unit: str = "items") -> None:
    """Progress, rate and time left of long work."""
    now = cached.workbench().clock()
    parts = [run.message or words(run.status)]
    if run.total:
        parts.append(f"{run.done:,} of {run.total:,} {unit}")
    if rate := run.rate(now):
        parts.append(f"{rate:,.1f} {unit}/s" if rate >= 1 else f"{60 * rate:,.1f} {unit}/min")
    if (left := run.seconds_left(now)) is not None and run.is_active:
        parts.append(f"about {duration(left)} left")
    st.progress(run.share, text=" · ".join(parts))


def duration(seconds: float) -> str:
    """Seconds in words: 8 s, 3 min, 1.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(number: int, name: str) -> str:
    """A number with the name of what is counted: 1 table, 2 tables."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def file_size(size_bytes: int) -> str:
    """A number of bytes in words: 812 bytes, 12.4 kB, 3.1 MB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= size:
            return f"{size_bytes / size:,.1f} {unit}"
    return f"{size_bytes:,} bytes"


def ago(moment: datetime | None) -> str:
    """How long ago, in words."""
    if moment is None:
        return "never"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{moment:%d %b %Y}"


def percent(share: float | None, *, digits: int = 1) -> str:
    """A share as percent; a dash when it is not known."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def plain(text: str) -> str:
    """Text from data on one line as it stands: no markdown, no link, no directive of Streamlit."""
    for mark in "\\&`*_{}[]()#+-.!|~<>$:":
        text = text.replace(mark, f"\\{mark}")
    # addresses become links even when escaped; an invisible word joiner keeps them text
    text = text.replace("@", "@\u2060").replace("//", "/\u2060/").replace("www", "www\u2060")
    return " ".join(text.split("\n")).strip()
