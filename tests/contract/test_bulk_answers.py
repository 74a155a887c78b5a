"""Answers asked in one statement: what reaches `ai_query` is, byte for byte, what the workbench itself would ask."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import sqlglot
from sqlglot import exp

from tests.contract.bulk_parts import ODD, ROWS, DuckWarehouse, Oracle, SparkWarehouse, parts, source_of
from workbench_core.adapters.databricks.bulk_answers import BulkSettings, WarehouseBulkAnswers
from workbench_core.adapters.databricks.bulk_statement import MAX_PARAMETERS, RequestForm, create_statement, one_text
from workbench_core.adapters.local.lake import LocalLake
from workbench_core.errors import Invalid
from workbench_core.ports import BulkPrompt, BulkRequest, BulkStatus, ChatOptions, Message, Selection
from workbench_core.prompt_rendering import Renderer, text_of
from workbench_core.prompt_rendering.expressions import translated

ENDPOINT = "databricks-model"
COUNT = 2_400
TURNS = (("What is “{{ not rendered }}”?", "a"), ("It's ${HOME} \\ two\nlines", "b 😀"))
VALUES = {
    "text": 0.9, ODD: 1.0, "digits": 1.0, "whole": 1.0, "small": 1.0, "narrow": 0.6, "price": 1.0, "flag": 1.0,
    "day": 1.0, "moment": 1.0, "zoned": 1.0, "tiny": 0.2, "floating": 0.6,
}  # fmt: skip
"""The share of the rows that must reach the model when this column is shown: the others are left to the workbench."""
PROMPTS = [
    ("", "{{ text|trim }}|{{ text|trim('ws') }}", 0.9),
    ("", "{{ text|upper }} {{ text|lower }}.", 0.6),
    ("", "{{ text|replace('\\\\', '/')|replace(\"'\", '{{') }}.", 0.9),
    ("", "{{ text|truncate(20) }}|{{ text|truncate(20, true) }}|{{ text|truncate(10, false, '…', 0) }}", 0.9),
    ("", "{{ text|truncate }}|{{ text|truncate(length=12, end='') }}|{{ text[:7] }}|{{ text|length }}", 0.9),
    ("", "{{ text|default('none', true) }}|{{ text|default('none') }}|{{ nowhere|default('none') }}", 0.9),
    ("", "{{ text or 'nothing' }}|{{ text and odd }}|{{ text ~ 7 ~ odd }}.", 0.9),
    ("", "{% if digits|int > 5 %}more{% elif digits|int == 5 %}five{% else %}less{% endif %} {{ digits|int }}", 0.5),
    ("", "{% if digits|float >= 3.14159 or digits|float(-1.5) < -1 %}x{% endif %}{{ digits|int(9) }}!", 0.5),
    ("", "{% if -10 < digits|int <= 12 and not flag == 'True' %}a{% else %}b{% endif %}", 0.5),
    ("", "{% if 'spaces' in text %}1{% elif text in ['plain', ''] %}2{% elif odd not in ('a',) %}3{% endif %}", 0.9),
    ("", "{% if text < 'm' %}early{% elif text >= '日' %}far{% endif %}{{ 'yes' if odd else 'no' }}", 0.9),
    ("{{ odd }}", "{{ text }}{% if nowhere is defined %}never{% endif %}{% if odd is defined %}!{% endif %}", 0.9),
    (
        "You're ${env:HOME}, “{{ odd|upper }}” \\n :p1 $1",
        "Is {{ text }} 'a' or \"b\"? {# no #}{% raw %}{{ raw }}{% endraw %}",
        0.9,
    ),
    ("{{ text }}", "{{ text }}", 0.8),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The rows as a file."""
    path = tmp_path_factory.mktemp("rows") / "parts.parquet"
    pq.write_table(parts(COUNT), path)
    return path


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    """A Spark of this test run, as a second judge of the SQL."""
    pytest.importorskip("pyspark", reason="pyspark is not installed (pip install pyspark==4.0.1, needs Java 17)")
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    folder = tmp_path_factory.mktemp("spark")
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "1").config(
        "spark.sql.session.timeZone", "America/New_York"
    )
    builder = builder.config("spark.sql.warehouse.dir", str(folder)).config("spark.driver.memory", "1g")
    session = builder.config("spark.sql.ansi.enabled", "true").getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="module", params=["duckdb", "spark"])
