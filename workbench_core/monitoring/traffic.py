"""The formulas of traffic: failures, percentiles, rates, changes and buckets, over one row a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workbench_core.errors import Invalid

if TYPE_CHECKING:
    import pandas as pd

FAILED_FROM = 400
MAX_HOURS = 2160
ANSWERED, REFUSED, BROKEN = "Answered", "Refused (4xx)", "Failed (5xx)"
_BUCKETS = ((2, 5), (12, 15), (48, 60), (240, 360))  # up to so many hours: so many minutes a bucket
_STATUS_CLASSES = ("ok", "client_error", "server_error")


@dataclass(frozen=True, slots=True)
class Performance:
    """The requests of a window (MN-3). Latencies in milliseconds, `error_rate` in percent; None without requests.

    `changes` compares with the equal window before: (now - before) / before, None when before is zero or missing.
    """

    endpoint: str
    since: datetime
    until: datetime
    total: int
    failed: int
    error_rate: float | None
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    per_minute: float
    last_at: datetime | None
    changes: dict[str, float | None]
    by_version: pd.DataFrame  # version, requests, share, failed, error_rate, p50_ms, p95_ms

    @property
    def succeeded(self) -> int:
        """Requests that got an answer."""
        return self.total - self.failed

    @property
    def success_rate(self) -> float | None:
        """The counterpart of the error rate, in percent."""
        return None if self.error_rate is None else 100 - self.error_rate


def error_percent(failed: int, total: int) -> float | None:
    """100 x failed / total; None without requests."""
    return 100 * failed / total if total else None


def latency_percentile(latencies: npt.ArrayLike, percent: float) -> float | None:
    """A percentile by linear interpolation between the two nearest values; None without values."""
    values = np.asarray(latencies, dtype=np.float64)
    return float(np.percentile(values, percent)) if values.size else None


def relative_change(now: float | None, before: float | None) -> float | None:
    """(now - before) / before; None when either is missing or before is zero."""
    return None if now is None or not before else (now - before) / before


def check_hours(hours: float) -> None:
    """Raise Invalid for a window outside 1 hour to 90 days."""
    if not 1 <= hours <= MAX_HOURS:
        raise Invalid(f"A window of {hours:g} hours is not possible.", hint=f"Choose 1 to {MAX_HOURS} hours.")


def suitable_bucket(hours: float) -> int:
    """Minutes a bucket for a window: 24 to 96 points, whatever the window."""
    return next((minutes for limit, minutes in _BUCKETS if hours <= limit), 1440)


def performance(endpoint: str, frame: pd.DataFrame, *, since: datetime, until: datetime) -> Performance:
    """Measure the requests in [since, until); `frame` also holds those of the equal window before."""
    now = _measured(_window(frame, since, until), since, until)
    before = _measured(_window(frame, since - (until - since), since), since, until)
    window = _window(frame, since, until)
    return Performance(
        endpoint=endpoint,
        since=since,
        until=until,
        total=int(now["total"] or 0),
        failed=int(now["failed"] or 0),
        error_rate=now["error_rate"],
        mean_ms=now["mean_ms"],
        p50_ms=now["p50_ms"],
        p95_ms=now["p95_ms"],
        p99_ms=now["p99_ms"],
        per_minute=now["per_minute"] or 0.0,
        last_at=window["requested_at"].max().to_pydatetime() if len(window) else None,
        changes={name: relative_change(value, before[name]) for name, value in now.items()},
        by_version=_by_version(window),
    )


def series(frame: pd.DataFrame, *, since: datetime, until: datetime, bucket_minutes: int) -> pd.DataFrame:
    """One row a bucket, also for empty ones (MN-5): zero requests there, and no latency.

    Columns: bucket_at, requests, ok, client_error, server_error, failed, error_rate, p50_ms, p95_ms, p99_ms.
    Buckets begin at multiples of their width (UTC). Raises Invalid for a width outside 5 to 1440 minutes.
    """
    import pandas as pd

    buckets = _buckets(since, until, bucket_minutes)
    window = _window(frame, since, until)
    at = window["requested_at"].dt.floor(f"{bucket_minutes}min").rename("bucket_at")
    classes = pd.Series(
        np.select([window["status_code"] >= 500, window["status_code"] >= FAILED_FROM], [2, 1], 0), index=window.index
    )
    counts = pd.DataFrame({name: classes == number for number, name in enumerate(_STATUS_CLASSES)}).groupby(at).sum()
    counts = counts.reindex(buckets, fill_value=0).astype("int64")
    latency = window["latency_ms"].groupby(at)
    points = {f"p{percent}_ms": latency.quantile(percent / 100).reindex(buckets) for percent in (50, 95, 99)}
    requests = counts.sum(axis=1)
    failed = counts["client_error"] + counts["server_error"]
    rate = (100 * failed / requests.where(requests > 0)).rename("error_rate")
    return counts.assign(requests=requests, failed=failed, error_rate=rate, **points).reset_index()[
        ["bucket_at", "requests", *_STATUS_CLASSES, "failed", "error_rate", "p50_ms", "p95_ms", "p99_ms"]
    ]


def by_status(points: pd.DataFrame) -> pd.DataFrame:
    """A series for a chart of requests by outcome: bucket_at, status, requests."""
    names = {"ok": ANSWERED, "client_error": REFUSED, "server_error": BROKEN}
    table = points.rename(columns=names)[["bucket_at", *names.values()]]
    return table.melt("bucket_at", var_name="status", value_name="requests")


def by_percentile(points: pd.DataFrame) -> pd.DataFrame:
    """A series for a chart of latency: bucket_at, percentile, ms."""
    names = {"p50_ms": "p50", "p95_ms": "p95", "p99_ms": "p99"}
    table = points.rename(columns=names)[["bucket_at", *names.values()]]
    return table.melt("bucket_at", var_name="percentile", value_name="ms")


def series_by_version(frame: pd.DataFrame, *, since: datetime, until: datetime, bucket_minutes: int) -> pd.DataFrame:
    """Requests of every version in every bucket: bucket_at, version, requests; empty buckets count zero."""
    buckets = _buckets(since, until, bucket_minutes)
    window = _window(frame, since, until)
    at = window["requested_at"].dt.floor(f"{bucket_minutes}min").rename("bucket_at")
    table = window.groupby([at, "version"]).size().unstack("version", fill_value=0)
    table = table.reindex(buckets, fill_value=0).astype("int64")
    return table.reset_index().melt("bucket_at", var_name="version", value_name="requests")


def _buckets(since: datetime, until: datetime, bucket_minutes: int) -> pd.DatetimeIndex:
    import pandas as pd

    if not 5 <= bucket_minutes <= 1440:
        raise Invalid(f"Buckets of {bucket_minutes} minutes are not possible.", hint="Choose 5 to 1440 minutes.")
    width = f"{bucket_minutes}min"
    first = pd.Timestamp(since).floor(width)
    return pd.date_range(first, until, freq=width, inclusive="left", name="bucket_at")


def _window(frame: pd.DataFrame, since: datetime, until: datetime) -> pd.DataFrame:
    return frame[(frame["requested_at"] >= since) & (frame["requested_at"] < until)]


def _measured(window: pd.DataFrame, since: datetime, until: datetime) -> dict[str, float | None]:
    total, failed = len(window), int((window["status_code"] >= FAILED_FROM).sum())
    latencies = window["latency_ms"].to_numpy(dtype=np.float64)
    return {
        "total": float(total),
        "failed": float(failed),
        "error_rate": error_percent(failed, total),
        "mean_ms": float(latencies.mean()) if total else None,
        "p50_ms": latency_percentile(latencies, 50),
        "p95_ms": latency_percentile(latencies, 95),
        "p99_ms": latency_percentile(latencies, 99),
        "per_minute": total / ((until - since) / timedelta(minutes=1)),
    }


def _by_version(window: pd.DataFrame) -> pd.DataFrame:
    marked = window.assign(is_failed=window["status_code"] >= FAILED_FROM)
    groups = marked.groupby("version")
    table = groups.agg(requests=("request_id", "size"), failed=("is_failed", "sum")).reset_index()
    return table.assign(
        share=table["requests"] / max(1, len(window)),
        error_rate=100 * table["failed"] / table["requests"],
        p50_ms=groups["latency_ms"].quantile(0.5).to_numpy(),
        p95_ms=groups["latency_ms"].quantile(0.95).to_numpy(),
    )[["version", "requests", "share", "failed", "error_rate", "p50_ms", "p95_ms"]]
