"""The statistics give published values, keep their promised error rates, and find what is there."""

import numpy as np
import pytest

from workbench_core.statistics import (
    Counts,
    DriftSize,
    DriftVerdict,
    Interval,
    Profile,
    benjamini_hochberg,
    bootstrap_interval,
    bootstrap_metric,
    confusion_matrix,
    counts_against,
    drift,
    drift_report,
    hypergeometric_tail,
    mcnemar,
    paired_interval,
    paired_t,
    profile_categories,
    profile_numeric,
    profile_rate,
    rate_counts,
    required_sample,
    two_proportions,
    wilson,
)


def test_wilson_gives_the_lower_bound_of_ee_f2():
    assert wilson(8, 10).low == pytest.approx(0.490, abs=0.0005)
    assert wilson(8.5, 10).low > wilson(8, 10).low  # half a success for a partial outcome


def test_wilson_of_nothing_is_everything_and_impossible_counts_are_refused():
    assert wilson(0, 0) == Interval(0.0, 1.0)
    with pytest.raises(ValueError, match="11 successes of 10"):
        wilson(11, 10)


def test_benjamini_hochberg_agrees_with_scipy_in_any_order():
    from scipy.stats import false_discovery_control

    p_values = np.random.default_rng(3).random(50) ** 3
    assert benjamini_hochberg(p_values) == pytest.approx(false_discovery_control(p_values))
    assert benjamini_hochberg([]).size == 0


def test_two_proportions_give_newcombes_published_interval():
    result = two_proportions(56, 70, 48, 80)  # Newcombe (1998), table II, row a, method 10
    assert result.difference == pytest.approx(0.2)
    assert (result.interval.low, result.interval.high) == pytest.approx((0.0524, 0.3339), abs=0.0001)
    assert result.p_value == pytest.approx(0.00805, abs=0.0001)


def test_two_proportions_with_rare_events_use_fishers_exact_test():
    from scipy.stats import fisher_exact

    assert two_proportions(3, 100, 0, 100).p_value == pytest.approx(fisher_exact([[3, 97], [0, 100]]).pvalue)
    assert two_proportions(0, 10, 0, 10).p_value == 1.0


def test_mcnemar_is_the_exact_binomial_test():
    from scipy.stats import binomtest

    assert mcnemar(10, 2) == pytest.approx(binomtest(2, 12).pvalue)
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 0) == 1.0


def test_paired_t_agrees_with_scipy():
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(5).normal(0.2, 1, 60)
    assert paired_t(values) == pytest.approx(ttest_1samp(values, 0).pvalue)
    assert paired_t(np.zeros(10)) == 1.0
    assert paired_t(np.full(10, 2.0)) == 0.0


@pytest.mark.parametrize(
    ("before", "after", "n"),
    [(0.45, 0.25, 88), (0.45, 0.35, 376), (0.30, 0.15, 120), (0.20, 0.10, 199), (0.10, 0.05, 434)],
)
def test_required_sample_gives_the_task_sizes_of_the_plan(before, after, n):
    assert required_sample(before, after) == n


def test_required_sample_finds_the_change_as_often_as_promised():
    rng = np.random.default_rng(0)
    n = required_sample(0.30, 0.15)
    before, after = rng.binomial(n, 0.30, 2000), rng.binomial(n, 0.15, 2000)
    pooled = (before + after) / (2 * n)
    z = (before - after) / n / np.sqrt(pooled * (1 - pooled) * 2 / n)
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.03)


def test_hypergeometric_tail_agrees_with_scipy():
    from scipy.stats import hypergeom

    rng = np.random.default_rng(2)
    total, all_marked = 2000, 300
    drawn = rng.integers(20, 800, 200)
    marked = np.minimum(drawn, rng.binomial(drawn, 0.2))
    tail = hypergeometric_tail(marked, drawn, np.array(all_marked), np.array(total))
    above = marked * total > drawn * all_marked
    assert above.sum() > 100
    assert tail[above] == pytest.approx(hypergeom.sf(marked - 1, total, all_marked, drawn)[above], rel=1e-6)
    assert (tail[~above] == 1).all()
    assert hypergeometric_tail(np.array(20), np.array(20), np.array(20), np.array(100)) < 1e-15


