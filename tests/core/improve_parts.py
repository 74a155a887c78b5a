"""A small world for IMPROVE: real store, lake and services; a trainer and a served model that follow a rule."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from tests.core.generation_parts import ANN, Parts
from workbench_core.clock import Clock, new_id, utc_now
from workbench_core.evaluations import DatasetKind, Evaluation, Evaluations
from workbench_core.gaps import Gap, Gaps
from workbench_core.labeling_tasks import LabelingTask, LabelingTasks
from workbench_core.model_versions import ModelVersion, ModelVersions
from workbench_core.pairs import Decision
from workbench_core.ports import Availability, Json, Prediction, TrainingRequest, TrainingResult
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import Worker
from workbench_core.sheets import SheetDraft
from workbench_core.training_jobs import JobRequest, TrainingJobs
from workbench_core.training_sheets import GenerationRequest
from workbench_core.workbench import Workbench

SOURCE = "main.office.mails"
MODEL = "mail-classifier"
ITEMS = 1100
TRAINED, CHECKED = range(300), range(300, 500)  # the rest is free: nobody has labelled it


def item(number: int) -> str:
    """The identifier of a mail."""
    return f"m{number:05d}"


def number_of(item_ref: str) -> int:
    """The number of a mail."""
    return int(item_ref[1:])


def is_html(number: int) -> bool:
    """Every fourth mail is HTML."""
    return number % 4 == 0


def truth(number: int) -> str:
    """What a mail is."""
    return "spam" if number % 3 == 0 else "ham"


def wrong(number: int) -> str:
    """What it is not."""
    return "ham" if truth(number) == "spam" else "spam"


def size_of(number: int) -> int:
    """How large a mail is: 100 to 999, spread evenly."""
    return 100 + int.from_bytes(hashlib.sha256(item(number).encode()).digest()[:2], "big") % 900


def coin(number: int) -> bool:
    """Heads for about half of the mails, the same ones always."""
    return hashlib.sha256(str(number).encode()).digest()[0] % 2 == 0


def weak_on_html(number: int) -> bool:
    """Fails on half of the HTML mails and on one in fifty of the others."""
    return coin(number) if is_html(number) else number % 50 == 1


def never(number: int) -> bool:
    """Fails on no mail."""
    return False


class RuleServing:
    """Answers as each version's rule says: a function from the number of a mail to whether the answer is wrong."""

    def __init__(self) -> None:
        self.fails: dict[int, Callable[[int], bool]] = {1: weak_on_html, 2: never}
        self.removed: list[str] = []

    def predict(self, model_name: str, version: int, records: Sequence[Mapping[str, Json]]) -> list[Prediction]:
        numbers = [int(str(record["subject"]).rsplit(" ", 1)[-1]) for record in records]
        return [Prediction(wrong(number) if self.fails[version](number) else truth(number)) for number in numbers]

    def remove(self, endpoint: str) -> None:
        self.removed.append(endpoint)


class CountingTrainer:
    """Registers the next version of a model without learning anything."""

    name = "counting"
    title = "counting trainer"
    answer_kinds = ("label",)

    def __init__(self) -> None:
        self.requests: list[TrainingRequest] = []

    def availability(self) -> Availability:
        return Availability(True)

    def default_parameters(self) -> dict[str, Json]:
        return {}

    def train(self, request: TrainingRequest, *, on_event: object, cancelled: object) -> TrainingResult:
        self.requests.append(request)
        version = sum(earlier.model_name == request.model_name for earlier in self.requests)
        return TrainingResult(request.model_name, version, {}, {}, "", "")


