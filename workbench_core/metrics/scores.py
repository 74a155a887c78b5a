"""Scores per item: how each answer compares with the expected one, as columns of numbers."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from workbench_core.metrics.answers import (
    AnswerKind,
    AnswerSchema,
    JsonValue,
    normalise,
    parse_answer,
    same_value,
    validate_answer,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NO_ANSWER = "(no answer)"
OTHER_ANSWER = "(other)"
FIELD_PREFIX = "field:"

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class ItemScores:
    """Columns of one number per item; nan where a score does not apply. 1 is right and 0 is wrong.

    Every kind has `correct` and `error` (no answer came). Labels also carry class codes: `classes` ends with
    the pseudo-classes "(other)" and "(no answer)".
    """

    kind: AnswerKind
    columns: Mapping[str, FloatArray]
    classes: tuple[str, ...] = ()
    expected_codes: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64), compare=False)
    actual_codes: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64), compare=False)

    @property
    def n(self) -> int:
        """Count the items."""
        return int(self.columns["correct"].size)


def score_items(
    kind: AnswerKind,
    expected: Sequence[str],
    actual: Sequence[str | None],
    schema: AnswerSchema | None = None,
) -> ItemScores:
    """Score answers against the expected ones, item by item; None means that no answer came, which is wrong.

    Labels and texts are compared normalised. A structured item whose expected answer is not a JSON object
    has no scores but validity. Raises ValueError when the two lists differ in length.
    """
    if len(expected) != len(actual):
        raise ValueError(f"{len(expected)} expected answers cannot be compared with {len(actual)} answers.")
    match kind:
        case AnswerKind.LABEL:
            return _score_labels(expected, actual, schema or ())
        case AnswerKind.STRUCTURED:
            return _score_structured(expected, actual, schema or ())
        case AnswerKind.TEXT:
            return _score_texts(expected, actual)


def token_f1(expected: str, actual: str) -> float:
    """Give the F1 of the words two texts share. Source: Rajpurkar et al. (2016), SQuAD."""
    return _token_f1(_words(expected), _words(actual))


def rouge_l(expected: str, actual: str) -> float:
    """Give the F1 of the longest common subsequence of words. Source: Lin (2004)."""
    return _rouge_l(_words(expected), _words(actual))


def _score_labels(expected: Sequence[str], actual: Sequence[str | None], schema: AnswerSchema) -> ItemScores:
    single = schema[0] if len(schema) == 1 else None
    name = single.name if single else None
    truth = [_label(text, name) for text in expected]
    answers = [None if text is None else _label(text, name) for text in actual]
    vocabulary = _vocabulary(single.options if single else (), truth)
    codes = {normalise(label): code for code, label in enumerate(vocabulary)}
    other, none = len(vocabulary), len(vocabulary) + 1
    expected_codes = _codes(truth, codes, other)
    actual_codes = _codes([NO_ANSWER if answer is None else answer for answer in answers], codes, other)
    missing = np.fromiter((answer is None for answer in answers), dtype=bool, count=len(answers))
    actual_codes[missing] = none
    columns = {
        "correct": (expected_codes == actual_codes).astype(np.float64),
        "out_of_vocabulary": (actual_codes == other).astype(np.float64),
        "error": missing.astype(np.float64),
    }
    return ItemScores(AnswerKind.LABEL, columns, (*vocabulary, OTHER_ANSWER, NO_ANSWER), expected_codes, actual_codes)


def _score_structured(expected: Sequence[str], actual: Sequence[str | None], schema: AnswerSchema) -> ItemScores:
    names = [asked.name for asked in schema]
    columns = [
        "correct",
        "error",
        "valid_json",
        "schema_valid",
        "field_f1",
        *(FIELD_PREFIX + n for n in names),
    ]
    rows = [_structured_row(want, got, schema, names) for want, got in zip(expected, actual, strict=True)]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(columns))
    return ItemScores(AnswerKind.STRUCTURED, {name: table[:, i] for i, name in enumerate(columns)})


def _structured_row(expected: str, actual: str | None, schema: AnswerSchema, names: Sequence[str]) -> list[float]:
    truth = _json_or_none(expected)
    check = validate_answer(schema, actual or "")
    answer = check.value if isinstance(check.value, dict) else {}
    known = isinstance(truth, dict)
    wanted = truth if isinstance(truth, dict) else {}
    right = {name for name in wanted if name in answer and same_value(wanted[name], answer[name])}
    fields = [float(name in right) if name in wanted else np.nan for name in names]
    correct = float(len(right) == len(wanted) == len(answer)) if known else np.nan
    f1 = _f1(len(right), len(wanted), len(answer)) if known else np.nan
    return [correct, float(actual is None), float(check.value is not None), float(check.valid), f1, *fields]


def _score_texts(expected: Sequence[str], actual: Sequence[str | None]) -> ItemScores:
    pairs = [(want, got or "") for want, got in zip(expected, actual, strict=True)]
    words = [(_words(want), _words(got)) for want, got in pairs]
    missing = np.fromiter((got is None for got in actual), dtype=bool, count=len(actual))
    same = np.fromiter((normalise(want) == normalise(got) for want, got in pairs), bool, len(pairs))
    ratio = np.fromiter((len(got) / len(want) if want else np.nan for want, got in words), float, len(words))
    columns = {
        "correct": (same & ~missing).astype(np.float64),
        "error": missing.astype(np.float64),
        "token_f1": np.fromiter((_token_f1(want, got) for want, got in words), float, len(words)),
        "rouge_l": np.fromiter((_rouge_l(want, got) for want, got in words), float, len(words)),
        "length_ratio": np.where(missing, np.nan, ratio),
    }
    for name in ("token_f1", "rouge_l"):
        columns[name][missing] = 0.0
    return ItemScores(AnswerKind.TEXT, columns)


def _label(text: str, field_name: str | None) -> str:
    """Take the label out of a JSON answer when the schema asks for one field; a plain label stays."""
    if field_name is None or text.lstrip()[:1] not in ("{", "`"):
        return text
    value = _json_or_none(text)
    return str(value.get(field_name, text)) if isinstance(value, dict) else text


def _vocabulary(options: Sequence[str], truth: Sequence[str]) -> tuple[str, ...]:
    """Keep the allowed options, then expected labels outside them, each once, in the spelling seen first."""
    found: dict[str, str] = {}
    for label in (*options, *sorted(set(truth))):
        found.setdefault(normalise(label), label.strip())
    return tuple(found.values())


def _codes(labels: Sequence[str], codes: Mapping[str, int], other: int) -> IntArray:
    known = {label: codes.get(normalise(label), other) for label in set(labels)}
    return np.fromiter((known[label] for label in labels), dtype=np.int64, count=len(labels))


def _json_or_none(text: str) -> JsonValue:
    try:
        return parse_answer(text)
    except ValueError:
        return None


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _token_f1(expected: list[str], actual: list[str]) -> float:
    if not expected and not actual:
        return 1.0
    return _f1(sum((Counter(expected) & Counter(actual)).values()), len(expected), len(actual))


def _rouge_l(expected: list[str], actual: list[str]) -> float:
    if not expected and not actual:
        return 1.0
    return _f1(_common_subsequence(expected, actual), len(expected), len(actual))


def _f1(shared: int, expected: int, actual: int) -> float:
    return 2 * shared / (expected + actual) if expected + actual else 1.0


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Measure the longest common subsequence, a row per step. Source: Hyyrö (2004), bit-parallel LCS."""
    places: dict[str, int] = {}
    for position, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << position
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(first) - row.bit_count()
