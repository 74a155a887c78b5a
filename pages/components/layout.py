"""The parts that give every page the same shape: header, tiles, empty states, messages, progress, status."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import streamlit as st

from pages.components.errors import show_kept_errors
from pages.components.words import duration, words
from workbench_core import cached
from workbench_core.runs import Run

if TYPE_CHECKING:
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
    "paused": "orange", "exported": "green",
}  # fmt: skip


_NUMBERS = re.compile(r"[\d,]+ of [\d,]+ \w+")


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


def status_badge(status: str) -> None:
    """A status in its colour, the same on every page."""
    st.badge(words(status), color=STATUS_COLORS.get(status, "gray"))


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


def run_progress(run: Run, *, unit: str = "items") -> None:
    """Progress, rate and time left of long work."""
    now = cached.workbench().clock()
    says_numbers = _NUMBERS.fullmatch(run.message)  # they stand in the next part
    parts = [words(run.status) if says_numbers or not run.message else run.message]
    if run.total:
        parts.append(f"{run.done:,} of {run.total:,} {unit}")
    if rate := run.rate(now):
        parts.append(f"{rate:,.1f} {unit}/s" if rate >= 1 else f"{60 * rate:,.1f} {unit}/min")
    if (left := run.seconds_left(now)) is not None and run.is_active:
        parts.append(f"about {duration(left)} left")
    st.progress(run.share, text=" · ".join(parts))
