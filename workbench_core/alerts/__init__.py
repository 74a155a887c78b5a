"""Alerts: standing conditions on endpoints, evaluated every minute, and the incidents they open."""

from workbench_core.alerts.model import (
    LIFECYCLE,
    AlertMetric,
    AlertRule,
    Condition,
    Incident,
    IncidentStatus,
    RuleDraft,
    Severity,
)
from workbench_core.alerts.service import Alerts

__all__ = [
    "LIFECYCLE",
    "AlertMetric",
    "AlertRule",
    "Alerts",
    "Condition",
    "Incident",
    "IncidentStatus",
    "RuleDraft",
    "Severity",
]
