"""How bad a gap is, and which gap comes first."""

from enum import StrEnum


class GapSeverity(StrEnum):
    """How bad a gap is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_BASE = {GapSeverity.CRITICAL: 100, GapSeverity.HIGH: 75, GapSeverity.MEDIUM: 50, GapSeverity.LOW: 25}


def gap_severity(rate: float) -> GapSeverity:
    """Grade a gap by its error rate (GA-F2): from 0.40 critical, 0.25 high, 0.15 medium, else low."""
    if rate >= 0.40:
        return GapSeverity.CRITICAL
    if rate >= 0.25:
        return GapSeverity.HIGH
    return GapSeverity.MEDIUM if rate >= 0.15 else GapSeverity.LOW


def gap_priority(severity: GapSeverity, affected: int, error_rate: float | None) -> int:
    """Rank a gap from 0 to 100 by severity, affected items and error rate (GA-F1)."""
    reach = 15 if affected > 500 else 10 if affected > 100 else 0
    failing = 10 if error_rate is not None and error_rate > 0.3 else 0
    return min(100, _BASE[severity] + reach + failing)
