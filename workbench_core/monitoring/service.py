"""Read the request log of endpoints, measure drift against training data, and judge health."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from workbench_core.clock import Clock, new_id
from workbench_core.endpoints import DeploymentState, Endpoint, Endpoints, describe
from workbench_core.errors import Conflict
from workbench_core.feedback import Feedback
from workbench_core.history import History
from workbench_core.model_versions import ModelVersions
from workbench_core.monitoring import drift as drift_reports
from workbench_core.monitoring import traffic
from workbench_core.monitoring.drift import MAX_RECORDS, DriftReport
from workbench_core.monitoring.health import WINDOW_MINUTES, Health, HealthStatus, OpenIncident, Signals, judge
from workbench_core.monitoring.traffic import Performance
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import LoggedRequest, Serving, Store

if TYPE_CHECKING:
    import pandas as pd

    from workbench_core.alerts import Alerts

DRIFT_COUNTS_FOR = timedelta(days=7)  # an older report says nothing about health now
QUALITY_DAYS = 7
_COLUMNS = (
    "id, endpoint_id, model_name, version, window_start_at, window_end_at, request_count, is_detected, severity, "
    "features, created_by, created_at"
)
_WORST_FIRST = (
    HealthStatus.CRITICAL,
    HealthStatus.WARNING,
    HealthStatus.DEGRADED,
    HealthStatus.HEALTHY,
    HealthStatus.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything about a window that comes out of one reading of the log."""

    performance: Performance
    series: pd.DataFrame
    by_version: pd.DataFrame
    changes: tuple[tuple[datetime, str], ...]  # when what was served changed in the window, and to what
    bucket_minutes: int

    @property
    def bucket(self) -> str:
        """The width of a bucket in words."""
        minutes = self.bucket_minutes
        return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"

    @property
    def by_status(self) -> pd.DataFrame:
        """Requests of every bucket by outcome, for a chart: bucket_at, status, requests."""
        return traffic.by_status(self.series)

    @property
    def latency(self) -> pd.DataFrame:
        """Latency of every bucket, for a chart: bucket_at, percentile, ms."""
        return traffic.by_percentile(self.series)


@dataclass(frozen=True, slots=True)
class EndpointSummary:
    """One line of the list of endpoints."""

    endpoint: Endpoint
    health: Health
    performance: Performance  # of the last 24 hours
    open_incidents: int
    drift: DriftReport | None