def test_the_shortcut_bootstrap_gives_the_interval_of_the_naive_one():
    rng = np.random.default_rng(1)
    differences = rng.choice([-1.0, 0.0, 1.0], 400, p=[0.1, 0.7, 0.2])
    naive = differences[rng.integers(0, 400, (4000, 400))].mean(axis=1)
    quick = paired_interval(differences, resamples=4000)
    assert (quick.low, quick.high) == pytest.approx(tuple(np.quantile(naive, [0.025, 0.975])), abs=0.006)


def test_the_bootstrap_is_repeatable_and_covers_the_truth():
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(200):
        interval = bootstrap_interval(rng.exponential(1.0, 100))
        covered += not interval.excludes(1.0)
    assert 0.88 <= covered / 200 <= 0.99
    values = rng.random(50)
    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    assert bootstrap_interval(values, seed=4) != bootstrap_interval(values, seed=5)


def test_the_bootstrap_of_very_many_distinct_values_is_the_normal_interval():
    values = np.random.default_rng(0).normal(5, 2, 30_000)
    interval = bootstrap_interval(values)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 2 / np.sqrt(30_000), rel=0.02)


def test_the_bootstrap_leaves_unknown_values_out():
    assert bootstrap_interval([1.0, 1.0, float("nan")]) == Interval(1.0, 1.0)
    assert np.isnan(bootstrap_interval([]).low)


def test_macro_f1_interval_agrees_with_resampling_the_items():
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(4)
    expected = rng.choice(3, 200, p=[0.5, 0.3, 0.2])
    predicted = np.where(rng.random(200) < 0.8, expected, rng.choice(3, 200))
    draws = [rng.integers(0, 200, 200) for _ in range(300)]
    naive = [f1_score(expected[draw], predicted[draw], average="macro") for draw in draws]
    table = confusion_matrix(expected, predicted, classes=3)
    interval = bootstrap_metric(lambda counts: counts.macro(counts.f1), table)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(naive, [0.025, 0.975])), abs=0.025)


def normal(rng, n):
    return rng.standard_normal(n)


def tokens(rng, n):
    """Many zeros, a long tail, some missing: what token counts look like."""
    values = np.floor(rng.lognormal(4, 1, n))
    values[rng.random(n) < 0.3] = 0
    values[rng.random(n) < 0.02] = np.nan
    return values


def names(rng, n):
    """A long tail of names, so that every window brings new ones."""
    return np.char.add("user ", (rng.zipf(1.5, n) % 3000).astype(str)).astype(object)


@pytest.mark.parametrize("rows", [100, 500, 2000])
@pytest.mark.parametrize(
    ("draw", "profile", "most"),
    [(normal, profile_numeric, 12), (tokens, profile_numeric, 12), (names, profile_categories, 18)],
)
def test_clean_windows_raise_about_one_alarm_in_a_hundred(draw, profile, most, rows):
    rng = np.random.default_rng(rows)
    alarms = 0
    for _ in range(100):
        reference = profile(draw(rng, 2000))
        results = [drift(reference, counts_against(reference, draw(rng, rows))) for _ in range(5)]
        alarms += sum(result.p_value < 0.01 for result in results)
    assert 1 <= alarms <= most  # of 500 windows: 5 expected (9 in a long tail), three standard errors above


