"""The contract of joins: what reads through one, its samples, and its query for people (JN-2, JN-4, SH-12)."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from tests.contract import join_parts
from tests.contract.join_parts import ID, A, B, frame, two
from tests.contract.lake_tables import CUSTOMERS, ORDERS, PRODUCTS, key, primary, put, ref, rows_of, shop_join
from workbench_core.errors import Invalid
from workbench_core.ports import Join, JoinKind, JoinSource, JoinStats, Matches, Selection, TimeWindow

shop_lake = join_parts.shop_lake  # a fixture


# --- reading through a join (JN-4) ---


def test_filter_count_distinct_and_identifier_read_through_the_join(shop_lake):
    join = shop_join()
    accepted = shop_lake.check_filter(join, "customers__city = 'Ulm' AND ORDERS__amount > 10")
    selection = Selection(join, ID, where=accepted)
    assert shop_lake.count(selection) == 2
    assert [row[0] for row in rows_of(shop_lake, join, ID, item_id=ID, where=accepted)] == ["o2", "o3"]
    assert [list(batch["item_ref"]) for batch in shop_lake.batches(selection, size=1)] == [["o2"], ["o3"]]
    assert shop_lake.distinct(join, "customers__city") == [("Ulm", 3), ("Bonn", 1)]
    assert shop_lake.check_identifier(join, ID).is_valid
    with pytest.raises(Invalid, match="city") as caught:
        shop_lake.check_filter(join, "customers_city = 'Ulm'")
    assert "customers__city" in caught.value.hint


@pytest.mark.parametrize(
    "expression", ["orders.id = 'o1'", "orders__file_row_number = 1", "(select 1) = 1", '"joined rows" = 1']
)
def test_a_filter_reaches_only_the_columns_of_the_result(shop_lake, expression):
    with pytest.raises(Invalid):
        shop_lake.check_filter(shop_join(), expression)


def test_chosen_and_excluded_items_of_a_join(shop_lake):
    chosen = {"item_refs": ("o1", "o3", "o5"), "excluded_refs": ("o3", "'; DROP", "none")}
    assert rows_of(shop_lake, shop_join(), ID, item_id=ID, **chosen) == [("o1",), ("o5",)]
    selection = Selection(shop_join(), ID, **chosen)
    assert shop_lake.count(selection) == 2
    assert [list(batch["item_ref"]) for batch in shop_lake.batches(selection)] == [["o1", "o5"]]


def test_items_are_left_out_after_the_sample_is_drawn(shop_lake):
    for source, item_id in ((shop_join(), ID), (ORDERS, "id")):
        sample = list(shop_lake.page(Selection(source, item_id, sample_size=3))["item_ref"])
        left_out = Selection(source, item_id, sample_size=3, excluded_refs=(sample[1],))
        assert list(shop_lake.page(left_out)["item_ref"]) == [sample[0], sample[2]]
    with pytest.raises(Invalid, match="identifier"):
        shop_lake.count(Selection(ORDERS, "", excluded_refs=("o1",)))


def test_hostile_names_and_values_survive_a_join(lake):
    name = "we\"ird. 😀 'n; --"
    left = pd.DataFrame({"id": ["1", "2"], name: ['it\'s "x"', "😀; DROP TABLE a"], "joined rows": [1, 2]})
    right = pd.DataFrame({name: ['it\'s "x"', "😀; DROP TABLE a"], "a.b": ["one", "two"], "place": [1, 2]})
    for matches in Matches:
        source = {"matches": matches, "order_column": name}
        join = two(lake, left, right, key(f"a.{name}", f"b.{name}"), kind=JoinKind.FULL, **source)
        frame_ = lake.page(Selection(join, "a__id", where='"a__joined rows" = 2'), columns=["b__a.b", f"a__{name}"])
        value = ["two"] if matches is Matches.LIST else "two"
        assert frame_.to_dict("records") == [{"item_ref": "2", "b__a.b": value, f"a__{name}": "😀; DROP TABLE a"}]
        assert lake.join_stats(join, "a__id") == JoinStats(2, 2, 2, 2)
        assert name.replace('"', '""') in lake.query_text(Selection(join, "a__id"))
    assert lake.compare_keys(A, name, B, name).overlap == 1.0


def test_a_changed_source_is_seen_at_once(shop_lake):
    selection = Selection(shop_join(), ID)
    assert shop_lake.page(selection)["customers__name"][0] == "Ada"
    shop_lake.drop(CUSTOMERS)
    put(shop_lake, CUSTOMERS, frame(id=[1], name=["Eve"], zip=["89073"]))
    page = shop_lake.page(selection)
    assert page["customers__name"][0] == "Eve" and "customers__zip" in page


# --- samples of a join (SH-12) ---


@pytest.mark.parametrize("stratify", ["", "b__city"])
def test_a_sample_of_a_join_depends_on_the_seed_and_not_on_the_order(lake, stratify):
    left = frame(id=[f"i{n:03d}" for n in range(200)], k=[n % 10 for n in range(200)])
    right = frame(k=range(10), city=["A"] * 5 + ["B"] * 3 + ["C"] * 2)
    join = two(lake, left, right)
    drawn = {"item_id": "a__id", "sample_size": 40, "stratify_column": stratify}
    first = rows_of(lake, join, "a__id", "b__city", **drawn)
    assert len(first) == 40 and first == sorted(first)
    if stratify:
        assert Counter(city for _, city in first) == {"A": 20, "B": 12, "C": 8}
    shuffled = two(lake, left.sample(frac=1, random_state=2), right.sample(frac=1, random_state=2))
    assert rows_of(lake, shuffled, "a__id", "b__city", **drawn) == first
    assert rows_of(lake, join, "a__id", "b__city", **{**drawn, "sample_seed": 1}) != first
    assert lake.count(Selection(join, "a__id", sample_size=40, stratify_column=stratify)) == 40


def test_a_sample_under_fan_out_draws_items_with_all_their_rows(lake):
    join = two(lake, frame(id=[f"i{n}" for n in range(10)], k=range(10)), frame(k=[n // 3 for n in range(30)]))
    page = lake.page(Selection(join, "a__id", sample_size=4), limit=100)
    assert len(page) == 12 and set(Counter(page["item_ref"]).values()) == {3}


# --- the query for people (JN-2) ---


def test_the_query_is_shown_with_the_names_of_the_tables(shop_lake, tmp_path):
    selection = Selection(shop_join(), ID, where="orders__amount > 10", excluded_refs=("o'2",))
    text = shop_lake.query_text(selection, columns=["customers__name"])
    assert '"shop"."sales"."orders" AS "orders"' in text and "LEFT JOIN" in text
    assert '"orders"."customer" = "customers"."id"' in text
    assert "'o''2'" in text and str(tmp_path) not in text and "read_parquet" not in text.lower()
    assert "file_row_number" not in text and len(text.splitlines()) > 10
    plain = shop_lake.query_text(Selection(ORDERS, "id"))
    assert '"shop"."sales"."orders"' in plain and "read_parquet" not in plain


def test_the_shown_query_gives_the_rows_that_are_read(shop_lake):
    import duckdb

    selection = Selection(shop_join(), ID, where="orders__amount > 10", item_refs=("o1", "o2", "o3"), sample_size=6)
    text = shop_lake.query_text(selection, columns=["customers__name"])
    with duckdb.connect() as other:
        other.execute("ATTACH ':memory:' AS shop; CREATE SCHEMA shop.sales")
        for name in (ORDERS, CUSTOMERS, PRODUCTS):
            content = shop_lake.page(Selection(name, ""), limit=100).drop(columns="item_ref")
            other.register("content", content)
            other.execute(f"CREATE TABLE {name} AS SELECT * FROM content")
        assert other.sql(text).fetchall() == [("o2", "Ada"), ("o3", "Bea")]


def test_the_same_join_renders_for_databricks():
    from sqlglot import exp

    from workbench_core.adapters.lake_query import SourceTable, join_source
    from workbench_core.ports import Column

    table = SourceTable(
        exp.table_("orders", db="sales", catalog="shop", quoted=True),
        (Column("id", "STRING", "string"), Column("at", "TIMESTAMP", "time")),
    )
    for matches, part in ((Matches.LATEST, "JOIN LATERAL"), (Matches.LIST, "SORT_ARRAY(")):
        join = Join(
            (
                primary("shop.sales.orders", "a"),
                JoinSource("shop.sales.orders", "b", matches=matches, order_column="at"),
            ),
            (key("a.id", "b.id"),),
            window=TimeWindow(ref("a.at"), ref("b.at")),
        )
        text = join_source(join, {"a": table, "b": table}, dialect="databricks").relation.sql(dialect="databricks")
        assert part in text and "`shop`.`sales`.`orders`" in text and '"' not in text
