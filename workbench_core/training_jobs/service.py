"""The service behind training jobs: submit, watch, cancel, retry, and propose a retraining."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.errors import AlreadyExists, Conflict, Invalid, NotFound
from workbench_core.history import History
from workbench_core.model_versions import ModelVersions
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Json, Store, Trainer
from workbench_core.runs import Run, RunContext, Runs, RunStatus
from workbench_core.training_gate import GateResult, Shares, Split
from workbench_core.training_jobs.model import (
    ACTIVE,
    LIFECYCLE,
    Candidate,
    JobEvent,
    JobRequest,
    JobStatus,
    RetrainProposal,
    TrainingJob,
    difference,
)
from workbench_core.training_jobs.records import JobRecords
from workbench_core.training_jobs.submission import Submission
from workbench_core.training_jobs.work import KIND, OnTrained, TrainingWork
from workbench_core.training_sheets import TrainingSheets

if TYPE_CHECKING:
    import pandas as pd


class TrainingJobs:
    """Check the gate, submit jobs, run them, and remember exactly what went in."""

    def __init__(
        self,
        store: Store,
        history: History,
        permissions: Permissions,
        runs: Runs,
        clock: Clock,
        *,
        training_sheets: TrainingSheets,
        versions: ModelVersions,
        trainers: Callable[[], Sequence[Trainer]],
        on_trained: OnTrained,
    ) -> None:
        """`trainers` is asked only when needed; `on_trained(version, by)` is part of the success's transaction."""
        self._store = store
        self._history = history
        self._permissions = permissions
        self._runs = runs
        self._versions = versions
        self._records = JobRecords(store, clock)
        self._submission = Submission(store, training_sheets, versions, trainers)
        self._work = TrainingWork(
            store, self._records, self._submission, training_sheets=training_sheets, versions=versions,
            history=history, runs=runs, clock=clock, on_trained=on_trained,
        )  # fmt: skip

    # --- before submission -------------------------------------------------------------------------------------------

    def candidates(self, *, limit: int = 100) -> list[Candidate]:
        """Training sheets that one may want to train on, newest first, ready or not."""
        return self._submission.candidates(limit=limit)

    def trainers_for(self, training_sheet_id: str) -> list[Trainer]:
        """The trainers that suit the answers of a training sheet, ready or not. Raises NotFound."""
        return self._submission.trainers_for(training_sheet_id)

    def proposed_name(self, training_sheet_id: str) -> str:
        """A model name: that of the model last trained for the same question, else one made of the sheet's name."""
        return self._submission.proposed_name(training_sheet_id)

    def gate(self, training_sheet_id: str, *, shares: Shares | None = None, seed: int = 42) -> GateResult:
        """Who may be trained on, and why the others may not (TR-1). Raises NotFound, Conflict, Invalid for shares."""
        return self._submission.gate(training_sheet_id, shares=shares or Shares(), seed=seed)

    def submit(self, request: JobRequest, *, by: str, is_demo: bool = False) -> TrainingJob:
        """Check everything again in the service, freeze the split, and queue the job (TR-3).

        Raises Invalid with the reason, Conflict for an identical active job or a training sheet still generating.
        """
        self._permissions.check(by, Action.TRAIN)
        request = self._submission.checked(request)
        gate = self.gate(request.training_sheet_id, shares=request.shares, seed=request.seed)
        if problems := gate.problems():
            raise Invalid(" ".join(problems), hint=gate.advice())
        job_id = new_id("job")
        try:
            with self._store.transaction():
                self._records.insert(job_id, request, gate, by=by, is_demo=is_demo)
                self._records.log(job_id, "status", ["Submitted"], by=by)
                self._history.add("training_job", job_id, "submit", by=by, model=request.model_name)
                self._runs.start(KIND, job_id, title=f"Train {request.model_name}", by=by)
                self._records.move(job_id, "accept")
        except AlreadyExists:
            raise Conflict(
                "The same job is already under way.", hint="Wait for it, cancel it, or change a parameter."
            ) from None
        self._runs.wake.set()  # the run can be seen only now
        return self.get(job_id)

    def propose_retrain(self, model_name: str, *, training_sheet_id: str = "") -> RetrainProposal:
        """Prefill a retraining of a model on its newest training sheet, or on the one given (RT-1).

        Raises NotFound for a model without versions.
        """
        last = self._versions.latest(model_name)
        if last is None:
            raise NotFound(f"There is no model {model_name}.", hint="Train it first.")
        asked = self.get(last.job_id).request
        request = replace(
            asked,
            training_sheet_id=training_sheet_id or self._submission.newest_sheet(last),
            parent_job_id=last.job_id,
            launched_from="retrain",
            gap_id=None,
        )
        gate = self.gate(request.training_sheet_id, shares=request.shares, seed=request.seed)
        return RetrainProposal(request, last, difference(self._records.taught(last.job_id), gate.taught()))

    # --- looking -----------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> TrainingJob:
        """One job. Raises NotFound."""
        return self._records.get(job_id)

    def find(
        self, *, status: JobStatus | None = None, training_sheet_id: str = "", limit: int = 100
    ) -> list[TrainingJob]:
        """Jobs, newest first (TR-4)."""
        statuses = [status] if status else list(JobStatus)
        return self._records.find(statuses, training_sheet_id=training_sheet_id, limit=limit)

    def run_of(self, job_id: str) -> Run | None:
        """The long work of a job, for progress, rate and time left."""
        return self._runs.latest(KIND, job_id)

    def events(self, job_id: str) -> list[JobEvent]:
        """The log of a job, newest first (TR-9)."""
        return self._records.events(job_id)

    def metrics(self, job_id: str) -> pd.DataFrame:
        """The points of all curves: name, step, value, recorded_at, in the order of steps."""
        return self._records.metrics(job_id)

    def pairs(self, job_id: str, *, split: Split | None = None, limit: int = 1000) -> pd.DataFrame:
        """The frozen split: pair_id, item_ref, split, reason, answer, canonical_label_id, canonical_label_version."""
        return self._records.pairs(job_id, [split] if split else list(Split), limit=limit)

    def excluded(self, job_id: str) -> dict[str, int]:
        """Why pairs were left out of a job, with their number, most frequent first."""
        found = self._store.query(
            "SELECT reason, COUNT(*) AS pairs FROM training_job_pairs WHERE job_id = :job AND reason <> '' "
            "GROUP BY reason ORDER BY COUNT(*) DESC, reason",
            job=job_id,
        )
        return {rows.text(row, "reason"): rows.whole(row, "pairs") for row in found}

    # --- changing ----------------------------------------------------------------------------------------------------

    def cancel(self, job_id: str, *, by: str, reason: str = "") -> TrainingJob:
        """Stop a waiting or running job (TR-7). Raises InvalidTransition for a finished one.

        A running one ends at its next step; one that already registers its model finishes.
        """
        self._permissions.check(by, Action.TRAIN)
        job = self.get(job_id)
        LIFECYCLE.next(job.status, "cancel", subject=f"The job for “{job.request.model_name}”")
        with self._store.transaction():
            run = self.run_of(job_id)
            is_over = run is None or not run.is_active
            if run is not None and run.is_active:
                is_over = self._runs.cancel(run.id, by=by).status is RunStatus.CANCELLED
            because = f": {reason.strip()}" if reason.strip() else ""
            self._records.log(job_id, "status", [f"Cancel requested{because}"], by=by)
            self._history.add("training_job", job_id, "cancel", by=by, reason=reason)
            if is_over:
                self._records.end(job_id, "cancel")
        return self.get(job_id)

    def retry(self, job_id: str, *, by: str, changes: Mapping[str, Json] | None = None) -> TrainingJob:
        """Submit a job that ended without a version again as a new one, optionally with other parameters (TR-8).

        Raises Conflict for any other job, and what `submit` raises.
        """
        job = self.get(job_id)
        if not job.can_retry:
            raise Conflict(
                f"A job that is {job.status} cannot be retried.",
                hint="Only failed or cancelled jobs can. Use Retrain for a new version.",
            )
        parameters = {**job.request.parameters, **(changes or {})}
        request = replace(job.request, parameters=parameters, parent_job_id=job_id, launched_from="retry")
        return self.submit(request, by=by, is_demo=job.is_demo)

    # --- the work ----------------------------------------------------------------------------------------------------

    def handle(self, context: RunContext) -> None:
        """Do the run of kind “train”."""
        self._work.handle(context)

    def settle(self) -> None:
        """End the jobs whose run is over without having been able to tell them (TR-11).

        It happens when the process dies after a person cancelled: nobody calls the handler again.
        """
        found = self._store.query(
            "SELECT j.id FROM training_jobs j WHERE j.status IN :active AND NOT EXISTS (SELECT 1 FROM runs r "
            "WHERE r.kind = :kind AND r.subject_id = j.id AND r.status IN ('queued', 'running', 'interrupted')) "
            "ORDER BY j.created_at, j.id",
            active=sorted(ACTIVE),
            kind=KIND,
        )
        for row in found:
            job_id = rows.text(row, "id")
            run = self.run_of(job_id)
            if run is None or run.status is RunStatus.CANCELLED:
                self._records.end(job_id, "cancel")
            else:
                self._records.end(job_id, "fail", error=run.error or "Its run ended without a result.")
