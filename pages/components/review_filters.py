"""Which pairs a reviewer looks at: the filter that the address asks for, the fields that change it, and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import TypeVar

import streamlit as st

from pages.components.address import go_within
from pages.components.identity import current_user
from pages.components.layout import work_popover
from pages.components.words import counted, plain, words
from workbench_core import cached_review
from workbench_core.pairs import Facets, PairFilter, QualityFlag, ResponseSource, ReviewStatus
from workbench_core.training_sheets import TrainingSheet, TrainingSheetStatus
from workbench_core.usage import Use

ALL = "all"
SHOWS = ("pending", "flagged", "approved", "edited", "rejected", ALL)
SOURCES: Mapping[ResponseSource, str] = {
    ResponseSource.EMPTY: "No answer",
    ResponseSource.IMPORTED: "Column",
    ResponseSource.AI_GENERATED: "AI",
    ResponseSource.HUMAN_LABELED: "Person, not verified",
    ResponseSource.HUMAN_VERIFIED: "Person",
    ResponseSource.CANONICAL: "Canonical label",
}
FLAGS: Mapping[QualityFlag, str] = {flag: "PII" if flag is QualityFlag.PII else words(flag) for flag in QualityFlag}
USES = {"": "Any", "yes": "Eligible", "no": "Not eligible"}
NARROWING = ("source", "flag", "training", "score", "find", "since", "by", "failed")
PLACE = ("pair", "after", "before", "at")  # where in the queue or list; gone as soon as the filter is another one
LONGEST_SEARCH = 200
Choice = TypeVar("Choice", bound=StrEnum)


def default_show(sheet: TrainingSheet) -> str:
    """What is shown without a choice: what waits, or everything once the review is closed."""
    return "pending" if sheet.status is TrainingSheetStatus.REVIEW else ALL


def shown_status(sheet: TrainingSheet) -> str:
    """The status that the address asks for."""
    asked = st.query_params.get("show", "")
    return asked if asked in SHOWS else default_show(sheet)


def wanted_pairs(sheet: TrainingSheet) -> PairFilter:
    """The filter that the address asks for; a part of it that makes no sense does not restrict."""
    query, show = st.query_params, shown_status(sheet)
    training, (low, high) = query.get("training", ""), _scores(query.get("score", ""))
    return PairFilter(
        statuses=() if show == ALL else (ReviewStatus(show),),
        sources=_chosen(ResponseSource, query.get("source", "")),
        flags=_chosen(QualityFlag, query.get("flag", "")),
        search=query.get("find", "").strip()[:LONGEST_SEARCH].replace("\x00", ""),
        has_error=True if query.get("failed") == "yes" else None,
        eligible_for=Use.TRAINING if training == "yes" else None,
        not_eligible_for=Use.TRAINING if training == "no" else None,
        score_from=low,
        score_to=high,
        changed_since=_moment(query.get("since", "")),
        reviewed_by=query.get("by", "").strip()[:LONGEST_SEARCH].replace("\x00", ""),
    )


def is_narrowed(wanted: PairFilter) -> bool:
    """Whether anything beside the status restricts."""
    return replace(wanted, statuses=()) != PairFilter()


def numbers_by_show(sheet: TrainingSheet, wanted: PairFilter) -> dict[str, int]:
    """How many pairs each status has under the rest of the filter; without a rest, the sheet has counted them."""
    if is_narrowed(wanted):
        found = cached_review.facets(sheet.id, wanted).by_status
        numbers = {status.value: found.get(status, 0) for status in ReviewStatus}
    else:
        numbers = {status.value: getattr(sheet.counts, status.value) for status in ReviewStatus}
    return numbers | {ALL: sum(numbers.values())}


def show_filters(sheet: TrainingSheet, wanted: PairFilter, numbers: Mapping[str, int]) -> None:
    """Status, search and everything else that narrows, and in words what is shown now."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _choose_status(sheet, numbers)
        _search()
        with work_popover("Filters", key=f"label_filters_{sheet.id}", icon=":material/tune:") as popover:
            if popover.open:  # else its numbers would be counted for nobody
                _fields(sheet, wanted)
    if is_narrowed(wanted):  # else the chips say it all
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(sentence(wanted, numbers[shown_status(sheet)]), width="content")
            st.button(
                "Clear filters", key="label_clear_filters", type="tertiary", icon=":material/filter_alt_off:",
                on_click=go_within, kwargs=dict.fromkeys((*NARROWING, *PLACE), ""),
            )  # fmt: skip


def sentence(wanted: PairFilter, total: int) -> str:
    """What is shown, in words that are safe to show."""
    parts = [*map(str, wanted.statuses), *_narrowed_words(wanted)]
    return f"{counted(total, 'pair')}: {' · '.join(parts)}" if parts else f"All {counted(total, 'pair')}"


def _narrowed_words(wanted: PairFilter) -> list[str]:
    parts = []
    if wanted.sources:
        parts.append(f"answer from {' or '.join(SOURCES[source].lower() for source in wanted.sources)}")
    if wanted.flags:
        parts.append(f"flagged {' or '.join(FLAGS[flag].lower() for flag in wanted.flags)}")
    if wanted.eligible_for or wanted.not_eligible_for:
        parts.append("may train a model" if wanted.eligible_for else "not eligible for training")
    if wanted.score_from is not None:
        parts.append(f"score {wanted.score_from:g} to {wanted.score_to or 0:g}")
    if wanted.has_error:
        parts.append("without a generated answer")
    if wanted.search:
        parts.append(f"with “{plain(wanted.search)}”")
    if wanted.changed_since:
        parts.append(f"changed since {wanted.changed_since:%d %b %Y}")
    if wanted.reviewed_by:
        parts.append(f"reviewed by {plain(wanted.reviewed_by)}")
    return parts