def engine(request, file):
    """Each engine that runs the statement."""
    if request.param == "duckdb":
        return DuckWarehouse(pq.read_table(file), Oracle())
    return SparkWarehouse(request.getfixturevalue("spark"), file)


@pytest.fixture(scope="module")
def rendered(file, tmp_path_factory):
    """What the workbench renders: the messages of each item, None where it cannot."""
    lake = LocalLake(tmp_path_factory.mktemp("home"))
    lake.put_table(ROWS, file, original_name="parts.parquet")

    def render(system, user, mapping, examples=()):
        renderer = Renderer(system, user, examples)
        found = {}
        columns = tuple(dict.fromkeys(column for column in mapping.values() if column)) or ("id",)
        for frame in lake.batches(Selection(ROWS, "id"), columns=columns, size=500):
            values = {
                name: frame[column].tolist() if column else [None] * len(frame) for name, column in mapping.items()
            }
            for place, reference in enumerate(frame["item_ref"].tolist()):
                variables = {name: text_of(column[place]) for name, column in values.items()}
                found[reference] = _messages(renderer, variables)
        return found

    return render


def _messages(renderer, variables):
    try:
        return renderer.render(variables)
    except Invalid:
        return None


def ask(warehouse, name, *, system="", user, mapping, form=RequestForm.TEXT, turns=(), **more):
    """Ask about all rows; the questions that reached the model, by item."""
    endpoints = frozenset({ENDPOINT}) if form is RequestForm.MESSAGES else frozenset()
    answers = bulk(warehouse, message_endpoints=endpoints)
    request = asked(name, system=system, user=user, mapping=mapping, turns=turns, rows=warehouse.rows, **more)
    answers.drop(name)
    answers.start(request)
    if isinstance(warehouse, DuckWarehouse):
        warehouse.wait()
    assert answers.state(name).status is BulkStatus.DONE, answers.state(name)
    return {answer.id: answer.text for page in answers.answers(request) for answer in page}


def bulk(warehouse, **settings):
    sources = lambda selection: source_of(warehouse, selection.source)  # noqa: E731
    return WarehouseBulkAnswers(warehouse, sources, BulkSettings(warehouse.schema, {"model": ENDPOINT}, **settings))


def asked(name, *, user="{{ text }}", system="", mapping=None, turns=(), rows=ROWS, **more):
    """A request over all rows."""
    mapping = mapping or {"text": "text"}
    prompt = BulkPrompt(
        translated(system, defined=mapping), translated(user, defined=mapping),
        tuple(Message(role, text) for turn in turns for role, text in zip(("user", "assistant"), turn, strict=True)),
    )  # fmt: skip
    return BulkRequest(name, Selection(rows, "id"), prompt, mapping, ENDPOINT, **{"options": ChatOptions(), **more})


# --- what reaches the model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", VALUES)
def test_a_value_is_shown_as_the_workbench_shows_it(engine, rendered, column):
    user = "<{{ value }}>"
    expected = rendered("", user, {"value": column})
    found = ask(engine, "values", user=user, mapping={"value": column})
    assert found == {item: expected[item][-1].content for item in found}
    assert len(found) >= VALUES[column] * COUNT


@pytest.mark.parametrize(("system", "user", "share"), PROMPTS)
def test_a_prompt_reaches_the_model_as_the_workbench_renders_it(engine, rendered, system, user, share):
    mapping = {"text": "text", "odd": ODD, "digits": "digits", "flag": "flag"}
    expected = rendered(system, user, mapping)
    found = ask(engine, "prompts", system=system, user=user, mapping=mapping)
    assert found == {item: one_text(expected[item]) for item in found}
    assert len(found) >= share * sum(messages is not None for messages in expected.values())


@pytest.mark.parametrize("form", RequestForm)
def test_examples_and_system_message_reach_the_model_in_their_order(engine, rendered, form):
    mapping = {"text": "text", "odd": ODD}
    expected = rendered("{{ odd }}", "{{ text }}?", mapping, TURNS)
    found = ask(engine, "turns", system="{{ odd }}", user="{{ text }}?", mapping=mapping, turns=TURNS, form=form)
    assert len(found) > 0.9 * COUNT
    for item, question in found.items():
        if form is RequestForm.TEXT:
            assert question == one_text(expected[item])
        else:
            shown = [{"role": message.role, "content": message.content} for message in expected[item]]
            assert json.loads(question) == shown


