"""One training job on one page: progress, live curves, log, the frozen split, the candidates, and what to do next."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url
from pages.components.charts import Look, line_chart
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import flash, page_header, run_progress
from pages.components.rights import why_not
from pages.components.training_form import ask_parameter, split_bar
from pages.components.words import ago, duration, plain, words
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.training_gate import Split
from workbench_core.training_jobs import JobEvent, Json, TrainingJob

FAMILIES = {
    "loss": ("Loss", Look(digits=3, height=260)),
    "per_second": ("Speed", Look(height=220)),
    "": ("Score while training", Look(is_share=True, digits=1, height=260, low=None)),
}
SHOWN_PAIRS = 500
SHOWN_EVENTS = 12


def show_job(job: TrainingJob) -> None:
    """Everything about one job."""
    sheet = cached.workbench().training_sheets.get(job.request.training_sheet_id)
    parts = [trainer_title(job), sheet.name, f"started by {job.created_by} {ago(job.created_at)}"]
    if job.request.parent_job_id:
        parts.append(words(job.request.launched_from).lower())
    actions = page_header(
        plain(job.request.model_name), plain(" · ".join(parts)), status=job.status, is_demo=job.is_demo
    )
    with actions:
        job_actions(job)
    if job.error:
        st.error(plain(job.error), icon=":material/error:")
    if job.is_active:
        follow(job.id)
    view = choose_in_url("Part", ["progress", "data", "settings"], key="part", default="progress")
    if view == "progress":
        (live_progress if job.is_active else show_progress)(job.id)
    elif view == "data":
        show_data(job)
    else:
        show_settings(job)


def trainer_title(job: TrainingJob) -> str:
    """The trainer in words."""
    return next(
        (one.title for one in cached.workbench().trainers if one.name == job.request.trainer), job.request.trainer
    )


# --- actions ---------------------------------------------------------------------------------------------------------


def job_actions(job: TrainingJob) -> None:
    """The one step that fits the state."""
    refusal = why_not(Action.TRAIN)
    made = cached.workbench().model_versions.of_job(job.id)
    if made is not None and st.button(f"Open v{made.version}", type="primary", icon=":material/deployed_code:",
                                      key="train_open_version"):  # fmt: skip
        st.query_params.from_dict({"model": made.model_name, "version": str(made.version)})
        st.rerun()
    if job.is_active:
        with st.popover("Cancel", icon=":material/cancel:", disabled=bool(refusal), help=refusal or None):
            cancel(job)
    if job.can_retry:
        with st.popover(
            "Retry", type="primary", icon=":material/replay:", disabled=bool(refusal), help=refusal or None
        ):
            retry(job)


def cancel(job: TrainingJob) -> None:
    """Why, if the person wants to say so."""
    with st.form("train_cancel", border=False):
        reason = st.text_input("Reason (optional)", key="train_cancel_reason")
        st.caption("It ends at its next step. A model that is being registered is finished.")
        if st.form_submit_button("Cancel the job", type="primary"):
            with guard():
                cached.workbench().training_jobs.cancel(job.id, by=current_user(), reason=reason)
                flash("The job is being cancelled.")
                st.rerun()


def retry(job: TrainingJob) -> None:
    """A new job with the same or other parameters."""
    with st.form("train_retry", border=False):
        changes: dict[str, Json] = {
            name: ask_parameter(name, value, key=f"train_retry_{name}")
            for name, value in job.request.parameters.items()
        }
        if st.form_submit_button("Start again", type="primary"):
            with guard():
                again = cached.workbench().training_jobs.retry(job.id, by=current_user(), changes=changes)
                flash("A new job is queued.")
                st.query_params.from_dict({"job": again.id})
                st.rerun()


# --- progress --------------------------------------------------------------------------------------------------------


@st.fragment(run_every="1s")
def follow(job_id: str) -> None:
    """The bar while it waits or trains; the page is drawn anew when it ends or begins."""
    jobs = cached.workbench().training_jobs
    job, run = jobs.get(job_id), jobs.run_of(job_id)
    before = st.session_state.setdefault(f"train_{job_id}_status", job.status)
    if job.status != before:
        st.session_state[f"train_{job_id}_status"] = job.status
        st.rerun()
    if run is not None:
        run_progress(run, unit="steps")


@st.fragment(run_every="2s")
def live_progress(job_id: str) -> None:
    """Curves and log, read again while the job is active."""
    show_progress(job_id)


def show_progress(job_id: str) -> None:
    """Curves on the left, the log on the right, the candidates below."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        show_curves(job_id)
        show_candidates(job_id)
    with right:
        show_log(job_id)


