"""How a review goes (TS-15): how far it is, how often people agree with the model, what was answered, who decides."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import Look, bar_chart, gauge, stacked_bar
from pages.components.layout import empty_state, metric_row
from pages.components.training_sheet_details import STATUS_TONES
from pages.components.words import counted, percent, plain
from workbench_core import cached_review
from workbench_core.pairs import ReviewStatistics
from workbench_core.training_sheets import TrainingSheet

MOST_BARS = 12
GOOD, FAIR = 0.9, 0.7  # shares of agreement
LONGEST = 120  # characters of an answer in the table


def show_statistics(sheet: TrainingSheet) -> None:
    """Charts to look at, with their numbers beside."""
    found = cached_review.statistics(sheet.id)
    if not found.total:
        empty_state("This training sheet has no pairs yet.", icon=":material/monitoring:")
        return
    metric_row(
        [
            ("Pairs", f"{found.total:,}"),
            ("Reviewed", percent(found.reviewed_share), "Approved, edited and rejected pairs, of all"),
            (
                "Agreement with AI",
                percent(found.agreement),
                "Of a model's answers that were decided, the share that was approved unchanged",
            ),
            ("Reviewers", f"{len(found.reviewers):,}"),
            ("Mean length", f"{found.lengths.mean:,.0f}", "Characters of an answer"),
        ],
        width=150,
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _status(sheet)
    with right:
        _agreement(sheet, found)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _answers(sheet, found)
    with right:
        _lengths(found)
    _reviewers(sheet, found)


def _status(sheet: TrainingSheet) -> None:
    """How many pairs have which review status."""
    with st.container(border=True, height="stretch"):
        st.subheader("How far the review is", anchor=False)
        numbers = {name: getattr(sheet.counts, name.lower()) for name in STATUS_TONES}
        frame = pd.DataFrame({"Pairs": "", "Status": list(numbers), "Count": list(numbers.values())})
        told = ", ".join(f"{count:,} {name.lower()}" for name, count in numbers.items() if count)
        stacked_bar(
            frame[frame["Count"] > 0], "Pairs", "Count", series="Status", key=f"label_status_{sheet.id}",
            tones=STATUS_TONES, alt=told, is_horizontal=True, look=Look(height=130, unit="pairs"),
        )  # fmt: skip
        st.caption(told)


def _agreement(sheet: TrainingSheet, found: ReviewStatistics) -> None:
    """How often people left a model's answer as it was."""
    with st.container(border=True, height="stretch"):
        st.subheader("Agreement with AI", anchor=False)
        if found.agreement is None:
            st.caption("Nobody has decided about an answer of a model yet.")
            return
        tone, word = _judged(found.agreement)
        gauge(
            found.agreement, percent(found.agreement, digits=0), tones=tone, key=f"label_agreement_{sheet.id}",
            alt=f"People approved {percent(found.agreement)} of the model's answers unchanged",
        )  # fmt: skip
        st.caption(word)


def _judged(agreement: float) -> tuple[str, str]:
    """The tone of a share of agreement, and what it means."""
    if agreement >= GOOD:
        return "good", "People almost always approve what the model proposes."
    if agreement >= FAIR:
        return "warning", "People often change or reject what the model proposes: a better template may help."
    return "bad", "People mostly change or reject what the model proposes: improve the template before you go on."


def _answers(sheet: TrainingSheet, found: ReviewStatistics) -> None:
    """The labelled answers by how often they occur."""
    with st.container(border=True, height="stretch"):
        st.subheader("Labelled answers", anchor=False)
        if not found.answers:
            st.caption("No pair is approved yet: approved and edited answers are counted here.")
            return
        shown = dict(list(found.answers.items())[:MOST_BARS])
        others = sum(found.answers.values()) - sum(shown.values()) + found.other_answers
        if max(shown.values()) > 1:
            frame = pd.DataFrame({"Answer": list(shown), "Pairs": list(shown.values())})
            bar_chart(
                frame, "Answer", "Pairs", key=f"label_answers_{sheet.id}", is_horizontal=True,
                alt=f"The {len(shown)} most frequent answers", look=Look(unit="pairs", height=0),
            )  # fmt: skip
            if others:
                st.caption(f"{counted(others, 'pair')} with other answers.")
        else:
            st.caption(f"{counted(sum(shown.values()) + others, 'labelled answer')}, all different from each other.")


def _lengths(found: ReviewStatistics) -> None:
    """How long answers are."""
    with st.container(border=True, height="stretch"):
        st.subheader("Length of answers", anchor=False)
        lengths = found.lengths
        frame = pd.DataFrame(
            {
                "": ["Shortest", "Mean", "Longest"],
                "Characters": [lengths.shortest, round(lengths.mean), lengths.longest],
            }
        )
        bar_chart(
            frame, "", "Characters", key="label_lengths", is_horizontal=True, look=Look(height=0),
            alt=f"From {lengths.shortest:,} to {lengths.longest:,} characters, {lengths.mean:,.0f} on average",
        )  # fmt: skip


def _reviewers(sheet: TrainingSheet, found: ReviewStatistics) -> None:
    """Who decided how much, how quickly, and how often they agreed with the model."""
    with st.container(border=True):
        st.subheader("Reviewers", anchor=False)
        if not found.reviewers:
            st.caption("Nobody has decided about a pair yet.")
            return
        left, right = st.columns([2, 3], gap="medium")
        frame = pd.DataFrame(
            [
                {
                    "Reviewer": one.by,
                    "Decisions": one.decisions,
                    "An hour": one.per_hour,
                    "Agreement with AI": one.agreement,
                }
                for one in found.reviewers
            ]
        )
        with left:
            bar_chart(
                frame.head(MOST_BARS), "Reviewer", "Decisions", key=f"label_reviewers_{sheet.id}", is_horizontal=True,
                alt=", ".join(f"{plain(one.by)} {one.decisions:,}" for one in found.reviewers[:MOST_BARS]),
                look=Look(height=0),
            )  # fmt: skip
        with right:
            st.dataframe(
                frame, hide_index=True, height="content", alt="Decisions of each reviewer", placeholder="–",
                column_config={
                    "Decisions": st.column_config.NumberColumn(format="localized"),
                    "An hour": st.column_config.NumberColumn(
                        format="%.0f", help="Single decisions in the hours in which the person decided"
                    ),
                    "Agreement with AI": st.column_config.ProgressColumn(
                        format="percent", min_value=0, max_value=1, help="Answers of a model approved unchanged"
                    ),
                },
            )  # fmt: skip
