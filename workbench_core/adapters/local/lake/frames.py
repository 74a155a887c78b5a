"""From DuckDB's Arrow results to data frames that a page can show and a template can render."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A frame with the table's columns: lists and structs as Python values, integers with gaps still integers."""
    columns = {name: _series(table.column(index)) for index, name in enumerate(table.column_names)}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _series(column: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_nested(column.type):
        return pd.Series(column.to_pylist(maps_as_pydicts="lossy"), dtype=object)
    values: pd.Series = column.to_pandas(types_mapper=_with_gaps if column.null_count else None)
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
