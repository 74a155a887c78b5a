"""Monitoring: requests, latency and errors of an endpoint, drift against its training data, and its health."""

from workbench_core.monitoring.drift import (
    MAX_RECORDS,
    TOO_FEW,
    CellShare,
    DriftReport,
    FeatureReport,
)
from workbench_core.monitoring.health import Deduction, Health, HealthStatus
from workbench_core.monitoring.service import Dashboard, EndpointSummary, Monitoring
from workbench_core.monitoring.traffic import (
    Performance,
    error_percent,
    latency_percentile,
    suitable_bucket,
)

__all__ = [
    "MAX_RECORDS",
    "TOO_FEW",
    "CellShare",
    "Dashboard",
    "Deduction",
    "DriftReport",
    "EndpointSummary",
    "FeatureReport",
    "Health",
    "HealthStatus",
    "Monitoring",
    "Performance",
    "error_percent",
    "latency_percentile",
    "suitable_bucket",
]
