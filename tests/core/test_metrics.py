"""Answers are scored as the specification says, and versions are compared without jumping to conclusions."""

import time
from itertools import product

import numpy as np
import pytest

from workbench_core.errors import Invalid
from workbench_core.metrics import (
    NO_ANSWER,
    OTHER_ANSWER,
    AnswerKind,
    Direction,
    Verdict,
    answer_schema,
    compare_items,
    compare_values,
    confusion,
    degradation,
    direction,
    rouge_l,
    same_value,
    score_items,
    summarise,
    summarise_usage,
    token_f1,
    validate_answer,
)

INVOICE = answer_schema(
    [
        {"name": "number", "type": "string", "required": True},
        {"name": "total", "type": "number", "required": True},
        {"name": "currency", "type": "string", "options": ["EUR", "USD"]},
        {"name": "paid", "type": "boolean"},
        {"name": "lines", "type": "array"},
        {"name": "sender", "type": "object"},
    ]
)


def by_name(metrics, part=""):
    return {metric.name: metric for metric in metrics if metric.part == part}


# --- validation of answers (TP-13) ---


def test_a_complete_answer_is_valid_with_or_without_a_code_fence():
    text = '{"number": "A1", "total": 12.5, "currency": "EUR", "paid": true, "lines": [], "sender": {}}'
    for answer in (text, f"```json\n{text}\n```", f"Here it is:\n```\n{text}\n```"):
        check = validate_answer(INVOICE, answer)
        assert (check.valid, check.reasons) == (True, ())
        assert check.value["total"] == 12.5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no JSON at all", "The answer is not valid JSON."),
        ('{"number": "A1", "total": NaN}', "The answer is not valid JSON."),
        ("[1, 2]", "The answer is not a JSON object."),
        ('{"total": 1}', "“number” is missing."),
        ('{"number": "A1", "total": null}', "“total” is missing."),
        ('{"number": "A1", "total": "12"}', "“total” is not a number."),
        ('{"number": "A1", "total": true}', "“total” is not a number."),
        ('{"number": "A1", "total": 1, "currency": "GBP"}', "“currency” does not allow “GBP”."),
        ('{"number": "A1", "total": 1, "paid": "yes"}', "“paid” is not true or false."),
        ('{"number": "A1", "total": 1, "lines": {}}', "“lines” is not a list."),
        ('{"number": "A1", "total": 1, "sender": []}', "“sender” is not an object."),
    ],
)
def test_an_answer_is_refused_with_its_reason(text, reason):
    check = validate_answer(INVOICE, text)
    assert (check.valid, check.reasons) == (False, (reason,))


def test_every_choice_of_a_list_must_be_allowed():
    schema = answer_schema([{"name": "tags", "type": "array", "options": ["a", "b"]}])
    assert validate_answer(schema, '{"tags": ["a", "b"]}').valid
    assert validate_answer(schema, '{"tags": ["a", "c"]}').reasons == ("“tags” does not allow “c”.",)


def test_a_broken_schema_is_refused_in_words():
    with pytest.raises(Invalid, match="no name"):
        answer_schema([{"type": "string"}])
    with pytest.raises(Invalid, match="unknown type “date”"):
        answer_schema([{"name": "due", "type": "date"}])
    with pytest.raises(Invalid, match="not a list"):
        answer_schema([{"name": "due", "options": "today"}])


def test_numbers_are_equal_within_a_millionth_or_one_percent():
    assert same_value(100, 100.9)
    assert not same_value(100, 101.1)
    assert same_value(0, 1e-7)
    assert not same_value(0, 1e-5)
    assert not same_value(1, True)
    assert same_value({"a": [1, " X  y"]}, {"a": [1.001, "x Y"]})
    assert not same_value([1], [1, 2])


# --- labels ---


