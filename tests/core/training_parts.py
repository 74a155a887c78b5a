"""A trainer that learns which words go with which answer, a serving that asks it, and all services up to TRAIN."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.core.generation_parts import ANN, Parts
from tests.core.serving_double import MemoryServing
from workbench_core.clock import Clock, utc_now
from workbench_core.errors import NotFound
from workbench_core.evaluations import Evaluations
from workbench_core.model_versions import ModelVersions
from workbench_core.pairs import Decision, PairFilter
from workbench_core.ports import (
    Availability,
    Json,
    Prediction,
    TrainingEvent,
    TrainingExample,
    TrainingRequest,
    TrainingResult,
)
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import Worker
from workbench_core.training_jobs import JobRequest, TrainingJob, TrainingJobs
from workbench_core.training_sheets import GenerationRequest
from workbench_core.usage import UsageRules

MODEL = "mail-class"


class WordModel:
    """Answers with the label whose training texts shared most words with the text, weighted by how often."""

    def __init__(self, examples: Sequence[TrainingExample]) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        for example in examples:
            for word in " ".join(example.variables.values()).lower().split():
                self._counts[word][example.answer] += 1
        self._usual = Counter(example.answer for example in examples).most_common(1)[0][0]

    def answer(self, variables: Mapping[str, Json]) -> str:
        votes: Counter[str] = Counter()
        for word in " ".join(str(value) for value in variables.values()).lower().split():
            votes.update(self._counts.get(word, Counter()))
        return votes.most_common(1)[0][0] if votes else self._usual


class WordTrainer:
    """Trains word models and registers them in memory, one version for each job."""

    name = "words"
    title = "Word counter"
    answer_kinds = ("label", "text")

    def __init__(self) -> None:
        self.reason = ""
        self.requests: list[TrainingRequest] = []
        self.models: dict[tuple[str, int], WordModel] = {}
        self.version_of_job: dict[str, int] = {}
        self.while_training: Callable[[int], None] = lambda step: None  # may raise, cancel, or end the process

    def availability(self) -> Availability:
        return Availability(not self.reason, self.reason, "Install it." if self.reason else "")

    def default_parameters(self) -> dict[str, Json]:
        return {"rounds": 3, "smoothing": 0.5}

    def train(
        self,
        request: TrainingRequest,
        *,
        on_event: Callable[[TrainingEvent], None],
        cancelled: Callable[[], bool],
    ) -> TrainingResult | None:
        self.requests.append(request)
        rounds, model = int(str(request.parameters["rounds"])), WordModel(request.train)
        for step in range(1, rounds + 1):
            self.while_training(step)
            if cancelled():
                return None
            part = request.train[: len(request.train) * step // rounds]
            accuracy = _accuracy(WordModel(part), request.validation)
            on_event(TrainingEvent(f"Round {step} is done.", step, rounds, {"validation_accuracy": accuracy}))
        return self._register(request, model)

    def _register(self, request: TrainingRequest, model: WordModel) -> TrainingResult:
        known = sum(name == request.model_name for name, _ in self.models)
        version = self.version_of_job.setdefault(request.job_id, known + 1)
        self.models[request.model_name, version] = model
        score = _accuracy(model, request.validation)
        return TrainingResult(
            model_name=request.model_name,
            version=version,
            metrics={"validation_accuracy": score},
            details={
                "chosen": "words",
                "chosen_title": "words",
                "candidates": [{"name": "words", "title": "words", "cv_accuracy": score}],
            },
            tracking_run_id=f"run-of-{request.job_id}",
            tracking_experiment_id="1",
        )


class WordServing(MemoryServing):
    """Asks the models that a word trainer registered."""

    def __init__(self, trainer: WordTrainer, clock: Clock) -> None:
        super().__init__(clock)
        self.trainer = trainer
        self.asked: list[str] = []
        self.failing: frozenset[str] = frozenset()  # texts that the model cannot answer

    def predict(self, model_name: str, version: int, records: Sequence[Mapping[str, Json]]) -> list[Prediction]:
        self._check_up()
        if (model_name, version) not in self.trainer.models:
            raise NotFound(f"There is no version {version} of {model_name}.")
        model = self.trainer.models[model_name, version]
        return [self._predict(model, record) for record in records]

    def _predict(self, model: WordModel, record: Mapping[str, Json]) -> Prediction:
        text = " ".join(str(value) for value in record.values())
        self.asked.append(text)
        if text in self.failing:
            return Prediction(None, error="The model gave no answer.", latency_ms=2.0)
        return Prediction(model.answer(record), confidence=0.9, latency_ms=2.0)


class TrainingParts(Parts):
    """Everything that a person works with on the pages up to TRAIN."""

    def __init__(
        self, folder: Path, *, clock: Clock = utc_now, trainer: WordTrainer | None = None, url: str = ""
    ) -> None:
        super().__init__(folder, clock=clock, url=url)
        shared = (self.history, self.permissions)
        self.trainer = trainer or WordTrainer()
        self.serving = WordServing(self.trainer, clock)
        self.versions = ModelVersions(self.store)
        self.evaluations = Evaluations(self.store, self.serving, *shared, self.runs, clock, versions=self.versions)
        self.jobs = TrainingJobs(
            self.store, *shared, self.runs, clock,
            training_sheets=self.training_sheets, versions=self.versions, trainers=lambda: (self.trainer,),
            on_trained=lambda version, by: self.evaluations.start(version.model_name, version.version, by=by),
        )  # fmt: skip

    def worker(self) -> Worker:
        handlers = {
            "generate": self.training_sheets.handle,
            "train": self.jobs.handle,
            "evaluate": self.evaluations.handle,
        }
        return Worker(self.runs, handlers, threads=1)

    # --- what a person does up to here -------------------------------------------------------------------------------

    def generated(self, count: int, *, sheet_id: str = "", template_id: str = "", **changes: object) -> str:
        """A training sheet over `count` mails with the answers of the source, not reviewed yet."""
        made = self.training_sheets.generate(
            GenerationRequest(
                sheet_id or self.make_sheet(count),
                template_id or self.make_template(),
                {"subject": "subject"},
                answer_source=AnswerSource.EXISTING_COLUMN,
                answer_column="verdict",
                **changes,  # type: ignore[arg-type]
            ),
            by=ANN,
        )
        self.work()
        return made.id

    def approve(self, training_sheet_id: str, *, action: str = "approve", limit: int = 10_000) -> None:
        """Decide the pending pairs in their order."""
        found = self.pairs.find(training_sheet_id, PairFilter(), limit=10_000)
        pending = [pair for pair in found if pair.review_status == "pending"][:limit]
        result = self.pairs.decide(
            [Decision(pair.id, action, pair.row_version, note="not clear") for pair in pending], by=ANN
        )
        assert not result.refused, result.refused

    def restrict(self, training_sheet_id: str, rules: UsageRules, *, first: int) -> list[str]:
        """Give the first pairs other usage rules; their items."""
        chosen = self.pairs.find(training_sheet_id, PairFilter(), limit=first)
        self.pairs.set_usage([pair.id for pair in chosen], rules, by=ANN)
        return [pair.item_ref for pair in chosen]

    def reviewed(self, count: int, **changes: object) -> str:
        """A training sheet whose pairs are all approved and whose review is closed."""
        made = self.generated(count, **changes)
        self.approve(made)
        self.training_sheets.move(made, "close_review", by=ANN)
        return made

    def request(self, training_sheet_id: str, **changes: object) -> JobRequest:
        return JobRequest(**{"training_sheet_id": training_sheet_id, "model_name": MODEL, "trainer": "words"} | changes)

    def trained(self, training_sheet_id: str, **changes: object) -> TrainingJob:
        """A job that was submitted and worked on to its end, with all that follows."""
        job = self.jobs.submit(self.request(training_sheet_id, **changes), by=ANN)
        self.work()
        return self.jobs.get(job.id)


def _accuracy(model: WordModel, examples: Sequence[TrainingExample]) -> float:
    return sum(model.answer(example.variables) == example.answer for example in examples) / max(1, len(examples))
