"""The composition root: one `Workbench` holds every service, each made once, when first asked for."""

from __future__ import annotations

from functools import cached_property

from workbench_core.alerts import Alerts
from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.catalog import Catalog
from workbench_core.chat_models import AnswerRemoval, ChatModels
from workbench_core.clock import Clock, utc_now
from workbench_core.data_quality import DataQuality
from workbench_core.demo import Demo
from workbench_core.endpoints import Endpoints
from workbench_core.errors import NotSupported
from workbench_core.evaluations import Evaluations
from workbench_core.exports import EXPORT_KIND, Exports
from workbench_core.feedback import Feedback
from workbench_core.gaps import Gaps
from workbench_core.history import History
from workbench_core.installation import Installation, Parts
from workbench_core.label_sets import LabelSets
from workbench_core.labeling_tasks import LabelingTasks
from workbench_core.loop import Loop
from workbench_core.model_versions import ModelVersion, ModelVersions
from workbench_core.monitoring import Monitoring
from workbench_core.pairs import Pairs
from workbench_core.permissions import Permissions
from workbench_core.ports import ChatModel, Embedder, Lake, Serving, Store, Tracker, Trainer
from workbench_core.prompt_templates import PromptTemplates, TemplateAttachments, TemplateTrials
from workbench_core.runs import Runs, Worker
from workbench_core.settings import INBOX, Settings, read_settings
from workbench_core.sheets import Sheets
from workbench_core.sheets.unsaved import UnsavedSheets
from workbench_core.training_jobs import TrainingJobs
from workbench_core.training_sheets import TrainingSheets