def test_an_optional_placeholder_without_a_column_is_empty(engine, rendered):
    mapping = {"text": "text", "note": ""}
    expected = rendered("", "{{ text }}{% if note %} ({{ note }}){% endif %}.", mapping)
    found = ask(engine, "optional", user="{{ text }}{% if note %} ({{ note }}){% endif %}.", mapping=mapping)
    assert found == {item: one_text(expected[item]) for item in found}
    assert len(found) == COUNT


def test_only_the_first_rows_are_asked_and_no_item_that_has_an_answer(engine):
    skipped = tuple(f"part-{number:05d}" for number in range(100, 110))
    found = ask(engine, "limited", user="{{ s }}!", mapping={"s": "small"}, row_limit=120, skipped_refs=skipped)
    assert sorted(found) == [f"part-{number:05d}" for number in range(120) if not 100 <= number < 110]


def test_chosen_and_excluded_items_and_a_filter_hold(engine):
    request = asked("chosen", user="{{ s }}!", mapping={"s": "small"}, rows=engine.rows)
    chosen = tuple(f"part-{number:05d}" for number in range(30))
    selection = Selection(engine.rows, "id", where="small >= 0", item_refs=chosen, excluded_refs=chosen[:5])
    answers = bulk(engine)
    answers.drop("chosen")
    answers.start(BulkRequest("chosen", selection, request.prompt, request.mapping, ENDPOINT))
    if isinstance(engine, DuckWarehouse):
        engine.wait()
    small = parts(COUNT).column("small").to_pylist()
    found = [answer.id for page in answers.answers(request, size=4) for answer in page]
    assert found == [f"part-{n:05d}" for n in range(5, 30) if small[n] >= 0]


@pytest.mark.parametrize("column", ["raw", "list"])
def test_a_column_that_sql_writes_in_its_own_way_is_refused_with_the_reason(engine, column):
    request = asked("refused", user="{{ value }}", mapping={"value": column}, rows=engine.rows)
    assert [column in problem and "its own way" in problem for problem in bulk(engine).problems(request)] == [True]
    with pytest.raises(Invalid):
        bulk(engine).start(request)


# --- paid once -------------------------------------------------------------------------------------------------------


@pytest.fixture
def oracle():
    return Oracle()


@pytest.fixture
def warehouse(oracle):
    """An engine of this test alone with a few rows."""
    warehouse = DuckWarehouse(parts(200), oracle)
    yield warehouse
    oracle.gate.set()
    warehouse.wait()


def test_a_request_that_is_done_is_not_asked_again(warehouse, oracle):
    answers, request = bulk(warehouse), asked("r1", user="{{ text }}?")
    assert answers.state("r1").status is BulkStatus.ABSENT
    answers.start(request)
    warehouse.wait()
    assert answers.state("r1") == answers.state("r1")
    assert (answers.state("r1").status, answers.state("r1").rows_done) == (BulkStatus.DONE, len(oracle.calls))
    answers.start(request)
    bulk(warehouse).start(request)
    warehouse.wait()
    assert warehouse.submitted == ["answers_r1"]
    assert len(oracle.calls) == len({answer.id for page in answers.answers(request) for answer in page}) == 200


def test_a_workbench_that_died_finds_its_statement_running(warehouse, oracle):
    oracle.gate.clear()
    request = asked("r1", user="{{ text }}?")
    bulk(warehouse).start(request)  # and the process dies here
    later = bulk(warehouse)
    assert later.state("r1").status is BulkStatus.RUNNING
    assert later.state("r1").rows_done is None
    later.start(request)
    oracle.gate.set()
    warehouse.wait()
    assert warehouse.submitted == ["answers_r1"]
    assert later.state("r1").rows_done == len(oracle.calls) == 200


