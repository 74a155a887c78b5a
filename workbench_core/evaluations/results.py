"""The results of an evaluation, item by item and as metrics: how they are scored, stored and read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from workbench_core import metrics, rows
from workbench_core.evaluations.datasets import Datasets, HeldOutItem
from workbench_core.evaluations.model import Evaluation
from workbench_core.metrics import AnswerKind, ItemScores, MetricValue
from workbench_core.ports import Prediction, Store, Value

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = "pair_id, item_ref, expected, actual, is_correct, confidence, latency_ms, error"


class Results:
    """Score, write and read what a version answered."""

    def __init__(self, store: Store, datasets: Datasets) -> None:
        self._store = store
        self._datasets = datasets

    def write(self, evaluation: Evaluation, items: Sequence[HeldOutItem], predictions: Sequence[Prediction]) -> None:
        """Store items and metrics, replacing those of an attempt before; call it in a transaction."""
        expected, actual = [item.expected for item in items], [prediction.answer for prediction in predictions]
        scores = self._scores(evaluation, expected, actual)
        measured = _measured(scores, [prediction.latency_ms for prediction in predictions])
        for table in ("evaluation_items", "evaluation_metrics"):
            self._store.execute(f"DELETE FROM {table} WHERE evaluation_id = :id", touches=table, id=evaluation.id)
        self._store.append("evaluation_items", _item_rows(evaluation.id, items, predictions, scores))
        self._store.append("evaluation_metrics", [_metric_row(evaluation.id, value) for value in measured])

    def metrics(self, evaluation_id: str) -> list[MetricValue]:
        """All metrics with their 95 % intervals; `part` names a class or field."""
        found = self._store.query(
            "SELECT name, class_name, value, low, high, item_count FROM evaluation_metrics "
            "WHERE evaluation_id = :id AND value IS NOT NULL ORDER BY class_name, name",
            id=evaluation_id,
        )
        return [
            MetricValue(
                name=rows.text(row, "name"),
                value=rows.number(row, "value"),
                low=rows.number(row, "low"),
                high=rows.number(row, "high"),
                n=rows.whole(row, "item_count"),
                direction=metrics.direction(rows.text(row, "name")),
                part=rows.text(row, "class_name"),
            )
            for row in found
        ]

    def items(self, evaluation_id: str, *, only_wrong: bool, limit: int) -> pd.DataFrame:
        """The result of every item, wrong ones first."""
        frame = self._store.frame(
            f"SELECT {_COLUMNS} FROM evaluation_items WHERE evaluation_id = :id "
            "AND (is_correct = FALSE OR :everything = 1) ORDER BY is_correct, item_ref, pair_id LIMIT :limit",
            id=evaluation_id,
            everything=0 if only_wrong else 1,
            limit=limit,
        )
        return frame.assign(is_correct=frame["is_correct"].astype(bool))

    def confusion(self, evaluation: Evaluation, items: pd.DataFrame) -> pd.DataFrame:
        """Items by expected (index) and answered class (columns); classes without any item are left out."""
        import pandas as pd

        counted = metrics.confusion(self._scores(evaluation, *_answers(items)))
        table = pd.DataFrame(counted.counts, index=list(counted.classes), columns=list(counted.classes))
        occurs = (table.sum(axis=0) + table.sum(axis=1)) > 0
        is_expected = table.sum(axis=1) > 0
        return table.loc[is_expected, occurs]

    def measure(self, evaluation: Evaluation, items: pd.DataFrame) -> tuple[ItemScores, list[MetricValue]]:
        """Scores and metrics of stored items, for instance of those that two evaluations share."""
        scores = self._scores(evaluation, *_answers(items))
        return scores, _measured(scores, items["latency_ms"].tolist())

    def _scores(self, evaluation: Evaluation, expected: Sequence[str], actual: Sequence[str | None]) -> ItemScores:
        schema = self._datasets.schema(evaluation.training_sheet_id, evaluation.answer_kind)
        return metrics.score_items(AnswerKind(evaluation.answer_kind), expected, actual, schema)


def _answers(items: pd.DataFrame) -> tuple[list[str], list[str | None]]:
    """The expected and the given answers; a missing one is None, however the frame keeps it."""
    given = items["actual"]
    return items["expected"].tolist(), given.astype(object).where(given.notna(), None).tolist()


def _measured(scores: ItemScores, latencies: Sequence[float]) -> list[MetricValue]:
    return [*metrics.summarise(scores), *metrics.summarise_usage({"latency_ms": np.array(latencies)})]


def _item_rows(
    evaluation_id: str, items: Sequence[HeldOutItem], predictions: Sequence[Prediction], scores: ItemScores
) -> list[dict[str, Value]]:
    columns = {name: values for name, values in scores.columns.items() if name not in {"correct", "error"}}
    return [
        {
            "evaluation_id": evaluation_id,
            "pair_id": item.pair_id,
            "item_ref": item.item_ref,
            "expected": item.expected,
            "actual": prediction.answer,
            "is_correct": bool(scores.columns["correct"][number] == 1),
            "scores": rows.to_json(
                {name: float(values[number]) for name, values in columns.items() if not np.isnan(values[number])}
            ),
            "confidence": prediction.confidence,
            "latency_ms": prediction.latency_ms,
            "error": prediction.error or "",
        }
        for number, (item, prediction) in enumerate(zip(items, predictions, strict=True))
    ]


def _metric_row(evaluation_id: str, value: MetricValue) -> dict[str, Value]:
    def known(number: float) -> float | None:
        return None if np.isnan(number) else float(number)

    return {
        "evaluation_id": evaluation_id,
        "name": value.name,
        "class_name": value.part,
        "value": known(value.value),
        "low": known(value.low),
        "high": known(value.high),
        "item_count": value.n,
    }