# --- the address -----------------------------------------------------------------------------------------------------


def _chosen(kind: type[Choice], text: str) -> tuple[Choice, ...]:
    asked = text.split(",")
    return tuple(value for value in kind if value.value in asked)


def _scores(text: str) -> tuple[float | None, float | None]:
    low, _, high = text.partition("-")
    try:
        ends = float(low), float(high)
    except ValueError:
        return None, None
    return ends if 0 <= ends[0] <= ends[1] <= 1 and ends != (0, 1) else (None, None)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time.min, UTC)
    except ValueError:
        return None


def _narrow(param: str, value: str) -> None:
    """Put a part of the filter into the address; the list begins at its first page."""
    go_within(**{param: value, **dict.fromkeys(PLACE, "")})


# --- the fields ------------------------------------------------------------------------------------------------------


def _choose_status(sheet: TrainingSheet, numbers: Mapping[str, int]) -> None:
    widget = f"label_show_{sheet.id}"
    st.session_state[widget] = shown_status(sheet)

    def write() -> None:
        chosen = st.session_state[widget]
        _narrow("show", "" if chosen == default_show(sheet) else chosen)

    st.segmented_control(
        "Show", SHOWS, key=widget, required=True, on_change=write, label_visibility="collapsed",
        format_func=lambda show: f"{words(show)} {numbers[show]:,}",
    )  # fmt: skip


def _search() -> None:
    widget, present = "label_find", st.query_params.get("find", "")
    if st.session_state.get(widget) != present:  # else a person who types on would be overtaken
        st.session_state[widget] = present
    st.text_input(
        "Search pairs", key=widget, placeholder="Search item, values, answer", icon=":material/search:",
        label_visibility="collapsed", live="300ms", width=260,
        on_change=lambda: _narrow("find", st.session_state[widget] or ""),
    )  # fmt: skip


def _fields(sheet: TrainingSheet, wanted: PairFilter) -> None:
    """Everything that narrows but status and search, with numbers beside."""
    facets = cached_review.facets(sheet.id, wanted)
    _many("Answer from", SOURCES, wanted.sources, param="source", numbers=facets.by_source)
    _many("Quality flags", FLAGS, wanted.flags, param="flag", numbers=facets.by_flag)
    _training(facets)
    _score(wanted)
    _since(wanted)
    _reviewer(wanted)
    _failed(wanted)


def _many(
    title: str, titles: Mapping[Choice, str], chosen: Sequence[Choice], *, param: str, numbers: Mapping[Choice, int]
) -> None:
    """One part of the filter with several values; those that no pair has are left out unless they are chosen."""
    widget = f"label_{param}"
    options = [value for value in titles if numbers.get(value) or value in chosen]
    if not options:
        st.caption(f"{title}: none on these pairs.")
        return
    st.session_state[widget] = list(chosen)
    st.pills(
        title, options, key=widget, selection_mode="multi",
        format_func=lambda value: f"{titles[value]} {numbers.get(value, 0):,}",
        on_change=lambda: _narrow(param, ",".join(st.session_state[widget])),
    )  # fmt: skip


def _training(facets: Facets) -> None:
    widget, asked = "label_training", st.query_params.get("training", "")
    st.session_state[widget] = asked if asked in USES else ""
    st.segmented_control(
        "For training", list(USES), key=widget, required=True,
        format_func=lambda use: f"{USES[use]} {facets.not_eligible:,}" if use == "no" else USES[use],
        on_change=lambda: _narrow("training", st.session_state[widget]),
    )  # fmt: skip


def _score(wanted: PairFilter) -> None:
    widget = "label_score"
    st.session_state[widget] = (wanted.score_from or 0.0, 1.0 if wanted.score_to is None else wanted.score_to)

    def write() -> None:
        low, high = st.session_state[widget]
        _narrow("score", "" if (low, high) == (0, 1) else f"{low:g}-{high:g}")

    st.slider(
        "Quality score", 0.0, 1.0, step=0.05, key=widget, on_change=write,
        help="From 0 (not valid) to 1. A narrower range leaves out pairs without a score.",
    )  # fmt: skip


def _since(wanted: PairFilter) -> None:
    widget = "label_since"
    st.session_state[widget] = wanted.changed_since.date() if wanted.changed_since else None

    def write() -> None:
        chosen = st.session_state[widget]
        _narrow("since", chosen.isoformat() if chosen else "")

    st.date_input(
        "Changed since", value=None, min_value=date(1, 1, 1), max_value=date(9999, 12, 31), key=widget, on_change=write,
        format="YYYY-MM-DD", help="The day begins at midnight UTC.",
    )  # fmt: skip


def _reviewer(wanted: PairFilter) -> None:
    widget = "label_by"
    options = list(dict.fromkeys(name for name in (current_user(), wanted.reviewed_by) if name))
    st.session_state[widget] = wanted.reviewed_by or None
    st.selectbox(
        "Reviewed by", options, index=None, key=widget, placeholder="Anybody", accept_new_options=True,
        help="Choose yourself or type somebody's e-mail.",
        on_change=lambda: _narrow("by", st.session_state[widget] or ""),
    )  # fmt: skip


def _failed(wanted: PairFilter) -> None:
    widget = "label_failed"
    st.session_state[widget] = bool(wanted.has_error)
    st.toggle(
        "Only without a generated answer", key=widget,
        on_change=lambda: _narrow("failed", "yes" if st.session_state[widget] else ""),
    )  # fmt: skip