def test_a_statement_that_was_stopped_leaves_nothing_and_starts_anew(oracle):
    warehouse = DuckWarehouse(parts(COUNT * 3), oracle)
    oracle.gate.clear()
    answers, request = bulk(warehouse), asked("r1", user="{{ text }}?")
    answers.start(request)
    assert oracle.is_asked.wait(30)
    answers.cancel("r1")
    oracle.gate.set()
    warehouse.wait()
    assert answers.state("r1").status is BulkStatus.CANCELLED
    assert 0 < len(oracle.calls) < COUNT * 3
    answers.start(request)
    warehouse.wait()
    found = [answer.id for page in answers.answers(request, size=700) for answer in page]
    assert found == sorted(set(found))
    assert len(found) == COUNT * 3


def test_answers_come_in_order_and_go_on_behind_an_item(warehouse):
    answers, request = bulk(warehouse), asked("r1", user="{{ text }}?")
    answers.start(request)
    warehouse.wait()
    pages = list(answers.answers(request, size=64))
    assert [len(page) for page in pages] == [64, 64, 64, 8]
    found = [answer.id for page in pages for answer in page]
    assert found == sorted(found)
    rest = [answer.id for page in answers.answers(request, after=found[120], size=50) for answer in page]
    assert rest == found[121:]


def test_an_error_of_the_model_comes_back_with_its_item(warehouse, oracle):
    oracle.broken = "emoji"
    answers, request = bulk(warehouse), asked("r1", user="{{ text }}?")
    answers.start(request)
    warehouse.wait()
    texts = dict(zip(parts(200).column("id").to_pylist(), parts(200).column("text").to_pylist(), strict=True))
    found = {answer.id: answer for page in answers.answers(request) for answer in page}
    for item, answer in found.items():
        is_broken = "emoji" in (texts[item] or "")
        assert (answer.text is None) is is_broken
        assert ("the model said no" in (answer.error or "")) is is_broken
    assert any(answer.error for answer in found.values())


@pytest.mark.parametrize(
    ("reply", "text", "error"),
    [('{"answer": "ok"}', "ok", None), ("ok", "ok", None), ('{"answer": "maybe"}', None, "none of: ok, broken")],
)
def test_a_choice_is_read_as_from_any_other_model(warehouse, oracle, reply, text, error):
    oracle.reply = reply
    answers = bulk(warehouse)
    request = asked("r1", user="{{ text }}?", options=ChatOptions(choices=("ok", "broken"), max_tokens=8))
    answers.start(request)
    warehouse.wait()
    first = next(answers.answers(request))[0]
    assert first.text == text
    assert (error or "") in (first.error or "")
    [(endpoint, form, parameters)] = oracle.settings
    assert endpoint == ENDPOINT
    assert json.loads(form)["json_schema"]["schema"]["properties"]["answer"]["enum"] == ["ok", "broken"]
    assert json.loads(parameters) == {"max_tokens": 72, "temperature": 0.0}


def test_dropping_removes_the_answers_and_is_harmless_twice(warehouse):
    answers, request = bulk(warehouse), asked("r1", user="{{ text }}?")
    answers.start(request)
    warehouse.wait()
    answers.drop("r1")
    answers.drop("r1")
    assert answers.state("r1").status is BulkStatus.ABSENT


def test_a_failed_statement_says_why(warehouse):
    answers = bulk(warehouse)
    warehouse.submit("answers_r9", "SELECT * FROM nowhere", {})
    warehouse.wait()
    assert answers.state("r9").status is BulkStatus.FAILED
    assert "nowhere" in answers.state("r9").error


# --- the statement ---------------------------------------------------------------------------------------------------


def statement(warehouse, request, **more):
    source = source_of(warehouse)
    return create_statement(request, replace(source, dialect="databricks"), table="main.work.answers_x", **more)


def test_nothing_that_a_person_typed_into_a_prompt_is_part_of_the_sql(warehouse):
    user = 'It\'s "quoted" `back` \\ ${env:HOME} {{ text }} -- ; DROP TABLE x 😀 :p9'
    found = statement(warehouse, asked("x", user=user))
    assert "It's" not in found.sql
    assert "DROP" not in found.sql
    assert "${" not in found.sql
    assert 'It\'s "quoted" `back` \\ ${env:HOME} ' in found.parameters.values()