class Workbench:
    """Everything that a page, a command or a test needs, wired for one set of settings.

    Adapters are imported where they are made: starting the app must not wait for a machine-learning library.
    """

    def __init__(self, settings: Settings, *, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock

    # --- ports -----------------------------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """What people decide."""
        from workbench_core.adapters.local.store import store

        return store(self.settings)

    @cached_property
    def lake(self) -> Lake:
        """What they decide about."""
        from workbench_core.adapters.local.lake import lake

        return lake(self.settings)

    @cached_property
    def language_models(self) -> tuple[ChatModel, ...]:
        """The language models as they are configured, the default one first."""
        from workbench_core.adapters.local.models import chat_models

        return chat_models(self.settings)

    @cached_property
    def embedder(self) -> Embedder:
        """The model that turns texts into vectors."""
        from workbench_core.adapters.local.models import embedder

        return embedder(self.settings)

    @cached_property
    def trainers(self) -> tuple[Trainer, ...]:
        """All trainers, ready or not."""
        from workbench_core.adapters.local.training import trainers

        return trainers(self.settings)

    @cached_property
    def tracker(self) -> Tracker:
        """Experiments and the model registry."""
        from workbench_core.adapters.local.tracking import tracker

        return tracker(self.settings)

    @cached_property
    def serving(self) -> Serving:
        """Endpoints over model versions."""
        from workbench_core.adapters.local.serving import serving

        return serving(self.settings)

    # --- shared by all features ------------------------------------------------------------------------------------

    @cached_property
    def history(self) -> History:
        """Who did what, and when."""
        return History(self.store, self.clock)

    @cached_property
    def permissions(self) -> Permissions:
        """Who may do what."""
        return Permissions(self.store, self.history, self.clock, default_role=self.settings.default_role)

    @cached_property
    def runs(self) -> Runs:
        """Long work."""
        return Runs(self.store, self.clock)

    # --- features --------------------------------------------------------------------------------------------------

    @cached_property
    def catalog(self) -> Catalog:
        """Tables and folders of the lake."""
        return Catalog(
            self.lake,
            self.history,
            self.permissions,
            store=self.store,
            import_folders=self.settings.import_folders,
        )

    @cached_property
    def chat_models(self) -> ChatModels:
        """The language models, with the answers they gave."""
        return ChatModels(self.store, self.language_models, self.clock, lake=self.lake)

    @cached_property
    def answer_removal(self) -> AnswerRemoval:
        """Forgetting kept answers of language models."""
        return AnswerRemoval(self.store, self.history, self.permissions)

    @cached_property
    def chat_model(self) -> ChatModel:
        """The language model that answers when none is named."""
        return self.chat_models.default

    @cached_property
    def sheets(self) -> Sheets:
        """Pointers to source data."""
        return Sheets(self.store, self.lake, self.history, self.permissions, self.clock)

    @cached_property
    def unsaved_sheets(self) -> UnsavedSheets:
        """What people changed on sheets and did not save yet."""
        return UnsavedSheets(self.store, self.permissions, self.clock)

    @cached_property
    def data_quality(self) -> DataQuality:
        """Rules on the rows of sheets, and the items that fail them."""
        return DataQuality(
            self.store,
            self.lake,
            self.history,
            self.permissions,
            self.runs,
            self.clock,
            sheets=self.sheets,
            chat_model=self.chat_model,
        )

    @cached_property
    def prompt_templates(self) -> PromptTemplates:
        """Recipes that turn rows into prompts."""
        return PromptTemplates(
            self.store,
            self.sheets,
            self.history,
            self.permissions,
            self.clock,
            lake=self.lake,
            chat_models=self.chat_models,
        )

    @cached_property
    def template_attachments(self) -> TemplateAttachments:
        """Which template each sheet is worked with."""
        return TemplateAttachments(
            self.store,
            self.history,
            self.permissions,
            self.clock,
            sheets=self.sheets,
            templates=self.prompt_templates,
        )

    @cached_property
    def template_trials(self) -> TemplateTrials:
        """Templates and models tried out on rows of a sheet."""
        return TemplateTrials(
            self.permissions,
            templates=self.prompt_templates,
            labels=self.canonical_labels,
            chat_models=self.chat_models,
        )

    @cached_property
    def canonical_labels(self) -> CanonicalLabels:
        """Answers given once."""
        return CanonicalLabels(self.store, self.history, self.permissions, self.clock)

    @cached_property
    def label_sets(self) -> LabelSets:
        """The allowed answers of label types."""
        return LabelSets(self.store, self.lake, self.history, self.permissions, self.clock, sheets=self.sheets)

    @cached_property
    def pairs(self) -> Pairs:
        """Questions and answers under review."""
        return Pairs(self.store, self.canonical_labels, self.history, self.permissions, self.clock, runs=self.runs)

    @cached_property
    def training_sheets(self) -> TrainingSheets:
        """Templates applied to sheets."""
        return TrainingSheets(
            self.store,
            lake=self.lake,
            sheets=self.sheets,
            templates=self.prompt_templates,
            labels=self.canonical_labels,
            pairs=self.pairs,
            chat_models=self.chat_models,
            runs=self.runs,
            history=self.history,
            permissions=self.permissions,
            clock=self.clock,
        )

    @cached_property
    def exports(self) -> Exports:
        """Training sheets as files for tuning."""
        return Exports(
            self.store,
            lake=self.lake,
            folder=self.settings.home / "exports",
            sheets=self.sheets,
            training_sheets=self.training_sheets,
            runs=self.runs,
            history=self.history,
            permissions=self.permissions,
            clock=self.clock,
        )

    @cached_property
    def model_versions(self) -> ModelVersions:
        """Registered versions and what went into them."""
        return ModelVersions(self.store)

    @cached_property
    def training_jobs(self) -> TrainingJobs:
        """Attempts to train a model; a success is evaluated at once on its held-out part."""
        return TrainingJobs(
            self.store,
            self.history,
            self.permissions,
            self.runs,
            self.clock,
            training_sheets=self.training_sheets,
            versions=self.model_versions,
            trainers=lambda: self.trainers,
            on_trained=self._evaluate_new_version,
        )

    @cached_property
    def evaluations(self) -> Evaluations:
        """Scores of versions on held-out items."""
        return Evaluations(
            self.store,
            self.serving,
            self.history,
            self.permissions,
            self.runs,
            self.clock,
            versions=self.model_versions,
        )

    @cached_property
    def endpoints(self) -> Endpoints:
        """Versions that answer requests."""
        return Endpoints(
            self.store,
            self.serving,
            self.history,
            self.permissions,
            self.clock,
            versions=self.model_versions,
            sheets=self.sheets,
            tracker=self.tracker,
        )

    @cached_property
    def feedback(self) -> Feedback:
        """What people say about answers."""
        return Feedback(
            self.store,
            self.serving,
            self.history,
            self.permissions,
            self.clock,
            endpoints=self.endpoints,
            versions=self.model_versions,
        )

    @cached_property
    def alerts(self) -> Alerts:
        """Standing conditions on endpoints, and their incidents."""
        return Alerts(self.store, self.serving, self.history, self.permissions, self.clock, endpoints=self.endpoints)

    @cached_property
    def monitoring(self) -> Monitoring:
        """Traffic, drift and health of endpoints."""
        return Monitoring(
            self.store,
            self.serving,
            self.history,
            self.permissions,
            self.clock,
            endpoints=self.endpoints,
            versions=self.model_versions,
            feedback=self.feedback,
            alerts=self.alerts,
        )

    @cached_property
    def gaps(self) -> Gaps:
        """Weaknesses of versions, and the proof that they closed."""
        return Gaps(
            self.store,
            self.lake,
            self.history,
            self.permissions,
            self.runs,
            self.clock,
            sheets=self.sheets,
            versions=self.model_versions,
            evaluations=self.evaluations,
        )

    @cached_property
    def labeling_tasks(self) -> LabelingTasks:
        """Work made from gaps."""
        return LabelingTasks(
            self.store,
            self.lake,
            self.history,
            self.permissions,
            self.clock,
            sheets=self.sheets,
            gaps=self.gaps,
            versions=self.model_versions,
            canonical_labels=self.canonical_labels,
            training_sheets=self.training_sheets,
        )

    @cached_property
    def demo(self) -> Demo:
        """The demo data."""
        return Demo(
            self.store,
            self.lake,
            self.history,
            self.permissions,
            sheets=self.sheets,
            prompt_templates=self.prompt_templates,
            label_sets=self.label_sets,
            data_quality=self.data_quality,
            serving=self.serving,
        )

    @cached_property
    def loop(self) -> Loop:
        """All stages at a glance."""
        return Loop(self.store, self.runs, self.permissions)

    @cached_property
    def installation(self) -> Installation:
        """What this workbench is made of."""
        parts = Parts(
            self.store,
            self.lake,
            chat_models=self.chat_models.all,
            embedder=lambda: self.embedder,
            trainers=lambda: self.trainers,
            serving=lambda: self.serving,
        )
        return Installation(self.settings, parts, self.permissions)

    # --- long work -------------------------------------------------------------------------------------------------

    def worker(self) -> Worker:
        """A worker that can do every kind of long work; start it, or call `run_one` until nothing waits."""
        handlers = {
            "check_quality": self.data_quality.handle,
            "profile_sheet": self.data_quality.handle_profile,
            "generate": self.training_sheets.handle,
            "answer_pairs": self.training_sheets.handle_answering,
            "decide_pairs": self.pairs.handle,
            EXPORT_KIND: self.exports.handle,
            "train": self.training_jobs.handle,
            "evaluate": self.evaluations.handle,
            "analyse_gaps": self.gaps.handle,
            "close_gap": self.gaps.handle_closing,
        }
        worker = Worker(self.runs, handlers, threads=self.settings.worker_threads)
        worker.every(60, self.alerts.evaluate)
        worker.every(30, self.endpoints.reconcile)
        worker.every(60, self.training_jobs.settle)
        worker.every(60, self.evaluations.settle)
        return worker

    def close(self) -> None:
        """End child processes that this process owns, and give back connections."""
        parts = [self.__dict__.get("serving"), *self.__dict__.get("language_models", ()), self.__dict__.get("lake")]
        for part in parts:
            if hasattr(part, "close"):
                part.close()
        self.store.close()

    def _evaluate_new_version(self, version: ModelVersion, by: str) -> None:
        """Queue the evaluation of a new version on its test part; without test items there is nothing to queue."""
        if self.training_jobs.get(version.job_id).test_pairs:
            self.evaluations.start(version.model_name, version.version, by=by)


def open_workbench(settings: Settings | None = None) -> Workbench:
    """Open the workbench for the settings of the environment, or those given.

    Raises NotSupported for a backend that this version does not have, Unavailable when the store does not answer.
    """
    settings = settings or read_settings()
    if settings.backend != "local":
        raise NotSupported(
            f"The {settings.backend} backend is not part of this version.",
            hint="Unset WORKBENCH_BACKEND. To share one store, point WORKBENCH_STORE_URL at a PostgreSQL database.",
        )
    settings.home.mkdir(parents=True, exist_ok=True)
    if settings.home / INBOX in settings.import_folders:
        (settings.home / INBOX).mkdir(exist_ok=True)
    return Workbench(settings)
