"""Two versions on the same held-out items: who wins where, by how much, and whether that can be trusted."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, pick_row
from pages.components.charts import Look, interval_chart
from pages.components.errors import guard
from pages.components.layout import STATUS_COLORS, metric_row, page_header, run_progress
from pages.components.records import show_messages
from pages.components.version_details import in_words, is_share, metric_name
from pages.components.words import plain, words
from workbench_core import cached
from workbench_core.evaluations import VersionComparison
from workbench_core.metrics import MINIMUM_ITEMS, Verdict

VERDICTS = {
    Verdict.BETTER: "significantly better",
    Verdict.WORSE: "significantly worse",
    Verdict.SAME: "no significant difference",
    Verdict.TOO_FEW: f"too few items to tell; {MINIMUM_ITEMS} are needed",
}
ICONS = {
    Verdict.BETTER: ":material/trending_up:",
    Verdict.WORSE: ":material/trending_down:",
    Verdict.SAME: ":material/trending_flat:",
    Verdict.TOO_FEW: ":material/help:",
}


def show_comparison(before_id: str, after_id: str) -> None:
    """The comparison, or the evaluations that it still waits for."""
    evaluations = cached.workbench().evaluations
    before, after = evaluations.get(before_id), evaluations.get(after_id)
    actions = page_header(
        plain(f"{after.title} against v{before.version}"), "Item by item, on held-out items that neither has seen."
    )
    with actions:
        if st.button(f"Open v{after.version}", key="train_compare_open", icon=":material/deployed_code:"):
            st.query_params.from_dict({"model": after.model_name, "version": str(after.version)})
            st.rerun()
        if st.button("Swap", key="train_compare_swap", icon=":material/swap_horiz:"):
            st.query_params["compare"] = f"{after_id},{before_id}"
            st.rerun()
    waiting = tuple(one.id for one in (before, after) if one.is_active)
    if waiting:
        follow(waiting)
    else:
        show_result(cached.comparison(before_id, after_id))


@st.fragment(run_every="1s")
def follow(evaluation_ids: tuple[str, ...]) -> None:
    """The evaluations that are still missing."""
    evaluations = cached.workbench().evaluations
    if not all(evaluations.get(one).is_active for one in evaluation_ids):
        st.rerun()
    for one in evaluation_ids:
        st.caption(f"Evaluating {plain(evaluations.get(one).title)}")
        run = evaluations.run_of(one)
        if run is not None:
            run_progress(run)


def show_result(compared: VersionComparison) -> None:
    """Verdict, counts, metrics side by side, and the items that differ."""
    items, newer, older = compared.items, f"v{compared.after.version}", f"v{compared.before.version}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(words(items.verdict), icon=ICONS[items.verdict], color=STATUS_COLORS.get(items.verdict, "gray"))
        st.markdown(f"{newer} against {older}: {VERDICTS[items.verdict]}.")
    metric_row(
        [
            ("Items", f"{items.n:,}", "Answered by both versions and seen by neither"),
            ("Won", f"{items.wins:,}", f"{newer} is right where {older} is wrong"),
            (
                "Lost",
                f"{items.losses:,}",
                f"{newer} is wrong where {older} is right",
            ),
            ("Tied", f"{items.ties:,}"),
            ("Difference", f"{items.delta:+.1%}"),
        ],
        width=130,
    )
    left, right = st.columns([1, 2])
    with left, st.container(border=True):
        show_difference(compared)
    with right, st.container(border=True):
        show_metrics(compared)
    show_items(compared)


def show_difference(compared: VersionComparison) -> None:
    """The difference with its interval against zero."""
    items = compared.items
    st.markdown("**Difference with its 95 % interval**")
    if items.n:
        frame = pd.DataFrame(
            {"what": ["All items"], "delta": [items.delta], "low": [items.interval.low], "high": [items.interval.high]}
        )
        interval_chart(
            frame, "what", "delta", low="low", high="high", key="train_difference",
            alt=f"Difference {items.delta:+.1%}, from {items.interval.low:+.1%} to {items.interval.high:+.1%}",
            look=Look(is_share=True, digits=1, low=None, height=140, goal=0.0, goal_name="no difference"),
        )  # fmt: skip
    st.caption(
        f"{items.delta:+.1%}, from {items.interval.low:+.1%} to {items.interval.high:+.1%}; p = {items.p_value:.2g}. "
        "Better or worse only when the interval leaves out zero and p is under 0.05."
    )


def show_metrics(compared: VersionComparison) -> None:
    """The metrics of both versions over the shared items."""
    st.markdown("**Metrics on the shared items**")
    shown = [one for one in compared.metrics if not one.part]
    st.dataframe(
        pd.DataFrame(
            {
                "Metric": [metric_name(one.name) for one in shown],
                f"v{compared.before.version}": [in_words(one.before) for one in shown],
                f"v{compared.after.version}": [in_words(one.after) for one in shown],
                "Change": [f"{one.delta:+.1%}" if is_share(one.after) else f"{one.delta:+,.1f}" for one in shown],
            }
        ),
        hide_index=True,
        height="content",
        alt="Metrics of both versions with intervals and their difference",
    )


def show_items(compared: VersionComparison) -> None:
    """The items on which the versions differ; a click shows one in full."""
    st.subheader("Items that differ", anchor=False)
    if compared.changed.empty:
        st.caption("Both versions are right and wrong on the same items.")
        return
    wins, losses = compared.items.wins, compared.items.losses
    which = choose_in_url("Items", ["all", "won", "lost"], key="items", default="all",
                          counts={"won": wins, "lost": losses})  # fmt: skip
    shown = compared.changed
    if which != "all":
        shown = shown[shown["is_won"] == (which == "won")]
    pick_row(
        pd.DataFrame(
            {
                "Item": shown["item_ref"],
                "Result": shown["is_won"].map({True: "Won", False: "Lost"}),
                "Expected": shown["expected"],
                f"v{compared.before.version}": shown["before"].fillna("–"),
                f"v{compared.after.version}": shown["after"].fillna("–"),
            }
        ),
        shown["pair_id"].tolist(),
        param="pair",
        alt="Items on which the versions differ",
    )
    if pair_id := st.query_params.get("pair"):
        with st.container(border=True), guard():
            pair = cached.workbench().pairs.get(pair_id)
            st.markdown(f"**Item {plain(pair.item_ref)}**")
            show_messages(pair.messages, pair.answer)
