"""One model version on one page: its scores on held-out items, what it got wrong, and exactly what it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, pick_row
from pages.components.charts import Look, heatmap, interval_chart
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, page_header, run_progress, status_badge
from pages.components.records import show_messages
from pages.components.rights import why_not
from pages.components.words import ago, percent, plain
from workbench_core import cached
from workbench_core.evaluations import Evaluation
from workbench_core.metrics import Direction, MetricValue
from workbench_core.permissions import Action
from workbench_core.training_gate import Split

if TYPE_CHECKING:
    from workbench_core.model_versions import Lineage, ModelVersion

NAMES = {
    "accuracy": "Accuracy",
    "exact_match": "Exact match",
    "macro_f1": "Macro F1",
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "field_f1": "Fields right (F1)",
    "field_accuracy": "Field right",
    "token_f1": "Words in common (F1)",
    "rouge_l": "ROUGE-L",
    "valid_json_rate": "Valid JSON",
    "schema_valid_rate": "Fits the schema",
    "majority_baseline": "Always the most frequent class",
    "out_of_vocabulary_rate": "Answers outside the classes",
    "error_rate": "Without an answer",
    "length_ratio": "Length against the expected",
    "latency_ms_p50": "Time per item, median (ms)",
    "latency_ms_p95": "Time per item, p95 (ms)",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "support": "Items",
}
MAIN = ("accuracy", "exact_match", "token_f1")  # the first that an evaluation has stands in lists
TONES = {Direction.HIGHER: "info", Direction.LOWER: "bad", Direction.NEUTRAL: "neutral"}
SHOWN_ITEMS = 500


def metric_name(name: str) -> str:
    """A metric as people read it."""
    return NAMES.get(name, name.replace("_", " ").capitalize())


def is_share(metric: MetricValue) -> bool:
    """Whether a metric lies between 0 and 1."""
    return (
        "latency" not in metric.name and metric.name not in {"support", "length_ratio"} and "mean_" not in metric.name
    )


def in_words(metric: MetricValue) -> str:
    """A metric with its 95 % interval."""
    if is_share(metric):
        return f"{percent(metric.value)} ({percent(metric.low)} to {percent(metric.high)})"
    return f"{metric.value:,.1f} ({metric.low:,.1f} to {metric.high:,.1f})"


def headline(version: ModelVersion) -> str:
    """The main score on held-out items with its interval, or that there is none."""
    values = {one.name: one for one in cached.headline_metrics(version.model_name, version.version, version.job_id)}
    main = next((values[name] for name in MAIN if name in values), None)
    return f"{metric_name(main.name)} {in_words(main)}, n = {main.n:,}" if main else "Not evaluated"


def serving(version: ModelVersion) -> list[str]:
    """The endpoints that serve a version now."""
    return [
        endpoint.name
        for endpoint in cached.endpoints()
        if endpoint.model_name == version.model_name
        and not endpoint.is_stopped
        and version.version in {one.version for one in endpoint.served}
    ]


def show_version(version: ModelVersion) -> None:
    """Everything about one version."""
    how = version.details.get("chosen_title") or version.trainer
    made = f"{how} · {version.label_type} · made {ago(version.created_at)} by {version.created_by}"
    actions = page_header(plain(version.title), plain(made))
    found = cached.evaluations(version.model_name, version.version)
    with actions:
        version_actions(version)
    for active in [one for one in found if one.is_active]:
        follow(active.id)
    view = choose_in_url("Part", ["scores", "items", "lineage"], key="part", default="scores")
    if view == "lineage":
        show_lineage(cached.lineage(version.model_name, version.version))
        return
    evaluation = choose_evaluation(version, found)
    if evaluation is None:
        empty_state("This version has not been evaluated on held-out items yet.", icon=":material/grading:")
    elif view == "items":
        show_items(evaluation)
    else:
        show_scores(evaluation)


# --- actions ---------------------------------------------------------------------------------------------------------


def version_actions(version: ModelVersion) -> None:
    """Deploy first; then measure, compare and retrain."""
    refusal = why_not(Action.TRAIN)
    if st.button("Deploy", type="primary", icon=":material/rocket_launch:", key="train_deploy"):
        st.switch_page("deploy.py", query_params={"model": version.model_name, "version": str(version.version)})
    with st.popover("Evaluate", disabled=bool(refusal), help=refusal or None):
        evaluate(version)
    known = [one.version for one in cached.model_versions(version.model_name)]
    if len(known) > 1:
        with st.popover("Compare", disabled=bool(refusal), help=refusal or None):
            compare(version, [number for number in known if number != version.version])
    if st.button("Retrain", key="train_retrain", disabled=bool(refusal)):
        st.query_params.from_dict({"retrain": version.model_name})
        st.rerun()


def evaluate(version: ModelVersion) -> None:
    """Choose held-out items and measure the version on them."""
    datasets = {one.id: one for one in cached.workbench().evaluations.datasets(version.model_name, version.version)}
    titles = {one.id: one.title for one in datasets.values()}
    with st.form("train_evaluate", border=False):
        chosen = st.selectbox("On", list(datasets), format_func=lambda one: titles.get(one, one), key="train_dataset")
        st.caption("Items that the version has seen in training are left out and counted.")
        if st.form_submit_button("Evaluate", type="primary"):
            with guard():
                started = cached.workbench().evaluations.start(
                    version.model_name, version.version, by=current_user(),
                    dataset_kind=datasets[chosen].kind, dataset_id=chosen,
                )  # fmt: skip
                flash(f"{started.item_count:,} held-out items are being answered.")
                st.query_params["evaluation"] = started.id
                st.rerun()


def compare(version: ModelVersion, others: list[int]) -> None:
    """Choose the version to compare with; what is missing is measured first."""
    with st.form("train_compare", border=False):
        other = st.selectbox("With", others, format_func=lambda one: f"v{one}", key="train_compare_with")
        st.caption(f"Both on the test part of v{version.version}, as far as neither has seen it.")
        if st.form_submit_button("Compare", type="primary"):
            with guard():
                before, after = cached.workbench().evaluations.start_pair(
                    version.model_name, other, version.version, by=current_user()
                )
                st.query_params.from_dict({"compare": f"{before.id},{after.id}"})
                st.rerun()


@st.fragment(run_every="1s")
def follow(evaluation_id: str) -> None:
    """The progress of an evaluation; the page is drawn anew at its end."""
    evaluations = cached.workbench().evaluations
    evaluation, run = evaluations.get(evaluation_id), evaluations.run_of(evaluation_id)
    if not evaluation.is_active:
        st.rerun()
    if run is not None:
        run_progress(run)


# --- scores ----------------------------------------------------------------------------------------------------------


def choose_evaluation(version: ModelVersion, found: list[Evaluation]) -> Evaluation | None:
    """The evaluation in the address, else the newest finished one, on the own test part first; several are a choice."""
    if not found:
        return None
    wanted = st.query_params.get("evaluation", "")
    titles = dataset_titles(version)
    finished = [number for number, one in enumerate(found) if one.status == "succeeded"]
    own = [number for number in finished if found[number].dataset_id == version.job_id]
    start = next((number for number, one in enumerate(found) if one.id == wanted), (own or finished or [0])[0])
    if len(found) == 1:
        return found[0]
    chosen: Evaluation = st.selectbox(
        "Evaluation", found, index=start, key=f"train_evaluation_{wanted}", width=520,
        format_func=lambda one: f"{titles.get(one.dataset_id, one.dataset_kind)} · {one.item_count:,} items · "
        f"{one.status} {ago(one.created_at)}",
    )  # fmt: skip
    return chosen


def dataset_titles(version: ModelVersion) -> dict[str, str]:
    """The names of the datasets by id."""
    return {one.id: one.title for one in cached.workbench().evaluations.datasets(version.model_name, version.version)}


def show_scores(evaluation: Evaluation) -> None:
    """Metrics with intervals, the confusion matrix and the classes of one evaluation."""
    told_state(evaluation)
    if evaluation.status != "succeeded":
        return
    values = cached.evaluation_metrics(evaluation.id)
    overall = [one for one in values if not one.part]
    left, right = st.columns(2)
    with left, st.container(border=True, height="stretch"):
        st.markdown("**Scores with 95 % intervals**")
        show_intervals(overall)
        st.caption(" · ".join(f"{metric_name(one.name)} {in_words(one)}" for one in overall if not is_share(one)))
    with right, st.container(border=True, height="stretch"):
        table = cached.confusion(evaluation.id)
        if table is not None:
            st.markdown("**Where answers went**")
            heatmap(table, key="train_confusion", alt="Confusion matrix: expected against answered class")
        else:
            show_parts(values, "Fields")
    if cached.confusion(evaluation.id) is not None:
        show_parts(values, "Classes")


def told_state(evaluation: Evaluation) -> None:
    """Where the numbers come from: items, those left out and why, and what went wrong."""
    if evaluation.status == "failed":
        st.error(plain(evaluation.error), icon=":material/error:")
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in evaluation.excluded_reasons.items())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        status_badge(evaluation.status)
        st.caption(plain(f"{evaluation.item_count:,} held-out items" + (f"; left out: {left_out}" if left_out else "")))


def show_intervals(values: list[MetricValue]) -> None:
    """Every share as a point with its interval."""
    shown = [one for one in values if is_share(one)]
    frame = pd.DataFrame(
        {
            "metric": [metric_name(one.name) for one in shown],
            "value": [one.value for one in shown],
            "low": [one.low for one in shown],
            "high": [one.high for one in shown],
            "tone": [TONES[one.direction] for one in shown],
        }
    ).dropna()
    told = "; ".join(f"{metric_name(one.name)} {in_words(one)}" for one in shown)
    interval_chart(
        frame, "metric", "value", low="low", high="high", tones="tone", key="train_intervals",
        alt=f"Scores: {told}", look=Look(is_share=True, digits=1, low=-0.03, high=1.0, height=0),
    )  # fmt: skip


def show_parts(values: list[MetricValue], title: str) -> None:
    """One line for each class or field."""
    parts = [one for one in values if one.part]
    if not parts:
        return
    st.markdown(f"**{title}**")
    table = pd.DataFrame(
        {
            "part": [one.part for one in parts],
            "metric": [metric_name(one.name) for one in parts],
            "value": [f"{one.value:,.0f}" if one.name == "support" else in_words(one) for one in parts],
        }
    ).pivot_table(index="part", columns="metric", values="value", aggfunc="first")
    ordered = [name for name in ("Items", "Precision", "Recall", "F1") if name in table.columns]
    table = table[ordered or list(table.columns)].fillna("–").rename_axis(index=title, columns=None)
    st.dataframe(table, alt=f"{title} with their scores and 95 % intervals")


# --- items -----------------------------------------------------------------------------------------------------------


def show_items(evaluation: Evaluation) -> None:
    """The items with what was expected and what was answered; a click shows one in full."""
    told_state(evaluation)
    which = choose_in_url("Items", ["wrong", "all"], key="items", default="wrong")
    items = cached.evaluation_items(evaluation.id, which == "wrong", SHOWN_ITEMS)
    if items.empty:
        st.caption("No answer was wrong." if evaluation.status == "succeeded" else "No item has been answered yet.")
        return
    table = pd.DataFrame(
        {
            "Item": items["item_ref"],
            "Right": items["is_correct"].map({True: "Right", False: "Wrong"}),
            "Expected": items["expected"],
            "Answered": items["actual"].fillna("–"),
            "Confidence": items["confidence"],
            "Error": items["error"],
        }
    )
    pick_row(
        table.drop(columns=["Right"] if which == "wrong" else []).loc[:, lambda shown: (shown != "").any()],
        items["pair_id"].tolist(),
        param="pair",
        alt="Items of the evaluation, wrong ones first",
        columns={"Confidence": st.column_config.NumberColumn(format="percent")},
    )
    if pair_id := st.query_params.get("pair"):
        with st.container(border=True), guard():
            pair = cached.workbench().pairs.get(pair_id)
            st.markdown(f"**Item {plain(pair.item_ref)}**")
            show_messages(pair.messages, pair.answer)


# --- lineage ---------------------------------------------------------------------------------------------------------


def show_lineage(lineage: Lineage) -> None:
    """From the source to the endpoints, each step with its count and a link."""
    version = lineage.version
    labels = lineage.pairs["canonical_label_id"].dropna().nunique()
    steps = [
        ("Sheet", ":material/table_view:", lineage.sheet_name, lineage.source, "data.py", {"sheet": version.sheet_id}),
        ("Template", ":material/edit_note:", lineage.template_name, f"v{version.template_version}",
         "prompt_templates.py", {"template": version.prompt_template_id}),
        ("Training sheet", ":material/dataset:", lineage.training_sheet_name,
         f"{len(lineage.pairs):,} pairs, {labels:,} canonical labels",
         "label.py", {"sheet": version.training_sheet_id}),
        ("Training job", ":material/model_training:", version.trainer,
         f"{lineage.count(Split.TRAIN):,} train, {lineage.count(Split.VALIDATION):,} validation, "
         f"{lineage.count(Split.TEST):,} test", "train.py", {"job": version.job_id}),
    ]  # fmt: skip
    with st.grid(len(steps) + 1, min_column_width=170):
        for title, icon, name, counted, page, target in steps:
            with st.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f"{icon} **{title}**")
                st.markdown(plain(name))
                st.caption(plain(counted))
                st.page_link(page, label="Open", icon=":material/arrow_forward:", query_params=target)
        with st.container(border=True, height="stretch", gap="xsmall"):
            st.markdown(":material/deployed_code: **Version**")
            st.markdown(plain(version.title))
            names = serving(version)
            st.caption(plain(f"Served by {', '.join(names)}" if names else "No endpoint serves it"))
            for name in names:
                st.page_link(
                    "deploy.py", label=plain(name), icon=":material/arrow_forward:", query_params={"endpoint": name}
                )
    show_pairs(lineage)


def show_pairs(lineage: Lineage) -> None:
    """Exactly what went in, as it was at the time."""
    st.markdown("**Pairs of this version**, with their answers at the time")
    pairs = lineage.pairs.head(SHOWN_ITEMS)
    st.dataframe(
        pd.DataFrame(
            {
                "Item": pairs["item_ref"],
                "Part": pairs["split"],
                "Answer": pairs["answer"],
                "Canonical label": pairs["canonical_label_id"].fillna("–"),
                "Label version": pairs["canonical_label_version"],
                "Not trained on because": pairs["reason"],
            }
        ),
        hide_index=True,
        alt="Pairs that went into the version",
    )
    if len(lineage.pairs) > SHOWN_ITEMS:
        st.caption(f"The first {SHOWN_ITEMS} of {len(lineage.pairs):,}.")