def test_label_metrics_agree_with_scikit_learn():
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    rng = np.random.default_rng(0)
    classes = np.array(["ham", "spam", "news"])
    expected = classes[rng.choice(3, 300, p=[0.6, 0.3, 0.1])].tolist()
    actual = [want if rng.random() < 0.8 else str(rng.choice(classes)) for want in expected]
    metrics = summarise(score_items(AnswerKind.LABEL, expected, actual))
    overall = by_name(metrics)
    macro = precision_recall_fscore_support(expected, actual, average="macro")
    assert overall["accuracy"].value == pytest.approx(accuracy_score(expected, actual))
    found = [overall[f"macro_{name}"].value for name in ("precision", "recall", "f1")]
    assert found == pytest.approx(list(macro[:3]))
    each = precision_recall_fscore_support(expected, actual, labels=["spam"])
    spam = by_name(metrics, "spam")
    assert [spam[name].value for name in ("precision", "recall", "f1", "support")] == pytest.approx(
        [column[0] for column in each]
    )
    for metric in metrics:
        assert metric.low <= metric.value <= metric.high
    assert overall["majority_baseline"].value == pytest.approx(expected.count("ham") / 300)


def test_labels_are_compared_without_regard_to_case_and_spaces():
    scores = score_items(AnswerKind.LABEL, ["Very  Good", "bad"], [" very good ", "BAD"])
    assert scores.columns["correct"].tolist() == [1, 1]


def test_a_missing_answer_is_wrong_and_counts_as_error():
    metrics = by_name(summarise(score_items(AnswerKind.LABEL, ["a", "b", "a", "a"], ["a", None, "a", "zebra"])))
    assert metrics["accuracy"].value == 0.5
    assert metrics["error_rate"].value == 0.25
    assert metrics["out_of_vocabulary_rate"].value == 0.25


