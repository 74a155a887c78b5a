"""Engines that run the statement of bulk answers with a function `ai_query` of ours, and rows to ask about."""

from __future__ import annotations

import datetime
import json
import random
import threading
from decimal import Decimal

import duckdb
import pyarrow as pa
from sqlglot import exp

from workbench_core.adapters.lake_query import SourceTable, table_source
from workbench_core.adapters.local.lake.engine import kind_of
from workbench_core.ports import BulkState, BulkStatus, Column

ROWS, SCHEMA = "lake.data.parts", "lake.answers"
ODD = 'we`ird "na\'me" {{x}} 😀 \\'
TEXTS = (
    "plain",
    "",
    None,
    "  spaces  ",
    "\t\u3000 wide \u00a0\n",
    "quotes ' \" ` and \\ \\n \\u0041",
    "{{ name }} {% if %} {#",
    "Grüße, Ångström, Ćma",
    "straße ŉ ß",
    "ΑΣ final Σ",
    "İstanbul ı",
    "日本語 テスト",
    "emoji 😀👩‍👩‍👧 🇩🇪",
    "${env:HOME} ${spark.app.id}",
    "a" * 40,
    "one two three four five six seven",
    "x" * 20_000,
    "y" * 20_001,
    "😀" * 20_001,
    "line\nbreak\r\nand\u2028more",
    ":p1 $1 ? --x",
    "ends with space ",
    "word " * 9,
    "Müller-Lüdenscheidt heißt so",
    "Жук и Ёж",
    "\x00nul",
    "\x7f",
    "e\u0301 combining",
)
NUMBERS = (
    "12",
    "+5",
    "-7",
    " 12 ",
    "1e3",
    "12.7",
    "-0.9",
    "12.",
    ".5",
    "abc",
    "",
    None,
    "nan",
    "NaN",
    "inf",
    "1_000",
    "٣",
    "0x10",
    "1,000",
    "99999999999999",
    "999999999999999999",
    "3.14159",
    "12 kg",
    "0",
    "-0",
    "0.0",
    "12\n",
    "1.5e",
    "--1",
    "٣x",
)
FLOATS = (
    1.0,
    0.1,
    0.5,
    -2.25,
    1 / 3,
    1e-7,
    1.5e-5,
    0.0001,
    1e15,
    1e16,
    1e20,
    2.0**53,
    2.0**53 - 1,
    -0.0,
    float("nan"),
    float("inf"),
    float("-inf"),
    None,
    123456.789,
    1e-4,
    0.30000000000000004,
    5e-324,
    1.7976931348623157e308,
)


def parts(count=2_400, *, seed=7):
    """Rows with every kind of value that prompts show, odd ones among them."""
    rng = random.Random(seed)

    def some(make, gaps=0.1):
        return [None if rng.random() < gaps else make() for _ in range(count)]

    usual = [text for text in TEXTS if text is None or len(text) < 1000]

    def moment():
        instant = datetime.datetime(1900, 1, 1) + datetime.timedelta(seconds=rng.randrange(10**10))
        return instant.replace(microsecond=rng.choice((0, 0, 500_000, 1, 123_456, 120_000)))

    def day():
        return datetime.date(1, 1, 1) + datetime.timedelta(days=rng.randrange(3_652_058))

    def floating():
        return rng.choice(
            (round(rng.uniform(-1e6, 1e6), rng.randrange(5)), rng.uniform(-1, 1), float(rng.randrange(1000)))
        )

    return pa.table(
        {
            "id": pa.array([f"part-{number:05d}" for number in range(count)]),
            "text": pa.array([TEXTS[n] if n < len(TEXTS) else rng.choice(usual) for n in range(count)], pa.string()),
            ODD: pa.array(some(lambda: rng.choice("abc")), pa.string()),
            "digits": pa.array([NUMBERS[n % len(NUMBERS)] for n in range(count)], pa.string()),
            "whole": pa.array(some(lambda: rng.choice((0, -1, 7, 2**60 + 1, rng.randrange(10**9)))), pa.int64()),
            "small": pa.array(some(lambda: rng.randrange(-99, 99), gaps=0), pa.int32()),
            "floating": pa.array([FLOATS[n] if n < len(FLOATS) else floating() for n in range(count)], pa.float64()),
            "narrow": pa.array(some(lambda: rng.choice((0.1, 0.5, 3.0, 1e10))), pa.float32()),
            "price": pa.array(some(lambda: Decimal(rng.randrange(-(10**6), 10**6)).scaleb(-2)), pa.decimal128(10, 2)),
            "tiny": pa.array(some(lambda: Decimal(rng.choice((0, 1, 5 * 10**8))).scaleb(-9)), pa.decimal128(18, 9)),
            "flag": pa.array(some(lambda: rng.random() < 0.5), pa.bool_()),
            "day": pa.array(some(day), pa.date32()),
            "moment": pa.array(some(moment), pa.timestamp("us")),
            "zoned": pa.array(some(moment), pa.timestamp("us", tz="UTC")),
            "raw": pa.array([b"x"] * count, pa.binary()),
            "list": pa.array([[1, 2]] * count, pa.list_(pa.int64())),
        }
    )


class Oracle:
    """The model behind `ai_query`: it notes what it was asked, and answers with `reply`, else with the question.

    Prompts that hold `broken` give an error, and nothing is answered while `gate` is closed.
    """

    def __init__(self):
        self.calls = []
        self.settings = set()
        self.broken = ""
        self.reply = ""
        self.gate = threading.Event()
        self.gate.set()
        self.is_asked = threading.Event()

    def __call__(self, endpoint, request, response_format, model_parameters, fail_on_error):
        assert fail_on_error is False, "one item must not end the statement"
        self.is_asked.set()
        self.gate.wait(30)
        asked = json.loads(request)
        self.calls.append(asked)
        self.settings.add((endpoint, response_format, model_parameters))
        if self.broken and self.broken in json.dumps(asked, ensure_ascii=False):
            return {"response": None, "errorMessage": "the model said no"}
        return {"response": self.reply or written(asked), "errorMessage": None}


