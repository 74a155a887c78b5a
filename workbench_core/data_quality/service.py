"""The service: rules of a sheet, its profile and suggestions, runs of the checks and their reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from workbench_core.clock import Clock, new_id
from workbench_core.data_quality import (
    reports,
    rule_export,
    rule_files,
    rule_history,
    rule_records,
    rule_vetting,
    run_records,
    sheet_profiles,
)
from workbench_core.data_quality.checking import Checking
from workbench_core.data_quality.fix_queue import FixQueue
from workbench_core.data_quality.outliers import LIMITS
from workbench_core.data_quality.progress import Progress
from workbench_core.data_quality.proposals import Proposals, Proposer
from workbench_core.data_quality.quarantine import Quarantine
from workbench_core.data_quality.reports import FailuresFile
from workbench_core.data_quality.results import QualityRun, RunComparison, Sample
from workbench_core.data_quality.rule_export import Format, WrittenRules
from workbench_core.data_quality.rule_files import RefusedRule
from workbench_core.data_quality.rule_history import Change
from workbench_core.data_quality.rule_vetting import ImportPreview, ImportResult
from workbench_core.data_quality.rules import MAX_RULES, Rule, RuleDraft
from workbench_core.data_quality.scan_options import ScanOptions, options_from
from workbench_core.data_quality.sheet_profiles import INLINE_CELLS, SheetProfile
from workbench_core.data_quality.suggestions import RuleSuggestion, suggest
from workbench_core.errors import Conflict, Invalid, NotPermitted, Stopped
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import ChatModel, Lake, Store, Watch
from workbench_core.runs import Run, RunContext, Runs, RunStopped
from workbench_core.sheets import Sheet, Sheets

CHECK_KIND = "check_quality"
PROFILE_KIND = "profile_sheet"


class DataQuality:
    """Say what rows must be like, find out which are not, and decide about them."""

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
        chat_model: ChatModel,
    ) -> None:
        self._store = store
        self._lake = lake
        self._history = history
        self._permissions = permissions
        self._runs = runs
        self._clock = clock
        self._sheets = sheets
        self._chat_model = chat_model
        self.quarantine = Quarantine(store)
        self.fix_queue = FixQueue(store, lake, history, permissions, clock, sheets=sheets)
        self._checking = Checking(
            store, lake, history, clock, sheets=sheets, enabled_rules=self._enabled_rules, options=self.scan_options
        )

    # --- rules -------------------------------------------------------------------------------------------------------

    def rules(self, sheet_id: str) -> list[Rule]:
        """All rules of a sheet, enabled or not, in the order in which they were made."""
        return rule_records.of_sheet(self._store, sheet_id)

    def rule_counts(self, sheet_ids: Sequence[str]) -> dict[str, int]:
        """How many rules each of these sheets has; a sheet without any is left out."""
        return rule_records.counts(self._store, sheet_ids)

    def problems(self, sheet_id: str, draft: RuleDraft) -> list[str]:
        """Why a rule cannot run on a sheet, as sentences; empty when it can."""
        sheet = self._sheets.get(sheet_id)
        return rule_vetting.problems(self._lake, sheet.relation, [draft], identifier=sheet.item_id_column)[0]

    def save_rule(self, sheet_id: str, draft: RuleDraft, *, by: str) -> Rule:
        """Add a rule (DQ-4). Raises Invalid with everything that is wrong with it, Conflict for a taken name."""
        return self.save_rules(sheet_id, [draft], by=by)[0]

    def save_rules(self, sheet_id: str, drafts: Sequence[RuleDraft], *, by: str) -> list[Rule]:
        """Add several rules, or none when one of them is wrong."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        named = [replace(draft, name=draft.proposed_name) for draft in drafts]
        rule_vetting.check(self._lake, sheet.relation, named, identifier=sheet.item_id_column)
        made = [self._new(sheet, draft, by=by) for draft in named]
        with self._store.transaction():
            self._check_room(sheet, len(made))
            rule_records.insert(self._store, made)
            self._record(sheet.id, "add quality rules", [(None, rule) for rule in made], by=by)
        return made

    def update_rule(self, rule_id: str, draft: RuleDraft, *, by: str, row_version: int) -> Rule:
        """Change a rule. Raises Invalid, Conflict for a taken name, ChangedByOthers for an old version."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        rule = rule_records.get(self._store, rule_id)
        named = replace(draft, name=draft.proposed_name)
        if found := self.problems(rule.sheet_id, named):
            raise Invalid(f"“{rule.name}” is not changed. {' '.join(found)}", hint="Correct it and save again.")
        changed = self._changed(rule, named, by=by, row_version=row_version)
        with self._store.transaction():
            rule_records.change(self._store, [changed])
            self._record(rule.sheet_id, "change quality rule", [(rule, changed)], by=by)
        return changed

    def enable_rules(self, rules: Sequence[Rule], *, is_enabled: bool, by: str) -> list[Rule]:
        """Let rules of a sheet, as the person saw them, take part in runs or not; all of them, or none.

        Raises ChangedByOthers; enabling also Invalid for rules that cannot run.
        """
        self._permissions.check(by, Action.MANAGE_QUALITY)
        moved = [rule for rule in rules if rule.is_enabled is not is_enabled]
        if not moved:
            return []
        sheet_id = _sheet_of(moved)
        if is_enabled:
            rule_vetting.check(self._lake, self._sheets.get(sheet_id).relation, [rule.draft for rule in moved])
        changed = [
            self._changed(rule, replace(rule.draft, is_enabled=is_enabled), by=by, row_version=rule.row_version)
            for rule in moved
        ]
        with self._store.transaction():
            rule_records.change(self._store, changed)
            action = "enable quality rules" if is_enabled else "disable quality rules"
            self._record(sheet_id, action, list(zip(moved, changed, strict=True)), by=by)
        return changed

    def delete_rules(self, rules: Sequence[Rule], *, by: str) -> None:
        """Remove rules of a sheet, as the person saw them; all of them, or none. Past runs keep what they were.

        Raises NotFound, ChangedByOthers.
        """
        self._permissions.check(by, Action.MANAGE_QUALITY)
        if not rules:
            return
        with self._store.transaction():
            rule_records.remove(self._store, rules)
            self._record(_sheet_of(rules), "delete quality rules", [(rule, None) for rule in rules], by=by)

    def import_rules(self, sheet_id: str, text: str, *, by: str, replacing: Sequence[Rule] = ()) -> ImportResult:
        """Add the rules of a DQX file that fit the sheet; the others come back with number and reasons.

        A rule whose name is taken is refused, unless the old one, as the person saw it, is among `replacing`: then it
        becomes the new one. Raises Invalid when the text is no list of rules, ChangedByOthers.
        """
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        fitting, refused = self._read_import(sheet, text, replacing)
        old = {rule.name: rule for rule in replacing}
        added = [self._new(sheet, draft, by=by) for draft in fitting if draft.name not in old]
        replaced = [
            (rule, self._changed(rule, draft, by=by, row_version=rule.row_version))
            for draft in fitting
            if (rule := old.get(draft.name)) is not None
        ]
        with self._store.transaction():
            self._check_room(sheet, len(added))
            rule_records.change(self._store, [after for _, after in replaced])
            rule_records.insert(self._store, added)
            changes: list[Change] = [(None, rule) for rule in added]
            self._record(sheet.id, "import quality rules", [*changes, *replaced], by=by)
        made = {rule.name: rule for rule in (*added, *(after for _, after in replaced))}
        return ImportResult(tuple(made[draft.name] for draft in fitting), refused)

    def preview_import(self, sheet_id: str, text: str, *, replacing: Sequence[Rule] = ()) -> ImportPreview:
        """What `import_rules` would do; nothing is saved. Raises Invalid when the text is no list of rules."""
        fitting, refused = self._read_import(self._sheets.get(sheet_id), text, replacing)
        return ImportPreview(tuple(fitting), refused)

    def export_rules(self, sheet_id: str, *, format: Format = "yaml", for_dqx: bool = True) -> WrittenRules:
        """The rules as a file for DQX, or, with `for_dqx=False`, whole for another sheet of a workbench."""
        return rule_export.write([rule.draft for rule in self.rules(sheet_id)], format=format, for_dqx=for_dqx)

    # --- profile and proposals ---------------------------------------------------------------------------------------

    def profile(self, sheet_id: str, *, by: str) -> SheetProfile | None:
        """Profile a sheet anew (DQ-1): at once when it is small, else by a run, and None until that has ended."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        columns = len(self._lake.columns(sheet.relation))
        if columns * self._lake.count(sheet.selection()) > INLINE_CELLS:
            self._runs.start(PROFILE_KIND, sheet.id, title=f"Profile “{sheet.name}”", by=by)
            return None
        return self._profiled(sheet, by=by)

    def kept_profile(self, sheet_id: str) -> SheetProfile | None:
        """The last profile; None when there is none."""
        return sheet_profiles.kept(self._store, sheet_id)

    def handle_profile(self, context: RunContext) -> None:
        """Do a queued profile; the worker calls it. What is stopped leaves the former profile as it was."""
        progress = Progress(context, message="Reading all rows")
        progress.part("Reading all rows", 0, 99)
        try:
            self._profiled(self._sheets.get(context.subject_id), by=context.by, watch=progress.watch)
        except Stopped:
            raise RunStopped from None
        context.report(100, 100, "Done")

    def cancel_profile(self, sheet_id: str, *, by: str) -> Run:
        """Stop a profile that is a run. Raises Conflict when none is under way."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        run = self.profiling(sheet_id)
        if run is None or not run.is_active:
            raise Conflict("No profile is being made.", hint="Start one.")
        return self._runs.cancel(run.id, by=by)

    def profiling(self, sheet_id: str) -> Run | None:
        """The newest run that profiles a sheet."""
        return self._runs.latest(PROFILE_KIND, sheet_id)

    def suggestions(self, sheet_id: str) -> list[RuleSuggestion]:
        """Rules that the kept profile suggests (DQ-2), without those that the sheet has already."""
        profile = self.kept_profile(sheet_id)
        if profile is None:
            return []
        there = self.rules(sheet_id)
        known = {(rule.draft.function, column) for rule in there for column in rule.draft.columns}
        identifier = self._sheets.get(sheet_id).item_id_column
        found = suggest(profile.columns, now=self._clock(), references=profile.references, identifier=identifier)
        fresh = [one for one in found if (one.draft.function, one.draft.columns[0]) not in known]
        names = {rule.name for rule in there}
        return [replace(one, draft=rule_vetting.renamed(one.draft, names)) for one in fresh]

    def propose_from_text(
        self,
        sheet_id: str,
        sentence: str,
        *,
        by: str,
        use_model: bool = True,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Proposals:
        """Rules out of plain language (DQ-3): by grammar, and what that does not understand by the model.

        `cancelled` is asked while the model answers. Nothing is saved. Raises Invalid for an empty text.
        """
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        if not sentence.strip():
            raise Invalid("There is no text.", hint="Describe a rule, e.g. “price between 0 and 100”.")
        names = frozenset(rule.name for rule in self.rules(sheet_id))
        proposer = Proposer(self._lake, sheet.relation, names)
        return proposer.propose(sentence, self._chat_model if use_model else None, cancelled=cancelled)

    # --- runs --------------------------------------------------------------------------------------------------------

    def start(self, sheet_id: str, *, by: str, options: ScanOptions | None = None) -> Run:
        """Check all rows in the background (DQ-5); without options the scans of the last time are made again.

        Raises Invalid when there is nothing to check or a rule cannot run, Conflict while a run is under way.
        """
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        chosen = self.scan_options(sheet_id) if options is None else options
        if not 0.5 <= chosen.similarity < 1.0:
            raise Invalid("The similarity must be at least 50 % and below 100 %.", hint="80 % is usual.")
        if not LIMITS[0] <= chosen.outlier_distance <= LIMITS[1]:
            raise Invalid(f"The distance must be {LIMITS[0]:g} to {LIMITS[1]:g}.", hint="3.5 is usual.")
        self._checking.plan(sheet, chosen)
        with self._store.transaction():
            run = self._runs.start(CHECK_KIND, sheet_id, title=f"Check “{sheet.name}”", by=by, total=100)
            self._keep_options(sheet_id, chosen)
        self._runs.wake.set()  # the run can be seen only now
        return run

    def handle(self, context: RunContext) -> None:
        """Do a queued run of the checks; the worker calls it."""
        self._checking.handle(context)

    def cancel(self, sheet_id: str, *, by: str) -> Run:
        """Ask the run that is under way to stop: one that waits stops at once, one at work at its next step.

        Nothing of it is kept, unless it was storing its result already: then it succeeds. Raises Conflict when there
        is none.
        """
        self._permissions.check(by, Action.MANAGE_QUALITY)
        run = self.run_of(sheet_id)
        if run is None or not run.is_active:
            raise Conflict("No check is under way.", hint="Start one.")
        return self._runs.cancel(run.id, by=by)

    def run_of(self, sheet_id: str) -> Run | None:
        """The newest run of the checks as long work: waiting, at work, or how it ended."""
        return self._runs.latest(CHECK_KIND, sheet_id)

    def scan_options(self, sheet_id: str) -> ScanOptions:
        """What the last run looked for beside the rules."""
        found = self._store.query("SELECT options FROM quality_options WHERE sheet_id = :sheet", sheet=sheet_id)
        return options_from(found[0]) if found else ScanOptions()

    def find_runs(self, sheet_id: str, *, limit: int = 10) -> list[QualityRun]:
        """Finished runs of a sheet, newest first (DQ-6); their outcomes come without samples."""
        return run_records.find(self._store, sheet_id, limit=limit)

    def get_run(self, quality_run_id: str) -> QualityRun:
        """One finished run with samples of the failing items of each check. Raises NotFound."""
        return run_records.get(self._store, quality_run_id)

    def latest(self, sheet_id: str) -> QualityRun | None:
        """The newest finished run of a sheet with samples; None before the first."""
        found = self.find_runs(sheet_id, limit=1)
        return self.get_run(found[0].id) if found else None

    def latest_of(self, sheet_ids: Sequence[str]) -> dict[str, QualityRun]:
        """The newest finished run of each of these sheets, for a list with scores; outcomes are left out."""
        return run_records.newest(self._store, sheet_ids)

    def trends(self, sheet_ids: Sequence[str], *, limit: int = 10) -> dict[str, tuple[float, ...]]:
        """The pass rates of the last runs of each of these sheets, the oldest first."""
        return run_records.trends(self._store, sheet_ids, limit=limit)

    def failing(self, quality_run_id: str, position: int, *, limit: int = 50, offset: int = 0) -> list[Sample]:
        """The items that fail one check of a run, with their values; of a run that keeps none, the samples."""
        return run_records.failing(self._store, self.get_run(quality_run_id), position, limit=limit, offset=offset)

    def kept_failing(self, quality_run_id: str, position: int) -> int:
        """How many items `failing` can list for one check: fewer than failed when a run found too many to keep."""
        return run_records.kept_failing(self._store, self.get_run(quality_run_id), position)

    def compare_with_previous(self, quality_run_id: str) -> RunComparison | None:
        """How a run differs from the one before it; None for the first. Raises NotFound."""
        run = self.get_run(quality_run_id)
        before = run_records.before(self._store, run)
        return run_records.compare(self._store, self.get_run(before), run) if before else None

    def compare(self, before_id: str, after_id: str) -> RunComparison:
        """How one run differs from an earlier one of the same sheet. Raises NotFound, Invalid."""
        return run_records.compare(self._store, self.get_run(before_id), self.get_run(after_id))

    def report_json(self, quality_run_id: str) -> str:
        """The report of a run as JSON (DQ-7). Raises NotFound."""
        run = self.get_run(quality_run_id)
        return reports.report_json(run, sheet_name=self._sheets.get(run.sheet_id).name)

    def failures_file(self, quality_run_id: str, *, by: str) -> FailuresFile:
        """The failing values of a run as CSV to download (DQ-7): as many as are kept, and the name says so.

        Whoever is signed in may; the download is kept in the history of the sheet. Raises NotFound, NotPermitted,
        Conflict when they are no longer kept.
        """
        if not by:
            raise NotPermitted("Nobody is signed in.", hint="Sign in and try again.")
        run = self.get_run(quality_run_id)
        if not run.keeps_items:
            raise Conflict(
                "The failing items of this run are not kept any more.", hint="Only the two newest runs have."
            )
        file = reports.failures_file(self._store, run, sheet_name=self._sheets.get(run.sheet_id).name)
        self._history.add("sheet", run.sheet_id, "export failing values", by=by, run=run.id, values=run.kept_failures)
        return file

    # --- inside ------------------------------------------------------------------------------------------------------

    def _enabled_rules(self, sheet_id: str) -> list[Rule]:
        return [rule for rule in self.rules(sheet_id) if rule.is_enabled]

    def _new(self, sheet: Sheet, draft: RuleDraft, *, by: str) -> Rule:
        now = self._clock()
        return Rule(new_id("rule"), sheet.id, draft, 1, created_by=by, created_at=now, updated_by=by, updated_at=now)

    def _read_import(
        self, sheet: Sheet, text: str, replacing: Sequence[Rule]
    ) -> tuple[list[RuleDraft], tuple[RefusedRule, ...]]:
        read = rule_files.read(text)
        taken = {rule.name for rule in self.rules(sheet.id)} - {rule.name for rule in replacing}
        fitting, refused = rule_vetting.sorted_out(self._lake, sheet.relation, read.drafts, taken=taken)
        return fitting, tuple(sorted([*read.refused, *refused], key=lambda one: one.number))

    def _check_room(self, sheet: Sheet, more: int) -> None:
        if len(self.rules(sheet.id)) + more > MAX_RULES:
            raise Conflict(f"A sheet has at most {MAX_RULES} rules.", hint="Put several columns into one rule.")

    def _changed(self, rule: Rule, draft: RuleDraft, *, by: str, row_version: int) -> Rule:
        return replace(rule, draft=draft, row_version=row_version + 1, updated_by=by, updated_at=self._clock())

    def _record(self, sheet_id: str, action: str, changes: Sequence[Change], *, by: str) -> None:
        """Keep what the rules were before and are now in the history of their sheet."""
        self._history.add("sheet", sheet_id, action, by=by, **rule_history.details_of(changes))

    def _profiled(self, sheet: Sheet, *, by: str, watch: Watch | None = None) -> SheetProfile:
        profile = sheet_profiles.compute(self._lake, sheet, by=by, clock=self._clock, watch=watch)
        with self._store.transaction():
            sheet_profiles.keep(self._store, profile)
            self._history.add("sheet", sheet.id, "profile", by=by, rows=profile.rows)
        return profile

    def _keep_options(self, sheet_id: str, options: ScanOptions) -> None:
        self._store.execute(
            "INSERT INTO quality_options (sheet_id, options) VALUES (:sheet, :options) "
            "ON CONFLICT (sheet_id) DO UPDATE SET options = excluded.options",
            touches="quality_options",
            sheet=sheet_id,
            options=options.to_json(),
        )


def _sheet_of(rules: Sequence[Rule]) -> str:
    """The sheet of these rules. Raises Invalid for rules of several."""
    sheets = {rule.sheet_id for rule in rules}
    if len(sheets) > 1:
        raise Invalid("These rules are of several sheets.", hint="Choose rules of one sheet.")
    return sheets.pop()
