"""What came back from a trial: a line for each version and model, then each row with its answers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages.components import generation_words
from pages.components.records import pretty, show_answer, show_messages
from pages.components.words import plain
from workbench_core import cached
from workbench_core.prompt_templates import Trial, TrialAnswer, TrialSummary


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answers of one run, in the order in which they came, and what was asked."""

    trials: tuple[Trial, ...]
    titles: tuple[str, ...]
    sheet_id: str
    answers: list[TrialAnswer]


def show_outcome(outcome: Outcome) -> None:
    """The summary and every row."""
    if not outcome.answers:
        st.caption("No answer came back.")
        return
    st.subheader("Result", anchor=False)
    show_summary(cached.workbench().template_trials.summary(outcome.answers), outcome)
    rows: dict[str, list[TrialAnswer]] = {}
    for answer in outcome.answers:
        rows.setdefault(answer.item_ref, []).append(answer)
    for item_ref, answers in sorted(rows.items()):  # they came in the order in which models answered
        with st.container(border=True):
            show_row_answers(item_ref, sorted(answers, key=lambda answer: answer.trial), outcome)


def show_summary(lines: Sequence[TrialSummary], outcome: Outcome) -> None:
    """One line for each trial; the time is that of the answers that were asked for now."""
    frame = pd.DataFrame(
        [
            {
                "Asked": outcome.titles[line.trial],
                "Valid": f"{line.valid} of {line.rows}",
                "Agrees with canonical labels": f"{line.agreeing} of {line.known}" if line.known else "–",
                "Median time": seconds(line.median_latency_ms),
                "Tokens in": line.tokens_in,
                "Tokens out": line.tokens_out,
                "Cost": money(line.cost, model_of(outcome, line.trial)),
            }
            for line in lines
        ]
    )
    st.dataframe(frame, hide_index=True, height="content", alt="Summary of the trial")


def show_row_answers(item_ref: str, answers: Sequence[TrialAnswer], outcome: Outcome) -> None:
    """One row: the known answer, each trial's answer, and what was asked."""
    known = next((answer.known_answer for answer in answers if answer.known_answer), "")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(item_ref)}**", width="content")
        if known:
            st.caption(f"Canonical label: {plain(pretty(known))}", width="content")
    for place, answer in zip(st.columns(len(answers)), answers, strict=True):
        with place:
            if len(outcome.titles) > 1:
                st.caption(plain(outcome.titles[answer.trial]))
            show_one(answer, outcome)


def show_one(answer: TrialAnswer, outcome: Outcome) -> None:
    """One answer with its verdict and what it took."""
    st.markdown(verdict(answer))
    if answer.answer:
        show_answer(answer.answer)
    for fault in answer.faults:
        st.markdown(f":red[:material/error: {plain(fault)}]")
    if parts := took(answer, outcome):
        st.caption(" · ".join(parts))
    if answer.messages:
        with st.expander("What was asked", icon=":material/chat:"):
            show_messages(answer.messages)


def verdict(answer: TrialAnswer) -> str:
    """Valid or not, and whether it agrees with the canonical label, as badges."""
    if answer.error:
        return f":red[:material/error: {plain(answer.error)}]"
    badges = [
        ":red-badge[:material/close: Not valid]" if answer.faults else ":green-badge[:material/check: Valid]",
    ]
    if answer.agrees is not None:
        badges.append(
            ":green-badge[:material/done_all: Agrees]"
            if answer.agrees
            else ":orange-badge[:material/compare_arrows: Differs]"
        )
    if answer.is_repaired:
        badges.append(":gray-badge[:material/build: Repaired]")
    if answer.is_kept:
        badges.append(":gray-badge[:material/inventory_2: Kept answer]")
    return " ".join(badges)


def took(answer: TrialAnswer, outcome: Outcome) -> list[str]:
    """Time, tokens and cost of one answer; nothing of a failed one that took none."""
    if answer.error and not (answer.latency_ms or answer.tokens_in or answer.tokens_out):
        return []
    parts = [] if answer.is_kept else [seconds(answer.latency_ms)]
    parts.append(f"{answer.tokens_in:,} tokens in, {answer.tokens_out:,} out")
    if answer.cost is not None:
        parts.append(money(answer.cost, model_of(outcome, answer.trial)))
    return parts


def model_of(outcome: Outcome, number: int) -> str:
    """The name of the model that a trial asked."""
    trial = outcome.trials[number]
    return trial.model_name or trial.draft.model


def seconds(milliseconds: float | None) -> str:
    """A time in words: 240 ms, 1.8 s; a dash for none."""
    if milliseconds is None:
        return "–"
    return f"{milliseconds:,.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"


def money(cost: float | None, model_name: str) -> str:
    """A cost in the currency of its model, or that nobody said what the model costs."""
    price = cached.workbench().chat_models.get(model_name).price
    if cost is None or price is None:
        return "No price"
    return "Nothing" if not cost else generation_words.money(cost, price.currency)
