"""Drift reports: recent requests of one version against the profile of its training data, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from workbench_core import rows
from workbench_core.ports import Json, LoggedRequest, Row, Value
from workbench_core.reference_profile import profile_features
from workbench_core.statistics import (
    MINIMUM_ROWS,
    Counts,
    DriftSize,
    DriftVerdict,
    FeatureDrift,
    Profile,
    drift_report,
)

MAX_RECORDS = 5_000
TOO_FEW = "too few"
NONE = "none"
_LENGTH = "length of "


@dataclass(frozen=True, slots=True)
class CellShare:
    """The share of one bin or category in the training data and in the recent requests, each between 0 and 1."""

    name: str
    reference: float
    recent: float


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """The drift of one feature. `size` is the population stability index without what chance alone explains."""

    feature: str
    kind: str
    verdict: str
    severity: str
    psi: float
    size: float
    p_value: float
    q_value: float
    n_reference: int
    n_recent: int
    baseline: float | None
    recent: float | None
    words: str
    cells: tuple[CellShare, ...]

    @property
    def alerts(self) -> bool:
        """Whether the change is both certain and big enough to tell somebody."""
        return self.verdict == DriftVerdict.DETECTED and self.severity != DriftSize.NEGLIGIBLE


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All features of one window. `severity` is that of the worst alerting feature, else “none” or “too few”."""

    id: str
    endpoint_id: str
    model_name: str
    version: int
    window_start_at: datetime
    window_end_at: datetime
    request_count: int
    is_detected: bool
    severity: str
    features: tuple[FeatureReport, ...]
    created_by: str
    created_at: datetime

    @property
    def is_too_few(self) -> bool:
        """Whether nothing can be said."""
        return self.severity == TOO_FEW

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.is_too_few:
            return f"Only {self.request_count} records in the window; {MINIMUM_ROWS} are needed to say anything."
        found = [feature.feature for feature in self.features if feature.alerts]
        if not found:
            return f"No drift in {len(self.features)} features over {self.request_count:,} records."
        return f"Drift in {', '.join(found)} over {self.request_count:,} records; the worst is {self.severity}."


def examine(reference: Mapping[str, Json], requests: Sequence[LoggedRequest]) -> tuple[int, list[FeatureReport]]:
    """Compare answered requests, newest first, with a version's reference: records used, and a report per feature."""
    records, answers = _answered(requests, _variables(reference))
    if not records:
        return 0, []
    features = profile_features(reference, records, answers)
    return len(records), [_feature(result, *features[result.feature]) for result in drift_report(features)]


def verdict(features: Sequence[FeatureReport]) -> tuple[bool, str]:
    """Whether drift is detected, and the severity of the whole report."""
    if all(feature.verdict == DriftVerdict.TOO_FEW for feature in features):
        return False, TOO_FEW
    sizes = list(DriftSize)
    found = [DriftSize(feature.severity) for feature in features if feature.alerts]
    return bool(found), max(found, key=sizes.index) if found else NONE


def report_row(report: DriftReport) -> dict[str, Value]:
    """A report as its table keeps it."""
    values = {name: getattr(report, name) for name in DriftReport.__dataclass_fields__}
    return values | {"features": rows.to_json([asdict(feature) for feature in report.features])}


def report(row: Row) -> DriftReport:
    """A report out of its row."""
    return DriftReport(
        id=rows.text(row, "id"),
        endpoint_id=rows.text(row, "endpoint_id"),
        model_name=rows.text(row, "model_name"),
        version=rows.whole(row, "version"),
        window_start_at=rows.time(row, "window_start_at"),
        window_end_at=rows.time(row, "window_end_at"),
        request_count=rows.whole(row, "request_count"),
        is_detected=rows.flag(row, "is_detected"),
        severity=rows.text(row, "severity"),
        features=tuple(_stored(entry) for entry in rows.json_list(row, "features") if isinstance(entry, dict)),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
    )


def _variables(reference: Mapping[str, Json]) -> list[str]:
    features = reference.get("features")
    assert isinstance(features, dict)
    return [name.removeprefix(_LENGTH) for name in features if name.startswith(_LENGTH)]


def _answered(requests: Sequence[LoggedRequest], variables: Sequence[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Inputs, reduced to the template's variables, and answers; failed requests have none and are left out."""
    records: list[dict[str, str]] = []
    answers: list[str] = []
    for request in requests:
        for record, prediction in zip(request.records, request.predictions, strict=False):
            records.append({name: _text(record.get(name)) for name in variables})
            answers.append(_text(prediction.get("prediction")))
    return records[:MAX_RECORDS], answers[:MAX_RECORDS]


def _feature(result: FeatureDrift, profile: Profile, current: Counts) -> FeatureReport:
    reference, recent = profile.reference, current
    return FeatureReport(
        feature=result.feature,
        kind=result.kind,
        verdict=result.verdict,
        severity=result.severity,
        psi=result.psi,
        size=result.size,
        p_value=result.p_value,
        q_value=result.q_value,
        n_reference=result.n_reference,
        n_recent=result.n_current,
        baseline=result.baseline,
        recent=result.recent,
        words=_words(result),
        cells=tuple(
            CellShare(name, before / max(1, reference.n), now / max(1, recent.n))
            for name, before, now in zip(profile.cell_names, reference.cells, recent.cells, strict=True)
            if before or now
        ),
    )


def _words(result: FeatureDrift) -> str:
    if result.verdict is DriftVerdict.TOO_FEW:
        fewer = min(result.n_reference, result.n_current)
        return f"Too few to say: {fewer} of {MINIMUM_ROWS} needed."
    if not (result.verdict is DriftVerdict.DETECTED and result.severity is not DriftSize.NEGLIGIBLE):
        return f"No change that matters (size {result.size:.2f}, q = {result.q_value:.2g})."
    parts = []
    if result.baseline is not None and result.recent is not None:
        parts.append(f"Mean {result.baseline:,.4g} → {result.recent:,.4g}")
    if (cell := result.most_changed) is not None:
        parts.append(f"“{cell.name}” {100 * cell.reference_share:.0f} % → {100 * cell.current_share:.0f} %")
    parts.append(f"size {result.size:.2f} ({result.severity}), q = {result.q_value:.2g}")
    return "; ".join(parts) + "."


def _stored(entry: Mapping[str, Json]) -> FeatureReport:
    def number(name: str) -> float:
        return float(str(entry[name]))

    cells = entry["cells"]
    return FeatureReport(
        feature=str(entry["feature"]),
        kind=str(entry["kind"]),
        verdict=str(entry["verdict"]),
        severity=str(entry["severity"]),
        psi=number("psi"),
        size=number("size"),
        p_value=number("p_value"),
        q_value=number("q_value"),
        n_reference=int(number("n_reference")),
        n_recent=int(number("n_recent")),
        baseline=None if entry["baseline"] is None else number("baseline"),
        recent=None if entry["recent"] is None else number("recent"),
        words=str(entry["words"]),
        cells=tuple(
            CellShare(str(cell["name"]), float(str(cell["reference"])), float(str(cell["recent"])))
            for cell in (cells if isinstance(cells, list) else [])
            if isinstance(cell, dict)
        ),
    )


def _text(value: Json) -> str:
    return "" if value is None else str(value)
