"""Choices, searches, pages and rows that stand in the address, so that links, reload and the back button work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.words import words

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.elements.lib.column_types import ColumnConfig

PAGE = "page"
LONGEST_NUMBER = 9  # digits of a page; int() refuses 5,000


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

    `bind="query-params"` would refuse every other writer of this part of the address. What is found begins at its
    first page.
    """
    widget, present = f"{key}_in_url", st.query_params.get(key, "")
    if st.session_state.get(widget) != present:  # else a person who types on would be overtaken
        st.session_state[widget] = present

    def write() -> None:
        st.query_params.pop(PAGE, None)
        if typed := st.session_state[widget]:
            st.query_params[key] = typed
        else:
            st.query_params.pop(key, None)

    typed = st.text_input(
        label, key=widget, placeholder=placeholder, icon=":material/search:", label_visibility="collapsed",
        live="300ms", on_change=write, width=width,
    )  # fmt: skip
    return (typed or "").strip()


def page_in_url(pages: int, *, key: str = PAGE) -> int:
    """The page that the address names as `?key=`, from 1 to `pages`, and the way to the others when there are some."""
    widget, asked = f"{key}_in_url", st.query_params.get(key, "")
    is_number = asked.isascii() and asked.isdigit() and len(asked) <= LONGEST_NUMBER
    present = min(max(int(asked), 1), max(pages, 1)) if is_number else 1
    if pages <= 1:
        return 1
    st.session_state[widget] = present

    def write() -> None:
        if st.session_state[widget] == 1:
            st.query_params.pop(key, None)
        else:
            st.query_params[key] = str(st.session_state[widget])

    return int(st.pagination(pages, key=widget, on_change=write))


def go_within(**query: str) -> None:
    """Change some of the address and keep the rest; an empty value removes its part."""
    kept = {**st.query_params.to_dict(), **query}
    st.query_params.from_dict({name: value for name, value in kept.items() if value})


def pick_row(
    frame: pd.DataFrame,
    ids: Sequence[str],
    *,
    param: str,
    alt: str,
    columns: Mapping[str, ColumnConfig | str | None] | None = None,
    also: Mapping[str, str] | None = None,
    key: str = "",
) -> None:
    """A list whose rows open: a click on the first column or the mark puts the row's id into the address.

    On the keyboard the arrows choose a row and Shift+Space opens it. `also` changes other parts of the address with
    it; an empty value removes its part. Two lists with the same `param` on a page need a `key` each.
    """
    widget, button, name = f"{key or param}_row", f"{key or param}_open", str(frame.columns[0])
    wanted = {**(columns or {})}

    def open_row(number: int) -> None:
        if number < len(ids):
            go_within(**{**(also or {}), param: ids[number]})

    def open_marked() -> None:
        if rows := st.session_state[widget]["selection"]["rows"]:
            open_row(rows[0])

    def open_clicked() -> None:
        if clicked := st.session_state[button]:
            open_row(clicked["row"])

    asked = wanted.get(name)
    wanted[name] = st.column_config.ButtonColumn(
        type="tertiary", alignment="left", key=button, on_click=open_clicked, pinned=True,
        width=asked["width"] if isinstance(asked, dict) else None,
        help="Opens it. On the keyboard: the arrows, then Shift+Space.",
    )  # fmt: skip
    # a label that begins with a colon could become an icon
    frame = frame.assign(**{name: [f"\u2060{text}" if str(text).startswith(":") else text for text in frame[name]]})
    st.dataframe(
        frame,
        key=widget,
        hide_index=True,
        height="content",
        on_select=open_marked,
        selection_mode="single-row",
        column_config=wanted,
        placeholder="–",
        alt=alt,
    )
