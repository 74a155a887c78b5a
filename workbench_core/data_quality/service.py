"""The service: rules of a sheet, its profile and suggestions, runs of the checks and their reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from workbench_core.clock import Clock, new_id
from workbench_core.data_quality import (
    model_rules,
    reports,
    rule_export,
    rule_files,
    rule_records,
    rule_vetting,
    run_records,
    sheet_profiles,
)
from workbench_core.data_quality.checking import Checking
from workbench_core.data_quality.fix_queue import FixQueue
from workbench_core.data_quality.quarantine import Quarantine
from workbench_core.data_quality.results import QualityRun, RunComparison, Sample, ScanOptions, options_from
from workbench_core.data_quality.rule_export import Format, WrittenRules
from workbench_core.data_quality.rule_files import NumberedDraft, RefusedRule
from workbench_core.data_quality.rules import MAX_RULES, Rule, RuleDraft
from workbench_core.data_quality.sentence_rules import read_sentences
from workbench_core.data_quality.sheet_profiles import INLINE_ROWS, SheetProfile
from workbench_core.data_quality.suggestions import RuleSuggestion, suggest
from workbench_core.errors import Conflict, Invalid
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import ChatModel, Lake, Store
from workbench_core.runs import Run, RunContext, Runs
from workbench_core.sheets import Sheet, Sheets

CHECK_KIND = "check_quality"
PROFILE_KIND = "profile_sheet"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did: rules that are there now, and the others with their numbers and every reason."""

    accepted: tuple[Rule, ...]
    refused: tuple[RefusedRule, ...]


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would do: the rules it would add, and the others with their numbers and every reason."""

    accepted: tuple[RuleDraft, ...]
    refused: tuple[RefusedRule, ...]


@dataclass(frozen=True, slots=True)
class Proposals:
    """Rules that nobody has saved yet, notes on what was dropped or not understood, and who proposed them."""

    rules: tuple[RuleSuggestion, ...]
    notes: tuple[str, ...]
    proposed_by: str


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

    def rule(self, rule_id: str) -> Rule:
        """One rule. Raises NotFound."""
        return rule_records.get(self._store, rule_id)

    def problems(self, sheet_id: str, draft: RuleDraft) -> list[str]:
        """Why a rule cannot run on a sheet, as sentences; empty when it can."""
        sheet = self._sheets.get(sheet_id)
        return rule_vetting.problems(self._lake, sheet.relation, [draft])[0]

    def save_rule(self, sheet_id: str, draft: RuleDraft, *, by: str) -> Rule:
        """Add a rule (DQ-4). Raises Invalid with everything that is wrong with it, Conflict for a taken name."""
        return self.save_rules(sheet_id, [draft], by=by)[0]

    def save_rules(self, sheet_id: str, drafts: Sequence[RuleDraft], *, by: str) -> list[Rule]:
        """Add several rules, or none when one of them is wrong."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        named = [replace(draft, name=draft.proposed_name) for draft in drafts]
        found = rule_vetting.problems(self._lake, sheet.relation, named)
        wrong = [f"“{draft.name}”: {' '.join(several)}" for draft, several in zip(named, found, strict=True) if several]
        if wrong:
            raise Invalid(" ".join(wrong), hint="Correct the rule; nothing was saved.")
        made = [self._new(sheet, draft, by=by) for draft in named]
        with self._store.transaction():
            self._check_room(sheet, len(made))
            rule_records.insert(self._store, made)
            self._history.add("sheet", sheet.id, "add quality rules", by=by, rules=[rule.name for rule in made])
        return made

    def update_rule(self, rule_id: str, draft: RuleDraft, *, by: str, row_version: int) -> Rule:
        """Change a rule. Raises Invalid, Conflict for a taken name, ChangedByOthers for an old version."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        rule = self.rule(rule_id)
        named = replace(draft, name=draft.proposed_name)
        if found := self.problems(rule.sheet_id, named):
            raise Invalid(" ".join(found), hint="Correct the rule; nothing was saved.")
        return self._change(rule, named, "change quality rule", by=by, row_version=row_version)

    def enable_rule(self, rule_id: str, *, is_enabled: bool, by: str, row_version: int) -> Rule:
        """Let a rule take part in runs, or not. Raises ChangedByOthers; enabling also Invalid when it cannot run."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        rule = self.rule(rule_id)
        if is_enabled and (found := self.problems(rule.sheet_id, rule.draft)):
            raise Invalid(" ".join(found), hint="Correct the rule first.")
        action = "enable quality rule" if is_enabled else "disable quality rule"
        return self._change(rule, replace(rule.draft, is_enabled=is_enabled), action, by=by, row_version=row_version)

    def enable_rules(self, rules: Sequence[Rule], *, is_enabled: bool, by: str) -> None:
        """Let several rules, as the person saw them, take part in runs or not; all of them, or none."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        with self._store.transaction():
            for rule in rules:
                self.enable_rule(rule.id, is_enabled=is_enabled, by=by, row_version=rule.row_version)

    def delete_rule(self, rule_id: str, *, by: str) -> None:
        """Remove a rule; past runs keep what it was and found. Raises NotFound."""
        self.delete_rules([rule_id], by=by)

    def delete_rules(self, rule_ids: Sequence[str], *, by: str) -> None:
        """Remove several rules, or none when one of them does not exist."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        with self._store.transaction():
            for rule in [self.rule(rule_id) for rule_id in dict.fromkeys(rule_ids)]:
                self._history.add("sheet", rule.sheet_id, "delete quality rule", by=by, rule=rule.name)
            rule_records.remove(self._store, rule_ids)

    def import_rules(self, sheet_id: str, text: str, *, by: str, replace_same: bool = False) -> ImportResult:
        """Add the rules of a DQX file that fit the sheet; the others come back with number and reasons.

        A rule whose name is taken is refused, or takes the place of the old one with `replace_same`. Raises Invalid
        when the text is no list of rules.
        """
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        read = rule_files.read(text)
        known = {rule.name: rule for rule in self.rules(sheet_id)}
        fitting, refused = rule_vetting.sorted_out(
            self._lake, sheet.relation, read.drafts, taken=set() if replace_same else set(known)
        )
        made = [self._new(sheet, draft, by=by) for draft in fitting]
        with self._store.transaction():
            rule_records.remove(self._store, [known[rule.name].id for rule in made if rule.name in known])
            self._check_room(sheet, len(made))
            rule_records.insert(self._store, made)
            self._history.add("sheet", sheet.id, "import quality rules", by=by, rules=[rule.name for rule in made])
        return ImportResult(tuple(made), tuple(sorted([*read.refused, *refused], key=lambda one: one.number)))

    def preview_import(self, sheet_id: str, text: str, *, replace_same: bool = False) -> ImportPreview:
        """What `import_rules` would do; nothing is saved. Raises Invalid when the text is no list of rules."""
        sheet = self._sheets.get(sheet_id)
        read = rule_files.read(text)
        taken = set() if replace_same else {rule.name for rule in self.rules(sheet_id)}
        fitting, refused = rule_vetting.sorted_out(self._lake, sheet.relation, read.drafts, taken=taken)
        return ImportPreview(tuple(fitting), tuple(sorted([*read.refused, *refused], key=lambda one: one.number)))

    def export_rules(self, sheet_id: str, *, format: Format = "yaml", for_dqx: bool = True) -> WrittenRules:
        """The rules as a file for DQX, or, with `for_dqx=False`, whole for another sheet of a workbench."""
        return rule_export.write([rule.draft for rule in self.rules(sheet_id)], format=format, for_dqx=for_dqx)

    # --- profile and proposals ---------------------------------------------------------------------------------------

    def profile(self, sheet_id: str, *, by: str) -> SheetProfile | None:
        """Profile a sheet anew (DQ-1): at once up to 200,000 rows, else by a run, and None until that has ended."""
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        if self._lake.count(sheet.selection()) > INLINE_ROWS:
            self._runs.start(PROFILE_KIND, sheet.id, title=f"Profile “{sheet.name}”", by=by)
            return None
        return self._profiled(sheet, by=by)

    def kept_profile(self, sheet_id: str) -> SheetProfile | None:
        """The last profile; None when there is none."""
        return sheet_profiles.kept(self._store, sheet_id)

    def handle_profile(self, context: RunContext) -> None:
        """Do a queued profile; the worker calls it."""
        context.report(0, 1, "Reading all rows")
        self._profiled(self._sheets.get(context.subject_id), by=context.by)
        context.report(1, 1, "Done")

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
        found = suggest(profile.columns, now=self._clock(), references=profile.references)
        fresh = [one for one in found if (one.draft.function, one.draft.columns[0]) not in known]
        names = {rule.name for rule in there}
        return [replace(one, draft=rule_vetting.renamed(one.draft, names)) for one in fresh]

    def propose_from_text(self, sheet_id: str, sentence: str, *, by: str, use_model: bool = True) -> Proposals:
        """Rules out of plain language (DQ-3): by the model when it answers with something that fits, and by grammar.

        What the grammar reads and the model left out is added. Nothing is saved. Raises Invalid for an empty text.
        """
        self._permissions.check(by, Action.MANAGE_QUALITY)
        sheet = self._sheets.get(sheet_id)
        if not sentence.strip():
            raise Invalid("There is no text.", hint="Describe a rule, e.g. “price between 0 and 100”.")
        columns = self._lake.columns(sheet.relation)
        taken = {rule.name for rule in self.rules(sheet_id)}
        understood = read_sentences(sentence, columns)
        by_grammar = [NumberedDraft(number, draft) for number, draft in enumerate(understood.drafts, start=1)]
        notes: list[str] = []
        if use_model:
            answer = model_rules.ask_model(self._chat_model, sentence, columns)
            if answer.read is not None:
                good, dropped = rule_vetting.sorted_out(
                    self._lake, sheet.relation, answer.read.drafts, taken=taken, rename=True
                )
                notes += [f"Dropped: {one.sentence}" for one in (*answer.read.refused, *dropped)]
                if good:
                    there = {(draft.function, draft.columns) for draft in good}
                    left_out = [one for one in by_grammar if (one.draft.function, one.draft.columns) not in there]
                    taken |= {draft.name for draft in good}
                    added, _ = rule_vetting.sorted_out(self._lake, sheet.relation, left_out, taken=taken, rename=True)
                    who = f"{self._chat_model.title}{' and the sentence rules' if added else ''}"
                    return Proposals((*_proposed(good, sentence), *_proposed(added, "")), tuple(notes), who)
            notes.append(answer.problem or f"The {self._chat_model.title} proposed no rule that fits this sheet.")
        good, dropped = rule_vetting.sorted_out(self._lake, sheet.relation, by_grammar, taken=taken, rename=True)
        notes += [f"Dropped: {one.sentence}" for one in dropped]
        notes += [f"Not understood: “{part}”." for part in understood.not_understood]
        return Proposals(_proposed(good, ""), tuple(notes), "sentence rules")

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
        """Stop the run that is under way; nothing of it is kept. Raises Conflict when there is none."""
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

    def failures_csv(self, quality_run_id: str) -> Iterator[str]:
        """The failing values of a run as CSV, piece by piece (DQ-7). Raises NotFound, Conflict when no longer kept."""
        if not self.get_run(quality_run_id).keeps_items:
            raise Conflict(
                "The failing items of this run are not kept any more.", hint="Only the two newest runs have."
            )
        return reports.failures_csv(self._store, quality_run_id)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _enabled_rules(self, sheet_id: str) -> list[Rule]:
        return [rule for rule in self.rules(sheet_id) if rule.is_enabled]

    def _new(self, sheet: Sheet, draft: RuleDraft, *, by: str) -> Rule:
        now = self._clock()
        return Rule(new_id("rule"), sheet.id, draft, 1, created_by=by, created_at=now, updated_by=by, updated_at=now)

    def _check_room(self, sheet: Sheet, more: int) -> None:
        if len(self.rules(sheet.id)) + more > MAX_RULES:
            raise Conflict(f"A sheet has at most {MAX_RULES} rules.", hint="Put several columns into one rule.")

    def _change(self, rule: Rule, draft: RuleDraft, action: str, *, by: str, row_version: int) -> Rule:
        changed = replace(rule, draft=draft, row_version=row_version + 1, updated_by=by, updated_at=self._clock())
        with self._store.transaction():
            rule_records.change(self._store, changed, expected=row_version)
            self._history.add("sheet", rule.sheet_id, action, by=by, rule=draft.name)
        return changed

    def _profiled(self, sheet: Sheet, *, by: str) -> SheetProfile:
        profile = sheet_profiles.compute(self._lake, sheet, by=by, clock=self._clock)
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


def _proposed(drafts: Sequence[RuleDraft], sentence: str) -> tuple[RuleSuggestion, ...]:
    """Drafts with the sentence they came from as their reason."""
    given = [replace(draft, reason=f"“{sentence.strip()[:300]}”") if sentence else draft for draft in drafts]
    return tuple(RuleSuggestion(draft, draft.reason) for draft in given)
