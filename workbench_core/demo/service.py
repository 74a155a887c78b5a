"""Load the demo data through the same services that people use, and remove it with everything made from it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from workbench_core import rows
from workbench_core.data_quality import DataQuality
from workbench_core.demo.recipes import LABEL_SETS, RULES, SHEETS, TEMPLATES
from workbench_core.demo.sources import SOURCES, DemoSource, data_folder
from workbench_core.errors import BackendError, Conflict, NotFound
from workbench_core.history import History
from workbench_core.label_sets import LabelSets
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Lake, Serving, Store, TableEntry
from workbench_core.prompt_templates import PromptTemplates
from workbench_core.sheets import Sheets

log = logging.getLogger(__name__)
_SOURCE_NAMES = ", ".join(f"'{source.name}'" for source in SOURCES)
# a sheet that somebody made over a demo table is made from demo data too: without its table it would be broken
_IS_DEMO_SHEET = f"(is_demo = TRUE OR source IN ({_SOURCE_NAMES}))"
_SHEETS = f"SELECT id FROM sheets WHERE {_IS_DEMO_SHEET}"
_TRAINING_SHEETS = f"SELECT id FROM training_sheets WHERE sheet_id IN ({_SHEETS})"
_ANSWERINGS = f"SELECT id FROM answerings WHERE training_sheet_id IN ({_TRAINING_SHEETS})"
_EXPORTS = f"SELECT id FROM exports WHERE training_sheet_id IN ({_TRAINING_SHEETS})"
_JOBS = f"SELECT id FROM training_jobs WHERE training_sheet_id IN ({_TRAINING_SHEETS})"
_VERSIONS = f"SELECT model_name || '/' || CAST(version AS TEXT) FROM model_versions WHERE job_id IN ({_JOBS})"
_MODELS = (  # a model that also has a version trained on other data is not ours to stop
    f"SELECT model_name FROM model_versions WHERE job_id IN ({_JOBS}) "
    f"AND model_name NOT IN (SELECT model_name FROM model_versions WHERE job_id NOT IN ({_JOBS}))"
)
_EVALUATIONS = f"SELECT id FROM evaluations WHERE training_sheet_id IN ({_TRAINING_SHEETS})"
_ENDPOINTS = f"SELECT id FROM endpoints WHERE model_name IN ({_MODELS})"
_GAPS = f"SELECT id FROM gaps WHERE sheet_id IN ({_SHEETS})"
_TASKS = f"SELECT id FROM labeling_tasks WHERE gap_id IN ({_GAPS})"
_QUALITY_RUNS = f"SELECT id FROM quality_runs WHERE sheet_id IN ({_SHEETS})"
_LABELS = f"SELECT id FROM canonical_labels WHERE sheet_id IN ({_SHEETS})"
_RUNS = (
    f"(subject_id IN ({_TRAINING_SHEETS}) OR subject_id IN ({_JOBS}) OR subject_id IN ({_EVALUATIONS}) "
    f"OR subject_id IN ({_VERSIONS}) OR subject_id IN ({_SHEETS}) OR subject_id IN ({_EXPORTS}) "
    f"OR EXISTS (SELECT 1 FROM gaps g WHERE g.id IN ({_GAPS}) "
    "AND runs.subject_id LIKE g.id || '/%'))"
)
# a demo template that somebody used on data of their own stays, as theirs
_UNUSED_TEMPLATES = (
    f"is_demo = TRUE AND id NOT IN (SELECT prompt_template_id FROM training_sheets WHERE sheet_id NOT IN ({_SHEETS})) "
    f"AND id NOT IN (SELECT prompt_template_id FROM attached_templates WHERE sheet_id NOT IN ({_SHEETS}))"
)

# in the order in which nothing is left pointing at a removed row
REMOVALS: tuple[tuple[str, str], ...] = (
    ("runs", _RUNS),
    ("labeling_task_items", f"task_id IN ({_TASKS})"),
    ("labeling_tasks", f"gap_id IN ({_GAPS})"),
    (
        "gap_closures",
        f"gap_id IN ({_GAPS}) OR evaluation_before_id IN ({_EVALUATIONS}) OR evaluation_after_id IN ({_EVALUATIONS})",
    ),
    ("gaps", f"sheet_id IN ({_SHEETS})"),
    ("feedback", f"endpoint_id IN ({_ENDPOINTS})"),
    ("incidents", f"endpoint_id IN ({_ENDPOINTS})"),
    ("alert_rules", f"endpoint_id IN ({_ENDPOINTS})"),
    ("drift_reports", f"endpoint_id IN ({_ENDPOINTS})"),
    ("deployments", f"endpoint_id IN ({_ENDPOINTS})"),
    ("endpoints", f"model_name IN ({_MODELS})"),
    ("evaluation_metrics", f"evaluation_id IN ({_EVALUATIONS})"),
    ("evaluation_items", f"evaluation_id IN ({_EVALUATIONS})"),
    ("evaluations", f"training_sheet_id IN ({_TRAINING_SHEETS})"),
    ("model_versions", f"job_id IN ({_JOBS})"),
    ("training_job_metrics", f"job_id IN ({_JOBS})"),
    ("training_job_events", f"job_id IN ({_JOBS})"),
    ("training_job_pairs", f"job_id IN ({_JOBS})"),
    ("training_jobs", f"training_sheet_id IN ({_TRAINING_SHEETS})"),
    ("exports", f"training_sheet_id IN ({_TRAINING_SHEETS})"),
    ("answering_pairs", f"answering_id IN ({_ANSWERINGS})"),
    ("replaced_answers", f"pair_id IN (SELECT id FROM pairs WHERE training_sheet_id IN ({_TRAINING_SHEETS}))"),
    ("answerings", f"training_sheet_id IN ({_TRAINING_SHEETS})"),
    ("former_usages", f"pair_id IN (SELECT id FROM pairs WHERE training_sheet_id IN ({_TRAINING_SHEETS}))"),
    ("review_steps", f"training_sheet_id IN ({_TRAINING_SHEETS})"),
    ("pair_drafts", f"pair_id IN (SELECT id FROM pairs WHERE training_sheet_id IN ({_TRAINING_SHEETS}))"),
    ("pair_comments", f"pair_id IN (SELECT id FROM pairs WHERE training_sheet_id IN ({_TRAINING_SHEETS}))"),
    ("pair_reviews", f"training_sheet_id IN ({_TRAINING_SHEETS})"),
    ("pairs", f"training_sheet_id IN ({_TRAINING_SHEETS})"),
    ("training_sheets", f"sheet_id IN ({_SHEETS})"),
    ("canonical_label_versions", f"canonical_label_id IN ({_LABELS})"),
    ("canonical_labels", f"sheet_id IN ({_SHEETS})"),
    ("quality_failures", f"quality_run_id IN ({_QUALITY_RUNS})"),
    ("quality_outcomes", f"quality_run_id IN ({_QUALITY_RUNS})"),
    ("quality_runs", f"sheet_id IN ({_SHEETS})"),
    ("quality_decisions", f"sheet_id IN ({_SHEETS})"),
    ("quarantined_items", f"sheet_id IN ({_SHEETS})"),
    ("quality_rules", f"sheet_id IN ({_SHEETS})"),
    ("quality_profiles", f"sheet_id IN ({_SHEETS})"),
    ("quality_options", f"sheet_id IN ({_SHEETS})"),
    ("attached_templates", f"sheet_id IN ({_SHEETS})"),
    ("label_sets", "is_demo = TRUE"),
    ("prompt_templates", _UNUSED_TEMPLATES),
    ("unsaved_sheets", f"sheet_id IN ({_SHEETS})"),
    ("sheets", _IS_DEMO_SHEET),
)
# what stays may point at what goes: it forgets its origin first
_DETACHED: tuple[tuple[str, str], ...] = (
    (
        "training_jobs",
        f"UPDATE training_jobs SET parent_job_id = NULL WHERE parent_job_id IN ({_JOBS})",
    ),
    (
        "prompt_templates",
        "UPDATE prompt_templates SET parent_id = NULL WHERE parent_id IN "
        f"(SELECT id FROM prompt_templates WHERE {_UNUSED_TEMPLATES})",
    ),
    (
        "label_sets",
        "UPDATE label_sets SET parent_id = NULL WHERE parent_id IN (SELECT id FROM label_sets WHERE is_demo = TRUE)",
    ),
)
_TOLD = {
    "sheets": "sheets",
    "prompt_templates": "prompt templates",
    "label_sets": "label sets",
    "training_sheets": "training sheets",
    "pairs": "pairs",
    "canonical_labels": "canonical labels",
    "quality_rules": "quality rules",
    "quality_runs": "quality runs",
    "quarantined_items": "decided items",
    "training_jobs": "training jobs",
    "model_versions": "model versions",
    "evaluations": "evaluations",
    "endpoints": "endpoints",
    "feedback": "feedback",
    "gaps": "gaps",
    "labeling_tasks": "labelling tasks",
}


@dataclass(frozen=True, slots=True)
class DemoContent:
    """What stands on the demo data now, in numbers of records by table; empty when it is not loaded."""

    counts: dict[str, int]

    @property
    def is_loaded(self) -> bool:
        """Whether the demo sheets are there."""
        return bool(self.counts.get("sheets"))

    @property
    def told(self) -> dict[str, int]:
        """The same in words that people know, without the rows behind them."""
        return {words: self.counts[table] for table, words in _TOLD.items() if table in self.counts}


class Demo:
    """Put the demo data in place and take it away again."""

    def __init__(
        self,
        store: Store,
        lake: Lake,
        history: History,
        permissions: Permissions,
        *,
        sheets: Sheets,
        prompt_templates: PromptTemplates,
        label_sets: LabelSets,
        data_quality: DataQuality,
        serving: Serving,
    ) -> None:
        self._store = store
        self._lake = lake
        self._history = history
        self._permissions = permissions
        self._sheets = sheets
        self._prompt_templates = prompt_templates
        self._label_sets = label_sets
        self._data_quality = data_quality
        self._serving = serving

    def sources(self) -> tuple[DemoSource, ...]:
        """What ships, with source and licence."""
        return SOURCES

    def content(self) -> DemoContent:
        """What there is now, so that a person knows what a removal takes away."""
        counts = {table: self._count(table, where) for table, where in REMOVALS}
        return DemoContent({table: count for table, count in counts.items() if count})

    def is_loaded(self) -> bool:
        """Whether the demo sheets are there."""
        return bool(self._count("sheets", "is_demo = TRUE"))

    def load(self, *, by: str) -> DemoContent:
        """Put tables, pictures, sheets, templates and label sets in place; what is there already stays as it is."""
        self._permissions.check(by, Action.ADMINISTER)
        present = {entry.name for entry in self._lake.tables()}
        for source in SOURCES:
            if source.name not in present:
                self._put(source)
        with self._store.transaction():
            if not self.is_loaded():
                self._create(by=by)
        return self.content()

    def remove(self, *, by: str) -> DemoContent:
        """Take away the demo data and everything made from it; give what was removed. User data stays untouched.

        Registered model files and the log of requests stay where tracking and serving keep them. Raises Conflict while
        work on the demo data is under way.
        """
        self._permissions.check(by, Action.ADMINISTER)
        self._check_idle()
        removed = self.content()
        endpoints = self._store.query(f"SELECT name FROM endpoints WHERE id IN ({_ENDPOINTS}) ORDER BY name")
        with self._store.transaction():
            for table, statement in _DETACHED:
                self._store.execute(statement, touches=table)
            for table, where in REMOVALS:
                self._store.execute(f"DELETE FROM {table} WHERE {where}", touches=table)
            self._store.execute(
                "UPDATE prompt_templates SET is_demo = FALSE WHERE is_demo = TRUE", touches="prompt_templates"
            )
            self._history.add("demo", "demo", "remove", by=by, **removed.counts)
        for row in endpoints:
            self._stop(rows.text(row, "name"))
        present = {entry.name for entry in self._lake.tables()}
        for source in SOURCES:
            if source.name in present:
                self._lake.drop(source.name)
        return removed

    def _check_idle(self) -> None:
        found = self._store.query(
            f"SELECT title FROM runs WHERE status IN ('queued', 'running') AND {_RUNS} ORDER BY queued_at, id LIMIT 1"
        )
        if found:
            raise Conflict(
                f"“{rows.text(found[0], 'title')}” is under way on the demo data.", hint="Wait for it or cancel it."
            )

    def _count(self, table: str, where: str) -> int:
        return rows.whole(self._store.query(f"SELECT COUNT(*) AS records FROM {table} WHERE {where}")[0], "records")

    def _put(self, source: DemoSource) -> None:
        is_volume = len(source.files) > 1
        entry = TableEntry(
            name=source.name,
            kind="volume" if is_volume else "table",
            comment=source.description,
            licence=source.licence,
            source=source.source,
            is_demo=True,
        )
        if is_volume:
            folder = data_folder() / source.files[1]
            files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
            self._lake.put_files(source.name, files, entry=entry)
        else:
            file = data_folder() / source.files[0]
            self._lake.put_table(source.name, file, original_name=file.name, entry=entry)

    def _create(self, *, by: str) -> None:
        for sheet_draft in SHEETS:
            sheet = self._sheets.create(sheet_draft, by=by, is_demo=True)
            self._sheets.move(sheet.id, "publish", by=by)
            if rules := RULES.get(sheet_draft.name):
                self._data_quality.save_rules(sheet.id, rules, by=by)
        for template_draft in TEMPLATES:
            template = self._prompt_templates.create(template_draft, by=by, is_demo=True)
            self._prompt_templates.move(template.id, "publish", by=by)
        for label_set_draft in LABEL_SETS:
            label_set = self._label_sets.create(label_set_draft, by=by, is_demo=True)
            self._label_sets.move(label_set.id, "publish", by=by)
        self._history.add("demo", "demo", "load", by=by)

    def _stop(self, endpoint: str) -> None:
        """The records are gone; an endpoint that nobody serves any more is as good as stopped."""
        try:
            self._serving.remove(endpoint)
        except (NotFound, BackendError) as error:
            log.warning("Endpoint %s could not be stopped: %s", endpoint, error.message)
