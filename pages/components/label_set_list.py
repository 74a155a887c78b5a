"""The label sets as cards: found, filtered by the address, paged, and opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.components.address import choose_in_url, go_within, page_in_url, search_in_url
from pages.components.label_set_look import class_chips
from pages.components.label_set_new import new_label_set, starter_buttons
from pages.components.layout import empty_state, page_header, status_badge
from pages.components.words import ago, counted, plain
from workbench_core import cached, cached_label_sets
from workbench_core.label_sets import Facets, LabelSet, LabelSetFilter, LabelSetStatus

PAGE_SIZE = 20
ALL = "all"
LONGEST_NAME = 40  # characters that stand beside the status on a card
_FILTERS = {  # parameter of the address: what it is called, and what the empty choice says
    "label_type": ("Label type", "Any label type"),
    "tag": ("Tag", "Any tag"),
    "use_case": ("Use case", "Any use case"),
}


def show_list() -> None:
    """All label sets that match, last changed first."""
    label_sets = cached.workbench().label_sets
    actions = page_header(
        "Label sets", "The allowed answers of a label type: classes with colours and keys, or a schema"
    )
    with actions:
        new_label_set()
    facets = label_sets.facets()
    if not facets.label_types:
        _show_nothing(is_narrowed=False)
        return
    wanted = _choose_filter(facets)
    counts = {status.value: number for status, number in label_sets.counts(wanted).items()}
    chosen = choose_in_url(
        "Status", [ALL, *counts], key="status", default=ALL, counts={ALL: sum(counts.values()), **counts}
    )
    total = sum(counts.values()) if chosen == ALL else counts[chosen]
    if not total:
        _show_nothing(is_narrowed=True)
        return
    place = st.container()
    page = page_in_url(-(-total // PAGE_SIZE))
    status = None if chosen == ALL else LabelSetStatus(chosen)
    found = label_sets.find(_with_status(wanted, status), limit=PAGE_SIZE, offset=PAGE_SIZE * (page - 1))
    with place:
        _cards(found, cached_label_sets.label_counts(tuple(sorted({one.label_type for one in found}))))


def _with_status(wanted: LabelSetFilter, status: LabelSetStatus | None) -> LabelSetFilter:
    return LabelSetFilter(status, wanted.label_type, wanted.use_case, wanted.tags, wanted.search)


def _choose_filter(facets: Facets) -> LabelSetFilter:
    """Search, label type, tag and use case, all in the address."""
    known: Mapping[str, Sequence[str]] = {
        "label_type": facets.label_types, "tag": facets.tags, "use_case": facets.use_cases,
    }  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        search = search_in_url("search", label="Search", placeholder="Search name, class, description or tag")
        chosen = {param: _choose(param, known[param]) for param in _FILTERS}
    tags = (chosen["tag"],) if chosen["tag"] else ()
    return LabelSetFilter(label_type=chosen["label_type"], use_case=chosen["use_case"], tags=tags, search=search)


def _choose(param: str, known: Sequence[str]) -> str:
    """One of the values that occur, in the address; empty for all of them."""
    present = st.query_params.get(param, "")
    if len(known) < 2 and present in ("", *known):
        return present
    widget, (title, nothing) = f"label_sets_{param}", _FILTERS[param]
    st.session_state[widget] = present if present in known else None

    def write() -> None:
        go_within(**{param: st.session_state[widget] or "", "page": ""})

    return st.selectbox(
        title, known, key=widget, placeholder=nothing, on_change=write, label_visibility="collapsed", width=165
    ) or ""  # fmt: skip


def _show_nothing(*, is_narrowed: bool) -> None:
    """Say why the list is empty, with the one useful next step."""
    if is_narrowed:
        empty_state("No label set matches. Change status, search or filters.", icon=":material/search_off:")
        return
    with empty_state(
        "No label sets yet. A label set says which answers there are to a question about an item, how they look, and "
        "which key chooses them. Everybody who labels then says the same words. Start from one of these:",
        icon=":material/label:",
    ):
        starter_buttons()


def _cards(found: Sequence[LabelSet], labels: Mapping[str, int]) -> None:
    with st.grid("auto", min_column_width=330, gap="medium"):
        for label_set in found:
            _card(label_set, labels.get(label_set.label_type, 0))


def _card(label_set: LabelSet, labels: int) -> None:
    with st.container(border=True, gap="xsmall", height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                f"**{plain(_short(label_set.name))}**", key=f"label_sets_open_{label_set.id}", type="tertiary",
                on_click=_open, args=(label_set.id,),
            )  # fmt: skip
            st.space("stretch")
            if label_set.is_demo:
                st.badge("Demo", color="violet")
            status_badge(label_set.status)
        st.caption(f"{plain(label_set.label_type)} · version {label_set.version}")
        if label_set.classes:
            class_chips(label_set.classes)
        if label_set.response_schema:
            st.caption(":material/data_object: Response schema")
        if not label_set.classes and not label_set.response_schema:
            st.caption("No classes yet")
        tags = " · ".join(f"#{tag}" for tag in label_set.tags[:4])
        facts = [counted(labels, "label"), f"changed {ago(label_set.updated_at)}", *([plain(tags)] if tags else [])]
        st.caption(" · ".join(facts))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME].rstrip()}…"


def _open(label_set_id: str) -> None:
    """Open a label set by its address."""
    st.query_params.from_dict({"label_set": label_set_id})
