"""Speed of data quality checks: one million rows and six rules, the workbench beside pandera, pointblank and DQX.

Install the rivals, whose versions stand in requirements-benchmarks.txt, best into an environment of its own:

    python -m venv rivals && rivals/bin/pip install -r requirements.txt -r requirements-benchmarks.txt
    rivals/bin/python benchmarks/data_quality.py

The check of the workbench reads a Parquet file on disk and gives counts, failing rows and their values. The rivals get
the same rows already in memory; loading them (with the rival's imports) is shown beside and is no part of the time. DQX
runs on local Spark, on a cached frame, where it, pyspark and a Databricks workspace are configured: its licence allows
use with Databricks services only. Everything runs once to warm up; the time is the median of the runs after that.
Every tool must find the planted defects exactly. Nulls pass a range in DQX and here; pandera does the same by default
(ignore_na) and pointblank when told (na_pass).
The last line is the result as JSON.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench_core.adapters.local.lake import LocalLake
from workbench_core.ports import RowCheck, Selection

if TYPE_CHECKING:
    import pandas as pd

TABLE = "main.benchmark.rows"
COLOURS = ["red", "green", "blue", "black"]
CODE = "^[A-Z]{2}-[0-9]{6}$"
TOMORROW = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=1)
RULES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "not null": ("is_not_null", {"column": "amount"}),
    "in range": ("is_in_range", {"column": "amount", "min_limit": 0, "max_limit": 100_000}),
    "in list": ("is_in_list", {"column": "colour", "allowed": [f"'{colour}'" for colour in COLOURS]}),
    "pattern": ("regex_match", {"column": "code", "regex": CODE}),
    "unique": ("is_unique", {"columns": ["number"]}),
    "not in future": ("is_not_in_future", {"column": "at"}),
}
PLANTED = f"""
    SELECT 'row-' || lpad(CAST(n AS VARCHAR), 8, '0') AS id,
        CASE WHEN n % 100 = 1 THEN NULL WHEN n % 200 = 7 THEN -1.0 ELSE (n * 7919 % 10000000) / 100.0 END AS amount,
        CASE WHEN n % 400 = 13 THEN 'purple' ELSE {COLOURS!r}[n % 4 + 1] END AS colour,
        CASE WHEN n % 250 = 21 THEN 'x' ELSE 'AB' END || '-' || lpad(CAST(n % 1000000 AS VARCHAR), 6, '0') AS code,
        CASE WHEN n % 1000 = 33 THEN n - 1 ELSE n END AS number,
        CASE WHEN n % 5000 = 44 THEN TIMESTAMP '{TOMORROW}'
            ELSE TIMESTAMP '2026-01-01' - n * INTERVAL 1 MINUTE END AS at
    FROM range({{rows}}) AS generated(n)
"""
DEFECTS = {"not null": 100, "in range": 200, "in list": 400, "pattern": 250, "unique": 500, "not in future": 5000}
Counts = dict[str, int]


# --- the workbench ---------------------------------------------------------------------------------------------------


def workbench(lake: LocalLake) -> Callable[[], Counts]:
    """The check of the workbench, from the file on disk to the counts and the failing rows."""
    checks = [RowCheck(name, function, arguments) for name, (function, arguments) in RULES.items()]

    def run() -> Counts:
        report = lake.check_rows(Selection(TABLE, "id"), checks)
        assert len(report.failures) == report.failure_count
        return {count.name: count.failed for count in report.counts}

    return run


# --- pandera ---------------------------------------------------------------------------------------------------------


def pandera_on_pandas(frame: pd.DataFrame) -> Callable[[], Counts]:
    """A pandera schema on a pandas frame; all failures are collected (lazy)."""
    import pandera.pandas as pa

    schema = _pandera_schema(pa, report_duplicates="all")

    def run() -> Counts:
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as errors:
            return _named(errors.failure_cases.groupby("check").size().to_dict())
        return {}

    return run


def pandera_on_polars(frame: Any) -> Callable[[], Counts]:
    """The same schema on a polars frame."""
    import pandera.polars as pa

    schema = _pandera_schema(pa)

    def run() -> Counts:
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as errors:
            counts = errors.failure_cases.group_by("check").len()
            return _named(dict(zip(counts["check"], counts["len"], strict=True)))
        return {}

    return run


def _pandera_schema(pa: Any, **unique: str) -> Any:
    now = datetime.now(UTC).replace(tzinfo=None)
    return pa.DataFrameSchema(
        {
            "amount": pa.Column(nullable=False, checks=pa.Check.in_range(0, 100_000)),
            "colour": pa.Column(checks=pa.Check.isin(COLOURS)),
            "code": pa.Column(checks=pa.Check.str_matches(CODE)),
            "number": pa.Column(unique=True, **unique),
            "at": pa.Column(checks=pa.Check.less_than_or_equal_to(now)),
        }
    )


def _named(counts: Mapping[str, int]) -> Counts:
    """pandera's names of checks as ours."""
    words = {
        "not_nullable": "not null", "in_range": "in range", "isin": "in list", "str_matches": "pattern",
        "field_uniqueness": "unique", "less_than_or_equal_to": "not in future",
    }  # fmt: skip
    return {ours: int(count) for word, ours in words.items() for name, count in counts.items() if name.startswith(word)}