def test_the_statement_is_one_create_table_of_databricks_with_ai_query(warehouse):
    found = statement(
        warehouse, asked("x", user="{{ odd }}", mapping={"odd": ODD}, options=ChatOptions(temperature=0.5))
    )
    [tree] = sqlglot.parse(found.sql, read="databricks")
    assert isinstance(tree, exp.Create)
    assert tree.args["exists"]
    [call] = [node for node in tree.find_all(exp.Anonymous) if node.name.upper() == "AI_QUERY"]
    assert call.expressions[0] == exp.Literal.string(ENDPOINT)
    assert {part.this.name: part.expression.sql("databricks") for part in call.expressions[2:]} == {
        "modelParameters": "STRUCT(256 AS max_tokens, CAST('0.5' AS DOUBLE) AS temperature)",
        "failOnError": "FALSE",
    }
    assert {column.name for column in tree.find_all(exp.Column)} >= {ODD}
    assert {node.name for node in tree.find_all(exp.Placeholder)} == set(found.parameters)


def test_the_statement_reads_as_agreed(warehouse):
    found = statement(warehouse, asked("x", user="A {{ flag }}{% if flag %}!{% endif %}", mapping={"flag": "flag"}))
    readable = re.sub(r":(p\d+)\b", lambda name: f":{found.parameters[name[1]]!r}", found.sql)
    head, _, rest = readable.partition("), cell_texts AS ")
    tail, _, call = rest.partition("AI_QUERY(")
    assert head.startswith("CREATE TABLE IF NOT EXISTS `main`.`work`.`answers_x` AS WITH chosen_rows AS (SELECT CAST(")
    assert tail == (
        "(SELECT chosen_rows.item_ref, CASE WHEN `chosen_rows`.`flag` THEN 'True' WHEN NOT `chosen_rows`.`flag` THEN "
        "'False' ELSE '' END AS v1 FROM chosen_rows), cell_values AS (SELECT item_ref, CASE WHEN LENGTH(v1) > 20000 "
        "THEN CONCAT(SUBSTRING(v1, 1, 20000), :' […]') ELSE v1 END AS v1 FROM cell_texts), prompts AS (SELECT "
        "item_ref, :'' AS system_text, CONCAT(:'A ', v1, CASE WHEN v1 <> '' THEN :'!' ELSE :'' END) AS user_text, "
        "NOT v1 IS NULL AS is_sure FROM cell_values) SELECT prompts.item_ref, "
    )
    assert call.startswith("'databricks-model', CASE WHEN TRIM(BOTH ")
    assert call.endswith(
        "failOnError => FALSE) AS answer FROM prompts WHERE prompts.is_sure AND NOT TRIM(BOTH "
        "'\\t\\n\\013\\014\\r\\034\\035\\036\\037 \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
        "\u2006\u2007\u2008\u2009\u200a"
        "\u2028\u2029\u202f\u205f\u3000' FROM prompts.user_text) = '' AND LENGTH(prompts.system_text) <= 200000 AND "
        "LENGTH(prompts.user_text) <= 200000"
    )


def test_a_prompt_of_too_many_pieces_is_refused(warehouse):
    user = "".join(f"{{{{ text }}}} piece {number} " for number in range(MAX_PARAMETERS + 1))
    assert "pieces of text" in bulk(warehouse).problems(asked("x", user=user))[0]


def test_a_filter_that_spark_would_rewrite_is_refused(warehouse):
    request = asked("x")
    selection = Selection(ROWS, "id", where="text <> '${env:HOME}'")
    found = bulk(warehouse).problems(BulkRequest("x", selection, request.prompt, request.mapping, ENDPOINT))
    assert "${" in found[0]


@pytest.mark.parametrize("endpoint", ["", "a'b", "a b", "ä"])
def test_an_endpoint_that_is_no_name_is_refused(warehouse, endpoint):
    request = asked("x")
    found = BulkRequest("x", request.selection, request.prompt, request.mapping, endpoint)
    assert "cannot name a serving endpoint" in bulk(warehouse).problems(found)[0]


def test_a_request_whose_id_is_no_name_is_refused(warehouse):
    with pytest.raises(Invalid):
        bulk(warehouse).start(asked("x; DROP TABLE y"))


def test_messages_as_one_text():
    question = Message("user", "q")
    assert one_text([question]) == "q"
    told = [Message("system", "s"), Message("user", "a"), Message("assistant", "b"), question]
    assert one_text(told) == "s\n\nUser: a\n\nAssistant: b\n\nUser: q"
