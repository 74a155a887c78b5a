"""The whole loop on the demo data, without a browser: the same services, one printed line a step, a measured result.

Where people decide, the known class of the corpus takes their place: it answers reviews, and it says whether an
answer of the endpoint deserves a thumb up or down. Nothing else is given; every number that is printed is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from workbench_core.alerts import AlertMetric, RuleDraft
from workbench_core.demo.recipes import MAIL, MAIL_TEMPLATE
from workbench_core.errors import BackendError, Invalid
from workbench_core.evaluations import DatasetKind
from workbench_core.gaps import Gap, GapClosure
from workbench_core.labeling_tasks import LabelingTask
from workbench_core.model_versions import ModelVersion
from workbench_core.pairs import Decision
from workbench_core.ports import Selection
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import Sheet
from workbench_core.training_gate import Split, item_position
from workbench_core.training_jobs import JobRequest
from workbench_core.training_sheets import GenerationRequest, TrainingSheet
from workbench_core.workbench import Workbench

MODEL = "mail-classifier"
TRUTH = "label"
FIRST_FILTER = "format = 'plain'"
FIRST_PAIRS = 400
TRAFFIC = 300
BROKEN_REQUESTS = 30
SEED = 42


def walk(workbench: Workbench, *, by: str, say: Callable[[str], None]) -> GapClosure:
    """Go round the loop once and give the closure of the gap. Raises BackendError with the reason when a part fails."""
    loop = _Loop(workbench, by, say)
    began = time.monotonic()
    sheet = loop.data()
    template_id = loop.template()
    first = loop.generate(_request(sheet, template_id, loop, name="Plain mails", plain_only=True))
    loop.label(first)
    before = loop.train(JobRequest(first.id, MODEL, "classifier"))
    loop.evaluate(before)
    loop.deploy(before)
    loop.use(sheet, before)
    loop.monitor()
    gap = loop.find_gap(before)
    task = loop.make_task(gap)
    loop.label(loop.workbench.training_sheets.get(task.training_sheet_id))
    loop.workbench.labeling_tasks.move(task.id, "accept", by=by)
    second = loop.generate(_request(sheet, template_id, loop, name="Everything labelled", plain_only=False))
    loop.workbench.training_sheets.move(second.id, "close_review", by=by)
    after = loop.retrain(second, gap)
    loop.compare(before, after)
    closure = loop.close(gap, after)
    loop.deploy(after)
    say(f"{'Result':<12} {closure.verdict.replace('_', ' ')}: {closure.sentence}")
    say(f"{'Time':<12} {time.monotonic() - began:.0f} s for the whole loop")
    return closure


def _request(sheet: Sheet, template_id: str, loop: _Loop, *, name: str, plain_only: bool) -> GenerationRequest:
    """The first training sheet takes plain mails with their known class, the second everything labelled so far."""
    return GenerationRequest(
        sheet_id=sheet.id,
        prompt_template_id=template_id,
        mapping=loop.workbench.training_sheets.propose_mapping(template_id, sheet.id),
        name=name,
        answer_source=AnswerSource.EXISTING_COLUMN if plain_only else AnswerSource.CANONICAL,
        answer_column=TRUTH if plain_only else "",
        filter=FIRST_FILTER if plain_only else "",
        row_limit=FIRST_PAIRS if plain_only else 10_000,
        is_demo=True,
    )


class _Loop:
    """The steps; each does its work through the services and says in one line what came of it."""

    def __init__(self, workbench: Workbench, by: str, say: Callable[[str], None]) -> None:
        self.workbench = workbench
        self._by = by
        self._say = say
        self._since = time.monotonic()
        self._truth: dict[str, str] = {}
        self._records: dict[str, dict[str, str]] = {}

    def data(self) -> Sheet:
        self.workbench.demo.load(by=self._by)
        sheet = next(found for found in self.workbench.sheets.find(search=MAIL) if found.is_demo)
        rows = self.workbench.lake.page(Selection(sheet.relation, sheet.item_id_column), limit=100_000)
        texts = rows[["item_ref", TRUTH, "subject", "body"]].fillna("").astype(str)
        for item, truth, subject, body in texts.itertuples(index=False, name=None):
            self._truth[item] = truth
            self._records[item] = {"subject": subject, "body": body}
        checked = self.workbench.sheets.validate(sheet.id, by=self._by)
        state = "identifier valid" if checked.is_valid else " ".join(checked.problems)
        self._line("1 Data", f"sheet “{sheet.name}” with {checked.item_count:,} real e-mails, {state}")
        return sheet

    def template(self) -> str:
        found = self.workbench.prompt_templates.find(search=MAIL_TEMPLATE)
        template = next(one for one in found if one.is_demo)
        classes = " or ".join(template.label_classes)
        self._line("2 Template", f"“{template.name}” v{template.version}, {template.status}: {classes}")
        return template.id

    def generate(self, request: GenerationRequest) -> TrainingSheet:
        planned = self.workbench.training_sheets.preflight(request)
        made = self.workbench.training_sheets.generate(request, by=self._by)
        self._work()
        made = self.workbench.training_sheets.get(made.id)
        counts = made.counts
        self._line(
            "3 Generate",
            f"“{made.name}”: {counts.total:,} pairs, {counts.auto_approved:,} approved by canonical labels, "
            f"{counts.pending:,} to review ({planned.left_out:,} rows left out)",
        )
        return made

    def label(self, sheet: TrainingSheet) -> None:
        self._work()
        done, changed = 0, 0
        while queue := self.workbench.pairs.queue(sheet.id, limit=200):
            decisions = []
            for pair in queue:
                truth = self._truth[pair.item_ref]
                is_right = pair.answer == truth
                changed += not is_right
                action = "approve" if is_right else "edit"
                decisions.append(Decision(pair.id, action, pair.row_version, answer=None if is_right else truth))
            result = self.workbench.pairs.decide(decisions, by=self._by)
            if not result.done:
                raise Invalid(next(iter(result.refused.values())), hint="The review could not go on.")
            done += len(result.done)
        if self.workbench.labeling_tasks.of_training_sheet(sheet.id) is None:
            self.workbench.training_sheets.move(sheet.id, "close_review", by=self._by)
        self._line("4 Label", f"{done:,} pairs decided ({changed:,} answered by hand), each now a canonical label")

    def train(self, request: JobRequest, *, step: str = "5 Train") -> ModelVersion:
        gate = self.workbench.training_jobs.gate(request.training_sheet_id)
        job = self.workbench.training_jobs.submit(request, by=self._by, is_demo=True)
        self._work(kinds=1)
        job = self.workbench.training_jobs.get(job.id)
        version = self.workbench.model_versions.of_job(job.id)
        if version is None:
            raise BackendError(f"The training {job.status}: {job.error}", hint="See the training job's folder.")
        parts = ", ".join(f"{gate.count(split)} {split}" for split in (Split.TRAIN, Split.VALIDATION, Split.TEST))
        reasons = "; ".join(f"{count} {reason}" for reason, count in gate.reasons.items()) or "none excluded"
        self._line(step, f"{version.title}: {version.details.get('chosen_title')}; {parts}; {reasons}")
        return version

    def evaluate(self, version: ModelVersion) -> None:
        self._work()  # queued by the training itself
        evaluation = self.workbench.evaluations.latest(version.model_name, version.version)
        if evaluation is None:
            raise BackendError(f"{version.title} was not evaluated.", hint="See the runs on the Train page.")
        values = {one.name: one for one in self.workbench.evaluations.metrics(evaluation.id) if not one.part}
        accuracy, macro = values["accuracy"], values["macro_f1"]
        self._line(
            "6 Evaluate",
            f"{version.title} on {evaluation.item_count} held-out items: accuracy {accuracy.value:.1%} "
            f"({accuracy.low:.1%}–{accuracy.high:.1%}), macro F1 {macro.value:.3f} ({macro.low:.3f}–{macro.high:.3f})",
        )

    def deploy(self, version: ModelVersion) -> None:
        endpoint = self.workbench.endpoints.deploy(
            version.model_name, version.version, name=MODEL, by=self._by, is_demo=True
        )
        self._line("7 Deploy", f"endpoint “{endpoint.name}” serves {version.title}: {endpoint.status}")

    def use(self, sheet: Sheet, version: ModelVersion) -> None:
        """Send mails of every kind that the version has not seen, judge each answer, and send a few broken requests."""
        seen = self.workbench.model_versions.used_items(version.model_name, version.version)
        unseen = sorted((item for item in self._truth if item not in seen), key=lambda item: item_position(item, SEED))
        wrong = 0
        for item in unseen[:TRAFFIC]:
            result = self.workbench.endpoints.query(
                MODEL, [self._records[item]], by=self._by, source="api", item_refs=[item]
            )
            truth = self._truth[item]
            is_right = result.predictions[0].answer == truth
            wrong += not is_right
            self.workbench.feedback.submit(
                result.request_id,
                rating="positive" if is_right else "negative",
                correction="" if is_right else truth,
                sheet_id=sheet.id,
                by=self._by,
            )
        refused = sum(self._is_refused() for _ in range(BROKEN_REQUESTS))
        self._line(
            "  Use",
            f"{TRAFFIC} real mails of every format asked and judged, {wrong} answers corrected; "
            f"{refused} broken requests refused",
        )

    def _is_refused(self) -> bool:
        try:
            self.workbench.endpoints.query(MODEL, [{"subject": "no body"}], by=self._by, source="api")
        except Invalid:
            return True
        return False

    def monitor(self) -> None:
        """Read the log, compare the inputs with the training data, let a rule find the broken requests."""
        numbers = self.workbench.monitoring.performance(MODEL, hours=1)
        self._line(
            "8 Monitor",
            f"{numbers.total} requests, {numbers.error_rate:.1f} % failed, p50 {numbers.p50_ms:.0f} ms, "
            f"p95 {numbers.p95_ms:.0f} ms, p99 {numbers.p99_ms:.0f} ms",
        )
        drift = self.workbench.monitoring.drift(MODEL, hours=1, by=self._by)
        self._line("  Drift", drift.sentence)
        rule = RuleDraft("Errors of the mail classifier", AlertMetric.ERROR_RATE, threshold=5.0)
        self.workbench.alerts.create_rule(MODEL, rule, by=self._by)
        self.workbench.alerts.evaluate()
        incident = self.workbench.alerts.incidents(endpoint=MODEL)[0]
        self.workbench.alerts.acknowledge(incident.id, by=self._by, note="Requests without a body.")
        self.workbench.alerts.resolve(incident.id, by=self._by, note="The sender was told.")
        health = self.workbench.monitoring.health(MODEL)
        why = "; ".join(one.sentence for one in health.deductions) or "nothing deducted"
        self._line("  Alert", f"{incident.message}; acknowledged and resolved")
        self._line("  Health", f"{health.status} ({health.score:.0f} of 100): {why}")

    def find_gap(self, version: ModelVersion) -> Gap:
        result = self.workbench.gaps.analyse_now(version.model_name, version.version, by=self._by)
        gaps = self.workbench.gaps.find(model_name=version.model_name)
        if not gaps:
            raise Invalid(
                f"No gap was found in {result.examined_items} outcomes ({result.failures} failures).",
                hint="The loop ends here: there is nothing to close.",
            )
        gap = gaps[0]
        self._line(
            "9 Improve",
            f"{len(gaps)} gap(s) in {result.examined_items} outcomes; the first: {gap.description}: "
            f"{gap.error_rate:.1%} wrong ({gap.interval.low:.1%}–{gap.interval.high:.1%}, q = {gap.q_value:.2g}) "
            f"against {gap.overall_rate:.1%} overall",
        )
        return gap

    def make_task(self, gap: Gap) -> LabelingTask:
        task = self.workbench.labeling_tasks.create(gap.id, by=self._by)
        self._line("  Task", f"{task.items} unlabelled items like this queued, {task.held_out} of them held out first")
        return task

    def retrain(self, sheet: TrainingSheet, gap: Gap) -> ModelVersion:
        proposal = self.workbench.training_jobs.propose_retrain(gap.model_name, training_sheet_id=sheet.id)
        difference = proposal.difference
        self._line("  Retrain", f"prefilled: {difference.new} new items, {difference.changed} changed")
        return self.train(proposal.request, step="  Train")

    def compare(self, before: ModelVersion, after: ModelVersion) -> None:
        """Both versions on the test part of the newer one, as far as neither has seen it."""
        self._work()
        newer = self.workbench.evaluations.latest(after.model_name, after.version)
        older = self.workbench.evaluations.evaluate_now(
            before.model_name, before.version, by=self._by, dataset_kind=DatasetKind.TEST, dataset_id=after.job_id
        )
        if newer is None:
            raise BackendError(f"{after.title} was not evaluated.", hint="See the runs on the Train page.")
        compared = self.workbench.evaluations.compare(older.id, newer.id).items
        self._line(
            "  Compare",
            f"{after.title} against {before.title} on {compared.n} held-out items: {compared.wins} won, "
            f"{compared.losses} lost, accuracy {compared.delta:+.1%} "
            f"({compared.interval.low:+.1%} to {compared.interval.high:+.1%}): {compared.verdict}",
        )

    def close(self, gap: Gap, after: ModelVersion) -> GapClosure:
        closure = self.workbench.gaps.close(gap.id, after.version, by=self._by)
        state = self.workbench.gaps.get(gap.id).status
        self._line("  Closure", f"{closure.wins} won, {closure.losses} lost; the gap is {state.replace('_', ' ')}")
        return closure

    def _work(self, *, kinds: int | None = None) -> None:
        """Do what waits in this thread: all of it, or the next pieces only. Raises BackendError when one failed."""
        worker = self.workbench.worker()
        left = kinds
        while (left is None or left > 0) and worker.run_one():
            left = None if left is None else left - 1
        newest = self.workbench.runs.find(limit=1)
        if newest and newest[0].error:
            raise BackendError(newest[0].error, hint=f"It happened during: {newest[0].title}.")

    def _line(self, step: str, text: str) -> None:
        now = time.monotonic()
        self._say(f"{step:<12} {text} ({now - self._since:.1f} s)")
        self._since = now
