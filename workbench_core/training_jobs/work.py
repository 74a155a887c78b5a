"""The run behind a training job: the frozen examples go to the trainer, its reports to the store, its result to the
registry's row; safe to stop and to kill at any moment."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.errors import Conflict, Invalid, NotPermitted, TimedOut, WorkbenchError
from workbench_core.history import History
from workbench_core.model_versions import ModelVersion, ModelVersions
from workbench_core.pairs.model import message_from
from workbench_core.ports import (
    Json,
    Row,
    Store,
    TrainingEvent,
    TrainingExample,
    TrainingRequest,
    TrainingResult,
)
from workbench_core.reference_profile import reference_profile
from workbench_core.runs import RunContext, Runs, RunStopped
from workbench_core.training_gate import Split
from workbench_core.training_jobs.model import TRAINABLE, JobStatus, TrainingJob
from workbench_core.training_jobs.records import JobRecords
from workbench_core.training_jobs.submission import Submission
from workbench_core.training_sheets import LIFECYCLE as SHEET_LIFECYCLE
from workbench_core.training_sheets import TrainingSheet, TrainingSheets

log = logging.getLogger(__name__)

KIND = "train"
LONGEST = timedelta(hours=24)
_FLUSH_SECONDS = 0.5
OnTrained = Callable[[ModelVersion, str], None]


class TrainingWork:
    """Do queued training jobs, one at a time."""

    def __init__(
        self,
        store: Store,
        records: JobRecords,
        submission: Submission,
        *,
        training_sheets: TrainingSheets,
        versions: ModelVersions,
        history: History,
        runs: Runs,
        clock: Clock,
        on_trained: OnTrained,
    ) -> None:
        self._store = store
        self._records = records
        self._submission = submission
        self._training_sheets = training_sheets
        self._versions = versions
        self._history = history
        self._runs = runs
        self._clock = clock
        self._on_trained = on_trained

    def handle(self, context: RunContext) -> None:
        """Train the job of a run. One that was interrupted starts over and registers one version.

        Raises RunStopped when it was cancelled or the process ends, and what made the training fail, after the job was
        marked failed.
        """
        job = self._records.get(context.subject_id)
        if not job.is_active:
            return  # the process died between the last transaction and the end of the run
        try:
            self._train(job, context)
        except RunStopped:
            raise
        except WorkbenchError as error:
            action = "expire" if isinstance(error, TimedOut) else "fail"
            self._records.end(job.id, action, error=f"{error.message} {error.hint}".strip())
            raise
        except Exception as error:
            self._records.end(job.id, "fail", error=f"Unexpected: {error} (see the log, {job.id})")
            raise

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _train(self, job: TrainingJob, context: RunContext) -> None:
        job = self._begin(job)
        sheet = self._training_sheets.get(job.request.training_sheet_id)
        request = self._request(job, sheet)
        self._tell_of_pictures(job, request)
        self._tell_of_versions(job, sheet, pairs=len(request.train) + len(request.validation))
        recorder = _Recorder(self._records, context)
        deadline = self._clock() + LONGEST
        result = self._submission.trainer(job.request.trainer).train(
            request,
            on_event=recorder.record,
            cancelled=lambda: context.should_stop() or self._clock() > deadline,
        )
        recorder.flush()
        is_cancelled = self._runs.get(context.run.id).cancel_requested
        if result is None:
            self._stopped(job, is_cancelled=is_cancelled, is_late=self._clock() > deadline)
        if is_cancelled:
            self._records.log(job.id, "info", ["The cancel came too late: the model was registered already"])
        self._succeed(job, sheet, request=request, result=result)

    def _begin(self, job: TrainingJob) -> TrainingJob:
        is_resumed = job.status is JobStatus.RUNNING
        with self._store.transaction():
            self._records.move(job.id, "start", started_at=job.started_at or self._clock())
            self._records.clear_curves(job.id)
            message = "Started again after an interruption" if is_resumed else "Training started"
            self._records.log(job.id, "status", [message])
        return self._records.get(job.id)

    def _request(self, job: TrainingJob, sheet: TrainingSheet) -> TrainingRequest:
        """Everything the trainer needs, read from the frozen split. Raises Conflict when something changed since."""
        if sheet.status not in TRAINABLE:
            raise Conflict(f"“{sheet.name}” is {sheet.status} now.", hint="Train on one that is in review or done.")
        found = self._store.query(
            "SELECT p.id, p.item_ref, p.variables, p.messages, p.answer, p.row_version, j.split, j.pair_row_version "
            "FROM training_job_pairs j JOIN pairs p ON p.id = j.pair_id "
            "WHERE j.job_id = :job AND j.split IN ('train', 'validation') ORDER BY p.sequence_number",
            job=job.id,
        )
        if changed := sum(row["row_version"] != row["pair_row_version"] for row in found):
            raise Conflict(
                f"{changed:,} {'pair was' if changed == 1 else 'pairs were'} changed after the job was submitted.",
                hint="Retry it to train on the new state.",
            )
        asked = job.request
        return TrainingRequest(
            job_id=job.id,
            model_name=asked.model_name,
            answer_kind=sheet.template.answer_kind,
            template=self._template(sheet.id),
            train=tuple(_example(row) for row in found if row["split"] == Split.TRAIN),
            validation=tuple(_example(row) for row in found if row["split"] == Split.VALIDATION),
            parameters=asked.parameters,
            seed=asked.seed,
            tags={"training_sheet_id": asked.training_sheet_id, "created_by": job.created_by},
        )

    def _tell_of_pictures(self, job: TrainingJob, request: TrainingRequest) -> None:
        """No trainer reads pictures: whoever follows the job must know what the model learns from."""
        examples = (*request.train, *request.validation)
        pictured = sum(any(message.attachments for message in example.messages) for example in examples)
        if pictured:
            line = (
                f"{pictured:,} of {len(examples):,} pairs have pictures. This trainer does not see them: it learns "
                "from the text of the question alone, in which only their file names stand."
            )
            self._records.log(job.id, "info", [line])

    def _tell_of_versions(self, job: TrainingJob, sheet: TrainingSheet, *, pairs: int) -> None:
        """Pairs that were generated anew keep which version asked; the model goes by that of the training sheet."""
        found = self._store.query(
            "SELECT p.generation_details FROM training_job_pairs j JOIN pairs p ON p.id = j.pair_id "
            "WHERE j.job_id = :job AND j.split IN ('train', 'validation') "
            """AND p.generation_details LIKE '%"template_version"%' ORDER BY p.sequence_number""",
            job=job.id,
        )
        versions = Counter(str(rows.json_object(row, "generation_details").get("template_version")) for row in found)
        del versions[sheet.template_version]
        if versions:
            others = ", ".join(f"{count:,} by v{version}" for version, count in sorted(versions.items()))
            line = (
                f"Not all of the {pairs:,} pairs were asked by v{sheet.template_version} of the template, which goes "
                f"with the model: {others}."
            )
            self._records.log(job.id, "info", [line])

    def _template(self, training_sheet_id: str) -> dict[str, Json]:
        found = self._store.query("SELECT template_snapshot FROM training_sheets WHERE id = :id", id=training_sheet_id)
        return rows.json_object(found[0], "template_snapshot")

    def _stopped(self, job: TrainingJob, *, is_cancelled: bool, is_late: bool) -> NoReturn:
        """The trainer ended early: a person cancelled, it took too long, or this process ends and will resume."""
        if is_cancelled:
            self._records.end(job.id, "cancel")
        elif is_late:
            hours = LONGEST.total_seconds() / 3600
            raise TimedOut(f"The training took longer than {hours:.0f} hours.", hint="Use fewer epochs or fewer pairs.")
        raise RunStopped

    def _succeed(
        self, job: TrainingJob, sheet: TrainingSheet, *, request: TrainingRequest, result: TrainingResult
    ) -> None:
        """Record the version, its lineage, its reference profile and what follows in one transaction (INV-T2)."""
        profile = reference_profile(request.train, answer_kind=request.answer_kind)
        now = self._clock()
        with self._store.transaction():
            self._store.append(
                "model_versions",
                [
                    {
                        "model_name": result.model_name,
                        "version": result.version,
                        "job_id": job.id,
                        "training_sheet_id": sheet.id,
                        "sheet_id": sheet.sheet_id,
                        "prompt_template_id": sheet.prompt_template_id,
                        "template_version": sheet.template_version,
                        "label_type": sheet.label_type,
                        "answer_kind": request.answer_kind,
                        "metrics": rows.to_json(dict(result.metrics)),
                        "details": rows.to_json(dict(result.details)),
                        "reference_profile": rows.to_json(profile),
                        "created_at": now,
                    }
                ],
            )
            self._records.move(
                job.id,
                "succeed",
                completed_at=now,
                tracking_run_id=result.tracking_run_id,
                tracking_experiment_id=result.tracking_experiment_id,
            )
            self._records.log(job.id, "status", [f"Registered {result.model_name} v{result.version}"])
            self._history.add(
                "training_job", job.id, "succeed", by=job.created_by, model=result.model_name, version=result.version
            )
            self._mark_trained(sheet.id, by=job.created_by)
            self._follow_up(job, self._versions.get(result.model_name, result.version))
        self._runs.wake.set()  # what follows can be seen only now

    def _mark_trained(self, training_sheet_id: str, *, by: str) -> None:
        """A training sheet that is still in review stays there: it can be trained on again when more is approved."""
        if "mark_trained" in SHEET_LIFECYCLE.actions(self._training_sheets.get(training_sheet_id).status):
            self._training_sheets.mark_trained(training_sheet_id, by=by)

    def _follow_up(self, job: TrainingJob, version: ModelVersion) -> None:
        """What happens with a new version at once; that it cannot happen does not undo the training."""
        try:
            self._on_trained(version, job.created_by)
        except (Invalid, Conflict, NotPermitted) as error:
            log.warning("Nothing follows training job %s: %s", job.id, error.message)
            self._records.log(job.id, "info", [f"Not evaluated: {error.message}"])


class _Recorder:
    """Collects a trainer's events and stores them at most twice a second."""

    def __init__(self, records: JobRecords, context: RunContext) -> None:
        self._records = records
        self._context = context
        self._waiting: list[TrainingEvent] = []
        self._flushed_at = 0.0

    def record(self, event: TrainingEvent) -> None:
        self._waiting.append(event)
        if time.monotonic() - self._flushed_at >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        events, self._waiting = self._waiting, []
        self._flushed_at = time.monotonic()
        self._records.record(self._context.subject_id, events)
        last = max(events, key=lambda event: event.step)
        self._context.report(last.step, last.total, next((e.message for e in reversed(events) if e.message), ""))


def _example(row: Row) -> TrainingExample:
    messages = rows.json_list(row, "messages")
    return TrainingExample(
        pair_id=rows.text(row, "id"),
        item_ref=rows.text(row, "item_ref"),
        variables={name: str(value) for name, value in rows.json_object(row, "variables").items()},
        messages=tuple(message_from(message) for message in messages if isinstance(message, dict)),
        answer=rows.text(row, "answer"),
    )
