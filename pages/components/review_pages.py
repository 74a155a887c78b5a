"""Pages of pairs by position: the address says behind or before which pair, and a page stays where it is."""

from __future__ import annotations

import streamlit as st

from pages.components.address import LONGEST_NUMBER, go_within
from workbench_core import cached_review
from workbench_core.pairs import PairFilter, PairPage
from workbench_core.training_sheets import TrainingSheet


def position(param: str) -> int | None:
    """A position of the address; None without one, or when it is no number."""
    asked = st.query_params.get(param, "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= LONGEST_NUMBER else None


def page_of(sheet: TrainingSheet, wanted: PairFilter, *, size: int) -> PairPage:
    """The page that the address asks for; the first one when there is nothing behind that position any more."""
    page = cached_review.pair_page(sheet.id, wanted, position("after") or 0, position("before"), size)
    return page if page.lines else cached_review.pair_page(sheet.id, wanted, 0, None, size)


def show_steps_between_pages(sheet: TrainingSheet, wanted: PairFilter, total: int, *, size: int) -> None:
    """First, previous and next page, and where this one is."""
    page = page_of(sheet, wanted, size=size)
    if page.before is None and page.after is None:
        return
    first = _first_number(page, total)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _go("First", "first_page", None if page.before is None else {})
        _go("Previous", "chevron_left", _previous(page, first, size))
        _go("Next", "chevron_right", _next(page, first))
        st.caption(_place(page, first, total), width="content")


def _previous(page: PairPage, first: int | None, size: int) -> dict[str, int] | None:
    if page.before is None:
        return None
    return {"before": page.before} | ({"at": first - size} if first and first > size else {})


def _next(page: PairPage, first: int | None) -> dict[str, int] | None:
    if page.after is None:
        return None
    return {"after": page.after} | ({"at": first + len(page.lines)} if first else {})


def _go(title: str, icon: str, where: dict[str, int] | None) -> None:
    kept = dict.fromkeys(("pair", "after", "before", "at"), "")
    st.button(
        title, icon=f":material/{icon}:", key=f"label_page_{title.lower()}", disabled=where is None,
        on_click=go_within, kwargs=kept | {name: str(number) for name, number in (where or {}).items()},
    )  # fmt: skip


def _first_number(page: PairPage, total: int) -> int | None:
    """The number of the first pair of a page among those that match; None where only counting would tell.

    At the ends it is known; between them, each step carries it along in the address.
    """
    if page.before is None:
        return 1
    if page.after is None:
        return total - len(page.lines) + 1
    asked = position("at")
    return asked if asked and 1 < asked <= total - len(page.lines) else None


def _place(page: PairPage, first: int | None, total: int) -> str:
    if first is None:
        return f"No. {page.lines[0].sequence_number:,} to {page.lines[-1].sequence_number:,}, {total:,} pairs in all"
    return f"{first:,}–{first + len(page.lines) - 1:,} of {total:,}"