class Monitoring:
    """Measure endpoints by what their requests were, never by what was planned."""

    def __init__(
        self,
        store: Store,
        serving: Serving,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        endpoints: Endpoints,
        versions: ModelVersions,
        feedback: Feedback,
        alerts: Alerts,
    ) -> None:
        self._store = store
        self._serving = serving
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._endpoints = endpoints
        self._versions = versions
        self._feedback = feedback
        self._alerts = alerts

    # --- traffic -----------------------------------------------------------------------------------------------------

    def performance(self, endpoint: str, *, hours: float = 24) -> Performance:
        """Requests, failures and latency of the last hours, compared with those before (MN-3).

        Raises Invalid for the window, NotFound.
        """
        frame, since, until = self._read(endpoint, hours)
        return traffic.performance(endpoint, frame, since=since, until=until)

    def series(self, endpoint: str, *, hours: float = 24, bucket_minutes: int = 60) -> pd.DataFrame:
        """The same over time, one row a bucket, empty ones too (MN-5); columns as in `traffic.series`."""
        frame, since, until = self._read(endpoint, hours)
        return traffic.series(frame, since=since, until=until, bucket_minutes=bucket_minutes)

    def dashboard(self, endpoint: str, *, hours: float = 24) -> Dashboard:
        """Totals, both series and the moments of change, from one reading of the log."""
        frame, since, until = self._read(endpoint, hours)
        minutes = traffic.suitable_bucket(hours)
        window = {"since": since, "until": until}
        return Dashboard(
            performance=traffic.performance(endpoint, frame, **window),
            series=traffic.series(frame, bucket_minutes=minutes, **window),
            by_version=traffic.series_by_version(frame, bucket_minutes=minutes, **window),
            changes=tuple(
                (done.finished_at, f"{done.action}: {describe(done.served_after)}")
                for done in self._endpoints.history(endpoint)
                if done.state is DeploymentState.SUCCEEDED and done.finished_at and since <= done.finished_at < until
            ),
            bucket_minutes=minutes,
        )

    def recent(self, endpoint: str, *, hours: float = 24, only_failed: bool = False, limit: int = 100) -> pd.DataFrame:
        """Single requests, newest first: requested_at, version, status_code, latency_ms, by, source, item, input,
        answer, error. With `only_failed`, those among the newest 5,000.
        """
        import pandas as pd

        traffic.check_hours(hours)
        self._endpoints.get(endpoint)
        until = self._clock()
        found = self._serving.requests(
            endpoint, since=until - timedelta(hours=hours), until=until, limit=MAX_RECORDS if only_failed else limit
        )
        if only_failed:
            found = [one for one in found if one.status_code >= traffic.FAILED_FROM]
        columns = ["requested_at", "version", "status_code", "latency_ms", "by", "source", "item", "input", "answer",
                   "error"]  # fmt: skip
        return pd.DataFrame([_line(one) for one in found[:limit]], columns=columns)

    # --- drift -------------------------------------------------------------------------------------------------------

    def drift(self, endpoint: str, *, by: str, hours: float = 24) -> DriftReport:
        """Compare the newest requests of the main version with its training data, and keep the report (DR-2).

        At most 5,000 records of the window are used; below 50 the verdict is “too few”, never “no drift”.
        Raises Conflict when nothing is served or the version has no reference profile, Invalid for the window.
        """
        self._permissions.check(by, Action.MONITOR)
        traffic.check_hours(hours)
        known = self._endpoints.get(endpoint)
        if known.main_version is None:
            raise Conflict(f"“{endpoint}” serves no version.", hint="Deploy one first.")
        made = self._versions.get(known.model_name, known.main_version)
        if not made.reference_profile:
            raise Conflict(
                f"{made.title} has no reference profile.", hint="Train it again: training makes the profile."
            )
        until = self._clock()
        since = until - timedelta(hours=hours)
        found = self._serving.requests(endpoint, since=since, until=until, limit=MAX_RECORDS)
        used, features = drift_reports.examine(
            made.reference_profile,
            [one for one in found if one.status_code < traffic.FAILED_FROM and one.version == made.version],
        )
        is_detected, severity = drift_reports.verdict(features)
        report = DriftReport(
            id=new_id("drift"),
            endpoint_id=known.id,
            model_name=made.model_name,
            version=made.version,
            window_start_at=since,
            window_end_at=until,
            request_count=used,
            is_detected=is_detected,
            severity=severity,
            features=tuple(features),
            created_by=by,
            created_at=until,
        )
        with self._store.transaction():
            self._store.append("drift_reports", [drift_reports.report_row(report)])
            self._history.add("endpoint", known.id, "analyse drift", by=by, severity=severity, records=used)
        return report

    def drift_history(self, endpoint: str, *, limit: int = 20) -> list[DriftReport]:
        """The kept reports of an endpoint, newest first."""
        found = self._store.query(
            f"SELECT {_COLUMNS} FROM drift_reports WHERE endpoint_id = :id ORDER BY created_at DESC, id LIMIT :limit",
            id=self._endpoints.get(endpoint).id,
            limit=limit,
        )
        return [drift_reports.report(row) for row in found]

    def latest_drift(self, endpoint: str) -> DriftReport | None:
        """The newest report."""
        found = self.drift_history(endpoint, limit=1)
        return found[0] if found else None

    # --- health ------------------------------------------------------------------------------------------------------

    def health(self, endpoint: str) -> Health:
        """The score of the last 60 minutes with every deduction (HS-2). Raises NotFound."""
        return self._health(self._endpoints.current(endpoint))

    def overview(self) -> list[EndpointSummary]:
        """All endpoints with health, traffic of 24 hours, open incidents and drift, the worst first."""
        found = [
            EndpointSummary(
                endpoint=known,
                health=self._health(known),
                performance=self.performance(known.name),
                open_incidents=len(self._alerts.incidents(endpoint=known.name, is_active=True)),
                drift=self.latest_drift(known.name),
            )
            for known in self._endpoints.overview()
        ]
        return sorted(found, key=lambda one: (_WORST_FIRST.index(one.health.status), one.health.score or 0.0))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _health(self, known: Endpoint) -> Health:
        until = self._clock()
        since = until - timedelta(minutes=WINDOW_MINUTES)
        frame = self._serving.performance(known.name, since=since, until=until)
        measured = traffic.performance(known.name, frame, since=since, until=until)
        report = self._recent_drift(known, until)
        ratings = self._feedback.stats(known.name, days=QUALITY_DAYS)
        share = ratings.positive_share
        return judge(
            Signals(
                endpoint=known.name,
                is_ready=known.answers,
                is_stopped=known.is_stopped,
                state_message=known.message,
                requests=measured.total,
                success_percent=measured.success_rate,
                incidents=[
                    OpenIncident(one.severity, one.acknowledged_at is not None, one.message)
                    for one in self._alerts.incidents(endpoint=known.name, is_active=True)
                ],
                drift_severity=report.severity if report and report.is_detected else "",
                drift_sentence=report.sentence if report else "",
                ratings=ratings.total,
                positive_percent=None if share is None else 100 * share,
            )
        )

    def _recent_drift(self, known: Endpoint, now: datetime) -> DriftReport | None:
        """The newest report, when it is about the version that is served and not too old."""
        report = self.latest_drift(known.name)
        if report is None or report.version != known.main_version or report.created_at < now - DRIFT_COUNTS_FOR:
            return None
        return report

    def _read(self, endpoint: str, hours: float) -> tuple[pd.DataFrame, datetime, datetime]:
        """The requests of two windows, for comparison, and the borders of the later one."""
        traffic.check_hours(hours)
        self._endpoints.get(endpoint)
        until = self._clock()
        since = until - timedelta(hours=hours)
        frame = self._serving.performance(endpoint, since=since - timedelta(hours=hours), until=until)
        return frame, since, until


def _line(request: LoggedRequest) -> tuple[datetime, int, int, float, str, str, str, str, str, str]:
    """One request for a table; of a request with many records, the first ones."""
    inputs = [" · ".join(str(value) for value in record.values() if value) for record in request.records[:3]]
    answers = [str(prediction.get("prediction") or "") for prediction in request.predictions[:3]]
    return (
        request.requested_at,
        request.version,
        request.status_code,
        request.latency_ms,
        request.requested_by,
        request.source,
        ", ".join(request.item_refs[:3]),
        " | ".join(inputs)[:500],
        " | ".join(answers)[:500],
        request.error,
    )
