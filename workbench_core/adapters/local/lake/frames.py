"""From DuckDB's Arrow results to data frames that a page can show and a template can render."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from workbench_core.adapters.local.lake.engine import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

SECONDS_OF_DAY = 86_400
FIRST, END = -62_135_596_800, 253_402_300_800  # seconds of the years 1 and 10000 from 1970


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A frame with the table's columns: lists and structs as Python values, integers with gaps still integers."""
    columns = {name: _series(table.column(index)) for index, name in enumerate(table.column_names)}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _series(column: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_nested(column.type):
        try:
            return pd.Series(column.to_pylist(maps_as_pydicts="lossy"), dtype=object)
        except (ValueError, OverflowError):  # a time in it that Python does not have
            return _texts(column, "to_json(value)")
    if _has_far_times(column):
        return _texts(column, "value")
    values: pd.Series = column.to_pandas(types_mapper=_with_gaps if column.null_count else None)
    return values


def _has_far_times(column: pa.ChunkedArray) -> bool:
    """Whether a column has days or times before the year 1 or after 9999, which Python's calendar does not have."""
    if pa.types.is_date32(column.type):
        per_second = 1 / SECONDS_OF_DAY
    elif pa.types.is_timestamp(column.type):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    else:
        return False
    import pyarrow.compute as pc

    numbers = column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
    ends = pc.min_max(numbers).as_py()
    return ends["min"] is not None and (ends["min"] < FIRST * per_second or ends["max"] >= END * per_second)


def _texts(column: pa.ChunkedArray, expression: str) -> pd.Series:
    """The values as DuckDB writes them; of nested ones as JSON."""
    with connect(folders=[]) as connection:
        connection.register("far", pa.table({"value": column}))
        texts = connection.sql(f"SELECT CAST({expression} AS VARCHAR) AS value FROM far").to_arrow_table().column(0)
    values: pd.Series = texts.to_pandas()
    return values


def _with_gaps(data_type: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    """The type that keeps a missing integer or boolean missing; pandas' own would turn 2**60 + 1 into a float."""
    if pa.types.is_integer(data_type):
        return pd.UInt64Dtype() if pa.types.is_unsigned_integer(data_type) else pd.Int64Dtype()
    return pd.BooleanDtype() if pa.types.is_boolean(data_type) else None


def regroup(batches: Iterable[pa.RecordBatch], *, size: int) -> Iterator[pa.Table]:
    """Arrow batches of any length as tables of `size` rows, the last one shorter."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows < size:
            continue
        table = pa.Table.from_batches(held)
        whole = rows - rows % size
        for start in range(0, whole, size):
            yield table.slice(start, size)
        held = table.slice(whole).to_batches()
        rows -= whole
    if rows:
        yield pa.Table.from_batches(held)