# --- pointblank ------------------------------------------------------------------------------------------------------


def pointblank(frame: Any) -> Callable[[], Counts]:
    """A pointblank plan, with its extracts of failing rows, on a frame of either library."""
    import pointblank as pb

    plan = (
        pb.Validate(data=frame)
        .col_vals_not_null("amount")
        .col_vals_between("amount", 0, 100_000, na_pass=True)
        .col_vals_in_set("colour", COLOURS)
        .col_vals_regex("code", CODE)
        .rows_distinct(["number"])
        .col_vals_le("at", datetime.now(UTC).replace(tzinfo=None))
    )

    def run() -> Counts:
        import copy

        failed = copy.copy(plan)
        failed.validation_info = [copy.copy(step) for step in plan.validation_info]
        by_step = failed.interrogate().n_failed()
        return dict(zip(RULES, (int(by_step[step]) for step in sorted(by_step)), strict=True))

    return run


# --- DQX -------------------------------------------------------------------------------------------------------------


def dqx(file: Path) -> Callable[[], Counts]:
    """DQX on local Spark; the frame is cached before, and the engine is that of the configured workspace."""
    from databricks.labs.dqx.engine import DQEngine
    from databricks.sdk import WorkspaceClient
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import explode

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    frame = spark.read.parquet(str(file)).cache()
    frame.count()
    engine = DQEngine(WorkspaceClient(), spark)
    checks = [
        {
            "name": name.replace(" ", "_"),
            "criticality": "error",
            "check": {"function": function, "arguments": arguments},
        }
        for name, (function, arguments) in RULES.items()
    ]

    def run() -> Counts:
        checked = engine.apply_checks_by_metadata(frame, checks)
        errors = checked.select(explode("_errors").alias("error")).groupBy("error.name").count().collect()
        return {row["name"].replace("_", " "): row["count"] for row in errors}

    return run


# --- measuring -------------------------------------------------------------------------------------------------------


def missing(*modules: str) -> str:
    """Why a rival cannot run; empty when it can."""
    for module in modules:
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return f"{module.partition('.')[0]} not installed"
    return ""


def seconds(run: Callable[[], Counts], expected: Counts, repeats: int) -> float:
    """The median time of the runs after the first; what each of them counts must be the planted defects."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        counts = run()
        times.append(time.perf_counter() - started)
        assert counts == expected, f"found {counts}, planted {expected}"
    return statistics.median(times[1:])


def rivals(file: Path) -> dict[str, tuple[str, Callable[[], Callable[[], Counts]]]]:
    """Each rival with the reason why it cannot run, and how it is made ready (not timed)."""

    def pandas_frame() -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(file)

    def polars_frame() -> Any:
        import polars

        return polars.read_parquet(file)

    return {
        "pandera": (missing("pandera"), lambda: pandera_on_pandas(pandas_frame())),
        "pandera_polars": (missing("pandera", "polars"), lambda: pandera_on_polars(polars_frame())),
        "pointblank": (missing("pointblank"), lambda: pointblank(pandas_frame())),
        "pointblank_polars": (missing("pointblank", "polars"), lambda: pointblank(polars_frame())),
        "dqx": (missing("databricks.labs.dqx.engine", "pyspark") or _no_workspace(), lambda: dqx(file)),
    }


def _no_workspace() -> str:
    configured = "DATABRICKS_HOST" in os.environ or (Path.home() / ".databrickscfg").exists()
    return "" if configured else "no Databricks workspace configured"


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="a multiple of 10,000")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args(arguments)
    expected = {name: chosen.rows // every for name, every in DEFECTS.items()}
    print(f"{chosen.rows:,} rows, {len(RULES)} rules, {sum(expected.values()):,} planted failures")
    print(f"{'':20}{'check':>12}{'loading':>12}")
    result: dict[str, float | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        duckdb.sql(PLANTED.format(rows=chosen.rows)).write_parquet(str(file))
        lake = LocalLake(Path(folder))
        lake.put_table(TABLE, file, original_name=file.name)
        result["ours_seconds"] = seconds(workbench(lake), expected, chosen.repeats)
        print(f"{'workbench':20}{result['ours_seconds']:>10.2f} s{'none':>12}", flush=True)
        for name, (reason, prepare) in rivals(file).items():
            result[f"{name}_seconds"] = None
            if reason:
                print(f"{name:20}  {reason}", flush=True)
                continue
            started = time.perf_counter()
            run = prepare()
            loading = time.perf_counter() - started
            result[f"{name}_seconds"] = seconds(run, expected, chosen.repeats)
            print(f"{name:20}{result[f'{name}_seconds']:>10.2f} s{loading:>10.2f} s", flush=True)
            del run
    print(json.dumps({name: value and round(value, 3) for name, value in result.items()}))


if __name__ == "__main__":
    main()
