"""The service behind evaluations: evaluate versions, read the results, compare two of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench_core import metrics, rows
from workbench_core.clock import Clock, new_id
from workbench_core.errors import Conflict, Invalid, InvalidTransition, NotFound, WorkbenchError
from workbench_core.evaluations.datasets import Datasets, HeldOutItem
from workbench_core.evaluations.model import (
    ACTIVE,
    COLUMNS,
    DatasetChoice,
    DatasetKind,
    Evaluation,
    EvaluationStatus,
    MetricDifference,
    VersionComparison,
    evaluation_from,
)
from workbench_core.evaluations.results import Results
from workbench_core.history import History
from workbench_core.metrics import MetricValue
from workbench_core.model_versions import ModelVersion, ModelVersions
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Prediction, Serving, Store
from workbench_core.runs import Run, RunContext, Runs, RunStatus, RunStopped

if TYPE_CHECKING:
    import pandas as pd

KIND = "evaluate"
BATCH = 200


class Evaluations:
    """Evaluate versions, read the results, compare two of them."""

    def __init__(
        self,
        store: Store,
        serving: Serving,
        history: History,
        permissions: Permissions,
        runs: Runs,
        clock: Clock,
        *,
        versions: ModelVersions,
    ) -> None:
        self._store = store
        self._serving = serving
        self._history = history
        self._permissions = permissions
        self._runs = runs
        self._clock = clock
        self._versions = versions
        self._datasets = Datasets(store, versions)
        self._results = Results(store, self._datasets)

    # --- evaluating --------------------------------------------------------------------------------------------------

    def start(
        self,
        model_name: str,
        version: int,
        *,
        by: str,
        dataset_kind: DatasetKind = DatasetKind.TEST,
        dataset_id: str = "",
    ) -> Evaluation:
        """Queue an evaluation (EV-1); without a dataset, on the version's own test part.

        Raises NotFound, Invalid for a dataset of another label type and, explaining every exclusion, when no held-out
        item is left.
        """
        with self._store.transaction():
            evaluation = self._create(model_name, version, by=by, dataset_kind=dataset_kind, dataset_id=dataset_id)
            title = f"Evaluate {evaluation.title}"
            self._runs.start(KIND, evaluation.id, title=title, by=by, total=evaluation.item_count)
        self._runs.wake.set()  # the run can be seen only now
        return evaluation

    def evaluate_now(
        self,
        model_name: str,
        version: int,
        *,
        by: str,
        dataset_kind: DatasetKind = DatasetKind.TEST,
        dataset_id: str = "",
    ) -> Evaluation:
        """Evaluate in this thread and give the finished evaluation. Raises as `start`, and what serving raises."""
        evaluation = self._create(model_name, version, by=by, dataset_kind=dataset_kind, dataset_id=dataset_id)
        self._work(evaluation, None)
        return self.get(evaluation.id)

    def start_pair(self, model_name: str, before: int, after: int, *, by: str) -> tuple[Evaluation, Evaluation]:
        """Evaluations of two versions on the test part of the second, ready to compare; missing ones are queued.

        Raises Invalid for a version against itself, and what `start` raises.
        """
        if before == after:
            raise Invalid("A version cannot be compared with itself.", hint="Choose another version.")
        dataset = self._versions.get(model_name, after).job_id
        known = {version: self._usable(model_name, version, dataset_id=dataset) for version in (before, after)}
        earlier, later = (
            known[version] or self.start(model_name, version, by=by, dataset_id=dataset) for version in (before, after)
        )
        return earlier, later

    def cancel(self, evaluation_id: str, *, by: str) -> Evaluation:
        """Stop a waiting or running evaluation. Raises InvalidTransition for a finished one."""
        self._permissions.check(by, Action.TRAIN)
        evaluation, run = self.get(evaluation_id), self.run_of(evaluation_id)
        if not evaluation.is_active:
            raise InvalidTransition(f"This evaluation is {evaluation.status}.", hint="Start a new one.")
        with self._store.transaction():
            is_over = run is None or not run.is_active
            if run is not None and run.is_active:
                is_over = self._runs.cancel(run.id, by=by).status is RunStatus.CANCELLED
            self._history.add("evaluation", evaluation_id, "cancel", by=by)
            if is_over:
                self._set_status(evaluation_id, EvaluationStatus.CANCELLED)
        return self.get(evaluation_id)

    def handle(self, context: RunContext) -> None:
        """Do a queued evaluation; the worker calls it. An interrupted one starts over."""
        evaluation = self.get(context.subject_id)
        if not evaluation.is_active:
            return
        try:
            self._work(evaluation, context)
        except RunStopped:
            if self._runs.get(context.run.id).cancel_requested:
                self._set_status(evaluation.id, EvaluationStatus.CANCELLED)
            raise

    def settle(self) -> None:
        """End the evaluations whose run is over without having been able to tell them."""
        found = self._store.query(
            "SELECT e.id, MAX(r.error) AS error FROM evaluations e JOIN runs r ON r.kind = :kind "
            "AND r.subject_id = e.id WHERE e.status IN :active AND NOT EXISTS (SELECT 1 FROM runs o "
            "WHERE o.kind = :kind AND o.subject_id = e.id AND o.status IN ('queued', 'running', 'interrupted')) "
            "GROUP BY e.id ORDER BY e.id",
            kind=KIND,
            active=sorted(ACTIVE),
        )
        for row in found:
            error = rows.text(row, "error")
            status = EvaluationStatus.FAILED if error else EvaluationStatus.CANCELLED
            self._set_status(rows.text(row, "id"), status, error=error)

    def datasets(self, model_name: str, version: int) -> list[DatasetChoice]:
        """What a version can be evaluated on, its own test part first. Raises NotFound."""
        return self._datasets.offered(self._versions.get(model_name, version))

    # --- reading -----------------------------------------------------------------------------------------------------

    def get(self, evaluation_id: str) -> Evaluation:
        """One evaluation. Raises NotFound."""
        found = self._store.query(f"SELECT {COLUMNS} FROM evaluations WHERE id = :id", id=evaluation_id)
        if not found:
            raise NotFound("This evaluation does not exist.", hint="Open it from the model version again.")
        return evaluation_from(found[0])

    def find(
        self, *, model_name: str = "", version: int | None = None, dataset_id: str = "", limit: int = 100
    ) -> list[Evaluation]:
        """Evaluations, newest first (EV-2)."""
        found = self._store.query(
            f"SELECT {COLUMNS} FROM evaluations WHERE :name IN ('', model_name) AND :dataset IN ('', dataset_id) "
            "AND (CAST(:version AS INTEGER) IS NULL OR version = :version) ORDER BY created_at DESC, id LIMIT :limit",
            name=model_name,
            dataset=dataset_id,
            version=version,
            limit=limit,
        )
        return [evaluation_from(row) for row in found]

    def latest(self, model_name: str, version: int, *, dataset_id: str = "") -> Evaluation | None:
        """The newest finished evaluation of a version."""
        found = self.find(model_name=model_name, version=version, dataset_id=dataset_id)
        return next((one for one in found if one.status is EvaluationStatus.SUCCEEDED), None)

    def run_of(self, evaluation_id: str) -> Run | None:
        """The long work of an evaluation."""
        return self._runs.latest(KIND, evaluation_id)

    def metrics(self, evaluation_id: str) -> list[MetricValue]:
        """All metrics with their 95 % intervals; `part` names a class or field."""
        return self._results.metrics(evaluation_id)

    def items(self, evaluation_id: str, *, only_wrong: bool = False, limit: int = 100_000) -> pd.DataFrame:
        """The result of every item: pair_id, item_ref, expected, actual, is_correct, confidence, latency_ms, error."""
        return self._results.items(evaluation_id, only_wrong=only_wrong, limit=limit)

    def confusion(self, evaluation_id: str) -> pd.DataFrame | None:
        """Items by expected class (index) and answered class (columns); None unless the answers are labels."""
        evaluation, items = self.get(evaluation_id), self.items(evaluation_id)
        if evaluation.answer_kind is not metrics.AnswerKind.LABEL or items.empty:
            return None
        return self._results.confusion(evaluation, items)

    def compare(self, before_id: str, after_id: str, *, score: str = "") -> VersionComparison:
        """Compare two evaluations on the items that both answered (EV-3), by the main score of their kind of answer.

        `score` chooses another one, such as "correct". Raises Conflict when they do not share their dataset or one has
        not succeeded, Invalid when no item is shared.
        """
        before, after = self.get(before_id), self.get(after_id)
        _check_comparable(before, after)
        joined = self.items(before_id).merge(self.items(after_id), on="pair_id", suffixes=("_before", "_after"))
        if joined.empty:
            raise Invalid("Both versions answered no item in common.", hint="Evaluate both on the same dataset again.")
        scores_before, metrics_before = self._results.measure(before, _side(joined, "before"))
        scores_after, metrics_after = self._results.measure(after, _side(joined, "after"))
        name = score or after.main_score
        compared = metrics.compare_items(scores_before.columns[name], scores_after.columns[name])
        changed = joined.iloc[compared.changed]
        gained = scores_after.columns[name] > scores_before.columns[name]
        return VersionComparison(
            before=before,
            after=after,
            items=compared,
            metrics=_differences(metrics_before, metrics_after),
            changed=changed[["pair_id", "item_ref_after", "expected_after", "actual_before", "actual_after"]]
            .set_axis(["pair_id", "item_ref", "expected", "before", "after"], axis="columns")
            .assign(is_won=gained[compared.changed]),
        )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _create(
        self, model_name: str, version: int, *, by: str, dataset_kind: DatasetKind, dataset_id: str
    ) -> Evaluation:
        self._permissions.check(by, Action.TRAIN)
        made = self._versions.get(model_name, version)
        dataset_id = dataset_id or _own_dataset(made, dataset_kind)
        self._datasets.check(made, dataset_kind, dataset_id)
        items, excluded = self._datasets.items(made, dataset_kind, dataset_id)
        if not items:
            why = ", ".join(f"{count} {reason}" for reason, count in excluded.items()) or "the dataset is empty"
            raise Invalid(
                f"No held-out item is left to evaluate {made.title} on ({why}).",
                hint="Label items that the version has not been trained on.",
            )
        evaluation_id = new_id("evaluation")
        with self._store.transaction():
            self._store.append(
                "evaluations",
                [
                    {
                        "id": evaluation_id,
                        "model_name": model_name,
                        "version": version,
                        "dataset_kind": dataset_kind.value,
                        "dataset_id": dataset_id,
                        "training_sheet_id": made.training_sheet_id,
                        "answer_kind": made.answer_kind,
                        "status": EvaluationStatus.QUEUED.value,
                        "item_count": len(items),
                        "excluded_count": excluded.total(),
                        "excluded_reasons": rows.to_json(dict(excluded)),
                        "created_by": by,
                        "created_at": self._clock(),
                    }
                ],
            )
            self._history.add("evaluation", evaluation_id, "start", by=by, model=model_name, version=version)
        return self.get(evaluation_id)

    def _work(self, evaluation: Evaluation, context: RunContext | None) -> None:
        """Answer all items, then store everything at once. Raises what kept it from its end, after telling it."""
        self._set_status(evaluation.id, EvaluationStatus.RUNNING)
        try:
            made = self._versions.get(evaluation.model_name, evaluation.version)
            items, _ = self._datasets.items(made, evaluation.dataset_kind, evaluation.dataset_id)
            predictions = self._answers(made, items, context)
            with self._store.transaction():
                self._results.write(evaluation, items, predictions)
                self._set_status(evaluation.id, EvaluationStatus.SUCCEEDED, item_count=len(items))
        except RunStopped:
            raise
        except WorkbenchError as error:
            told = f"{error.message} {error.hint}".strip()
            self._set_status(evaluation.id, EvaluationStatus.FAILED, error=told)
            raise
        except Exception as error:
            told = f"Unexpected: {error} (see the log, {evaluation.id})"
            self._set_status(evaluation.id, EvaluationStatus.FAILED, error=told)
            raise

    def _answers(
        self, made: ModelVersion, items: Sequence[HeldOutItem], context: RunContext | None
    ) -> list[Prediction]:
        """Ask the version in batches; one answer before them loads the model, so that loading is not measured."""
        records = [item.variables for item in items]
        self._serving.predict(made.model_name, made.version, records[:1])
        predictions: list[Prediction] = []
        for start in range(0, len(records), BATCH):
            if context is not None:
                context.checkpoint(len(predictions), len(items))
            predictions += self._serving.predict(made.model_name, made.version, records[start : start + BATCH])
        if context is not None:
            context.report(len(predictions), len(items))
        return predictions

    def _set_status(
        self, evaluation_id: str, status: EvaluationStatus, *, error: str = "", item_count: int | None = None
    ) -> None:
        self._store.execute(
            "UPDATE evaluations SET status = :status, error = :error, completed_at = :ended, "
            "item_count = COALESCE(CAST(:items AS INTEGER), item_count) WHERE id = :id",
            touches="evaluations",
            status=status.value,
            error=error,
            ended=None if status in ACTIVE else self._clock(),
            items=item_count,
            id=evaluation_id,
        )

    def _usable(self, model_name: str, version: int, *, dataset_id: str) -> Evaluation | None:
        """The newest evaluation on a dataset that has succeeded or is still under way."""
        found = self.find(model_name=model_name, version=version, dataset_id=dataset_id)
        return next((one for one in found if one.is_active or one.status is EvaluationStatus.SUCCEEDED), None)


def _own_dataset(made: ModelVersion, kind: DatasetKind) -> str:
    if kind is DatasetKind.GAP:
        raise Invalid("The labelling task is missing.", hint="Name the task whose held-out items are to be used.")
    return made.job_id if kind is DatasetKind.TEST else made.training_sheet_id


def _check_comparable(before: Evaluation, after: Evaluation) -> None:
    if before.model_name == after.model_name and before.version == after.version:
        raise Conflict("Both evaluations are of the same version.", hint="Choose another version.")
    if not before.shares_dataset(after):
        raise Conflict(
            "These evaluations used different items, so their numbers cannot be compared.",
            hint="Evaluate both versions on the same dataset.",
        )
    for evaluation in (before, after):
        if evaluation.status is not EvaluationStatus.SUCCEEDED:
            raise Conflict(
                f"The evaluation of {evaluation.title} is {evaluation.status}.", hint="Wait until it has succeeded."
            )


def _side(joined: pd.DataFrame, side: str) -> pd.DataFrame:
    """The columns of one evaluation out of two that were joined."""
    return joined.rename(columns={f"{name}_{side}": name for name in ("expected", "actual", "latency_ms")})


def _differences(before: Sequence[MetricValue], after: Sequence[MetricValue]) -> tuple[MetricDifference, ...]:
    earlier = {(value.name, value.part): value for value in before}
    pairs = ((earlier.get((value.name, value.part)), value) for value in after)
    return tuple(MetricDifference(old, new) for old, new in pairs if old is not None)
