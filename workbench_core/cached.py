"""The workbench of this process, the caching policy, and the cached reads but those of data quality and of files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import streamlit as st

from workbench_core.canonical_labels import LabelStats
from workbench_core.catalog import CatalogNode, Preview
from workbench_core.endpoints import Endpoint
from workbench_core.evaluations import Evaluation, VersionComparison
from workbench_core.feedback import FeedbackStats
from workbench_core.gaps import ChainStep, Gap
from workbench_core.installation import Part
from workbench_core.labeling_tasks import LabelingTask
from workbench_core.metrics import MetricValue
from workbench_core.model_versions import Lineage, ModelVersion
from workbench_core.monitoring import Dashboard, DriftReport, EndpointSummary, Health
from workbench_core.ports import Column, IdentifierCheck, Source, TableEntry
from workbench_core.sheets import (
    Dependants,
    FilterVerdict,
    Join,
    JoinPreview,
    KeySuggestion,
    Sheet,
    SheetDraft,
    SheetList,
    SheetStatus,
    Stake,
    Stratum,
    Validation,
)
from workbench_core.training_gate import GateSummary, Shares
from workbench_core.training_jobs import Candidate, JobStatus, RetrainProposal, TrainingJob
from workbench_core.training_sheets import TrainingSheet
from workbench_core.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    import pandas as pd

LAKE = "lake"  # beside the tables of the store: everything in the lake
_of_lake: list[Callable[[], None]] = []
Params = ParamSpec("Params")
Result = TypeVar("Result")


def workbench() -> Workbench:
    """The one workbench of this process; its class is part of the key, so that it survives hot reload."""
    return _open(id(Workbench))


@st.cache_resource(max_entries=1, show_spinner=False)
def _open(_class_id: int) -> Workbench:
    return open_workbench()


def reads(
    *tables: str, ttl: str = "1m", max_entries: int = 200, is_shared: bool = False
) -> Callable[[Callable[Concatenate[tuple[int, ...], Params], Result]], Callable[Params, Result]]:
    """Cache a read until this process writes one of its tables, or `ttl` passes (for writers elsewhere).

    The read takes the revisions as its first argument: they are only there to be part of the cache key. What is
    `is_shared` is large and never changes: everybody gets the same one instead of a copy.
    """

    def decorate(function: Callable[Concatenate[tuple[int, ...], Params], Result]) -> Callable[Params, Result]:
        keep = st.cache_resource if is_shared else st.cache_data
        cached = keep(ttl=ttl, max_entries=max_entries, show_spinner=False)(function)
        if LAKE in tables:
            _of_lake.append(cached.clear)

        @functools.wraps(function)
        def call(*args: Params.args, **kwargs: Params.kwargs) -> Result:
            result: Result = cached(tuple(_revision(table) for table in tables), *args, **kwargs)
            return result

        return call

    return decorate


def _revision(table: str) -> int:
    return workbench().lake.revision() if table == LAKE else workbench().store.revision(table)


def forget_lake() -> None:
    """Read everything of the lake again: what changed deep in a folder underneath shows no other way before its ttl."""
    for clear in _of_lake:
        clear()


@reads("sheets")
def sheets(
    revisions: tuple[int, ...], status: SheetStatus | None = None, search: str = "", owner: str = "", limit: int = 100
) -> list[Sheet]:
    """Sheets that match, last changed first."""
    return workbench().sheets.find(status=status, search=search, owner=owner, limit=limit)


@reads("sheets")
def sheets_on(revisions: tuple[int, ...], table: str) -> list[Sheet]:
    """The sheets that read a table or folder."""
    return workbench().catalog.sheets_on(table)


@reads("sheets")
def listed_sheets(
    revisions: tuple[int, ...],
    statuses: tuple[SheetStatus, ...],
    search: str = "",
    owner: str = "",
    limit: int = 100,
    offset: int = 0,
) -> SheetList:
    """One page of the sheets of these statuses, last changed first, and how many there are."""
    return workbench().sheets.listed(statuses, search=search, owner=owner, limit=limit, offset=offset)


@reads("sheets")
def sheet_owners(revisions: tuple[int, ...]) -> list[str]:
    """Everybody who made a sheet."""
    return workbench().sheets.owners()


# --- Data and Generate: files of folders are in cached_files ----------------------------------------------------------


@reads(LAKE, ttl="5m")
def catalog_entries(revisions: tuple[int, ...], search: str = "") -> list[TableEntry]:
    """Tables and volumes that match, by name."""
    return workbench().catalog.find(search=search)


@reads(LAKE, ttl="5m")
def catalog_tree(revisions: tuple[int, ...], search: str = "") -> list[CatalogNode]:
    """Tables and volumes that match, by catalog and schema."""
    return workbench().catalog.tree(search=search)


@reads(LAKE)
def table_preview(revisions: tuple[int, ...], source: str, limit: int = 20) -> Preview:
    """A table or volume with its columns and first rows, at most 100."""
    return workbench().catalog.preview(source, limit=limit)


@reads(LAKE)
def identifier_check(revisions: tuple[int, ...], source: Source, column: str) -> IdentifierCheck:
    """Whether a column can identify the items of a table, volume or join."""
    return workbench().sheets.check_identifier(source, column)


@reads(LAKE)
def filter_verdict(revisions: tuple[int, ...], source: Source, expression: str) -> FilterVerdict:
    """What a filter keeps of a source."""
    return workbench().sheets.check_filter(source, expression)


@reads(LAKE)
def sheet_proposal(revisions: tuple[int, ...], source: str) -> SheetDraft:
    """What a new sheet of a source is filled with."""
    return workbench().sheets.propose(source)


@reads("sheets", LAKE)
def sheet_columns(revisions: tuple[int, ...], sheet_id: str) -> list[Column]:
    """All columns of the rows of a sheet, through its join."""
    return workbench().sheets.columns(sheet_id)


@reads("sheets", LAKE, ttl="10m")
def sheet_check(revisions: tuple[int, ...], sheet_id: str) -> Validation:
    """Whether a sheet can be worked with."""
    return workbench().sheets.check(sheet_id)


@reads("sheets", LAKE)
def sheet_page(revisions: tuple[int, ...], sheet_id: str, limit: int, offset: int) -> pd.DataFrame:
    """One page of the rows of a sheet."""
    return workbench().sheets.preview(sheet_id, limit=limit, offset=offset)


@reads("training_sheets", "canonical_labels", "gaps", "labeling_tasks", "training_jobs")
def sheet_dependants(revisions: tuple[int, ...], sheet_id: str) -> Dependants:
    """What stands on a sheet."""
    return workbench().sheets.dependants(sheet_id)


@reads("sheets", "history")
def sheet_checked_by(revisions: tuple[int, ...], sheet_id: str) -> str:
    """Who had a sheet checked last."""
    return workbench().sheets.last_checked_by(sheet_id)


# --- An open sheet: a join, a filter or a sample is looked at before it is saved -------------------------------------


@reads(LAKE)
def table_columns(revisions: tuple[int, ...], table: str) -> list[Column]:
    """The columns of a table or volume."""
    return workbench().catalog.columns(table)


@reads(LAKE)
def relation_columns(revisions: tuple[int, ...], source: Source) -> list[Column]:
    """The columns of a table, volume or join."""
    return workbench().lake.columns(source)


@reads(LAKE)
def frequent_values(revisions: tuple[int, ...], source: Source, column: str, limit: int) -> list[tuple[str, int]]:
    """The most frequent values of a column with their counts."""
    return workbench().lake.distinct(source, column, limit=limit)


@reads(LAKE)
def draft_over(revisions: tuple[int, ...], draft: SheetDraft, source: str) -> SheetDraft:
    """A draft over another table or volume."""
    return workbench().sheets.with_source(draft, source)


@reads("sheets", "canonical_labels", "training_sheets", "gaps", "labeling_tasks", "training_jobs", LAKE)
def sheet_stake(revisions: tuple[int, ...], sheet_id: str, draft: SheetDraft) -> Stake | None:
    """What refers to items that a sheet would not have any more."""
    return workbench().sheets.stake(sheet_id, draft)


@reads(LAKE, ttl="10m")
def key_suggestions(revisions: tuple[int, ...], left: str, right: str) -> list[KeySuggestion]:
    """Columns that may join two tables, the best first."""
    return workbench().sheets.suggest_keys(left, right)


@reads(LAKE, ttl="10m")
def join_preview(revisions: tuple[int, ...], join: Join, item_id_column: str, limit: int) -> JoinPreview:
    """Rows, query and numbers of a join."""
    return workbench().sheets.preview_join(join, item_id_column, limit=limit)


@reads(LAKE)
def sampling_preview(revisions: tuple[int, ...], draft: SheetDraft) -> list[Stratum]:
    """What a sample takes of each class."""
    return workbench().sheets.sampling_preview(draft)


@reads("canonical_labels", "sheets")
def label_stats(revisions: tuple[int, ...], sheet_id: str, label_type: str = "") -> LabelStats:
    """Labels of a sheet, their coverage and reuse, of one type or of all."""
    return workbench().canonical_labels.stats(sheet_id, label_type)


@reads("quarantined_items", "sheets", LAKE)
def set_aside_count(revisions: tuple[int, ...], sheet_id: str) -> int:
    """How many rows of a sheet are set aside."""
    selection = workbench().sheets.get(sheet_id).selection()
    return workbench().data_quality.quarantine.count_within(workbench().lake, selection, sheet_id)


@reads("training_sheets", "pairs")
def training_sheets(revisions: tuple[int, ...], sheet_id: str = "", limit: int = 50) -> list[TrainingSheet]:
    """Training sheets with their counts, newest first."""
    return workbench().training_sheets.find(sheet_id=sheet_id, limit=limit)


# --- Deploy and Monitor: the request log is not in the store, so these are kept for seconds ---------------------------


@reads("endpoints", "deployments", ttl="5s")
def endpoints(revisions: tuple[int, ...]) -> list[Endpoint]:
    """Endpoints as serving reports them now."""
    return workbench().endpoints.overview()


@reads("endpoints", "deployments", ttl="10s")
def dashboard(revisions: tuple[int, ...], endpoint: str, hours: int) -> Dashboard:
    """Traffic of an endpoint over time."""
    return workbench().monitoring.dashboard(endpoint, hours=hours)


@reads("endpoints", "incidents", "feedback", "drift_reports", ttl="10s")
def health_of_endpoints(revisions: tuple[int, ...]) -> list[EndpointSummary]:
    """All endpoints with health and traffic, the worst first."""
    return workbench().monitoring.overview()


@reads("endpoints", "incidents", "feedback", "drift_reports", ttl="10s")
def health(revisions: tuple[int, ...], endpoint: str) -> Health:
    """The score of one endpoint."""
    return workbench().monitoring.health(endpoint)


@reads("drift_reports")
def drift_history(revisions: tuple[int, ...], endpoint: str) -> list[DriftReport]:
    """The kept drift reports of an endpoint."""
    return workbench().monitoring.drift_history(endpoint)


@reads("feedback")
def feedback_stats(revisions: tuple[int, ...], endpoint: str, days: int) -> FeedbackStats:
    """What people thought of the answers of an endpoint."""
    return workbench().feedback.stats(endpoint, days=days)


# --- Improve: a gap and a task move with the decisions about their pairs ----------------------------------------------


@reads("gaps", "labeling_tasks", "pairs")
def gaps(revisions: tuple[int, ...], model_name: str = "", include_closed: bool = False) -> list[Gap]:
    """Gaps, the most urgent first."""
    return workbench().gaps.find(model_name=model_name, include_closed=include_closed)


@reads("gaps")
def gap_evidence(revisions: tuple[int, ...], gap_id: str) -> pd.DataFrame:
    """The kept sample of failed items of a gap with the columns of its sheet."""
    return workbench().gaps.evidence(gap_id)


@reads("gaps", "labeling_tasks", "pairs", "training_sheets", "training_jobs", "evaluations", "gap_closures")
def gap_chain(revisions: tuple[int, ...], gap_id: str) -> tuple[ChainStep, ...]:
    """The way of a gap from found to closed."""
    return workbench().gaps.chain(gap_id)


@reads("labeling_tasks", "pairs")
def labeling_tasks(revisions: tuple[int, ...], open_only: bool = False) -> list[LabelingTask]:
    """Labelling tasks with their progress, newest first."""
    return workbench().labeling_tasks.find(open_only=open_only)


# --- Settings: parts come and go without a line in the store ----------------------------------------------------------


@reads("history", ttl="15s")
def parts(revisions: tuple[int, ...]) -> list[Part]:
    """Every part with its readiness."""
    return workbench().installation.parts()


# --- training and evaluation -----------------------------------------------------------------------------------------


@reads("training_sheets", "pairs")
def training_candidates(revisions: tuple[int, ...]) -> list[Candidate]:
    """Training sheets that one may want to train on, newest first."""
    return workbench().training_jobs.candidates()


@reads("training_sheets", "pairs")
def gate(revisions: tuple[int, ...], training_sheet_id: str, shares: Shares, seed: int) -> GateSummary:
    """Who may be trained on, and why the others may not."""
    return workbench().training_jobs.gate(training_sheet_id, shares=shares, seed=seed).summary()


@reads("training_sheets", "pairs", "model_versions")
def retrain_proposal(revisions: tuple[int, ...], model_name: str, training_sheet_id: str = "") -> RetrainProposal:
    """A prefilled retraining of a model."""
    return workbench().training_jobs.propose_retrain(model_name, training_sheet_id=training_sheet_id)


@reads("training_jobs")
def training_jobs(revisions: tuple[int, ...], status: JobStatus | None = None) -> list[TrainingJob]:
    """Jobs, newest first."""
    return workbench().training_jobs.find(status=status)


@reads("model_versions")
def model_versions(revisions: tuple[int, ...], model_name: str = "") -> list[ModelVersion]:
    """Versions of one model or of all, newest first."""
    return workbench().model_versions.find(model_name=model_name)


@reads("model_versions")
def lineage(revisions: tuple[int, ...], model_name: str, version: int) -> Lineage:
    """What went into a version."""
    return workbench().model_versions.lineage(model_name, version)


@reads("evaluations")
def evaluations(revisions: tuple[int, ...], model_name: str, version: int) -> list[Evaluation]:
    """Evaluations of a version, newest first."""
    return workbench().evaluations.find(model_name=model_name, version=version)


@reads("evaluations")
def headline_metrics(revisions: tuple[int, ...], model_name: str, version: int, job_id: str) -> tuple[MetricValue, ...]:
    """The metrics without classes of the newest finished evaluation of a version on its own test part, if any."""
    latest = workbench().evaluations.latest(model_name, version, dataset_id=job_id)
    return tuple(one for one in workbench().evaluations.metrics(latest.id) if not one.part) if latest else ()


@reads("evaluation_metrics")
def evaluation_metrics(revisions: tuple[int, ...], evaluation_id: str) -> list[MetricValue]:
    """All metrics of an evaluation with their intervals."""
    return workbench().evaluations.metrics(evaluation_id)


@reads("evaluation_items")
def evaluation_items(revisions: tuple[int, ...], evaluation_id: str, only_wrong: bool, limit: int) -> pd.DataFrame:
    """The items of an evaluation, wrong ones first."""
    return workbench().evaluations.items(evaluation_id, only_wrong=only_wrong, limit=limit)


@reads("evaluation_items")
def confusion(revisions: tuple[int, ...], evaluation_id: str) -> pd.DataFrame | None:
    """Items by expected and answered class."""
    return workbench().evaluations.confusion(evaluation_id)


@reads("evaluations")
def comparison(revisions: tuple[int, ...], before_id: str, after_id: str) -> VersionComparison:
    """Two evaluations, item by item."""
    return workbench().evaluations.compare(before_id, after_id)
