"""Train models on pairs that pass both gates, follow the jobs, and look at the versions that came of them.

`?view=versions` lists versions. `?job=<id>` opens a job, `?model=<name>&version=<number>` a version (`&evaluation=<id>`
one of its evaluations), `?compare=<evaluation before>,<evaluation after>` compares two versions. `?new=1` starts a job,
`?training_sheet=<id>` one on this training sheet, `?retrain=<model>` one that is filled in from its newest version.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, pick_row
from pages.components.job_details import show_job
from pages.components.layout import empty_state, page_header, run_progress
from pages.components.rights import why_not
from pages.components.training_form import show_form
from pages.components.version_comparison import show_comparison
from pages.components.version_details import headline, serving, show_version
from pages.components.words import ago, duration, words
from workbench_core import cached
from workbench_core.model_versions import ModelVersion
from workbench_core.permissions import Action
from workbench_core.training_jobs import JobStatus, TrainingJob

ANY = "all"
STATUSES = [ANY, JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED]

workbench, query = cached.workbench(), st.query_params


def show_lists() -> None:
    """Jobs or versions, with the way to a new job."""
    actions = page_header("Train", "Only pairs that are approved and allowed for training reach a model.")
    refusal = why_not(Action.TRAIN)
    if actions.button("New training job", icon=":material/add:", type="primary", key="train_new",
                      disabled=bool(refusal), help=refusal or None):  # fmt: skip
        query.from_dict({"new": "1"})
        st.rerun()
    jobs, versions = cached.training_jobs(), cached.model_versions()
    view = choose_in_url("View", ["jobs", "versions"], key="view", default="jobs",
                         counts={"jobs": len(jobs), "versions": len(versions)})  # fmt: skip
    if not jobs:
        with empty_state("No model has been trained yet. Choose a training sheet to begin.",
                         icon=":material/model_training:"):  # fmt: skip
            st.page_link("label.py", label="Review training sheets", icon=":material/rate_review:")
    elif view == "versions":
        show_versions(versions)
    else:
        show_jobs(jobs)


def show_jobs(jobs: list[TrainingJob]) -> None:
    """State counts, what runs now, and the table; a click opens a job."""
    states = [job.status.value for job in jobs]
    if active := tuple(job.id for job in jobs if job.is_active):
        follow(active)
    status = choose_in_url("Status", STATUSES, key="status", default=ANY,
                           counts={name: states.count(name) for name in STATUSES if name in states})  # fmt: skip
    shown = [job for job in jobs if status in {ANY, job.status}]
    if not shown:
        st.caption("No job with this status.")
        return
    names = {trainer.name: trainer.title for trainer in workbench.trainers}
    made = {version.job_id: f"v{version.version}" for version in cached.model_versions()}
    pick_row(
        pd.DataFrame([job_line(job, names, made.get(job.id, "–")) for job in shown]),
        [job.id for job in shown],
        param="job",
        alt="Training jobs, newest first",
        columns={
            "Progress": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small"),
            "Train": st.column_config.NumberColumn(format="localized", width="small"),
            "Validation": st.column_config.NumberColumn(format="localized", width="small"),
            "Test": st.column_config.NumberColumn(format="localized", width="small"),
        },
    )


def job_line(job: TrainingJob, trainers: dict[str, str], version: str) -> dict[str, object]:
    """One line of the table."""
    seconds = job.seconds(workbench.clock())
    return {
        "Model": job.request.model_name,
        "Version": version,
        "Status": words(job.status),
        "Progress": job.progress,
        "Trainer": trainers.get(job.request.trainer, job.request.trainer),
        "Train": job.train_pairs,
        "Validation": job.validation_pairs,
        "Test": job.test_pairs,
        "Took": "–" if seconds is None else duration(seconds),
        "Created": ago(job.created_at),
        "By": job.created_by,
    }


@st.fragment(run_every="2s")
def follow(job_ids: tuple[str, ...]) -> None:
    """The progress of what waits or runs; the page is drawn anew when one of them ends."""
    jobs = [workbench.training_jobs.get(job_id) for job_id in job_ids]
    for job in jobs:
        run = workbench.training_jobs.run_of(job.id)
        if run is not None and job.is_active:
            with st.container(border=True):
                st.markdown(f"**{job.request.model_name}**")
                run_progress(run, unit="steps")
    if not all(job.is_active for job in jobs):
        st.rerun()


def show_versions(versions: list[ModelVersion]) -> None:
    """Every version with its newest scores on held-out items; a click opens one."""
    if not versions:
        empty_state("No job has finished with a model yet.", icon=":material/deployed_code:")
        return
    pick_row(
        pd.DataFrame([version_line(version) for version in versions]),
        [f"{version.model_name}/{version.version}" for version in versions],
        param="open",
        alt="Model versions, newest first",
        columns={"Trainer": st.column_config.TextColumn(width="medium")},
    )


def version_line(version: ModelVersion) -> dict[str, object]:
    """One line of the table."""
    return {
        "Model": version.model_name,
        "Version": f"v{version.version}",
        "Held-out items": headline(version),
        "Trainer": str(version.details.get("chosen_title") or version.trainer),
        "Served by": ", ".join(serving(version)) or "–",
        "Created": ago(version.created_at),
        "By": version.created_by,
    }


def back() -> None:
    """The way back to the lists."""
    if st.button("All jobs and versions", type="tertiary", icon=":material/arrow_back:", key="train_back"):
        query.clear()
        st.rerun()


if "open" in query:
    model, _, number = query["open"].rpartition("/")
    query.from_dict({"model": model, "version": number})
if "compare" in query:
    back()
    before, _, after = query["compare"].partition(",")
    show_comparison(before, after)
elif "job" in query:
    back()
    show_job(workbench.training_jobs.get(query["job"]))
elif "model" in query:
    back()
    show_version(workbench.model_versions.get_by_text(query["model"], query.get("version", "")))
elif query.keys() & {"new", "training_sheet", "retrain"}:
    back()
    show_form(query.get("training_sheet", ""), query.get("retrain", ""))
else:
    show_lists()