def test_the_confusion_matrix_keeps_every_item():
    table = confusion(score_items(AnswerKind.LABEL, ["a", "b", "a", "a"], ["a", None, "b", "zebra"]))
    assert table.classes == ("a", "b", OTHER_ANSWER, NO_ANSWER)
    assert table.counts.tolist() == [[1, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    with pytest.raises(ValueError, match="label answers"):
        confusion(score_items(AnswerKind.TEXT, ["a"], ["a"]))


def test_a_label_may_come_as_the_one_field_of_a_json_answer():
    schema = answer_schema([{"name": "sentiment", "options": ["good", "bad"]}])
    scores = score_items(AnswerKind.LABEL, ["good", "good"], ['```json\n{"sentiment": "Good"}\n```', "bad"], schema)
    assert scores.columns["correct"].tolist() == [1, 0]
    assert scores.columns["out_of_vocabulary"].tolist() == [0, 0]  # "bad" is allowed though never expected


def test_five_thousand_labels_take_well_under_a_second():
    rng = np.random.default_rng(0)
    expected = [f"class {code}" for code in rng.integers(0, 8, 5000)]
    actual = [want if rng.random() < 0.8 else "class 1" for want in expected]
    score_items(AnswerKind.LABEL, expected[:10], actual[:10])
    started = time.process_time()
    summarise(score_items(AnswerKind.LABEL, expected, actual))
    assert time.process_time() - started < 0.2  # about 10 ms on an idle machine


# --- structured answers ---


def test_structured_answers_are_scored_field_by_field():
    expected = ['{"number": "A1", "total": 100, "paid": true}'] * 4
    actual = [
        '{"number": "a1", "total": 100.5, "paid": true}',  # equal within the tolerances
        '{"number": "A1", "total": 120, "paid": true}',  # one field of three wrong
        "not JSON",
        None,
    ]
    scores = score_items(AnswerKind.STRUCTURED, expected, actual, INVOICE)
    assert scores.columns["correct"].tolist() == [1, 0, 0, 0]
    assert scores.columns["valid_json"].tolist() == [1, 1, 0, 0]
    assert scores.columns["schema_valid"].tolist() == [1, 1, 0, 0]
    assert scores.columns["field_f1"] == pytest.approx([1, 2 / 3, 0, 0])
    metrics = summarise(scores)
    assert by_name(metrics)["error_rate"].value == 0.25
    assert by_name(metrics, "total")["field_accuracy"].value == 0.25
    assert by_name(metrics, "currency")["field_accuracy"].n == 0  # nobody expected it


def test_an_extra_field_is_not_an_exact_match():
    scores = score_items(AnswerKind.STRUCTURED, ['{"a": 1}'], ['{"a": 1, "b": 2}'])
    assert scores.columns["correct"].tolist() == [0]
    assert scores.columns["field_f1"].tolist() == pytest.approx([2 / 3])


def test_an_expected_answer_that_is_no_object_is_left_out_of_the_match():
    metrics = by_name(summarise(score_items(AnswerKind.STRUCTURED, ["?", '{"a": 1}'], ['{"a": 1}', '{"a": 1}'])))
    assert (metrics["exact_match"].value, metrics["exact_match"].n) == (1.0, 1)
    assert metrics["valid_json_rate"].n == 2


# --- texts ---


def test_texts_are_scored_by_words():
    assert token_f1("The cat sat", "the cat") == pytest.approx(0.8)
    assert rouge_l("police killed the gunman", "police kill the gunman") == pytest.approx(0.75)  # Lin (2004)
    assert rouge_l("police killed the gunman", "the gunman kill police") == pytest.approx(0.5)
    assert token_f1("", "") == 1.0
    assert rouge_l("word", "") == 0.0


def test_rouge_l_agrees_with_the_textbook_table():
    rng = np.random.default_rng(0)
    for _ in range(50):
        first, second = rng.choice(list("abcd"), rng.integers(1, 90)), rng.choice(list("abcd"), rng.integers(1, 90))
        table = np.zeros((len(first) + 1, len(second) + 1), dtype=int)
        for i, j in product(range(len(first)), range(len(second))):
            longest = max(table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = table[i, j] + 1 if first[i] == second[j] else longest
        expected = 2 * table[-1, -1] / (len(first) + len(second))
        assert rouge_l(" ".join(first), " ".join(second)) == pytest.approx(expected)


def test_text_metrics_cover_match_overlap_and_length():
    expected = ["Hello  World", "one two", "a b"]
    scores = score_items(AnswerKind.TEXT, expected, ["hello world", "one two three four", None])
    assert scores.columns["correct"].tolist() == [1, 0, 0]
    assert scores.columns["length_ratio"][:2].tolist() == [1, 2]
    metrics = by_name(summarise(scores))
    assert metrics["exact_match"].value == pytest.approx(1 / 3)
    assert metrics["token_f1"].value == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert metrics["length_ratio"].n == 2
    assert metrics["error_rate"].value == pytest.approx(1 / 3)


def test_nothing_to_measure_and_unequal_lists_are_refused():
    with pytest.raises(Invalid, match="no item"):
        summarise(score_items(AnswerKind.LABEL, [], []))
    with pytest.raises(ValueError, match="2 expected answers"):
        score_items(AnswerKind.TEXT, ["a", "b"], ["a"])


# --- usage and direction ---


def test_latency_is_summarised_by_percentiles_and_tokens_by_their_mean():
    metrics = by_name(summarise_usage({"latency_ms": np.arange(1, 102), "tokens": [10, np.nan, 20], "cost": [np.nan]}))
    assert (metrics["latency_ms_p50"].value, metrics["latency_ms_p95"].value) == (51, 96)
    assert metrics["latency_ms_p50"].low < 51 < metrics["latency_ms_p50"].high
    assert (metrics["mean_tokens"].value, metrics["mean_tokens"].n) == (15, 2)
    assert "mean_cost" not in metrics


@pytest.mark.parametrize(
    "name",
    ["loss", "eval_loss", "latency_ms_p95", "mean_tokens", "cost", "error_rate", "out_of_vocabulary_rate"],
)
def test_lower_is_better_for(name):
    assert direction(name) is Direction.LOWER


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "token_f1", "valid_json_rate", "tokens_per_second"])
def test_higher_is_better_for(name):
    assert direction(name) is Direction.HIGHER


def test_support_has_no_better_direction():
    assert direction("support") is Direction.NEUTRAL


# --- comparison of versions ---


def test_higher_latency_is_a_regression():
    rng = np.random.default_rng(0)
    latency = rng.lognormal(6, 0.3, 100)
    result = compare_items(latency, latency * 1.2, higher_is_better=False)
    assert (result.verdict, result.losses) == (Verdict.WORSE, 100)
    assert result.interval.low > 0
    assert compare_items(latency * 1.2, latency, higher_is_better=False).verdict is Verdict.BETTER


def test_a_hair_less_accuracy_on_20_items_is_too_few():
    a = np.full(20, 0.900)
    assert compare_items(a, a - 0.002).verdict is Verdict.TOO_FEW
    assert compare_values("accuracy", 0.900, 0.898, n=20) is Verdict.TOO_FEW


def test_right_or_wrong_items_need_mcnemar_too():
    a = np.ones(100)
    b = a.copy()
    b[:5] = 0  # interval excludes 0, McNemar p = 0.0625
    result = compare_items(a, b)
    assert result.interval.excludes(0)
    assert (result.p_value, result.verdict) == (0.0625, Verdict.SAME)
    b[5] = 0
    worse = compare_items(a, b)
    assert (worse.p_value, worse.verdict) == (0.03125, Verdict.WORSE)
    assert worse.changed.tolist() == [0, 1, 2, 3, 4, 5]
    assert (worse.wins, worse.losses, worse.ties, worse.n) == (0, 6, 94, 100)


def test_a_certain_change_within_one_percent_is_the_same():
    a = np.full(200, 0.8)
    assert compare_items(a, a - 0.007).verdict is Verdict.SAME
    assert compare_items(a, a - 0.009).verdict is Verdict.WORSE


def test_an_item_that_one_side_did_not_score_is_left_out():
    a, b = np.ones(40), np.ones(40)
    a[0] = b[1] = np.nan
    result = compare_items(a, b)
    assert (result.n, result.verdict) == (38, Verdict.SAME)
    with pytest.raises(ValueError, match="cannot be compared"):
        compare_items(a, b[:10])


def test_equal_versions_are_rarely_called_different():
    rng = np.random.default_rng(0)
    verdicts = [
        compare_items(rng.random(200) < 0.8, rng.random(200) < 0.8).verdict is not Verdict.SAME for _ in range(200)
    ]
    assert np.mean(verdicts) <= 0.07


def test_values_without_items_are_compared_by_direction_and_tolerance():
    assert compare_values("accuracy", 0.90, 0.88, n=500) is Verdict.WORSE
    assert compare_values("accuracy", 0.90, 0.895, n=500) is Verdict.SAME
    assert compare_values("latency_ms_p95", 100, 80, n=500) is Verdict.BETTER
    assert compare_values("support", 100, 80, n=500) is Verdict.SAME


def test_degradation_triggers_beyond_five_percent():
    fell = degradation({"accuracy": 0.92, "macro_f1": 0.9, "loss": 0.1}, {"accuracy": 0.87, "macro_f1": 0.9, "loss": 9})
    assert fell.drops["accuracy"] == pytest.approx(0.0543, abs=0.0001)
    assert (fell.triggered, fell.beyond) == (True, ("accuracy",))
    assert "loss" not in fell.drops
    held = degradation({"accuracy": 0.92}, {"accuracy": 0.88})
    assert held.drops["accuracy"] == pytest.approx(0.0435, abs=0.0001)
    assert not held.triggered


def test_degradation_is_zero_when_a_side_is_missing_or_the_baseline_is_zero():
    assert degradation({"accuracy": None, "recall": 0.0}, {"accuracy": 0.5, "recall": 0.0, "precision": 0.1}).drops == {
        "accuracy": 0.0,
        "recall": 0.0,
        "precision": 0.0,
    }
