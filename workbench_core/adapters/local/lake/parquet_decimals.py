"""Parquet files with numbers of more than 38 digits, which DuckDB would round: the numbers as text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from workbench_core.adapters.local.lake.value_types import listed
from workbench_core.errors import Invalid


@contextmanager
def exact_decimals(file: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A Parquet file that DuckDB reads exactly, and a note when that took a copy, which is gone afterwards.

    What is no Parquet file is given back as it is.
    """
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError):
        yield file, ()
        return
    exact = pa.schema([field.with_type(_exact(field.type)) for field in schema])
    changed = [before.name for before, after in zip(schema, exact, strict=True) if before.type != after.type]
    if not changed:
        yield file, ()
        return
    with TemporaryDirectory(prefix="workbench-parquet-") as folder:
        copy = Path(folder).resolve() / "exact.parquet"
        try:
            _copy(file, copy, exact)
        except pa.ArrowException as error:
            raise Invalid("The Parquet file is damaged.", hint="Save it as Parquet again.") from error
        has = "has" if len(changed) == 1 else "have"
        yield copy, (f"{listed(changed)} {has} numbers of more than 38 digits and became text.",)


def _copy(file: Path, target: Path, schema: pa.Schema) -> None:
    with pq.ParquetFile(file) as source, pq.ParquetWriter(target, schema, compression="zstd") as written:
        for batch in source.iter_batches():
            written.write_table(pa.Table.from_batches([batch]).cast(schema))


def _exact(data_type: pa.DataType) -> pa.DataType:
    """The same type with text in place of decimals of more than 38 digits."""
    if pa.types.is_decimal256(data_type):
        return pa.string()
    if pa.types.is_struct(data_type):
        return pa.struct([field.with_type(_exact(field.type)) for field in data_type])
    if pa.types.is_list(data_type):
        return pa.list_(data_type.value_field.with_type(_exact(data_type.value_type)))
    if pa.types.is_large_list(data_type):
        return pa.large_list(data_type.value_field.with_type(_exact(data_type.value_type)))
    if pa.types.is_map(data_type):
        return pa.map_(_exact(data_type.key_type), data_type.item_field.with_type(_exact(data_type.item_type)))
    return data_type