def written(asked):
    """A question as text: itself, or its messages as JSON."""
    return asked if isinstance(asked, str) else json.dumps(asked["messages"], ensure_ascii=False)


class DuckWarehouse:
    """DuckDB as a warehouse: statements run in threads, and are known by their names to everyone who asks."""

    dialect = "duckdb"
    schema = SCHEMA
    rows = ROWS

    def __init__(self, rows, oracle):
        self._connection = duckdb.connect(config={"threads": 1})
        self._statements = {}
        self.submitted = []
        for statement in (
            "SET TimeZone = 'America/New_York'",
            "ATTACH ':memory:' AS lake",
            "CREATE SCHEMA lake.data",
            "CREATE SCHEMA lake.answers",
        ):
            self._connection.execute(statement)
        self._connection.register("rows_of_test", rows)
        self._connection.execute(f"CREATE TABLE {ROWS} AS SELECT * FROM rows_of_test")
        answer = duckdb.struct_type({"response": "VARCHAR", "errorMessage": "VARCHAR"})
        types = ["VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "BOOLEAN"]
        self._connection.create_function("asked", oracle, types, answer, side_effects=True, null_handling="special")
        self._connection.execute(
            "CREATE MACRO ai_query(endpoint, request, responseFormat := NULL, modelParameters := NULL, "
            "failOnError := true) AS asked(endpoint, to_json(request)::VARCHAR, responseFormat, "
            "to_json(modelParameters)::VARCHAR, failOnError)"
        )

    def columns(self, name=ROWS):
        found = self._connection.cursor().execute(f"DESCRIBE {name}").fetchall()
        return tuple(Column(row[0], row[1], kind_of(row[1])) for row in found)

    def query(self, sql, parameters):
        found = self._connection.cursor().execute(sql, _used(sql, parameters))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def has_table(self, name):
        sql = (
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_catalog = $catalog AND table_schema = $schema AND table_name = $name"
        )
        return bool(self.query(sql, dict(zip(("catalog", "schema", "name"), name.split("."), strict=True))))

    def submit(self, name, sql, parameters):
        cursor = self._connection.cursor()
        self._statements[name] = [BulkState(BulkStatus.RUNNING), cursor, None]
        self.submitted.append(name)
        thread = threading.Thread(target=self._run, args=(name, sql, parameters))
        self._statements[name][2] = thread
        thread.start()

    def _run(self, name, sql, parameters):
        statement = self._statements[name]
        try:
            statement[1].execute(sql, parameters)
        except duckdb.InterruptException:
            statement[0] = BulkState(BulkStatus.CANCELLED)
        except duckdb.Error as error:
            statement[0] = BulkState(BulkStatus.FAILED, error=str(error))
        else:
            statement[0] = BulkState(BulkStatus.DONE)

    def progress(self, name):
        return self._statements[name][0] if name in self._statements else BulkState(BulkStatus.ABSENT)

    def cancel(self, name):
        if name in self._statements and self.progress(name).status is BulkStatus.RUNNING:
            self._statements[name][1].interrupt()

    def wait(self):
        for _, _, thread in self._statements.values():
            thread.join(60)


class SparkWarehouse:
    """Apache Spark as a warehouse: the grammar and functions of Databricks SQL without its engine."""

    dialect = "databricks"
    schema = "spark_catalog.default"
    rows = "spark_catalog.default.parts"

    def __init__(self, spark, file):
        self._spark = spark
        spark.read.parquet(str(file)).write.mode("overwrite").saveAsTable(self.rows)
        spark.udf.register("ai_query", _echo, "response STRING, errorMessage STRING")
        self._states = {}

    def columns(self, name=rows):
        kinds = {"binary": "binary", "boolean": "boolean", "date": "time", "string": "string"}
        found = self._spark.table(name).dtypes
        return tuple(Column(column, kind, kinds.get(kind, "number")) for column, kind in found)

    def query(self, sql, parameters):
        return [row.asDict() for row in self._spark.sql(sql, args=dict(parameters)).collect()]

    def has_table(self, name):
        return self._spark.catalog.tableExists(name)

    def submit(self, name, sql, parameters):
        self._spark.sql(sql, args=dict(parameters)).collect()
        self._states[name] = BulkState(BulkStatus.DONE)

    def progress(self, name):
        return self._states.get(name, BulkState(BulkStatus.ABSENT))

    def cancel(self, name):
        pass


def _echo(endpoint, request, responseFormat=None, modelParameters=None, failOnError=True):  # noqa: N803 - theirs
    """Runs in a process of Spark: it may use nothing of this module."""
    import json

    text = request if isinstance(request, str) else json.dumps(request.asDict(True)["messages"], ensure_ascii=False)
    return (text, None)


def source_of(warehouse, name=""):
    """What a selection of a table of the warehouse reads."""
    name = name or warehouse.rows
    catalog, schema, table = name.split(".")
    relation = exp.table_(table, db=schema, catalog=catalog, quoted=True)
    return table_source(SourceTable(relation, warehouse.columns(name)), dialect=warehouse.dialect)


def _used(sql, parameters):
    """DuckDB refuses parameters that a statement does not name."""
    return {name: value for name, value in parameters.items() if f"${name}" in sql}
