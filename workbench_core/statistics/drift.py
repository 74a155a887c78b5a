"""Drift of a feature: is there a change at all (a calibrated test), and how big is it (a de-biased PSI)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import special

from workbench_core.statistics.profiles import Counts, FeatureKind, Profile
from workbench_core.statistics.proportions import FloatArray, IntArray, benjamini_hochberg, two_proportions

BoolArray = npt.NDArray[np.bool_]

MINIMUM_ROWS = 50
FALSE_DISCOVERY_RATE = 0.05
_SMALL_WINDOW = 200
_RARE = 5  # rows expected in a cell below which its share says too little on its own

_ROUNDING = 1e-9  # so that 6 % less 1 % counts as 5 %
_PSI_SIZES = (0.02, 0.1, 0.2, 0.3)
_RATE_SIZES = (0.005, 0.02, 0.05, 0.10)


class DriftSize(StrEnum):
    """How big a change is; a negligible one never alerts, however certain."""

    NEGLIGIBLE = "negligible"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class DriftVerdict(StrEnum):
    """Whether a change was found."""

    DETECTED = "detected"
    NOT_DETECTED = "not detected"
    TOO_FEW = "too few"


@dataclass(frozen=True, slots=True)
class CellChange:
    """The bin or category whose share changed most."""

    name: str
    reference_share: float
    current_share: float


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """The drift of one feature; `baseline` and `recent` are means (or rates), None for categories."""

    feature: str
    kind: FeatureKind
    psi: float
    size: float
    severity: DriftSize
    p_value: float
    q_value: float
    verdict: DriftVerdict
    n_reference: int
    n_current: int
    bins: int
    baseline: float | None
    recent: float | None
    most_changed: CellChange | None

    @property
    def alerts(self) -> bool:
        """Say whether the change is both certain and big enough to tell somebody."""
        return self.verdict is DriftVerdict.DETECTED and self.severity is not DriftSize.NEGLIGIBLE


def drift(profile: Profile, current: Counts, *, feature: str = "") -> FeatureDrift:
    """Compare a window's counts with the reference profile, as a feature on its own (q-value = p-value).

    Numbers and categories: PSI over cells of equal reference share (5 below 200 rows, else 10). On clean data
    PSI / (1/n + 1/m) follows chi-square with B-1 degrees of freedom, which gives the p-value; its mean
    (B-1)(1/n + 1/m) is taken off to give the size. Rates: two-proportion test, size = absolute difference.
    Fewer than 50 rows on a side are "too few", never "no drift". Law of the PSI: Yurdakul (2018).
    Raises ValueError for counts of another profile.
    """
    if len(current.cells) != len(profile.reference.cells):
        raise ValueError("These counts were not made with this profile.")
    blank = _blank(profile, current, feature)
    if min(blank.n_reference, blank.n_current) < MINIMUM_ROWS:
        return blank
    compare = _rate_drift if profile.kind is FeatureKind.RATE else _psi_drift
    return _judged(compare(blank, profile, current))


def drift_report(features: Mapping[str, tuple[Profile, Counts]]) -> list[FeatureDrift]:
    """Compare every feature and correct for testing many (Benjamini-Hochberg, q < 0.05); alerts first."""
    results = [drift(profile, current, feature=name) for name, (profile, current) in features.items()]
    enough = [result for result in results if result.verdict is not DriftVerdict.TOO_FEW]
    few = [result for result in results if result.verdict is DriftVerdict.TOO_FEW]
    q_values = benjamini_hochberg([result.p_value for result in enough])
    judged = [_judged(replace(result, q_value=float(q))) for result, q in zip(enough, q_values, strict=True)]
    return [*sorted(judged, key=lambda result: (not result.alerts, -result.size, result.feature)), *few]


def _blank(profile: Profile, current: Counts, feature: str) -> FeatureDrift:
    return FeatureDrift(
        feature=feature,
        kind=profile.kind,
        psi=0.0,
        size=0.0,
        severity=DriftSize.NEGLIGIBLE,
        p_value=1.0,
        q_value=1.0,
        verdict=DriftVerdict.TOO_FEW,
        n_reference=profile.n,
        n_current=current.n,
        bins=0,
        baseline=_average(profile.kind, profile.reference),
        recent=_average(profile.kind, current),
        most_changed=_most_changed(profile, current),
    )


def _psi_drift(blank: FeatureDrift, profile: Profile, current: Counts) -> FeatureDrift:
    reference, window = _comparable_cells(profile, current)
    bins, n, m = len(reference), float(reference.sum()), float(window.sum())
    if bins < 2:
        return replace(blank, bins=bins)
    noise = 1 / n + 1 / m
    psi = float(_psi_terms(reference, window).sum())
    p_value = float(special.chdtrc(bins - 1, psi / noise))
    size = max(0.0, psi - (bins - 1) * noise)
    return replace(
        blank,
        psi=psi,
        size=size,
        severity=_word(size, _PSI_SIZES),
        p_value=p_value,
        q_value=p_value,
        bins=bins,
    )


def _rate_drift(blank: FeatureDrift, profile: Profile, current: Counts) -> FeatureDrift:
    test = two_proportions(current.cells[1], current.n, profile.reference.cells[1], profile.n)
    psi = float(_psi_terms(np.array(profile.reference.cells, float), np.array(current.cells, float)).sum())
    size = abs(test.difference)
    severity = _word(size, _RATE_SIZES)
    return replace(blank, psi=psi, size=size, severity=severity, p_value=test.p_value, q_value=test.p_value, bins=2)


def _judged(result: FeatureDrift) -> FeatureDrift:
    found = result.q_value < FALSE_DISCOVERY_RATE
    return replace(result, verdict=DriftVerdict.DETECTED if found else DriftVerdict.NOT_DETECTED)


def _comparable_cells(profile: Profile, current: Counts) -> tuple[FloatArray, FloatArray]:
    """Merge cells until each is worth comparing; what stays rare is left out of the test."""
    reference = np.asarray(profile.reference.cells, dtype=np.float64)
    window = np.asarray(current.cells, dtype=np.float64)
    rare = _rare(reference, window)
    if profile.kind is FeatureKind.NUMERIC:
        group = _bin_groups(reference, rare, 5 if current.n < _SMALL_WINDOW else 10)
    else:
        group = _category_groups(rare)
    reference, window = _sums(group, reference), _sums(group, window)
    keep = ~_rare(reference, window)
    return reference[keep], window[keep]


def _bin_groups(reference: FloatArray, rare: BoolArray, wanted: int) -> IntArray:
    """Group neighbouring bins by the middle of cumulative share; out of range stands alone if common."""
    bins = reference[:-1]
    middle = (np.cumsum(bins) - bins / 2) / max(bins.sum(), 1.0)
    group = np.append(np.minimum((middle * wanted).astype(np.int64), wanted - 1), wanted)
    for position, alone in ((0, wanted + 1), (bins.size - 1, wanted + 2)):
        if not rare[position]:
            group[position] = alone
    return group


def _category_groups(rare: BoolArray) -> IntArray:
    """Put rare, other and new categories together: in a long tail chance mixes the three."""
    group = np.arange(rare.size)
    other = rare.size - 3
    group[:other][rare[:other]] = other
    group[other + 1] = other
    return group


def _sums(group: IntArray, rows: FloatArray) -> FloatArray:
    return np.bincount(group, rows).astype(np.float64)


def _rare(reference: FloatArray, window: FloatArray) -> BoolArray:
    n, m = float(reference.sum()), float(window.sum())
    expected: FloatArray = (reference + window) / (n + m) * min(n, m)
    return expected < _RARE


def _psi_terms(reference: FloatArray, window: FloatArray) -> FloatArray:
    """PSI = sum (w - r) ln(w / r) over shares; an empty cell counts as half a row."""
    r = np.maximum(reference, 0.5) / reference.sum()
    w = np.maximum(window, 0.5) / window.sum()
    terms: FloatArray = (w - r) * np.log(w / r)
    return terms


def _most_changed(profile: Profile, current: Counts) -> CellChange | None:
    if profile.n == 0 or current.n == 0:
        return None
    reference = np.asarray(profile.reference.cells, dtype=np.float64)
    window = np.asarray(current.cells, dtype=np.float64)
    place = int(np.argmax(np.where(reference + window > 0, _psi_terms(reference, window), -1.0)))
    shares = reference[place] / reference.sum(), window[place] / window.sum()
    return CellChange(profile.cell_names[place], float(shares[0]), float(shares[1]))


def _average(kind: FeatureKind, counts: Counts) -> float | None:
    if counts.n == 0 or kind is FeatureKind.CATEGORICAL:
        return None
    if kind is FeatureKind.RATE:
        return counts.cells[1] / counts.n
    present = counts.n - counts.cells[-1]
    return counts.total / present if present else None


def _word(size: float, limits: tuple[float, ...]) -> DriftSize:
    return list(DriftSize)[sum(size >= limit - _ROUNDING for limit in limits)]