def test_over_all_clean_windows_the_false_alarm_rate_is_one_percent():
    rng = np.random.default_rng(11)
    reference_rows, window_rows, windows = 10_000, 500, 3000
    alarms = 0
    for _ in range(100):
        reference = profile_numeric(normal(rng, reference_rows))
        for _ in range(windows // 100):
            alarms += drift(reference, counts_against(reference, normal(rng, window_rows))).p_value < 0.01
    assert 0.004 <= alarms / windows <= 0.015


def test_the_size_has_no_bias_from_small_windows():
    rng = np.random.default_rng(12)
    reference = profile_numeric(normal(rng, 10_000))
    results = [drift(reference, counts_against(reference, normal(rng, 200))) for _ in range(200)]
    assert np.mean([result.psi for result in results]) == pytest.approx(9 * (1 / 10_000 + 1 / 200), rel=0.15)
    assert np.median([result.size for result in results]) < 0.005
    assert sum(result.severity is DriftSize.NEGLIGIBLE for result in results) > 150


def test_a_real_shift_of_a_third_of_a_deviation_is_always_found_in_2000_rows():
    rng = np.random.default_rng(6)
    reference = profile_numeric(normal(rng, 10_000))
    results = [drift(reference, counts_against(reference, normal(rng, 2000) + 0.3)) for _ in range(100)]
    assert all(result.verdict is DriftVerdict.DETECTED for result in results)
    assert {result.severity for result in results} <= {DriftSize.LOW, DriftSize.MEDIUM}


def test_identical_samples_have_psi_zero():
    values = np.random.default_rng(0).standard_normal(500)
    reference = profile_numeric(values)
    result = drift(reference, counts_against(reference, values))
    assert (result.psi, result.size, result.p_value) == (0.0, 0.0, 1.0)
    assert result.verdict is DriftVerdict.NOT_DETECTED


def test_a_shift_of_one_deviation_in_500_rows_is_critical():
    rng = np.random.default_rng(0)
    reference = profile_numeric(rng.normal(200, 20, 5000))
    result = drift(reference, counts_against(reference, rng.normal(220, 20, 500)), feature="latency")
    assert (result.verdict, result.severity, result.alerts) == (DriftVerdict.DETECTED, DriftSize.CRITICAL, True)
    assert (result.baseline, result.recent) == pytest.approx((200, 220), abs=3)
    assert result.most_changed is not None
    assert result.most_changed.current_share > result.most_changed.reference_share


def test_fewer_than_50_rows_are_too_few_on_either_side():
    rng = np.random.default_rng(0)
    reference = profile_numeric(rng.standard_normal(1000))
    assert drift(reference, counts_against(reference, np.full(49, 99.0))).verdict is DriftVerdict.TOO_FEW
    assert drift(reference, counts_against(reference, np.full(50, 99.0))).verdict is DriftVerdict.DETECTED
    small = profile_numeric(rng.standard_normal(49))
    assert drift(small, counts_against(small, rng.standard_normal(500))).verdict is DriftVerdict.TOO_FEW


def test_small_windows_are_compared_in_five_bins():
    rng = np.random.default_rng(0)
    reference = profile_numeric(rng.standard_normal(5000))
    assert drift(reference, counts_against(reference, rng.standard_normal(199))).bins == 5
    assert drift(reference, counts_against(reference, rng.standard_normal(200))).bins == 10
    fine = profile_numeric(rng.standard_normal(5000), bins=200)
    assert drift(fine, counts_against(fine, rng.standard_normal(1000))).bins == 10


def test_a_certain_but_tiny_change_is_negligible_and_does_not_alert():
    rng = np.random.default_rng(0)
    reference = profile_numeric(rng.standard_normal(400_000))
    result = drift(reference, counts_against(reference, rng.standard_normal(400_000) + 0.02))
    assert result.verdict is DriftVerdict.DETECTED
    assert result.severity is DriftSize.NEGLIGIBLE
    assert not result.alerts


def test_yes_or_no_numbers_and_values_beyond_the_reference_are_seen():
    rng = np.random.default_rng(0)
    flags = profile_numeric((rng.random(2000) < 0.3).astype(float))
    assert drift(flags, counts_against(flags, (rng.random(500) < 0.5).astype(float))).alerts
    assert not drift(flags, counts_against(flags, (rng.random(500) < 0.3).astype(float))).alerts
    latency = profile_numeric(rng.uniform(0, 100, 2000))
    slow = counts_against(latency, np.append(rng.uniform(0, 100, 450), np.full(50, 1e6)))
    result = drift(latency, slow)
    assert result.alerts
    assert result.most_changed is not None
    assert result.most_changed.name.startswith("above ")


def test_values_that_go_missing_are_drift():
    rng = np.random.default_rng(0)
    reference = profile_numeric(rng.standard_normal(2000))
    gone = rng.standard_normal(500)
    gone[:100] = np.nan
    result = drift(reference, counts_against(reference, gone))
    assert result.alerts
    assert result.most_changed is not None
    assert result.most_changed.name == "missing"


def test_a_new_category_is_drift_and_is_named():
    rng = np.random.default_rng(0)
    reference = profile_categories(rng.choice(["invoice", "order", None], 2000, p=[0.6, 0.35, 0.05]))
    current = rng.choice(["invoice", "order", "complaint"], 500, p=[0.5, 0.3, 0.2])
    result = drift(reference, counts_against(reference, current))
    assert result.alerts
    assert result.most_changed is not None
    assert (result.most_changed.name, result.most_changed.reference_share) == ("new", 0.0)
    assert result.baseline is None


def test_rates_are_judged_by_their_difference():
    reference = profile_rate(100, 10_000)
    result = drift(reference, rate_counts(60, 1000), feature="error rate")
    assert (result.baseline, result.recent) == (0.01, 0.06)
    assert (result.severity, result.alerts) == (DriftSize.HIGH, True)
    same = drift(reference, rate_counts(12, 1000))
    assert (same.severity, same.verdict) == (DriftSize.NEGLIGIBLE, DriftVerdict.NOT_DETECTED)


def test_a_report_over_thirty_clean_features_rarely_alerts_but_finds_the_one_that_moved():
    rng = np.random.default_rng(8)
    references = {f"feature {i}": profile_numeric(normal(rng, 5000)) for i in range(30)}
    false_reports = 0
    for _ in range(40):
        window = {name: (item, counts_against(item, normal(rng, 500))) for name, item in references.items()}
        false_reports += any(result.verdict is DriftVerdict.DETECTED for result in drift_report(window))
    assert false_reports <= 7  # 5 % expected; without the correction it would be about 31 of 40
    window["feature 7"] = (references["feature 7"], counts_against(references["feature 7"], normal(rng, 500) + 0.5))
    window["quiet"] = (references["feature 1"], counts_against(references["feature 1"], normal(rng, 20)))
    report = drift_report(window)
    assert [result.feature for result in report if result.alerts] == ["feature 7"]
    assert report[0].feature == "feature 7"
    assert (report[-1].feature, report[-1].verdict) == ("quiet", DriftVerdict.TOO_FEW)
    assert len(report) == 31


@pytest.mark.parametrize(
    "profile",
    [
        profile_numeric(np.array([0.1, 0.2, 0.3, np.nan, 5.0] * 20)),
        profile_numeric(np.array([])),
        profile_categories(["a", "b", None, "a"] * 20, top=1),
        profile_categories([f"id {i}" for i in range(6000)]),
        profile_rate(3, 70),
    ],
)
def test_profiles_survive_json(profile):
    again = Profile.from_json(profile.to_json())
    assert again == profile
    assert len(again.cell_names) == len(again.reference.cells)


def test_counts_of_hours_add_up_to_the_day():
    rng = np.random.default_rng(0)
    reference = profile_numeric(rng.standard_normal(1000))
    day = rng.standard_normal(600)
    hours = [counts_against(reference, part) for part in np.split(day, 6)]
    total = sum(hours[1:], start=hours[0])
    assert total.cells == counts_against(reference, day).cells
    assert total.total == pytest.approx(day.sum())
    assert total.n == 600
    with pytest.raises(ValueError, match="different profiles"):
        _ = total + Counts((1, 2))
    with pytest.raises(ValueError, match="not made with this profile"):
        drift(reference, Counts((1, 2)))


def test_every_row_is_counted_exactly_once():
    rng = np.random.default_rng(0)
    reference = profile_numeric(tokens(rng, 1000))
    assert reference.n == 1000
    assert counts_against(reference, np.array([np.inf, -np.inf, np.nan, 0, 1e9, -5])).n == 6
    people = profile_categories(names(rng, 1000))
    assert people.n == 1000
    assert counts_against(people, ["user 1", "somebody", None]).cells[-2:] == (1, 1)
