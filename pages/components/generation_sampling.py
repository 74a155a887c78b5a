"""Which items of a sheet one generation takes: those that the sheet samples, or a sample of its own."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from workbench_core.training_sheets import MOST_SAMPLE_SEED, MOST_SAMPLED, Sampling

USUAL_SIZE = 100
DEFAULT_SEED = 42
_AS_SHEET, _RANDOM, _STRATIFIED = "As the sheet is sampled", "Random sample", "Stratified sample"
_GROWTH = "It is drawn once: items that the source gains later are not added to it."


def choose_sampling(*, key: str, columns: Sequence[str] = (), is_sampled: bool = False) -> Sampling | None:
    """A sample of this generation alone; None for the items as the sheet samples them.

    Classes are offered where there are `columns`; `is_sampled` says that the sheet has a sample, which is replaced.
    """
    kinds = [_AS_SHEET, _RANDOM, *([_STRATIFIED] if columns else [])]
    if st.session_state.get(f"{key}_items") not in kinds:
        st.session_state[f"{key}_items"] = _AS_SHEET
    kind = st.segmented_control("Which items", kinds, key=f"{key}_items", required=True, persist_state="session")
    if kind == _AS_SHEET:
        return None
    stratify: str | None = ""
    with st.grid(3, min_column_width=150):
        size = st.number_input(
            "Sample size", 1, MOST_SAMPLED, USUAL_SIZE, key=f"{key}_size", step=100, persist_state="session"
        )
        if kind == _STRATIFIED:
            stratify = st.selectbox(
                "Classes of", columns, index=None, key=f"{key}_stratify", placeholder="Choose a column",
                persist_state="session",
            )  # fmt: skip
        seed = st.number_input(
            "Sample seed", 0, MOST_SAMPLE_SEED, DEFAULT_SEED, key=f"{key}_sample_seed", persist_state="session",
            help="The same seed always draws the same items of the same source.",
        )  # fmt: skip
    if stratify is None:
        st.caption("Choose the column whose classes keep their proportions; until then the items are drawn at random.")
    st.caption(f"{_drawn_from(is_sampled=is_sampled)} {_GROWTH}")
    return Sampling(int(size or 1), DEFAULT_SEED if seed is None else int(seed), stratify or "")


def _drawn_from(*, is_sampled: bool) -> str:
    """What the items are drawn from."""
    if is_sampled:
        return "It takes the place of the sheet's sample: drawn from all rows that the filters keep."
    return "It is drawn from all rows that the filters keep."
