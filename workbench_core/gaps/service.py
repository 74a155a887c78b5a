"""The service: analyse a version, keep its gaps, move them, and compute whether they closed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound
from workbench_core.evaluations import DatasetKind, Evaluations
from workbench_core.gaps import analysis, closure, model
from workbench_core.gaps.analysis import AnalysisResult, Evidence, FoundGap, known_gap
from workbench_core.gaps.chain import ChainStep, chain
from workbench_core.gaps.closure import ClosureVerdict, GapClosure
from workbench_core.gaps.model import LIFECYCLE, NEEDS_NOTE, UNDER_WORK, Gap, GapStatus
from workbench_core.history import History
from workbench_core.metrics import Comparison
from workbench_core.model_versions import ModelVersion, ModelVersions
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Lake, Store
from workbench_core.runs import Run, RunContext, Runs
from workbench_core.sheets import Sheet, Sheets
from workbench_core.statistics import Interval

if TYPE_CHECKING:
    import pandas as pd

KIND = "analyse_gaps"
CLOSE_KIND = "close_gap"


class Gaps:
    """Find gaps, look at them, and prove that they closed."""

    def __init__(
        self,
        store: Store,
        lake: Lake,
        history: History,
        permissions: Permissions,
        runs: Runs,
        clock: Clock,
        *,
        sheets: Sheets,
        versions: ModelVersions,
        evaluations: Evaluations,
    ) -> None:
        self._store = store
        self._lake = lake
        self._history = history
        self._permissions = permissions
        self._runs = runs
        self._clock = clock
        self._sheets = sheets
        self._versions = versions
        self._evaluations = evaluations

    # --- finding -----------------------------------------------------------------------------------------------------

    def analyse(self, model_name: str, version: int, *, by: str) -> Run:
        """Look for gaps in the background (GA-1). Raises NotFound for an unknown version."""
        self._permissions.check(by, Action.IMPROVE)
        made = self._versions.get(model_name, version)
        return self._runs.start(KIND, f"{model_name}/{version}", title=f"Find gaps of {made.title}", by=by)

    def handle(self, context: RunContext) -> None:
        """Do a queued analysis; the worker calls it."""
        model_name, _, version = context.subject_id.rpartition("/")
        context.report(0, 1, "Reading evaluation items and feedback")
        result = self.analyse_now(model_name, int(version), by=context.by)
        context.report(1, 1, f"{len(result.new)} new gaps, {len(result.seen_again)} seen again")

    def analyse_now(self, model_name: str, version: int, *, by: str) -> AnalysisResult:
        """Look for gaps in this thread. Raises Invalid when too few outcomes are known."""
        self._permissions.check(by, Action.IMPROVE)
        made = self._versions.get(model_name, version)
        sheet = self._sheets.get(made.sheet_id)
        evidence = analysis.gather(self._store, self._lake, made, sheet)
        found = analysis.search(evidence, self._training_rows(made, sheet), made)
        with self._store.transaction():
            fresh, again = self._sorted_out(found, made, evidence)
            new_ids = self._insert(fresh, made, sheet, evidence, by=by)
            for known, gap in again:
                self._see_again(known, gap, made, evidence, by=by)
        return AnalysisResult(
            new=tuple(new_ids),
            seen_again=tuple(known.id for known, _ in again),
            examined_items=len(evidence.items),
            failures=evidence.failures,
            sources=evidence.sources,
        )

    def run_of(self, model_name: str, version: int) -> Run | None:
        """The latest analysis of a version."""
        return self._runs.latest(KIND, f"{model_name}/{version}")

    def closing_of(self, gap_id: str, version_after: int) -> Run | None:
        """The latest computation of a closure in the background."""
        return self._runs.latest(CLOSE_KIND, f"{gap_id}/{version_after}")

    # --- looking -----------------------------------------------------------------------------------------------------

    def find(
        self, *, model_name: str = "", status: GapStatus | None = None, include_closed: bool = False, limit: int = 100
    ) -> list[Gap]:
        """Gaps, the most urgent first; resolved and left ones only when asked for (GA-5)."""
        hidden = set() if include_closed or status else {GapStatus.RESOLVED, GapStatus.WONT_FIX}
        found = self._store.query(
            f"SELECT {model.COLUMNS} {model.FROM} WHERE status IN :statuses AND :name IN ('', model_name) "
            "ORDER BY priority DESC, last_seen_at DESC, id LIMIT :limit",
            statuses=[status] if status else [one for one in GapStatus if one not in hidden],
            name=model_name,
            limit=limit,
        )
        return [model.gap(row) for row in found]

    def get(self, gap_id: str) -> Gap:
        """One gap. Raises NotFound."""
        found = self._store.query(f"SELECT {model.COLUMNS} {model.FROM} WHERE id = :id", id=gap_id)
        if not found:
            raise NotFound("This gap does not exist.", hint="Choose one on the Improve page.")
        return model.gap(found[0])

    def closures(self, gap_id: str) -> list[GapClosure]:
        """Every time the closure was computed, newest first."""
        found = self._store.query(
            f"SELECT {closure.COLUMNS} FROM gap_closures WHERE gap_id = :gap ORDER BY computed_at DESC, id", gap=gap_id
        )
        return [closure.closure(row) for row in found]

    def evidence(self, gap_id: str) -> pd.DataFrame:
        """The kept sample of failed items: item_ref, expected, actual, origin, then the sheet's columns."""
        import pandas as pd

        gap = self.get(gap_id)
        sheet = self._sheets.get(gap.sheet_id)
        kept = pd.DataFrame(list(gap.evidence), columns=["item_ref", "expected", "actual", "origin"])
        columns = [name for name in sheet.columns if name != sheet.item_id_column and name not in kept.columns]
        rows_ = analysis.items_of(self._lake, sheet, kept["item_ref"].tolist(), columns=columns)
        return kept.join(rows_[columns], on="item_ref")

    def chain(self, gap_id: str) -> tuple[ChainStep, ...]:
        """The whole way of a gap, from found to closed, each step with time and count. Raises NotFound."""
        return chain(self._store, self.get(gap_id))

    # --- changing ----------------------------------------------------------------------------------------------------

    def move(self, gap_id: str, action: str, *, by: str, note: str = "") -> Gap:
        """Move a gap through its life. Raises InvalidTransition, Invalid when a note is missing."""
        self._permissions.check(by, Action.IMPROVE)
        gap = self.get(gap_id)
        to = LIFECYCLE.next(gap.status, action, subject="This gap")
        if action in NEEDS_NOTE and not note.strip():
            raise Invalid("A note is needed.", hint="Say in a sentence why.")
        with self._store.transaction():
            changed = self._store.execute(
                "UPDATE gaps SET status = :to, note = CASE WHEN :note = '' THEN note ELSE :note END, "
                "row_version = row_version + 1 WHERE id = :id AND row_version = :expected",
                touches="gaps",
                to=to,
                note=note.strip(),
                id=gap_id,
                expected=gap.row_version,
            )
            if not changed:
                raise ChangedByOthers("This gap was just changed by someone else.", hint="Reload and try again.")
            self._history.add("gap", gap_id, action, by=by, note=note)
        return self.get(gap_id)

    def start_closing(self, gap_id: str, version_after: int, *, by: str) -> Run:
        """Compute the closure in the background. Raises as `close` does, before anything is queued."""
        gap = self._check_closable(gap_id, version_after, by=by)
        title = f"Compute closure of “{gap.description[:60]}” with v{version_after}"
        return self._runs.start(CLOSE_KIND, f"{gap_id}/{version_after}", title=title, by=by, total=2)

    def handle_closing(self, context: RunContext) -> None:
        """Do a queued closure; the worker calls it."""
        gap_id, _, version = context.subject_id.rpartition("/")
        context.report(0, 2, "Evaluating both versions on the held-out items")
        result = self.close(gap_id, int(version), by=context.by)
        context.report(2, 2, result.sentence)

    def close(self, gap_id: str, version_after: int, *, by: str) -> GapClosure:
        """Evaluate the version before and the one after on the gap's held-out items and store the verdict (GA-8).

        A closed gap is resolved by this computation. Raises Conflict without a task that set items aside or without an
        item that both versions may be measured on, Invalid when none is labelled yet, NotFound for the version.
        """
        gap = self._check_closable(gap_id, version_after, by=by)
        task_id = self._task_of(gap)
        before = self._evaluated(gap.model_name, gap.version, task_id, by=by)
        after = self._evaluated(gap.model_name, version_after, task_id, by=by)
        compared = self._evaluations.compare(before, after, score="correct")
        if not compared.items.n:
            raise Conflict(
                "No held-out item is left that neither version was trained on.",
                hint="Create another labelling task from this gap.",
            )
        result = self._closure_of(gap, version_after, compared.items, (before, after), by=by)
        with self._store.transaction():
            self._store.append("gap_closures", [closure.row(result)])
            self._history.add("gap", gap.id, "compute closure", by=by, verdict=result.verdict.value)
            if result.verdict is ClosureVerdict.CLOSED and gap.is_open:
                self.move(gap_id, "resolve", by=by, note=result.sentence)
        return result

    # --- inside ------------------------------------------------------------------------------------------------------

    def _training_rows(self, made: ModelVersion, sheet: Sheet) -> pd.DataFrame:
        used = sorted(self._versions.used_items(made.model_name, made.version))
        return analysis.items_of(self._lake, sheet, used, columns=sheet.columns)

    def _check_closable(self, gap_id: str, version_after: int, *, by: str) -> Gap:
        self._permissions.check(by, Action.IMPROVE)
        gap = self.get(gap_id)
        self._versions.get(gap.model_name, version_after)
        if version_after == gap.version:
            raise Invalid("Choose a version other than the one with the gap.", hint="Retrain first.")
        self._task_of(gap)
        return gap

    def _sorted_out(
        self, found: list[FoundGap], made: ModelVersion, evidence: Evidence
    ) -> tuple[list[FoundGap], list[tuple[Gap, FoundGap]]]:
        """Which gaps are new, and which are known ones; a known gap is seen again once, by the most urgent."""
        known = self._known(made)
        fresh: list[FoundGap] = []
        again: dict[str, tuple[Gap, FoundGap]] = {}
        for gap in found:
            same = known_gap(gap, known, evidence)
            if same is None:
                fresh.append(gap)
            else:
                again.setdefault(same.id, (same, gap))
        return fresh, list(again.values())

    def _known(self, made: ModelVersion) -> list[Gap]:
        """All gaps of the model on this sheet, also the resolved ones."""
        found = self._store.query(
            f"SELECT {model.COLUMNS} {model.FROM} WHERE model_name = :name AND sheet_id = :sheet "
            "ORDER BY first_seen_at, id",
            name=made.model_name,
            sheet=made.sheet_id,
        )
        return [model.gap(row) for row in found]

    def _insert(
        self, found: list[FoundGap], made: ModelVersion, sheet: Sheet, evidence: Evidence, *, by: str
    ) -> list[str]:
        now = self._clock()
        ids = [new_id("gap") for _ in found]
        self._store.append(
            "gaps",
            [
                {
                    "id": gap_id,
                    "sheet_id": made.sheet_id,
                    "prompt_template_id": made.prompt_template_id,
                    "label_type": made.label_type,
                    "status": GapStatus.IDENTIFIED.value,
                    "model_name": made.model_name,
                    "identified_by": by,
                    "first_seen_at": now,
                    "is_demo": sheet.is_demo,
                    **_measured(gap, made, evidence, now),
                }
                for gap_id, gap in zip(ids, found, strict=True)
            ],
        )
        self._history.add_many("gap", ids, "identify", by=by, model=made.title)
        return ids

    def _see_again(self, known: Gap, gap: FoundGap, made: ModelVersion, evidence: Evidence, *, by: str) -> None:
        """Refresh the numbers of a known gap; one that was resolved is open again (GA-1).

        A gap under work keeps what it was found with: its task and its closure stand on that.
        """
        now = self._clock()
        values = {"last_seen_at": now} if known.status in UNDER_WORK else _measured(gap, made, evidence, now)
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        self._store.execute(
            f"UPDATE gaps SET {assignments}, occurrences = occurrences + 1, row_version = row_version + 1, "
            "status = CASE WHEN status = 'resolved' THEN 'identified' ELSE status END WHERE id = :id",
            touches="gaps",
            id=known.id,
            **values,
        )
        action = "reopen" if known.status is GapStatus.RESOLVED else "see again"
        self._history.add("gap", known.id, action, by=by, model=made.title)

    def _task_of(self, gap: Gap) -> str:
        """The task whose held-out items measure the closure: a completed one before one that is still open."""
        found = self._store.query(
            "SELECT id FROM labeling_tasks WHERE gap_id = :gap AND status <> 'cancelled' "
            "ORDER BY CASE WHEN status = 'completed' THEN 0 ELSE 1 END, created_at DESC, id LIMIT 1",
            gap=gap.id,
        )
        if not found:
            raise Conflict(
                "No items of this gap were set aside, so its closure cannot be measured.",
                hint="Create a labelling task from it first.",
            )
        return rows.text(found[0], "id")

    def _evaluated(self, model_name: str, version: int, task_id: str, *, by: str) -> str:
        return self._evaluations.evaluate_now(
            model_name, version, by=by, dataset_kind=DatasetKind.GAP, dataset_id=task_id
        ).id

    def _closure_of(
        self, gap: Gap, version_after: int, compared: Comparison, evaluations: tuple[str, str], *, by: str
    ) -> GapClosure:
        items = {one: self._evaluations.items(one) for one in evaluations}
        shared = set.intersection(*(set(frame["pair_id"]) for frame in items.values()))
        before, after = (
            float((~frame[frame["pair_id"].isin(shared)]["is_correct"]).mean()) for frame in items.values()
        )
        return GapClosure(
            id=new_id("closure"),
            gap_id=gap.id,
            model_name=gap.model_name,
            version_before=gap.version,
            version_after=version_after,
            evaluation_before_id=evaluations[0],
            evaluation_after_id=evaluations[1],
            item_count=compared.n,
            error_before=before,
            error_after=after,
            difference=after - before,
            interval=Interval(-compared.interval.high, -compared.interval.low),
            wins=compared.wins,
            losses=compared.losses,
            verdict=closure.closure_verdict(compared, error_after=after, overall_rate=gap.overall_rate),
            computed_by=by,
            computed_at=self._clock(),
        )


def _measured(
    gap: FoundGap, made: ModelVersion, evidence: Evidence, now: datetime
) -> dict[str, str | int | float | datetime]:
    """The columns that an analysis measures."""
    one = gap.slice
    return {
        "fingerprint": gap.fingerprint,
        "version": made.version,
        "gap_type": gap.gap_type.value,
        "severity": one.severity.value,
        "description": one.description,
        "predicate": one.predicate.to_json(),
        "evidence_type": " and ".join(sorted(evidence.sources)),
        "evidence": rows.to_json(analysis.evidence_rows(evidence, one)),
        "item_count": one.support,
        "failure_count": one.failures,
        "error_rate": one.rate,
        "error_low": one.interval.low,
        "error_high": one.interval.high,
        "overall_rate": one.overall_rate,
        "q_value": one.q_value,
        "estimated_records": gap.estimated_records,
        "priority": gap.priority,
        "last_seen_at": now,
    }
