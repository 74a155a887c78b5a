"""From a Selection and a typed filter to one SQL query, built as an expression and rendered for the lake's dialect.

names             three-part names, columns that a person may have typed
filters           a typed filter: one boolean expression over known columns
sources           what a query reads from
selections        the queries on a selection: rows, pages, streams, counts, samples
key_values        when two values of different types are equal
join_checks       whether a join can be made, and in which order its sources come
joins             from a join to one relation
join_counts       match statistics, and how the values of two columns meet
"""

from workbench_core.adapters.lake_query.filters import FILTER_LIMIT, is_lasting, parse_filter
from workbench_core.adapters.lake_query.join_checks import check_shape
from workbench_core.adapters.lake_query.join_counts import comparison_query, stats_query
from workbench_core.adapters.lake_query.joins import join_source, narrowed, narrowed_tables
from workbench_core.adapters.lake_query.names import NAME_PART, find_column, split_name
from workbench_core.adapters.lake_query.selections import (
    classes_query,
    count_query,
    distinct_query,
    export_query,
    fetch_query,
    filter_query,
    first_keys_query,
    identifier_order_query,
    identifiers_query,
    items_query,
    keys_query,
    page_query,
    rows_query,
    stream_query,
    text_query,
    used_columns,
)
from workbench_core.adapters.lake_query.sources import ITEM_REF, SOURCE, QuerySource, SourceTable, table_source

__all__ = [
    "FILTER_LIMIT",
    "ITEM_REF",
    "NAME_PART",
    "SOURCE",
    "QuerySource",
    "SourceTable",
    "check_shape",
    "classes_query",
    "comparison_query",
    "count_query",
    "distinct_query",
    "export_query",
    "fetch_query",
    "filter_query",
    "find_column",
    "first_keys_query",
    "identifier_order_query",
    "identifiers_query",
    "is_lasting",
    "items_query",
    "join_source",
    "keys_query",
    "narrowed",
    "narrowed_tables",
    "page_query",
    "parse_filter",
    "rows_query",
    "split_name",
    "stats_query",
    "stream_query",
    "table_source",
    "text_query",
    "used_columns",
]
