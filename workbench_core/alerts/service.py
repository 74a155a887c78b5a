"""Keep alert rules, evaluate them, and let people acknowledge and resolve incidents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.alerts import model
from workbench_core.alerts.model import (
    ACTIVE,
    LIFECYCLE,
    AlertMetric,
    AlertRule,
    Incident,
    IncidentStatus,
    Outcome,
    RuleDraft,
)
from workbench_core.clock import Clock, new_id
from workbench_core.endpoints import Endpoints
from workbench_core.errors import ChangedByOthers, Conflict, NotFound
from workbench_core.history import History
from workbench_core.monitoring.traffic import FAILED_FROM, error_percent, latency_percentile
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Serving, Store, Value

if TYPE_CHECKING:
    import pandas as pd

SHORTEST_PERIOD = timedelta(seconds=30)  # so that two processes do not count one minute twice
BY_ITSELF = "auto"
_RULE = (
    "r.id, r.name, r.endpoint_id, e.name AS endpoint, r.metric, r.condition, r.threshold, r.window_minutes, "
    "r.min_samples, r.for_periods, r.clear_periods, r.cooldown_minutes, r.severity, r.is_enabled, r.breached_periods, "
    "r.healthy_periods, r.last_value, r.last_samples, r.evaluated_at, r.row_version, r.created_by, r.created_at"
)
_RULE_FROM = "FROM alert_rules r JOIN endpoints e ON e.id = r.endpoint_id"
_INCIDENT = (
    "i.id, i.rule_id, r.name AS rule_name, e.name AS endpoint, r.metric, i.severity, i.status, i.message, "
    "i.current_value, i.peak_value, i.opened_at, i.acknowledged_by, i.acknowledged_at, i.resolved_by, i.resolved_at, "
    "i.resolution, i.note"
)
_INCIDENT_FROM = "FROM incidents i JOIN alert_rules r ON r.id = i.rule_id JOIN endpoints e ON e.id = i.endpoint_id"


@dataclass(frozen=True, slots=True)
class _Measured:
    """One rule with what was measured for it; `value` is None below its minimum of samples."""

    rule: AlertRule
    value: float | None
    samples: int
    incident: Incident | None
    outcome: Outcome


class Alerts:
    """Rules and incidents of endpoints."""

    def __init__(
        self,
        store: Store,
        serving: Serving,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        endpoints: Endpoints,
    ) -> None:
        self._store = store
        self._serving = serving
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._endpoints = endpoints

    # --- rules -------------------------------------------------------------------------------------------------------

    def create_rule(self, endpoint: str, draft: RuleDraft, *, by: str) -> AlertRule:
        """Add a rule to an endpoint, enabled (AL-1). Raises NotFound, Invalid naming the field."""
        self._permissions.check(by, Action.MONITOR)
        model.check_draft(draft)
        known = self._endpoints.get(endpoint)
        rule_id = new_id("rule")
        values: dict[str, Value] = {"id": rule_id, "endpoint_id": known.id, "created_by": by,
                                    "created_at": self._clock()}  # fmt: skip
        with self._store.transaction():
            self._store.append("alert_rules", [values | _draft_row(draft)])
            self._history.add("alert_rule", rule_id, "create", by=by, endpoint=endpoint, name=draft.name.strip())
        return self.rule(rule_id)

    def update_rule(self, rule_id: str, draft: RuleDraft, *, by: str, row_version: int) -> AlertRule:
        """Change a rule; its counters begin anew. Raises Invalid, ChangedByOthers for an old version."""
        self._permissions.check(by, Action.MONITOR)
        model.check_draft(draft)
        values = _draft_row(draft)
        with self._store.transaction():
            changed = self._store.execute(
                f"UPDATE alert_rules SET {', '.join(f'{name} = :{name}' for name in values)}, breached_periods = 0, "
                "healthy_periods = 0, row_version = row_version + 1 WHERE id = :id AND row_version = :row_version",
                touches="alert_rules",
                id=rule_id,
                row_version=row_version,
                **values,
            )
            if not changed:
                raise ChangedByOthers(
                    f"“{self.rule(rule_id).draft.name}” was just changed by someone else.", hint="Reload and try again."
                )
            self._history.add("alert_rule", rule_id, "update", by=by)
        return self.rule(rule_id)

    def enable_rule(self, rule_id: str, is_enabled: bool, *, by: str) -> AlertRule:
        """Let a rule be evaluated, or not; its open incident stays until it is resolved."""
        self._permissions.check(by, Action.MONITOR)
        self.rule(rule_id)
        with self._store.transaction():
            self._store.execute(
                "UPDATE alert_rules SET is_enabled = :is_enabled, breached_periods = 0, healthy_periods = 0, "
                "row_version = row_version + 1 WHERE id = :id",
                touches="alert_rules",
                is_enabled=is_enabled,
                id=rule_id,
            )
            self._history.add("alert_rule", rule_id, "enable" if is_enabled else "disable", by=by)
        return self.rule(rule_id)

    def delete_rule(self, rule_id: str, *, by: str) -> None:
        """Remove a rule that never opened an incident. Raises Conflict otherwise: incidents are kept."""
        self._permissions.check(by, Action.MONITOR)
        rule = self.rule(rule_id)
        used = self._store.query("SELECT COUNT(*) AS n FROM incidents WHERE rule_id = :id", id=rule_id)
        if count := rows.whole(used[0], "n"):
            raise Conflict(f"“{rule.draft.name}” has {count} incidents, which are kept.", hint="Disable it instead.")
        with self._store.transaction():
            self._store.execute("DELETE FROM alert_rules WHERE id = :id", touches="alert_rules", id=rule_id)
            self._history.add("alert_rule", rule_id, "delete", by=by, name=rule.draft.name)

    def rule(self, rule_id: str) -> AlertRule:
        """One rule. Raises NotFound."""
        found = self._store.query(f"SELECT {_RULE} {_RULE_FROM} WHERE r.id = :id", id=rule_id)
        if not found:
            raise NotFound("This alert rule does not exist.", hint="Choose one on the Monitor page.")
        return model.rule(found[0])

    def rules(self, *, endpoint: str = "", limit: int = 200) -> list[AlertRule]:
        """Rules of one endpoint or of all, by name (AL-3)."""
        found = self._store.query(
            f"SELECT {_RULE} {_RULE_FROM} WHERE :endpoint IN ('', e.name) ORDER BY r.name, r.id LIMIT :limit",
            endpoint=endpoint,
            limit=limit,
        )
        return [model.rule(row) for row in found]

    # --- evaluating --------------------------------------------------------------------------------------------------

    def evaluate(self) -> int:
        """Measure every enabled rule once (AL-2); the worker calls it each minute. Give the number of rules measured.

        A rule measured less than half a minute ago is left out, so that several processes may call it.
        """
        now = self._clock()
        found = self._store.query(
            f"SELECT {_RULE} {_RULE_FROM} WHERE r.is_enabled = TRUE "
            "AND (r.evaluated_at IS NULL OR r.evaluated_at <= :before) ORDER BY e.name, r.id",
            before=now - SHORTEST_PERIOD,
        )
        due = [model.rule(row) for row in found]
        if not due:
            return 0
        measured = self._measure(due, now)
        with self._store.transaction():
            self._store.execute_many(
                "UPDATE alert_rules SET breached_periods = :breached, healthy_periods = :healthy, last_value = :value, "
                "last_samples = :samples, evaluated_at = :now WHERE id = :id AND row_version = :row_version",
                [_counters(one, now) for one in measured],
                touches="alert_rules",
            )
            self._follow([one for one in measured if one.incident is not None and one.value is not None])
            self._resolve_healthy([one for one in measured if one.outcome.resolves], now)
            self._open([one for one in measured if one.outcome.opens], now)
        return len(measured)

    # --- incidents ---------------------------------------------------------------------------------------------------

    def incidents(
        self, *, endpoint: str = "", is_active: bool = False, severity: str = "", limit: int = 100
    ) -> list[Incident]:
        """Incidents, those that are not resolved first, then the newest (AL-3)."""
        found = self._store.query(
            f"SELECT {_INCIDENT} {_INCIDENT_FROM} WHERE :endpoint IN ('', e.name) AND :severity IN ('', i.severity) "
            "AND i.status IN :statuses ORDER BY CASE WHEN i.status = 'resolved' THEN 1 ELSE 0 END, "
            "i.opened_at DESC, i.id LIMIT :limit",
            endpoint=endpoint,
            severity=severity,
            statuses=list(ACTIVE) if is_active else list(IncidentStatus),
            limit=limit,
        )
        return [model.incident(row) for row in found]

    def incident(self, incident_id: str) -> Incident:
        """One incident. Raises NotFound."""
        found = self._store.query(f"SELECT {_INCIDENT} {_INCIDENT_FROM} WHERE i.id = :id", id=incident_id)
        if not found:
            raise NotFound("This incident does not exist.", hint="Choose one on the Monitor page.")
        return model.incident(found[0])

    def acknowledge(self, incident_id: str, *, by: str, note: str = "") -> Incident:
        """Say that somebody looks after it (AL-4). Raises InvalidTransition unless it is open."""
        return self._move(
            incident_id, "acknowledge", "acknowledged_by = :by, acknowledged_at = :now, note = :note", by=by, note=note
        )

    def resolve(self, incident_id: str, *, by: str, note: str) -> Incident:
        """End an incident by hand (AL-5). Raises InvalidTransition when it is resolved already."""
        return self._move(
            incident_id,
            "resolve",
            "resolved_by = :by, resolved_at = :now, resolution = 'manual', note = :note",
            by=by,
            note=note,
        )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _move(self, incident_id: str, action: str, assignments: str, *, by: str, note: str) -> Incident:
        self._permissions.check(by, Action.MONITOR)
        known = self.incident(incident_id)
        to = LIFECYCLE.next(known.status, action, subject="This incident")
        with self._store.transaction():
            changed = self._store.execute(
                f"UPDATE incidents SET status = :to, {assignments} WHERE id = :id AND status = :was",
                touches="incidents",
                to=to,
                was=known.status,
                by=by,
                now=self._clock(),
                note=note.strip() or known.note,
                id=incident_id,
            )
            if not changed:
                raise ChangedByOthers("This incident was just changed by someone else.", hint="Reload and try again.")
            self._history.add("incident", incident_id, action, by=by, note=note.strip())
        return self.incident(incident_id)

    def _measure(self, due: Sequence[AlertRule], now: datetime) -> list[_Measured]:
        """Read the log of each endpoint once, as far back as its widest rule looks."""
        by_endpoint: dict[str, list[AlertRule]] = defaultdict(list)
        for rule in due:
            by_endpoint[rule.endpoint].append(rule)
        active = {incident.rule_id: incident for incident in self.incidents(is_active=True, limit=10_000)}
        resolved = self._last_resolved([rule.id for rule in due])
        measured = []
        for endpoint, rules in by_endpoint.items():
            widest = max(rule.draft.window_minutes for rule in rules)
            frame = self._serving.performance(endpoint, since=now - timedelta(minutes=widest), until=now)
            for rule in rules:
                value, samples = _value(rule, frame, now)
                incident = active.get(rule.id)
                outcome = model.judge(rule, value, has_incident=incident is not None,
                                      last_resolved_at=resolved.get(rule.id), now=now)  # fmt: skip
                measured.append(_Measured(rule, value, samples, incident, outcome))
        return measured

    def _last_resolved(self, rule_ids: Sequence[str]) -> dict[str, datetime]:
        found = self._store.query(
            "SELECT rule_id, MAX(resolved_at) AS resolved_at FROM incidents WHERE rule_id IN :ids "
            "AND status = 'resolved' GROUP BY rule_id ORDER BY rule_id",
            ids=list(rule_ids),
        )
        return {rows.text(row, "rule_id"): rows.time(row, "resolved_at") for row in found}

    def _follow(self, measured: Sequence[_Measured]) -> None:
        """Keep the current and the worst value of the incidents that are not resolved."""
        if measured:
            self._store.execute_many(
                "UPDATE incidents SET current_value = :value, peak_value = :peak "
                "WHERE id = :id AND status <> 'resolved'",
                [
                    {
                        "id": one.incident.id,
                        "value": one.value,
                        "peak": one.rule.draft.condition.worse(one.incident.peak_value, one.value),
                    }
                    for one in measured
                    if one.incident is not None and one.value is not None
                ],
                touches="incidents",
            )

    def _resolve_healthy(self, measured: Sequence[_Measured], now: datetime) -> None:
        ids = [one.incident.id for one in measured if one.incident is not None]
        if ids:
            self._store.execute(
                "UPDATE incidents SET status = 'resolved', resolved_by = :by, resolved_at = :now, resolution = 'auto' "
                "WHERE id IN :ids AND status <> 'resolved'",
                touches="incidents",
                by=BY_ITSELF,
                now=now,
                ids=ids,
            )
            self._history.add_many("incident", ids, "resolve", by=BY_ITSELF)

    def _open(self, measured: Sequence[_Measured], now: datetime) -> None:
        opened: list[dict[str, Value]] = [
            {
                "id": new_id("incident"),
                "rule_id": one.rule.id,
                "endpoint_id": one.rule.endpoint_id,
                "severity": one.rule.draft.severity,
                "status": IncidentStatus.OPEN,
                "message": model.message(one.rule, one.value, one.samples),
                "current_value": one.value,
                "peak_value": one.value,
                "opened_at": now,
            }
            for one in measured
            if one.value is not None
        ]
        if opened:
            self._store.append("incidents", opened)
            self._history.add_many("incident", [str(one["id"]) for one in opened], "open", by=BY_ITSELF)


def _value(rule: AlertRule, frame: pd.DataFrame, now: datetime) -> tuple[float | None, int]:
    """The metric over the rule's window, None below its minimum of samples, and the number of samples."""
    window = frame[frame["requested_at"] >= now - timedelta(minutes=rule.draft.window_minutes)]
    samples = len(window)
    if samples < rule.draft.min_samples:
        return None, samples
    if rule.draft.metric is AlertMetric.ERROR_RATE:
        return error_percent(int((window["status_code"] >= FAILED_FROM).sum()), samples), samples
    return latency_percentile(window["latency_ms"], 95), samples


def _counters(one: _Measured, now: datetime) -> dict[str, Value]:
    return {
        "id": one.rule.id,
        "row_version": one.rule.row_version,
        "breached": one.outcome.breached_periods,
        "healthy": one.outcome.healthy_periods,
        "value": one.value,
        "samples": one.samples,
        "now": now,
    }


def _draft_row(draft: RuleDraft) -> dict[str, Value]:
    return asdict(draft) | {"name": draft.name.strip(), "threshold": float(draft.threshold)}