class Improving(Parts):
    """Everything from DATA to IMPROVE over one table of 1,100 mails, a quarter of them HTML."""

    def __init__(self, folder: Path, *, clock: Clock = utc_now, url: str = "") -> None:
        super().__init__(folder, clock=clock, url=url)
        self.clock = clock
        self.serving, self.trainer = RuleServing(), CountingTrainer()
        self.versions = ModelVersions(self.store)
        self.jobs = TrainingJobs(
            self.store, self.history, self.permissions, self.runs, clock,
            training_sheets=self.training_sheets, versions=self.versions, trainers=lambda: (self.trainer,),
            on_trained=lambda version, by: None,
        )  # fmt: skip
        self.evaluations = Evaluations(
            self.store, self.serving, self.history, self.permissions, self.runs, clock, versions=self.versions
        )
        self.gaps = Gaps(
            self.store, self.lake, self.history, self.permissions, self.runs, clock,
            sheets=self.sheets, versions=self.versions, evaluations=self.evaluations,
        )  # fmt: skip
        self.tasks = LabelingTasks(
            self.store, self.lake, self.history, self.permissions, clock,
            sheets=self.sheets, gaps=self.gaps, versions=self.versions, canonical_labels=self.labels,
            training_sheets=self.training_sheets,
        )  # fmt: skip
        self.sheet_id, self.template_id = "", ""

    @classmethod
    def over(cls, workbench: Workbench, folder: Path) -> Improving:
        """The same world made of the services of an open workbench, with the ruled trainer and model in it."""
        made = cls.__new__(cls)
        made.folder, made.clock = folder, workbench.clock
        made.serving, made.trainer = RuleServing(), CountingTrainer()
        workbench.__dict__.update(serving=made.serving, trainers=(made.trainer,))
        names = {
            "store": "store", "lake": "lake", "history": "history", "permissions": "permissions", "runs": "runs",
            "sheets": "sheets", "templates": "prompt_templates", "labels": "canonical_labels", "pairs": "pairs",
            "training_sheets": "training_sheets", "jobs": "training_jobs", "versions": "model_versions",
            "evaluations": "evaluations", "gaps": "gaps", "tasks": "labeling_tasks", "data_quality": "data_quality",
        }  # fmt: skip
        for name, service in names.items():
            setattr(made, name, getattr(workbench, service))
        made.sheet_id, made.template_id = "", ""
        return made

    def worker(self) -> Worker:
        handlers = {
            "generate": self.training_sheets.handle,
            "check_quality": self.data_quality.handle,
            "train": self.jobs.handle,
            "evaluate": self.evaluations.handle,
            "analyse_gaps": self.gaps.handle,
            "close_gap": self.gaps.handle_closing,
        }
        return Worker(self.runs, handlers, threads=1)

    # --- data and models ---------------------------------------------------------------------------------------------

    def put_table(self, *, items: int = ITEMS, source: str = SOURCE) -> None:
        """A table with the known class, the format, a size and a day on which many mails came."""
        file = self.folder / "table.csv"
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["mail_id", "subject", "verdict", "format", "size", "day", "batch"])
            for number in range(items):
                batch = "trained" if number in TRAINED else "checked" if number in CHECKED else "free"
                day = date(2026, 1, 1) + timedelta(days=number % 5)
                kind = "html" if is_html(number) else "plain"
                writer.writerow(
                    [item(number), f"Mail {number}", truth(number), kind, size_of(number), f"{day} 09:00:00", batch]
                )
        self.lake.put_table(source, file, original_name="table.csv")

    def make_office_sheet(self, **changes: object) -> str:
        """A published sheet over the table."""
        draft = SheetDraft(
            "Office mails",
            SOURCE,
            "mail_id",
            metadata_columns=("format", "size", "day"),
            **changes,  # type: ignore[arg-type]
        )
        self.sheet_id = self.sheets.move(self.sheets.create(draft, by=ANN).id, "publish", by=ANN).id
        return self.sheet_id

    def generate(self, where: str, *, source: AnswerSource = AnswerSource.EXISTING_COLUMN, name: str = "") -> str:
        """A training sheet of the items that a filter keeps."""
        request = GenerationRequest(
            self.sheet_id, self.template_id, {"subject": "subject"}, name=name, answer_source=source,
            answer_column="verdict", filter=where,
        )  # fmt: skip
        made = self.training_sheets.generate(request, by=ANN)
        self.work()
        return made.id

    def decide(self, training_sheet_id: str, *, limit: int = 10_000, action: str = "approve") -> int:
        """Decide about waiting pairs as an expert who knows the truth."""
        waiting = self.pairs.queue(training_sheet_id, limit=limit)
        decisions = [
            Decision(pair.id, action, pair.row_version, answer=truth(number_of(pair.item_ref))) for pair in waiting
        ]
        result = self.pairs.decide(decisions, by=ANN)
        assert not result.refused
        return len(result.done)

    def train(self, training_sheet_id: str) -> ModelVersion:
        """Train the next version."""
        job = self.jobs.submit(JobRequest(training_sheet_id, MODEL, "counting"), by=ANN)
        self.work()
        made = self.versions.of_job(job.id)
        assert made is not None, self.jobs.get(job.id).error
        return made

    def evaluate(self, training_sheet_id: str, *, version: int = 1) -> Evaluation:
        """Evaluate a version on the pairs of a training sheet."""
        return self.evaluations.evaluate_now(
            MODEL, version, by=ANN, dataset_kind=DatasetKind.TRAINING_SHEET, dataset_id=training_sheet_id
        )

    def judge(self, mails: Sequence[int | str], *, rating: str, version: int = 1, status: str = "new") -> None:
        """Write down feedback on answers about mails, as people who used an endpoint leave it."""
        now, endpoint = self.clock(), "endpoint-1"
        if not self.store.query("SELECT id FROM endpoints WHERE id = :id", id=endpoint):
            people = {"created_by": ANN, "created_at": now, "updated_by": ANN, "updated_at": now}
            self.store.append(
                "endpoints",
                [{"id": endpoint, "name": "mails", "model_name": MODEL, "served": "[]", "status": "ready", **people}],
            )
        self.store.append(
            "feedback",
            [
                {
                    "id": new_id("feedback"), "endpoint_id": endpoint, "model_name": MODEL, "version": version,
                    "request_id": new_id("request"), "sheet_id": self.sheet_id,
                    "item_ref": item(mail) if isinstance(mail, int) else mail,
                    "input": "{}", "output": "ham", "rating": rating, "status": status, "created_by": ANN,
                    "created_at": now,
                }
                for mail in mails
            ],
        )  # fmt: skip

    # --- the usual story ---------------------------------------------------------------------------------------------

    def first_version(self) -> ModelVersion:
        """Version 1, trained on plain mails only and evaluated on mails of both kinds."""
        self.put_table()
        self.make_office_sheet()
        self.template_id = self.make_template(user_prompt="{{ subject }}")
        first = self.generate("batch = 'trained' AND format = 'plain'", name="Plain mails")
        self.decide(first)
        made = self.train(first)
        second = self.generate("batch = 'checked'", name="Mails of both kinds")
        self.decide(second)
        self.evaluate(second)
        return made

    def html_gap(self) -> Gap:
        """The gap of version 1: HTML mails."""
        self.first_version()
        self.gaps.analyse_now(MODEL, 1, by=ANN)
        [gap] = self.gaps.find()
        return gap

    def html_task(self, **options: object) -> LabelingTask:
        """A task from that gap, its queue generated."""
        task = self.tasks.create(self.html_gap().id, by=ANN, **options)  # type: ignore[arg-type]
        self.work()
        return self.tasks.get(task.id)

    def parts_of(self, task_id: str) -> dict[str, set[str]]:
        """The items of a task by part."""
        found = self.store.query(
            "SELECT item_ref, part FROM labeling_task_items WHERE task_id = :id ORDER BY item_ref", id=task_id
        )
        return {part: {str(row["item_ref"]) for row in found if row["part"] == part} for part in ("held_out", "train")}