def show_curves(job_id: str) -> None:
    """One chart for each family of curves: losses, speed, scores."""
    points = cached.workbench().training_jobs.metrics(job_id)
    if points.empty:
        st.caption("No values were measured yet.")
        return
    families = points["name"].map(family)
    for name, (title, look) in FAMILIES.items():
        part = points[families == name]
        if not part.empty:
            st.markdown(f"**{title}**")
            shown = part.sort_values("step").assign(curve=part["name"].map(curve_title))
            line_chart(shown, "step", "value", series="curve", key=f"train_curve_{name}", look=look,
                       alt=f"{title} by training step")  # fmt: skip


def curve_title(name: str) -> str:
    """A curve as people read it."""
    return words(name).replace(" f1", " F1")


def family(name: str) -> str:
    """To which chart a curve belongs."""
    return next(ending for ending in FAMILIES if name.endswith(ending))


def show_candidates(job_id: str) -> None:
    """What was tried, with the scores, the chosen one marked."""
    made = cached.workbench().model_versions.of_job(job_id)
    tried = made.details.get("candidates") if made else None
    if not made or not isinstance(tried, list):
        return
    lines = [
        {
            "Candidate": str(one.get("title") or one.get("name")),
            "Chosen": "✓" if one.get("name") == made.details.get("chosen") else "",
            **{curve_title(name.removeprefix("cv_")): value for name, value in one.items() if isinstance(value, float)},
        }
        for one in tried
        if isinstance(one, dict)
    ]
    st.markdown("**Candidates**, by cross-validation on the training part")
    columns = {name: st.column_config.NumberColumn(format="percent", width="small") for name in list(lines[0])[2:]}
    columns["Candidate"] = st.column_config.TextColumn(width="medium")
    st.dataframe(pd.DataFrame(lines), hide_index=True, column_config=columns, alt="Candidates with their scores")


def show_log(job_id: str) -> None:
    """What happened, newest first."""
    st.markdown("**Log**")
    events = cached.workbench().training_jobs.events(job_id)
    with st.container(border=True, gap="xsmall"):
        for event in events[:SHOWN_EVENTS]:
            show_event(event)
        if earlier := events[SHOWN_EVENTS:]:
            with st.expander(f"{len(earlier):,} earlier entries"):
                for event in earlier:
                    show_event(event)


def show_event(event: JobEvent) -> None:
    """One line of the log."""
    by = f" · {plain(event.by)}" if event.by else ""
    message = plain(event.message)
    st.markdown(f":red[{message}]" if event.kind == "error" else message)
    st.caption(f"{event.happened_at:%H:%M:%S} UTC · {ago(event.happened_at)}{by}")


# --- data and settings -----------------------------------------------------------------------------------------------


def show_data(job: TrainingJob) -> None:
    """The frozen split and why pairs were left out."""
    jobs = cached.workbench().training_jobs
    split_bar(
        {
            Split.TRAIN: job.train_pairs,
            Split.VALIDATION: job.validation_pairs,
            Split.TEST: job.test_pairs,
            Split.EXCLUDED: job.excluded_pairs,
        },
        key="train_job_split",
    )
    for reason, count in jobs.excluded(job.id).items():
        st.markdown(f"{count:,} not trained on: {plain(reason)}")
    chosen = choose_in_url("Pairs", ["all", *Split], key="split", default="all")
    pairs = jobs.pairs(job.id, split=None if chosen == "all" else Split(chosen), limit=SHOWN_PAIRS)
    st.dataframe(
        pairs[["item_ref", "split", "answer", "reason"]].rename(
            columns={"item_ref": "Item", "split": "Part", "answer": "Answer", "reason": "Not trained on because"}
        ),
        hide_index=True,
        alt="Pairs of the job with their part",
    )
    if len(pairs) == SHOWN_PAIRS:
        st.caption(f"The first {SHOWN_PAIRS} pairs.")


def show_settings(job: TrainingJob) -> None:
    """What was asked for, so that it can be asked for again."""
    asked, seconds = job.request, job.seconds(cached.workbench().clock())
    shares = asked.shares
    facts = {
        "Trainer": trainer_title(job),
        "Shares": f"{shares.train:.0%} train, {shares.validation:.0%} validation, {shares.test:.0%} test",
        "Seed": str(asked.seed),
        "Took": "–" if seconds is None else duration(seconds),
        **{words(name): str(value) for name, value in asked.parameters.items()},
        "Job": job.id,
        "Tracking run": job.tracking_run_id or "–",
    }
    st.dataframe(
        pd.DataFrame(facts.items(), columns=["Setting", "Value"]), hide_index=True, height="content",
        alt="Settings of the job",
    )  # fmt: skip
    if asked.parent_job_id:
        st.page_link(
            "train.py", label="The job before", icon=":material/history:", query_params={"job": asked.parent_job_id}
        )
