"""The words of alerts: metrics, conditions, rules and incidents, and what one evaluation does to them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from workbench_core import rows
from workbench_core.errors import Invalid
from workbench_core.lifecycle import Lifecycle
from workbench_core.ports import Row

MAX_NAME = 120


class AlertMetric(StrEnum):
    """What a rule watches: p95 latency in milliseconds, or failed requests in percent."""

    LATENCY_P95 = "latency_p95"
    ERROR_RATE = "error_rate"


class Condition(StrEnum):
    """How the value compares with the threshold when the rule is breached."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"

    @property
    def sign(self) -> str:
        """The mathematical sign."""
        return {"gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}[self.value]

    def holds(self, value: float, threshold: float) -> bool:
        """Whether a value breaches the threshold."""
        return _COMPARE[self](value, threshold)

    def worse(self, one: float, other: float) -> float:
        """The value that is further on the bad side."""
        return max(one, other) if self in {Condition.GT, Condition.GTE} else min(one, other)


_COMPARE: Mapping[Condition, Callable[[float, float], bool]] = {
    Condition.GT: operator.gt,
    Condition.GTE: operator.ge,
    Condition.LT: operator.lt,
    Condition.LTE: operator.le,
}


class Severity(StrEnum):
    """How bad a breach is; it decides what it costs in health."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class IncidentStatus(StrEnum):
    """Where an incident stands; a resolved one never changes again."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


ACTIVE = (IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED)
LIFECYCLE: Lifecycle[IncidentStatus] = Lifecycle(
    acknowledge=({IncidentStatus.OPEN}, IncidentStatus.ACKNOWLEDGED),
    resolve=({IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED}, IncidentStatus.RESOLVED),
)
_RANGES = {
    "window_minutes": (5, 1440),
    "min_samples": (1, 1_000_000),
    "for_periods": (1, 60),
    "clear_periods": (1, 60),
    "cooldown_minutes": (0, 10_080),
}


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """What a person fills in. A period is one evaluation, so about a minute."""

    name: str
    metric: AlertMetric
    threshold: float
    condition: Condition = Condition.GT
    window_minutes: int = 60
    min_samples: int = 20
    for_periods: int = 1
    clear_periods: int = 2
    cooldown_minutes: int = 60
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A standing condition. `last_value` is None before the first evaluation and without enough requests."""

    id: str
    endpoint_id: str
    endpoint: str
    draft: RuleDraft
    is_enabled: bool
    breached_periods: int
    healthy_periods: int
    last_value: float | None
    last_samples: int
    evaluated_at: datetime | None
    row_version: int
    created_by: str
    created_at: datetime

    @property
    def sentence(self) -> str:
        """The condition in words: “p95 latency > 1,000 ms over 60 min”."""
        draft = self.draft
        limit = shown(draft.metric, draft.threshold)
        return f"{_TITLES[draft.metric]} {draft.condition.sign} {limit} over {draft.window_minutes} min"

    @property
    def state(self) -> str:
        """What the last evaluation found."""
        if not self.is_enabled:
            return "disabled"
        if self.evaluated_at is None:
            return "not evaluated yet"
        if self.last_value is None:
            return f"no data ({self.last_samples} of {self.draft.min_samples} requests)"
        return "breached" if self.breached_periods else "healthy"


@dataclass(frozen=True, slots=True)
class Incident:
    """One period during which a rule was breached."""

    id: str
    rule_id: str
    rule_name: str
    endpoint: str
    metric: AlertMetric
    severity: Severity
    status: IncidentStatus
    message: str
    current_value: float
    peak_value: float
    opened_at: datetime
    acknowledged_by: str
    acknowledged_at: datetime | None
    resolved_by: str
    resolved_at: datetime | None
    resolution: str
    note: str

    @property
    def peak(self) -> str:
        """The worst value, with its unit."""
        return shown(self.metric, self.peak_value)

    @property
    def current(self) -> str:
        """The last value, with its unit."""
        return shown(self.metric, self.current_value)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one evaluation does: the counters after it, and at most one of opening and resolving."""

    breached_periods: int
    healthy_periods: int
    opens: bool = False
    resolves: bool = False


_TITLES = {AlertMetric.LATENCY_P95: "p95 latency", AlertMetric.ERROR_RATE: "Error rate"}


def judge(
    rule: AlertRule, value: float | None, *, has_incident: bool, last_resolved_at: datetime | None, now: datetime
) -> Outcome:
    """One evaluation of a rule (AL-2). `value` is None below the minimum of samples: then nothing changes.

    Breached `for_periods` times in a row opens an incident, unless one is open or the last one ended less than the
    cooldown ago; healthy `clear_periods` times in a row resolves it.
    """
    if value is None:
        return Outcome(rule.breached_periods, rule.healthy_periods)
    draft = rule.draft
    if not draft.condition.holds(value, draft.threshold):
        healthy = rule.healthy_periods + 1
        return Outcome(0, healthy, resolves=has_incident and healthy >= draft.clear_periods)
    breached = rule.breached_periods + 1
    is_silent = last_resolved_at is not None and now < last_resolved_at + timedelta(minutes=draft.cooldown_minutes)
    return Outcome(breached, 0, opens=not has_incident and not is_silent and breached >= draft.for_periods)


def message(rule: AlertRule, value: float, samples: int) -> str:
    """“p95 latency 1,240 ms > 1,000 ms over 60 min (n = 318)”."""
    draft = rule.draft
    value_text, limit = shown(draft.metric, value), shown(draft.metric, draft.threshold)
    return (
        f"{_TITLES[draft.metric]} {value_text} {draft.condition.sign} {limit} "
        f"over {draft.window_minutes} min (n = {samples:,})"
    )


def shown(metric: AlertMetric, value: float) -> str:
    """A value with its unit."""
    if metric is AlertMetric.ERROR_RATE:
        return f"{value:.1f} %"
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def check_draft(draft: RuleDraft) -> None:
    """Raise Invalid naming the field that cannot be (AL-1)."""
    if not 1 <= len(draft.name.strip()) <= MAX_NAME:
        raise Invalid(f"The name must have 1 to {MAX_NAME} characters.", hint="Say what the rule watches.")
    highest = 100.0 if draft.metric is AlertMetric.ERROR_RATE else 3_600_000.0
    unit = "%" if draft.metric is AlertMetric.ERROR_RATE else "ms"
    if not math.isfinite(draft.threshold) or not 0 <= draft.threshold <= highest:
        raise Invalid(f"The threshold is {draft.threshold:g} {unit}.", hint=f"Choose 0 to {highest:,.0f} {unit}.")
    for name, (lowest, most) in _RANGES.items():
        if not lowest <= getattr(draft, name) <= most:
            raise Invalid(
                f"{name.replace('_', ' ').capitalize()} is {getattr(draft, name)}.",
                hint=f"Choose {lowest} to {most:,}.",
            )


def rule(row: Row) -> AlertRule:
    """A rule out of its row."""
    return AlertRule(
        id=rows.text(row, "id"),
        endpoint_id=rows.text(row, "endpoint_id"),
        endpoint=rows.text(row, "endpoint"),
        draft=RuleDraft(
            name=rows.text(row, "name"),
            metric=AlertMetric(rows.text(row, "metric")),
            threshold=rows.number(row, "threshold"),
            condition=Condition(rows.text(row, "condition")),
            window_minutes=rows.whole(row, "window_minutes"),
            min_samples=rows.whole(row, "min_samples"),
            for_periods=rows.whole(row, "for_periods"),
            clear_periods=rows.whole(row, "clear_periods"),
            cooldown_minutes=rows.whole(row, "cooldown_minutes"),
            severity=Severity(rows.text(row, "severity")),
        ),
        is_enabled=rows.flag(row, "is_enabled"),
        breached_periods=rows.whole(row, "breached_periods"),
        healthy_periods=rows.whole(row, "healthy_periods"),
        last_value=rows.number_or_none(row, "last_value"),
        last_samples=rows.whole(row, "last_samples"),
        evaluated_at=rows.time_or_none(row, "evaluated_at"),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
    )


def incident(row: Row) -> Incident:
    """An incident out of its row."""
    return Incident(
        id=rows.text(row, "id"),
        rule_id=rows.text(row, "rule_id"),
        rule_name=rows.text(row, "rule_name"),
        endpoint=rows.text(row, "endpoint"),
        metric=AlertMetric(rows.text(row, "metric")),
        severity=Severity(rows.text(row, "severity")),
        status=IncidentStatus(rows.text(row, "status")),
        message=rows.text(row, "message"),
        current_value=rows.number(row, "current_value"),
        peak_value=rows.number(row, "peak_value"),
        opened_at=rows.time(row, "opened_at"),
        acknowledged_by=rows.text(row, "acknowledged_by"),
        acknowledged_at=rows.time_or_none(row, "acknowledged_at"),
        resolved_by=rows.text(row, "resolved_by"),
        resolved_at=rows.time_or_none(row, "resolved_at"),
        resolution=rows.text(row, "resolution"),
        note=rows.text(row, "note"),
    )
