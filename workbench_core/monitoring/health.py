"""Health: one score from 0 to 100 with every deduction in words, or “unknown” when nobody asked (HS-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from workbench_core.statistics import DriftSize

WINDOW_MINUTES = 60
MINIMUM_RATINGS = 10
_INCIDENT_POINTS = {"critical": 20.0, "warning": 10.0, "info": 3.0}
_DRIFT_POINTS = {DriftSize.CRITICAL: 30.0, DriftSize.HIGH: 20.0, DriftSize.MEDIUM: 10.0}
_MOST_FOR_INCIDENTS = 40.0
_MOST_FOR_QUALITY = 20.0
_WANTED_POSITIVE = 80.0


class HealthStatus(StrEnum):
    """What the score means: from 90, from 70, from 50, below; unknown without traffic."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Deduction:
    """Points taken off, and why."""

    points: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint does. `score` is None when the status is unknown."""

    endpoint: str
    score: float | None
    status: HealthStatus
    deductions: tuple[Deduction, ...]


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that is not resolved."""

    severity: str
    is_acknowledged: bool
    message: str


@dataclass(frozen=True, slots=True)
class Signals:
    """What the score is made of. Percentages are 0 to 100, None when nothing was measured."""

    endpoint: str
    is_ready: bool
    is_stopped: bool = False
    state_message: str = ""
    requests: int = 0
    success_percent: float | None = None
    incidents: Sequence[OpenIncident] = field(default_factory=tuple)
    drift_severity: str = ""
    drift_sentence: str = ""
    ratings: int = 0
    positive_percent: float | None = None


def judge(signals: Signals) -> Health:
    """Score an endpoint: 100 - 0.5 x failed % - open incidents (at most 40) - drift - missing quality (at most 20).

    An acknowledged incident costs half. An endpoint that does not answer is critical with 0; one that is stopped, or
    had no request in the window, is unknown.
    """
    if signals.is_stopped:
        return _unknown(signals.endpoint, "It is stopped.")
    if not signals.is_ready:
        reason = f"It does not answer. {signals.state_message}".strip()
        return Health(signals.endpoint, 0.0, HealthStatus.CRITICAL, (Deduction(100.0, reason),))
    if not signals.requests or signals.success_percent is None:
        return _unknown(signals.endpoint, f"No request in the last {WINDOW_MINUTES} minutes.")
    found = [_failures(signals), *_incidents(signals.incidents), _drift(signals), _quality(signals)]
    deductions = tuple(one for one in found if one is not None and one.points > 0)
    score = min(100.0, max(0.0, 100 - sum(one.points for one in deductions)))
    return Health(signals.endpoint, score, status_of(score), deductions)


def status_of(score: float) -> HealthStatus:
    """The word for a score."""
    if score >= 90:
        return HealthStatus.HEALTHY
    if score >= 70:
        return HealthStatus.DEGRADED
    return HealthStatus.WARNING if score >= 50 else HealthStatus.CRITICAL


def _unknown(endpoint: str, sentence: str) -> Health:
    return Health(endpoint, None, HealthStatus.UNKNOWN, (Deduction(0.0, sentence),))


def _failures(signals: Signals) -> Deduction:
    failed = 100 - (signals.success_percent or 0.0)
    return Deduction(0.5 * failed, f"{failed:.1f} % of {signals.requests:,} requests failed.")


def _incidents(incidents: Sequence[OpenIncident]) -> list[Deduction]:
    """One deduction an incident, cut off where they reach the most they may cost together."""
    found: list[Deduction] = []
    left = _MOST_FOR_INCIDENTS
    for incident in sorted(incidents, key=lambda one: -_points(one)):
        points = min(left, _points(incident))
        left -= points
        word = "Acknowledged" if incident.is_acknowledged else "Open"
        found.append(Deduction(points, f"{word} {incident.severity} incident: {incident.message}"))
    return found


def _points(incident: OpenIncident) -> float:
    return _INCIDENT_POINTS[incident.severity] * (0.5 if incident.is_acknowledged else 1.0)


def _drift(signals: Signals) -> Deduction | None:
    points = {str(size): points for size, points in _DRIFT_POINTS.items()}.get(signals.drift_severity, 0.0)
    return Deduction(points, signals.drift_sentence)


def _quality(signals: Signals) -> Deduction | None:
    if signals.ratings < MINIMUM_RATINGS or signals.positive_percent is None:
        return None
    points = min(_MOST_FOR_QUALITY, max(0.0, _WANTED_POSITIVE - signals.positive_percent))
    return Deduction(points, f"{signals.positive_percent:.0f} % of {signals.ratings} ratings in 7 days are positive.")
